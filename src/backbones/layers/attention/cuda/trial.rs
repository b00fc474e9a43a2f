//! Whether the kernel gives on a GPU what candle's operations give.

use std::ops::Range;

use candle_core::{DType, Device};

use super::made_up::{Biases, HEADS, LENGTHS, made_up};
use super::operands::{Added, tiles};
use crate::backbones::Sequences;
use crate::backbones::layers::attention::{Attention, Bias};
use crate::backbones::layers::cuda::{Trials, Verdict, difference};
use crate::error::Result;

/// One for each width that the kernel is compiled for, some of them filled up.
const HEAD_DIMS: [usize; 4] = [24, 64, 80, 128];

const WINDOW: usize = 20;

/// Whether attention in this type on this GPU is left to the kernel, or why not; tried once.
pub(in super::super::super) fn verdict(device: &Device, dtype: DType) -> Verdict {
    static TRIALS: Trials = Trials::new();
    // Values lie between -2 and 2, so that another key's would be off by far more; products with positions, the weights
    // of keys and the result are rounded to the type.
    let tolerance = match dtype {
        DType::F32 => 1e-4,
        DType::F16 => 1e-2,
        _ => 8e-2,
    };
    TRIALS.verdict(device, dtype, tolerance, || {
        HEAD_DIMS.into_iter().try_fold(0f32, |worst, head_dim| Ok(worst.max(off_by(device, dtype, head_dim)?)))
    })
}

/// By how much the kernel is off in `dtype` from candle's operations in f32 on the same numbers.
fn off_by(device: &Device, dtype: DType, head_dim: usize) -> Result<f32> {
    let attention = || Attention::new(HEADS * head_dim, HEADS).map_err(candle_core::Error::msg);
    let longest = LENGTHS.into_iter().max().unwrap_or(0);
    let packed = Sequences::new(LENGTHS, 1);
    let padded = Sequences::padded(LENGTHS, longest, 1);
    let [rounded, exact] = [dtype, DType::F32].map(|of| Biases::new(device, [dtype, of], head_dim, longest));
    let (rounded, exact) = (rounded?, exact?);
    let cases = [
        (attention()?.within(WINDOW), &packed, [Bias::None; 2]),
        (attention()?.causal(), &padded, [Bias::None; 2]),
        (attention()?, &packed, [&rounded, &exact].map(|biases| Bias::Relative(&biases.relative))),
        (attention()?, &padded, [&rounded, &exact].map(Biases::disentangled)),
    ];
    let mut worst = 0f32;
    for (attention, sequences, [rounded, exact]) in cases {
        let x = made_up(&[sequences.tokens(), 3 * HEADS * head_dim], device)?.to_dtype(dtype)?;
        let packing = sequences.packing(device)?;
        let Some(added) = attention.added(&x, packing, rounded)? else { continue };
        let own = attention.launch_inside(&x, packing.tiles()?, &added)?;
        let by_tensors = attention.by_tensors(&x.to_dtype(DType::F32)?, sequences, exact)?;
        worst = worst.max(difference(&own, &by_tensors)?);
    }
    Ok(worst.max(off_over_others(device, dtype, &attention()?)?))
}

/// The same over keys of another matrix, some of whose rows nobody sees.
fn off_over_others(device: &Device, dtype: DType, attention: &Attention) -> Result<f32> {
    const SEEN: [Range<usize>; LENGTHS.len()] = [3..80, 0..1, 9..9, 80..140];
    let hidden = attention.heads * attention.head_dim;
    let sequences = Sequences::new(LENGTHS, 1);
    let query = made_up(&[sequences.tokens(), hidden], device)?.to_dtype(dtype)?;
    let key_value = made_up(&[150, 2 * hidden], device)?.to_dtype(dtype)?;
    let own = attention.launch(&query, &key_value, &tiles(sequences.ranges(), &SEEN, device)?, &Added::default())?;
    let [query, key_value] = [query, key_value].map(|x| x.to_dtype(DType::F32));
    difference(&own, &attention.over_by_tensors(&query?, &key_value?, &sequences, &SEEN)?)
}
