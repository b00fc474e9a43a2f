//! Whether the kernel gives on a GPU what candle's operations give.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, DeviceLocation, Tensor};

use super::launch::ptx;
use super::made_up::{Biases, HEADS, LENGTHS, made_up};
use super::operands::{Added, tiles};
use crate::backbones::Sequences;
use crate::backbones::layers::attention::{Attention, Bias};
use crate::error::Result;
use crate::kernels;

type Verdict = std::result::Result<(), String>;

/// One for each width that the kernel is compiled for, some of them filled up.
const HEAD_DIMS: [usize; 4] = [24, 64, 80, 128];

const WINDOW: usize = 20;

/// Whether attention in this type on this GPU is left to the kernel, or why not; tried once.
pub(crate) fn verdict(device: &Device, dtype: DType) -> Verdict {
    static VERDICTS: Mutex<Vec<((DeviceLocation, DType), Verdict)>> = Mutex::new(Vec::new());
    let place = (device.location(), dtype);
    let mut verdicts = VERDICTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, verdict)) = verdicts.iter().find(|(at, _)| *at == place) {
        return verdict.clone();
    }
    let verdict =
        if !kernels::enabled() || ptx(dtype).is_none() { Err("asked for".to_owned()) } else { try_out(device, dtype) };
    verdicts.push((place, verdict.clone()));
    verdict
}

fn try_out(device: &Device, dtype: DType) -> Verdict {
    for head_dim in HEAD_DIMS {
        let difference = worst(device, dtype, head_dim).map_err(|error| error.to_string())?;
        if difference > tolerance(dtype) {
            return Err(format!("its own kernel is off by {difference:.1e} in heads of {head_dim}"));
        }
    }
    Ok(())
}

/// Values lie between -2 and 2, so that another key's would be off by far more; products with positions, the weights
/// of keys and the result are rounded to the type.
fn tolerance(dtype: DType) -> f32 {
    match dtype {
        DType::F32 => 1e-4,
        DType::F16 => 1e-2,
        _ => 8e-2,
    }
}

/// By how much the kernel is off in `dtype` from candle's operations in f32 on the same numbers.
fn worst(device: &Device, dtype: DType, head_dim: usize) -> Result<f32> {
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
    Ok(worst.max(worst_over(device, dtype, &attention()?)?))
}

/// The same over keys of another matrix, some of whose rows nobody sees.
fn worst_over(device: &Device, dtype: DType, attention: &Attention) -> Result<f32> {
    const SEEN: [Range<usize>; LENGTHS.len()] = [3..80, 0..1, 9..9, 80..140];
    let hidden = attention.heads * attention.head_dim;
    let sequences = Sequences::new(LENGTHS, 1);
    let query = made_up(&[sequences.tokens(), hidden], device)?.to_dtype(dtype)?;
    let key_value = made_up(&[150, 2 * hidden], device)?.to_dtype(dtype)?;
    let own = attention.launch(&query, &key_value, &tiles(sequences.ranges(), &SEEN, device)?, &Added::default())?;
    let [query, key_value] = [query, key_value].map(|x| x.to_dtype(DType::F32));
    difference(&own, &attention.over_by_tensors(&query?, &key_value?, &sequences, &SEEN)?)
}

/// The largest difference of two elements; what is no number is no agreement.
fn difference(own: &Tensor, exact: &Tensor) -> Result<f32> {
    let differences = (own.to_dtype(DType::F32)? - exact)?.abs()?.flatten_all()?.to_vec1::<f32>()?;
    let worse = |worst: f32, difference: f32| if difference.is_nan() { f32::INFINITY } else { difference.max(worst) };
    Ok(differences.into_iter().fold(0.0, worse))
}
