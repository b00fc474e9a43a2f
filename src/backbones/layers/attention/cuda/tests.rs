//! What the kernel is given makes attention, where plain sums stand in for the kernel.

#![allow(clippy::unwrap_used)]

use candle_core::{DType, Device, Tensor};

use super::made_up::{Biases, HEADS, LENGTHS, made_up};
use super::operands::Added;
use crate::backbones::Sequences;
use crate::backbones::layers::attention::{Attention, Bias};

const HEAD_DIM: usize = 6;

/// As `attention.cu` reads its operands.
fn plain(x: &Tensor, sequences: &Sequences, added: &Added) -> Vec<f32> {
    let values = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let hidden = HEADS * HEAD_DIM;
    let (tokens, x) = (x.dim(0).unwrap(), values(x));
    let tiles = sequences.packing(&Device::Cpu).unwrap().tiles().unwrap().to_vec2::<u32>().unwrap();
    let relative = added.relative.as_ref().map(|(table, reach)| (values(table), *reach));
    let positions = added.positions.as_ref().map(|positions| {
        let [c2p, p2c] = [&positions.c2p, &positions.p2c].map(|products| products.as_ref().map(values));
        (positions, c2p.unwrap(), p2c.unwrap(), positions.index.to_vec1::<u32>().unwrap())
    });
    let mut out = vec![f32::NAN; tokens * hidden];
    for tile in tiles {
        let [query_row, queries, place, key_row, keys] = [0, 1, 2, 3, 4].map(|at| tile[at] as usize);
        for (i, head) in (place..place + queries).flat_map(|i| (0..HEADS).map(move |head| (i, head))) {
            let query = query_row + i - place;
            let part = |row: usize, part: usize| &x[(3 * row + part) * hidden + head * HEAD_DIM..][..HEAD_DIM];
            let score = |j: usize| {
                let mut sum: f32 = part(query, 0).iter().zip(part(key_row + j, 1)).map(|(q, k)| q * k).sum();
                if let Some((positions, c2p, p2c, index)) = &positions {
                    let position = index[i + positions.longest - 1 - j] as usize - positions.first;
                    let of = |row: usize| (head * tokens + row) * positions.count + position;
                    sum += c2p[of(query)] + p2c[of(key_row + j)];
                }
                sum /= (HEAD_DIM as f32).sqrt();
                if let Some((table, reach)) = &relative {
                    sum += table[head * (2 * reach + 1) + (j + reach).saturating_sub(i).min(2 * reach)];
                }
                sum.exp()
            };
            let weights: Vec<f32> = (0..keys).map(score).collect();
            let all: f32 = weights.iter().sum();
            for d in 0..HEAD_DIM {
                let sum: f32 = weights.iter().enumerate().map(|(j, weight)| weight * part(key_row + j, 2)[d]).sum();
                out[query * hidden + head * HEAD_DIM + d] = sum / all;
            }
        }
    }
    out
}

#[test]
fn operands_of_the_kernel_make_attention_with_every_bias() {
    let longest = 140;
    let biases = Biases::new(&Device::Cpu, [DType::F32; 2], HEAD_DIM, longest).unwrap();
    let attention = Attention::new(HEADS * HEAD_DIM, HEADS).unwrap();
    for sequences in [Sequences::new(LENGTHS, 1), Sequences::padded(LENGTHS, longest, 1)] {
        let x = made_up(&[sequences.tokens(), 3 * HEADS * HEAD_DIM], &Device::Cpu).unwrap();
        for bias in [Bias::None, Bias::Relative(&biases.relative), biases.disentangled()] {
            let added = attention.added(&x, sequences.packing(&Device::Cpu).unwrap(), bias).unwrap().unwrap();
            let by_tensors = attention.by_tensors(&x, &sequences, bias).unwrap().flatten_all().unwrap();
            for (a, b) in plain(&x, &sequences, &added).into_iter().zip(by_tensors.to_vec1::<f32>().unwrap()) {
                assert!((a - b).abs() < 1e-4, "{a} and {b}");
            }
        }
    }
}
