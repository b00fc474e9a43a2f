//! The end of a dense layer, the gate and rotary positions on an NVIDIA GPU, in one pass each: `elements.cu`.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{CudaViewMut, PushKernelArg};
use candle_core::cuda_backend::{CudaDType, CudaStorage, WrapErr};
use candle_core::{CpuStorage, CustomOp1, DType, Device, InplaceOp1, Layout, Shape, Tensor};

use super::{Number, Trials, Verdict, difference, grid, held, hold, push};
use crate::backbones::layers::Activation;
use crate::error::Result;
use crate::kernels;

/// `THREADS` in `elements.cu`.
const THREADS: u32 = 128;

fn ptx(dtype: DType) -> candle_core::Result<&'static str> {
    Ok(match dtype {
        DType::F32 => include_str!(concat!(env!("OUT_DIR"), "/elements_f32.ptx")),
        DType::F16 => include_str!(concat!(env!("OUT_DIR"), "/elements_f16.ptx")),
        DType::BF16 => include_str!(concat!(env!("OUT_DIR"), "/elements_bf16.ptx")),
        other => candle_core::bail!("no kernels of {}", other.as_str()),
    })
}

/// Whether these kernels are used on this GPU in this type, or why not; tried once.
pub(super) fn verdict(device: &Device, dtype: DType) -> Verdict {
    static TRIALS: Trials = Trials::new();
    // Values are below 8, and rounded once; candle rounds after each operation, but in f32 here.
    let tolerance = match dtype {
        DType::F32 => 1e-5,
        DType::F16 => 8e-3,
        _ => 6e-2,
    };
    TRIALS.verdict(device, dtype, tolerance, || off_by(device, dtype))
}

/// Whether an operation on this tensor, and on others like it, is for these kernels.
pub(in super::super) fn take(x: &Tensor) -> bool {
    x.device().is_cuda() && !x.track_op() && x.elem_count() > 0 && verdict(x.device(), x.dtype()).is_ok()
}

/// Makes `activation(product + bias) + residual` of a product `(rows, width)` that nobody else has, in its memory.
/// Bias `(width)` and residual `(rows, width)` have its type and no gaps.
pub(in super::super) fn finish(
    product: &Tensor,
    bias: Option<&Tensor>,
    activation: kernels::Activation,
    residual: Option<&Tensor>,
) -> Result<()> {
    let is_finished = bias.is_none() && residual.is_none() && activation == kernels::Activation::None;
    if !is_finished && product.elem_count() > 0 {
        product.inplace_op1(&InPlace(Finish { bias, activation, residual }))?;
    }
    Ok(())
}

/// `activation(first half of each row) * second half` of `x` `(rows, 2 * width)`: `(rows, width)`.
pub(in super::super) fn gate(x: &Tensor, activation: kernels::Activation) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op1_no_bwd(&Gate(activation))?)
}

/// Turns rows of `x` `(rows, width)`, without gaps, that nobody else has, in their memory.
pub(in super::super) fn turn(x: &Tensor, turn: Turn) -> Result<()> {
    Ok(x.inplace_op1(&InPlace(turn))?)
}

/// What a kernel makes of a matrix where it lies.
trait Change {
    /// The kernel's name.
    const KERNEL: &'static str;

    fn run<T: Number>(&self, storage: &mut CudaStorage, layout: &Layout) -> candle_core::Result<()>;
}

struct InPlace<C>(C);

impl<C: Change> InplaceOp1 for InPlace<C> {
    fn name(&self) -> &'static str {
        C::KERNEL
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
        candle_core::bail!("this kernel is for a GPU: this is a bug")
    }

    fn cuda_fwd(&self, storage: &mut CudaStorage, layout: &Layout) -> candle_core::Result<()> {
        match storage.dtype() {
            DType::F32 => self.0.run::<f32>(storage, layout),
            DType::F16 => self.0.run::<half::f16>(storage, layout),
            _ => self.0.run::<half::bf16>(storage, layout),
        }
    }
}

struct Finish<'a> {
    bias: Option<&'a Tensor>,
    activation: kernels::Activation,
    residual: Option<&'a Tensor>,
}

