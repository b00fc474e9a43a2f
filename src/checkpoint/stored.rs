//! One tensor as it lies in a file: read as f32 or brought to a device, and nothing converted before.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::Dtype;

use crate::error::Result;

/// Rows of 8-bit values share a float16 scale in groups of this many columns.
pub const QUANTIZED_GROUP: usize = 64;

/// Bytes that tensors are views of.
#[derive(Clone)]
pub(super) enum Bytes {
    Mapped(Arc<Mmap>),
    Static(&'static [u8]),
    Owned(Arc<Vec<u8>>),
}

impl Bytes {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Static(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// One stored tensor: where its bytes lie and how to read them.
#[derive(Clone)]
pub struct Stored {
    pub(super) bytes: Bytes,
    pub(super) range: Range<usize>,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// Of 8-bit values.
    pub(super) scales: Option<Box<Stored>>,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stored({:?}, {:?})", self.dtype, self.shape)
    }
}

impl Stored {
    /// Of values in row-major order.
    pub fn from_values(shape: Vec<usize>, values: &[f32]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self { range: 0..bytes.len(), bytes: Bytes::Owned(Arc::new(bytes)), dtype: Dtype::F32, shape, scales: None }
    }

    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(super) fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Whether these are scales for its 8-bit values.
    pub(super) fn takes(&self, scales: &Self) -> bool {
        let width = self.width();
        let rows = self.shape.iter().product::<usize>().checked_div(width);
        rows.is_some_and(|rows| scales.shape == [rows, width.div_ceil(QUANTIZED_GROUP)]) && scales.dtype == Dtype::F16
    }

    /// Reads `out.len()` elements from element `start` on, as f32.
    ///
    /// For 8-bit tensors `start` and `out.len()` are whole rows.
    pub fn read(&self, start: usize, out: &mut [f32]) {
        let bytes = &self.bytes.as_slice()[self.range.clone()];
        match self.dtype {
            Dtype::F32 => widen(bytes, start, out, f32::from_le_bytes),
            Dtype::F16 => widen(bytes, start, out, |b| f16::from_le_bytes(b).to_f32()),
            Dtype::BF16 => widen(bytes, start, out, |b| bf16::from_le_bytes(b).to_f32()),
            Dtype::F64 => widen(bytes, start, out, |b| f64::from_le_bytes(b) as f32),
            _ => self.dequantize(&bytes[start..], start, out),
        }
    }

    /// `value * scale` for rows of 8-bit values; every row has `ceil(width / QUANTIZED_GROUP)` scales.
    fn dequantize(&self, values: &[u8], start: usize, out: &mut [f32]) {
        let Some(scales) = &self.scales else { return };
        let (width, groups) = (self.width(), scales.width());
        let mut row_scales = vec![0f32; groups];
        for (row, out) in out.chunks_mut(width).enumerate() {
            scales.read((start / width + row) * groups, &mut row_scales);
            for (group, out) in out.chunks_mut(QUANTIZED_GROUP).enumerate() {
                let at = row * width + group * QUANTIZED_GROUP;
                for (out, &value) in out.iter_mut().zip(&values[at..]) {
                    *out = f32::from(value as i8) * row_scales[group];
                }
            }
        }
    }

    /// The whole tensor as f32.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.shape.iter().product()];
        self.read(0, &mut out);
        out
    }

    /// The whole tensor on a device, in a type; floats that are stored in this type are not converted.
    ///
    /// # Errors
    /// The device has no room.
    pub fn to_tensor(&self, device: &Device, dtype: DType) -> Result<Tensor> {
        let stored = match self.dtype {
            Dtype::F16 => Some(DType::F16),
            Dtype::BF16 => Some(DType::BF16),
            _ => None,
        };
        let tensor = match stored {
            Some(stored) => {
                let bytes = &self.bytes.as_slice()[self.range.clone()];
                Tensor::from_raw_buffer(bytes, stored, &self.shape, &Device::Cpu)?
            }
            None => Tensor::from_vec(self.to_vec(), self.shape.as_slice(), &Device::Cpu)?,
        };
        Ok(tensor.to_dtype(dtype)?.to_device(device)?)
    }
}

fn widen<const N: usize>(bytes: &[u8], start: usize, out: &mut [f32], convert: impl Fn([u8; N]) -> f32) {
    let (values, _) = bytes[start * N..].as_chunks::<N>();
    for (out, value) in out.iter_mut().zip(values) {
        *out = convert(*value);
    }
}
