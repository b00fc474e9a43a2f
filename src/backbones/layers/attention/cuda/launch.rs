//! The launch of the kernel.

use std::ops::Range;

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, CustomOp2, DType, Layout, Shape, Tensor};

use super::operands::{Added, tiles};
use super::verdict;
use crate::backbones::Sequences;
use crate::backbones::layers::attention::{Attention, Bias};
use crate::backbones::layers::cuda::{Number, grid, held, hold, push, rows};
use crate::error::Result;

/// The widths of heads that `attention.cu` is compiled for, rising; a narrower head takes the next.
const WIDTHS: [usize; 4] = [32, 64, 96, 128];

/// `THREADS` in `attention.cu`.
const THREADS: u32 = 128;

/// No sequence is longer.
const NO_WINDOW: usize = 1 << 30;

fn ptx(dtype: DType) -> candle_core::Result<&'static str> {
    Ok(match dtype {
        DType::F32 => include_str!(concat!(env!("OUT_DIR"), "/attention_f32.ptx")),
        DType::F16 => include_str!(concat!(env!("OUT_DIR"), "/attention_f16.ptx")),
        DType::BF16 => include_str!(concat!(env!("OUT_DIR"), "/attention_bf16.ptx")),
        other => candle_core::bail!("no kernels of {}", other.as_str()),
    })
}

impl Attention {
    /// `(tokens, 3 * hidden)` to `(tokens, hidden)`; none where that is left to candle's operations.
    pub(in super::super) fn by_own_kernel(
        &self,
        query_key_value: &Tensor,
        sequences: &Sequences,
        bias: Bias<'_>,
    ) -> Result<Option<Tensor>> {
        if !self.has_own_kernel(query_key_value) {
            return Ok(None);
        }
        let packing = sequences.packing(query_key_value.device())?;
        let Some(added) = self.added(query_key_value, packing, bias)? else { return Ok(None) };
        self.launch_inside(query_key_value, packing.tiles()?, &added).map(Some)
    }

    /// The same of queries `(tokens, hidden)` over keys and values side by side `(rows, 2 * hidden)`, of which sequence
    /// `i` sees the rows `seen[i]`.
    pub(in super::super) fn over_by_own_kernel(
        &self,
        query: &Tensor,
        key_value: &Tensor,
        sequences: &Sequences,
        seen: &[Range<usize>],
    ) -> Result<Option<Tensor>> {
        if !self.has_own_kernel(query) || !self.has_own_kernel(key_value) {
            return Ok(None);
        }
        let tiles = tiles(sequences.ranges(), seen, query.device())?;
        self.launch(&query.contiguous()?, &key_value.contiguous()?, &tiles, &Added::default()).map(Some)
    }

    fn has_own_kernel(&self, x: &Tensor) -> bool {
        let learns = x.track_op() || !self.dropout.is_idle();
        let is_wide = self.head_dim > WIDTHS[WIDTHS.len() - 1];
        x.device().is_cuda() && !learns && !is_wide && x.elem_count() > 0 && verdict(x.device(), x.dtype()).is_ok()
    }

    /// Over queries, keys and values side by side.
    pub(super) fn launch_inside(&self, query_key_value: &Tensor, tiles: &Tensor, added: &Added) -> Result<Tensor> {
        let hidden = self.heads * self.head_dim;
        let query_key_value = query_key_value.contiguous()?;
        let query = query_key_value.narrow(1, 0, hidden)?;
        self.launch(&query, &query_key_value.narrow(1, hidden, 2 * hidden)?, tiles, added)
    }

    pub(super) fn launch(&self, query: &Tensor, key_value: &Tensor, tiles: &Tensor, added: &Added) -> Result<Tensor> {
        Ok(query.apply_op2_no_bwd(key_value, &Launch { attention: self, tiles, added })?)
    }
}

/// The operation on queries, and keys and values side by side.
struct Launch<'a> {
    attention: &'a Attention,
    tiles: &'a Tensor,
    added: &'a Added,
}

