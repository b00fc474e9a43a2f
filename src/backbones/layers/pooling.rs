//! Rows -> one row.
//!
//! Source: `poolings.py` of `gliclass` 0.1.21, on one record at a time.

use std::ops::Range;

use candle_core::{DType, Tensor};

use super::packed::Rectangle;
use super::{kernels_take, matrix, select_rows, with_values};
use crate::backbones::Sequences;
use crate::checkpoint::config::Pooling;
use crate::error::Result;

/// Rows that become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The rows; none stand for a row of zeros.
    pub rows: Range<usize>,
    /// How many rows of zeros follow them.
    ///
    /// Where the reference pools the text alone, it first moves the text to the front of the sequence and
    /// clears the rest, and its pooling counts the cleared rows.
    pub zero_rows: usize,
}

impl Span {
    /// All rows of each sequence.
    pub fn all(sequences: &Sequences) -> Vec<Self> {
        sequences.ranges().map(Self::from).collect()
    }
}

impl From<Range<usize>> for Span {
    fn from(rows: Range<usize>) -> Self {
        Self { rows, zero_rows: 0 }
    }
}

/// Pools the rows of each span of `x` `(rows, width)` column by column: `(spans, width)` in f32.
///
/// # Errors
/// `pooling` is [`Pooling::Pass`], or `x` is no matrix.
pub fn pool(x: &Tensor, spans: &[Span], pooling: Pooling) -> Result<Tensor> {
    if pooling == Pooling::Pass {
        return Err(candle_core::Error::Msg("pooling `pass` gives no single row: this is a bug".into()).into());
    }
    let (_, width) = x.dims2()?;
    if !kernels_take(x) {
        return pool_tensors(x, spans, pooling);
    }
    let mut out = Vec::with_capacity(spans.len() * width);
    with_values(x, |x| {
        for span in spans {
            if span.rows.is_empty() {
                out.resize(out.len() + width, 0.0);
            } else {
                let rows = &x[span.rows.start * width..span.rows.end * width];
                out.extend(pool_rows(pooling, rows, width, span.zero_rows));
            }
        }
    })?;
    matrix(out, width)
}

/// Pools `rows` `(tokens, width)` and `zero_rows` rows of zeros after them.
fn pool_rows(pooling: Pooling, rows: &[f32], width: usize, zero_rows: usize) -> Vec<f32> {
    let count = (rows.len() / width + zero_rows) as f64;
    let sum = |f: fn(f64) -> f64| {
        let mut sums = vec![0f64; width];
        for row in rows.chunks_exact(width) {
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f(f64::from(x)));
        }
        sums
    };
    let largest = |f: fn(f32) -> f32| {
        let start = if zero_rows > 0 { 0.0 } else { f32::NEG_INFINITY };
        let mut out = vec![start; width];
        for row in rows.chunks_exact(width) {
            out.iter_mut().zip(row.iter().map(|x| f(*x))).for_each(|(out, x)| {
                if x > *out || x.is_nan() {
                    *out = x;
                }
            });
        }
        out
    };
    let narrow = |sums: Vec<f64>, f: &dyn Fn(f64) -> f64| sums.into_iter().map(|x| f(x) as f32).collect();
    match pooling {
        Pooling::First => rows[..width.min(rows.len())].to_vec(),
        Pooling::Last if zero_rows > 0 => vec![0.0; width],
        Pooling::Last => rows[rows.len().saturating_sub(width)..].to_vec(),
        Pooling::Max => largest(|x| x),
        Pooling::AbsMax => largest(f32::abs),
        Pooling::Sum => narrow(sum(|x| x), &|x| x),
        Pooling::Avg => narrow(sum(|x| x), &|x| x / count),
        Pooling::AbsAvg => narrow(sum(f64::abs), &|x| x / count),
        Pooling::Rms => narrow(sum(|x| x * x), &|x| (x / count).sqrt()),
        Pooling::Pass => rows.to_vec(),
    }
}

