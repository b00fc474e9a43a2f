//! What heads do with rows.

use std::ops::Range;

use candle_core::{D, DType, Device, Tensor};

use super::packed::Rectangle;
use super::{Pairs, kernels_take, matrix, with_values};
use crate::backbones::Sequences;
use crate::error::Result;
use crate::kernels;

/// Keeps the length of a vector of zeros from dividing by zero.
const EPSILON: f64 = 1e-8;

/// All values of a tensor, row by row, as f32.
///
/// # Errors
/// The device failed.
pub fn values(x: &Tensor) -> Result<Vec<f32>> {
    Ok(x.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

/// The rows of these indices: `(indices, width)`.
///
/// # Errors
/// An index outside the matrix.
pub fn select_rows(x: &Tensor, indices: &[usize]) -> Result<Tensor> {
    Ok(x.index_select(&Tensor::from_iter(indices.iter().map(|&row| row as u32), x.device())?, 0)?)
}

/// The rows that are read, of matrices that go on together; all of them where nothing is said.
///
/// # Errors
/// An index outside a matrix.
pub fn read_rows<const N: usize>(x: [&Tensor; N], read: Option<&[usize]>) -> Result<[Tensor; N]> {
    let mut rows = x.map(Tensor::clone);
    if let Some(read) = read {
        for x in &mut rows {
            *x = select_rows(x, read)?;
        }
    }
    Ok(rows)
}

/// The rows of these ranges, one range after another.
///
/// # Errors
/// A range outside the matrix.
pub fn select_ranges(x: &Tensor, ranges: impl Iterator<Item = Range<usize>>) -> Result<Tensor> {
    select_rows(x, &ranges.flatten().collect::<Vec<_>>())
}

/// `x` with other rows in some places: each pair of `places` is a row of `x` and the row of `rows` that it becomes.
///
/// # Errors
/// The widths differ.
pub fn replace_rows(x: &Tensor, places: impl Iterator<Item = (usize, usize)>, rows: &Tensor) -> Result<Tensor> {
    let count = x.dim(0)?;
    let mut index: Vec<usize> = (0..count).collect();
    for (place, row) in places {
        index[place] = count + row;
    }
    select_rows(&Tensor::cat(&[x, &rows.to_dtype(x.dtype())?], 0)?, &index)
}

/// The same with no gradient that goes back through some of the rows.
///
/// # Errors
/// The device has no room.
pub fn detach_rows(x: &Tensor, rows: impl Iterator<Item = usize>) -> Result<Tensor> {
    replace_rows(x, rows.map(|row| (row, row)), &x.detach())
}

/// Sets the rows of padding to 0.
///
/// # Errors
/// The device has no room.
pub fn clear_padding(x: Tensor, sequences: &Sequences) -> Result<Tensor> {
    if sequences.text.is_none() {
        return Ok(x);
    }
    let zeros = Tensor::zeros((1, x.dim(1)?), x.dtype(), x.device())?;
    replace_rows(&x, sequences.padding().flatten().map(|row| (row, 0)), &zeros)
}

/// Scales every row of `x` `(rows, width)` to unit length.
///
/// # Errors
/// `x` is no matrix.
pub fn normalize(x: &Tensor) -> Result<Tensor> {
    let (_, width) = x.dims2()?;
    if !kernels_take(x) {
        let length = (x.sqr()?.sum_keepdim(D::Minus1)?.sqrt()? + EPSILON)?;
        return Ok(x.broadcast_div(&length)?);
    }
    let mut values = with_values(x, <[f32]>::to_vec)?;
    for row in values.chunks_exact_mut(width) {
        let length = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt() + EPSILON;
        row.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
    matrix(values, width)
}

/// The product of the two rows of each pair of a row of `a` and one of `b`: `(pairs)`.
///
/// # Errors
/// The widths differ.
pub fn dot_rows(a: &Tensor, b: &Tensor, pairs: &Pairs, threads: usize) -> Result<Tensor> {
    let (width, other) = (a.dims2()?.1, b.dims2()?.1);
    if width != other {
        let message = format!("products of rows of {width} numbers with rows of {other}");
        return Err(candle_core::Error::Msg(message).into());
    }
    if !kernels_take(a) || !kernels_take(b) {
        return pairs.in_runs(|run| Ok((run.firsts(a)? * run.seconds(b)?)?.sum(D::Minus1)?));
    }
    let count = pairs.count();
    let mut out = vec![0.0; count];
    with_values(a, |a| with_values(b, |b| kernels::row_products(a, b, width, pairs.rows(), &mut out, threads)))??;
    Ok(Tensor::from_vec(out, count, &Device::Cpu)?)
}

/// The softmax of `scores` `(rows)` inside each range; the ranges lie one after another and fill it.
///
/// # Errors
/// The ranges do not fit.
pub fn softmax_within(scores: &Tensor, ranges: &[Range<usize>]) -> Result<Tensor> {
    if !kernels_take(scores) {
        let rectangle = Rectangle::new(ranges, scores.device())?;
        if rectangle.length == 0 {
            return Ok(scores.clone());
        }
        let mut rows = rectangle.fill(&scores.unsqueeze(1)?)?.squeeze(2)?;
        if let Some(mask) = rectangle.mask(rows.dtype())? {
            rows = (rows + mask)?;
        }
        return Ok(rectangle.empty(&super::attention::softmax(&rows)?.unsqueeze(2)?)?.squeeze(1)?);
    }
    let found = with_values(scores, |scores| {
        ranges.iter().flat_map(|range| softmax(scores[range.clone()].iter().copied())).collect::<Vec<f32>>()
    })?;
    Ok(Tensor::from_vec(found, scores.dims(), scores.device())?)
}

/// The sum of matrices `(tokens, width)`, each weighed in each sequence by a column of `weights`
/// `(sequences, matrices)`.
///
/// # Errors
/// The shapes do not fit.
pub fn weighted_sum(matrices: &[Tensor], weights: &Tensor, sequences: &Sequences) -> Result<Tensor> {
    let sequence_of = sequences.ranges().enumerate().flat_map(|(sequence, range)| range.map(move |_| sequence as u32));
    let weights = weights.index_select(&Tensor::from_iter(sequence_of, weights.device())?, 0)?;
    let mut sum: Option<Tensor> = None;
    for (column, matrix) in matrices.iter().enumerate() {
        let term = matrix.to_dtype(DType::F32)?.broadcast_mul(&weights.narrow(1, column, 1)?)?;
        sum = Some(match sum {
            Some(sum) => (sum + term)?,
            None => term,
        });
    }
    sum.ok_or_else(|| candle_core::Error::Msg("a sum of no matrices: this is a bug".into()).into())
}

fn softmax(scores: impl Iterator<Item = f32>) -> Vec<f32> {
    let scores: Vec<f32> = scores.collect();
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp: Vec<f32> = scores.iter().map(|x| (x - max).exp()).collect();
    let sum = exp.iter().map(|&x| f64::from(x)).sum::<f64>() as f32;
    exp.into_iter().map(|x| x / sum).collect()
}