impl CustomOp2 for Launch<'_> {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        candle_core::bail!("this attention is for a GPU: this is a bug")
    }

    fn cuda_fwd(
        &self,
        query: &CudaStorage,
        query_layout: &Layout,
        key_value: &CudaStorage,
        key_value_layout: &Layout,
    ) -> candle_core::Result<(CudaStorage, Shape)> {
        let (query, key_value) = ((query, query_layout), (key_value, key_value_layout));
        let out = match query.0.dtype() {
            DType::F32 => self.run::<f32>(query, key_value)?,
            DType::F16 => self.run::<half::f16>(query, key_value)?,
            _ => self.run::<half::bf16>(query, key_value)?,
        };
        Ok((out, query_layout.shape().clone()))
    }
}

impl Launch<'_> {
    fn run<T: Number>(
        &self,
        (storage, layout): (&CudaStorage, &Layout),
        key_value: (&CudaStorage, &Layout),
    ) -> candle_core::Result<CudaStorage> {
        let (tokens, hidden) = layout.shape().dims2()?;
        let &Attention { heads, head_dim, scale, window, causal, .. } = self.attention;
        let (query, query_stride) = rows::<T>((storage, layout))?;
        let (key, key_stride) = rows::<T>(key_value)?;
        let value = key.slice(hidden..);
        let tiles = hold(Some(self.tiles));
        let tiles = held::<u32>(&tiles)?;
        let relative = hold(self.added.relative.as_ref().map(|(table, _)| table));
        let relative = held::<T>(&relative)?;
        let positions = self.added.positions.as_ref();
        let [c2p, p2c, index] = [
            hold(positions.and_then(|positions| positions.c2p.as_ref())),
            hold(positions.and_then(|positions| positions.p2c.as_ref())),
            hold(positions.map(|positions| &positions.index)),
        ];
        let (c2p, p2c, index) = (held::<T>(&c2p)?, held::<T>(&p2c)?, held::<u32>(&index)?);
        // SAFETY: the kernel writes every row of every sequence, which together are all.
        let mut out = unsafe { storage.device.alloc::<T>(tokens * hidden)? };

        let number = |x: usize| x as u32;
        let (head_dim, rows) = (number(head_dim), number(tokens));
        let (window, causal) = (number(window.unwrap_or(NO_WINDOW).min(NO_WINDOW)), u32::from(causal));
        let reach = number(self.added.relative.as_ref().map_or(0, |(_, reach)| *reach));
        let [count, longest, first] =
            positions.map_or([0; 3], |positions| [positions.count, positions.longest, positions.first].map(number));
        let (kernel, module, ptx) = self.kernel(T::DTYPE)?;
        let function = storage.device.get_or_load_custom_func(&kernel, &module, ptx)?;
        let mut arguments = function.builder();
        arguments.arg(&query).arg(&key).arg(&value).arg(&mut out);
        push(&mut arguments, tiles.as_ref());
        arguments.arg(&query_stride).arg(&key_stride).arg(&head_dim).arg(&scale).arg(&window).arg(&causal);
        push(&mut arguments, relative.as_ref());
        arguments.arg(&reach);
        push(&mut arguments, c2p.as_ref());
        push(&mut arguments, p2c.as_ref());
        arguments.arg(&count);
        push(&mut arguments, index.as_ref());
        arguments.arg(&longest).arg(&first).arg(&rows);
        let blocks = grid(self.tiles.dim(0)?, heads, THREADS);
        // SAFETY: the arguments are those of the kernel, in its order and of the sizes of its types; what it reads lies
        // in tensors whose shapes were made for these sequences and heads, and is held until it was launched.
        unsafe { arguments.launch(blocks) }.w()?;
        Ok(CudaStorage::wrap_cuda_slice(out, storage.device.clone()))
    }

    /// The kernel's name, its module's and its module.
    fn kernel(&self, dtype: DType) -> candle_core::Result<(String, String, &'static str)> {
        let width = WIDTHS.into_iter().find(|&width| self.attention.head_dim <= width);
        let Some(width) = width else {
            candle_core::bail!("no attention for heads of {}: this is a bug", self.attention.head_dim)
        };
        Ok((format!("attention_{width}"), format!("gliclass_attention_{}", dtype.as_str()), ptx(dtype)?))
    }
}