fn pool_tensors(x: &Tensor, spans: &[Span], pooling: Pooling) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    if rows == 0 {
        return Ok(Tensor::zeros((spans.len(), width), DType::F32, x.device())?);
    }
    let one_row = |row: fn(&Span) -> usize, holds: fn(&Span) -> bool| -> Result<Tensor> {
        let last = rows - 1;
        let index: Vec<usize> = spans.iter().map(|span| row(span).min(last)).collect();
        let rows = select_rows(x, &index)?.to_dtype(DType::F32)?;
        if spans.iter().all(holds) {
            return Ok(rows);
        }
        let holds = Tensor::from_iter(spans.iter().map(|span| f32::from(holds(span))), x.device())?;
        Ok(rows.broadcast_mul(&holds.unsqueeze(1)?)?)
    };
    let single = spans.iter().all(|span| span.rows.len() <= 1 && span.zero_rows == 0);
    match pooling {
        Pooling::First => return one_row(|span| span.rows.start, |span| !span.rows.is_empty()),
        Pooling::Avg | Pooling::Sum | Pooling::Max if single => {
            return one_row(|span| span.rows.start, |span| !span.rows.is_empty());
        }
        Pooling::Last => {
            return one_row(
                |span| span.rows.end.saturating_sub(1),
                |span| !span.rows.is_empty() && span.zero_rows == 0,
            );
        }
        _ => {}
    }
    let ranges: Vec<Range<usize>> = spans.iter().map(|span| span.rows.clone()).collect();
    let rectangle = Rectangle::new(&ranges, x.device())?;
    let rows = rectangle.fill(x)?.to_dtype(DType::F32)?;
    let count = |span: &Span| (span.rows.len() + span.zero_rows).max(1) as f32;
    Ok(match pooling {
        Pooling::Max | Pooling::AbsMax => largest(&rows, spans, &rectangle, pooling)?,
        Pooling::Sum => add_up(&rows, spans, |_| 1.0)?,
        Pooling::AbsAvg => add_up(&rows.abs()?, spans, |span| 1.0 / count(span))?,
        Pooling::Rms => add_up(&rows.sqr()?, spans, |span| 1.0 / count(span))?.sqrt()?,
        _ => add_up(&rows, spans, |span| 1.0 / count(span))?,
    })
}

/// The sum of each span's rows `(spans, longest, width)`, each span with its factor.
fn add_up(rows: &Tensor, spans: &[Span], factor: impl Fn(&Span) -> f32) -> Result<Tensor> {
    let (count, length, _) = rows.dims3()?;
    let weights = spans.iter().flat_map(|span| {
        let factor = factor(span);
        (0..length).map(move |at| if at < span.rows.len() { factor } else { 0.0 })
    });
    let weights = Tensor::from_iter(weights, rows.device())?.reshape((count, 1, length))?;
    Ok(weights.matmul(rows)?.squeeze(1)?)
}

fn largest(rows: &Tensor, spans: &[Span], rectangle: &Rectangle, pooling: Pooling) -> Result<Tensor> {
    let rows = if pooling == Pooling::AbsMax { rows.abs()? } else { rows.clone() };
    let rows = match rectangle.mask(DType::F32)? {
        Some(mask) => rows.broadcast_add(&mask.unsqueeze(2)?)?,
        None => rows,
    };
    // Not `max`, which gives each of several equal rows the whole gradient: the rows of padding often are.
    let found = rows.gather(&rows.detach().argmax_keepdim(1)?, 1)?.squeeze(1)?;
    let cleared = |span: &Span| span.zero_rows > 0 || span.rows.is_empty();
    if !spans.iter().any(cleared) {
        return Ok(found);
    }
    // Rows of zeros take part in some of the spans.
    let least = spans.iter().map(|span| if cleared(span) { 0.0 } else { f32::MIN });
    Ok(found.broadcast_maximum(&Tensor::from_iter(least, rows.device())?.unsqueeze(1)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleared_rows_count_where_the_reference_counts_them() {
        let rows = [1.0, -4.0, 3.0, -2.0];
        assert_eq!(pool_rows(Pooling::Avg, &rows, 2, 0), [2.0, -3.0]);
        assert_eq!(pool_rows(Pooling::Avg, &rows, 2, 2), [1.0, -1.5]);
        assert_eq!(pool_rows(Pooling::Max, &rows, 2, 1), [3.0, 0.0]);
        assert_eq!(pool_rows(Pooling::Last, &rows, 2, 1), [0.0, 0.0]);
        assert_eq!(pool_rows(Pooling::AbsMax, &rows, 2, 0), [3.0, 4.0]);
    }
}