impl Change for Finish<'_> {
    const KERNEL: &'static str = "finish";

    fn run<T: Number>(&self, storage: &mut CudaStorage, layout: &Layout) -> candle_core::Result<()> {
        let (rows, columns) = layout.shape().dims2()?;
        let function = storage.device.get_or_load_custom_func(Self::KERNEL, &module(T::DTYPE), ptx(T::DTYPE)?)?;
        let (bias, residual) = (hold(self.bias), hold(self.residual));
        let (bias, residual) = (held::<T>(&bias)?, held::<T>(&residual)?);
        let (width, activation) = (columns as i32, self.activation as i32);
        let mut product = whole_mut::<T>(storage, layout)?;
        let mut arguments = function.builder();
        arguments.arg(&mut product);
        push(&mut arguments, bias.as_ref());
        push(&mut arguments, residual.as_ref());
        arguments.arg(&width).arg(&activation);
        // SAFETY: the arguments are those of the kernel, in its order and of the sizes of its types. A block takes a row
        // of the product and of the residual, which has its shape, and the bias, which is as wide; both are held until
        // the launch.
        unsafe { arguments.launch(grid(rows, 1, THREADS)) }.w()?;
        Ok(())
    }
}

struct Gate(kernels::Activation);

impl CustomOp1 for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        candle_core::bail!("this kernel is for a GPU: this is a bug")
    }

    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> candle_core::Result<(CudaStorage, Shape)> {
        let out = match storage.dtype() {
            DType::F32 => self.run::<f32>(storage, layout)?,
            DType::F16 => self.run::<half::f16>(storage, layout)?,
            _ => self.run::<half::bf16>(storage, layout)?,
        };
        let (rows, columns) = layout.shape().dims2()?;
        Ok((out, (rows, columns / 2).into()))
    }
}

impl Gate {
    fn run<T: Number>(&self, storage: &CudaStorage, layout: &Layout) -> candle_core::Result<CudaStorage> {
        let (rows, columns) = layout.shape().dims2()?;
        let function = storage.device.get_or_load_custom_func("gate", &module(T::DTYPE), ptx(T::DTYPE)?)?;
        let start = layout.start_offset();
        let x = storage.as_cuda_slice::<T>()?.slice(start..start + rows * columns);
        // SAFETY: the kernel writes every element of every row.
        let mut out = unsafe { storage.device.alloc::<T>(rows * (columns / 2))? };
        let (width, activation) = ((columns / 2) as i32, self.0 as i32);
        let mut arguments = function.builder();
        arguments.arg(&x).arg(&mut out).arg(&width).arg(&activation);
        // SAFETY: the arguments are those of the kernel, in its order and of the sizes of its types. A block takes a row
        // of `x`, twice `width`, and of `out`.
        unsafe { arguments.launch(grid(rows, 1, THREADS)) }.w()?;
        Ok(CudaStorage::wrap_cuda_slice(out, storage.device.clone()))
    }
}

/// How the two halves of the first heads of each row turn: by the angles of the row's position.
pub(in super::super) struct Turn<'a> {
    /// The position of each row, in u32.
    pub(in super::super) positions: &'a Tensor,
    /// Cosines and sines, `(positions, half)`, in f32.
    pub(in super::super) angles: [&'a Tensor; 2],
    /// How many heads turn, the first ones of each row.
    pub(in super::super) heads: usize,
    /// Half of the columns of a head.
    pub(in super::super) half: usize,
}

impl Change for Turn<'_> {
    const KERNEL: &'static str = "turn";

    fn run<T: Number>(&self, storage: &mut CudaStorage, layout: &Layout) -> candle_core::Result<()> {
        let (rows, columns) = layout.shape().dims2()?;
        let function = storage.device.get_or_load_custom_func(Self::KERNEL, &module(T::DTYPE), ptx(T::DTYPE)?)?;
        let [positions, cos, sin] = [self.positions, self.angles[0], self.angles[1]].map(|x| hold(Some(x)));
        let (positions, cos, sin) = (held::<u32>(&positions)?, held::<f32>(&cos)?, held::<f32>(&sin)?);
        let [width, heads, half] = [columns, self.heads, self.half].map(|x| x as i32);
        let mut x = whole_mut::<T>(storage, layout)?;
        let mut arguments = function.builder();
        arguments.arg(&mut x);
        push(&mut arguments, positions.as_ref());
        push(&mut arguments, cos.as_ref());
        push(&mut arguments, sin.as_ref());
        arguments.arg(&width).arg(&heads).arg(&half);
        // SAFETY: the arguments are those of the kernel, in its order and of the sizes of its types. A block takes a row
        // of `x`, in which all heads lie, and the angles of its position, which were made for all of them; the operands
        // are held until the launch.
        unsafe { arguments.launch(grid(rows, 1, THREADS)) }.w()?;
        Ok(())
    }
}

