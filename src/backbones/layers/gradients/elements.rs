//! What is done to each element by itself, or to a pair of them.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{copy, like, slice, threads, with};
use crate::backbones::layers::Rotary;
use crate::kernels::{self, Activation, Mask};

/// Elements that a thread takes at once.
const SHARE: usize = 1 << 14;

/// `x` with some of it left out.
pub(in crate::backbones::layers) fn mask(x: &Tensor, mask: Mask) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Masked(mask))
}

/// `x + y`, where some of `x` may be left out.
pub(in crate::backbones::layers) fn add(x: &Tensor, y: &Tensor, mask: Option<Mask>) -> Result<Tensor> {
    x.contiguous()?.apply_op2(&y.contiguous()?, Add(mask))
}

/// The activation of every element.
pub(in crate::backbones::layers) fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Activated(activation))
}

/// `activation(first half of each row) * second half`: `(rows, 2 * width)` to `(rows, width)`.
pub(in crate::backbones::layers) fn gate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Gated(activation))
}

/// Queries and keys of each row turned by the angles of its position.
pub(in crate::backbones::layers) fn turn(x: &Tensor, rotary: Arc<Rotary>, positions: Vec<usize>) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Turned { rotary, positions })
}

fn masked(mask: Mask, x: &mut [f32]) {
    x.par_chunks_mut(SHARE).enumerate().for_each(|(part, x)| mask.apply(x, part * SHARE));
}

struct Masked(Mask);

impl CustomOp1 for Masked {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut values = slice(x, layout)?.to_vec();
        masked(self.0, &mut values);
        Ok((CpuStorage::F32(values), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let mut gradient = copy(gradient)?;
        masked(self.0, &mut gradient);
        like(x, gradient).map(Some)
    }
}

struct Add(Option<Mask>);

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let mut sum = slice(x, x_layout)?.to_vec();
        let y = slice(y, y_layout)?;
        sum.par_chunks_mut(SHARE).zip(y.par_chunks(SHARE)).enumerate().for_each(|(part, (sum, y))| {
            if let Some(mask) = self.0 {
                mask.apply(sum, part * SHARE);
            }
            sum.iter_mut().zip(y).for_each(|(sum, y)| *sum += y);
        });
        Ok((CpuStorage::F32(sum), x_layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Some(mask) = self.0 else { return Ok((Some(gradient.clone()), Some(gradient.clone()))) };
        let mut of_x = copy(gradient)?;
        masked(mask, &mut of_x);
        Ok((Some(like(x, of_x)?), Some(gradient.clone())))
    }
}

struct Activated(Activation);

impl CustomOp1 for Activated {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut values = slice(x, layout)?.to_vec();
        kernels::activate(&mut values, self.0, threads());
        Ok((CpuStorage::F32(values), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let mut gradient = copy(gradient)?;
        with(x, |x| kernels::activation_gradient(x, self.0, &mut gradient, threads()))?;
        like(x, gradient).map(Some)
    }
}

struct Gated(Activation);

impl CustomOp1 for Gated {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, twice) = layout.shape().dims2()?;
        let width = twice / 2;
        let mut out = vec![0.0; rows * width];
        let rows_at_once = (SHARE / twice.max(1)).max(1);
        let parts = slice(x, layout)?.par_chunks(rows_at_once * twice).zip(out.par_chunks_mut(rows_at_once * width));
        parts.for_each(|(x, out)| kernels::gated(x, width, self.0, out));
        Ok((CpuStorage::F32(out), (rows, width).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (_, twice) = x.dims2()?;
        let mut out = vec![0.0; x.elem_count()];
        let mut rows = |x: &[f32], gradient: &[f32]| {
            let rows = x.par_chunks(twice).zip(gradient.par_chunks(twice / 2)).zip(out.par_chunks_mut(twice));
            rows.for_each(|((x, gradient), out)| {
                let (gate, value) = x.split_at(twice / 2);
                let (of_gate, of_value) = out.split_at_mut(twice / 2);
                of_value.copy_from_slice(gate);
                kernels::activate(of_value, self.0, 1);
                of_value.iter_mut().zip(gradient).for_each(|(x, gradient)| *x *= gradient);
                for ((to, value), gradient) in of_gate.iter_mut().zip(value).zip(gradient) {
                    *to = value * gradient;
                }
                kernels::activation_gradient(gate, self.0, of_gate, 1);
            });
        };
        with(x, |x| with(gradient, |gradient| rows(x, gradient)))??;
        like(x, out).map(Some)
    }
}

struct Turned {
    rotary: Arc<Rotary>,
    /// The position of each row.
    positions: Vec<usize>,
}

impl CustomOp1 for Turned {
    fn name(&self) -> &'static str {
        "rotary"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut values = slice(x, layout)?.to_vec();
        self.rotary.turn(&mut values, &self.positions, 1.0, threads());
        Ok((CpuStorage::F32(values), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let mut gradient = copy(gradient)?;
        self.rotary.turn(&mut gradient, &self.positions, -1.0, threads());
        like(x, gradient).map(Some)
    }
}
