//! Dense layers.

use super::{Activation, activate};

/// The weights of a dense layer, laid out for the kernels once at load.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    data: Vec<f32>,
    out_features: usize,
    in_features: usize,
}

impl PackedMatrix {
    /// Packs `weight (out_features, in_features)`, row-major.
    pub fn new(weight: &[f32], out_features: usize, in_features: usize) -> Self {
        assert_eq!(weight.len(), out_features * in_features);
        Self { data: weight.to_vec(), out_features, in_features }
    }

    /// Columns of the result.
    pub fn out_features(&self) -> usize {
        self.out_features
    }

    /// Columns of the input.
    pub fn in_features(&self) -> usize {
        self.in_features
    }
}

/// A dense layer: `out (rows, out_features) = activation(x (rows, in_features) * w^T + bias) + residual`.
///
/// `residual` has the shape of `out`. At most `threads` threads work on it.
#[expect(clippy::too_many_arguments, reason = "the operands of one formula")]
pub fn linear(
    x: &[f32],
    rows: usize,
    w: &PackedMatrix,
    bias: Option<&[f32]>,
    activation: Activation,
    residual: Option<&[f32]>,
    out: &mut [f32],
    _threads: usize,
) {
    assert_eq!(x.len(), rows * w.in_features);
    assert_eq!(out.len(), rows * w.out_features);
    for r in 0..rows {
        let x = &x[r * w.in_features..][..w.in_features];
        for n in 0..w.out_features {
            let row = &w.data[n * w.in_features..][..w.in_features];
            let dot: f32 = x.iter().zip(row).map(|(a, b)| a * b).sum();
            out[r * w.out_features + n] = dot + bias.map_or(0.0, |b| b[n]);
        }
    }
    activate(out, activation);
    if let Some(residual) = residual {
        for (o, r) in out.iter_mut().zip(residual) {
            *o += r;
        }
    }
}