fn module(dtype: DType) -> String {
    format!("gliclass_elements_{}", dtype.as_str())
}

/// All numbers of a tensor without gaps, to be changed.
fn whole_mut<'a, T: CudaDType>(
    storage: &'a mut CudaStorage,
    layout: &Layout,
) -> candle_core::Result<CudaViewMut<'a, T>> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("an operand with gaps: this is a bug")
    };
    Ok(storage.as_cuda_slice_mut::<T>()?.slice_mut(start..end))
}

/// By how much the kernels are off in `dtype` from candle's operations in f32 on the same numbers: in rows that lie in
/// whole parts of 16 bytes, and in others.
fn off_by(device: &Device, dtype: DType) -> Result<f32> {
    let mut worst = 0f32;
    for width in [24, 21] {
        let made_up = |rows: usize, width: usize, by: f32| -> Result<[Tensor; 2]> {
            let numbers = (0..rows * width).map(|at| (at as f32 * by).sin() * 2.0);
            let rounded = Tensor::from_iter(numbers, device)?.reshape((rows, width))?.to_dtype(dtype)?;
            let exact = rounded.to_dtype(DType::F32)?;
            Ok([rounded, exact])
        };
        let [x, x_exact] = made_up(5, 2 * width, 0.7)?;
        let [residual, residual_exact] = made_up(5, 2 * width, 1.3)?;
        let [bias, bias_exact] = made_up(1, 2 * width, 2.1)?.map(|bias| bias.flatten_all());
        let (bias, bias_exact) = (bias?, bias_exact?);
        for activation in [
            kernels::Activation::None,
            kernels::Activation::Gelu,
            kernels::Activation::GeluTanh,
            kernels::Activation::Relu,
            kernels::Activation::Silu,
            kernels::Activation::Tanh,
        ] {
            let activated = Activation::Fused(activation);
            let own = x.copy()?;
            finish(&own, Some(&bias), activation, Some(&residual))?;
            let exact = (activated.forward(&x_exact.broadcast_add(&bias_exact)?)? + &residual_exact)?;
            worst = worst.max(difference(&own, &exact)?);
            let [first, second] = [0, width].map(|start| x_exact.narrow(1, start, width)?.contiguous());
            let exact = (activated.forward(&first?)? * second?)?;
            worst = worst.max(difference(&gate(&x, activation)?, &exact)?);
        }
        worst = worst.max(turn_off_by(&x, &x_exact, width)?);
    }
    Ok(worst)
}

/// The same of rotary positions on two heads, of which the second stays.
fn turn_off_by(x: &Tensor, exact: &Tensor, width: usize) -> Result<f32> {
    let (device, half) = (x.device(), width / 2);
    let positions = Tensor::new(&[0u32, 1, 2, 0, 1], device)?;
    let angles = Tensor::from_iter((0..3 * half).map(|at| at as f32 * 0.3), device)?.reshape((3, half))?;
    let [cos, sin] = [angles.cos()?, angles.sin()?];
    let own = x.copy()?;
    turn(&own, Turn { positions: &positions, angles: [&cos, &sin], heads: 1, half })?;
    let [cos, sin] = [cos.index_select(&positions, 0)?, sin.index_select(&positions, 0)?];
    let (a, b) = (exact.narrow(1, 0, half)?, exact.narrow(1, half, half)?);
    let [first, second] = [((&a * &cos)? - (&b * &sin)?)?, ((&b * &cos)? + (&a * &sin)?)?];
    let rest = exact.narrow(1, 2 * half, 2 * width - 2 * half)?;
    difference(&own, &Tensor::cat(&[&first, &second, &rest], 1)?)
}
