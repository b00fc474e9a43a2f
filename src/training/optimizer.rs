//! AdamW, with the groups of the reference: a rate and a decay for the encoder and for what stands on it.
//!
//! Sources: <https://arxiv.org/abs/1711.05101>; `torch.optim.AdamW`; `create_optimizer` in `training.py` of `gliclass`
//! 0.1.21.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Tensor, Var};
use rayon::prelude::*;

use crate::checkpoint::values::{slice, slice_mut, with_values};
use crate::error::{Error, Result};

/// Forgetting of the mean gradient.
const BETA_MEAN: f64 = 0.9;
/// Forgetting of the mean square.
const BETA_SQUARE: f64 = 0.999;
/// Keeps the division finite.
const EPSILON: f64 = 1e-8;

/// Numbers that a thread updates at a time, and that a norm sums at a time: always the same, so that the result does
/// not depend on the threads. 4 arrays of them are in the second-level cache.
const CHUNK: usize = 1 << 14;

/// Gradients by the names of their variables.
pub type Gradients = BTreeMap<String, Tensor>;

/// How fast variables move, and how fast they shrink.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// The greatest learning rate of the encoder.
    pub encoder: f64,
    /// That of all else.
    pub head: f64,
    /// Which part of itself, times the learning rate, a variable of the encoder loses each step.
    pub encoder_decay: f64,
    /// That of all else.
    pub head_decay: f64,
}

impl Rates {
    /// The rate and the decay of the variable `name`.
    ///
    /// As in the reference, what has "encoder" in its name is of the encoder. So `biencoder_projector` is, though it
    /// learns where encoders are frozen. Beyond the reference, a decoder in the place of an encoder has the encoder's
    /// rate, and the encoder within a scorer, which is a part of the head, has the head's.
    ///
    /// Biases and the weights of norms do not decay. (The reference lets those norms decay that PyTorch has no class
    /// for: of T5 and of the LLMs.)
    fn of(&self, name: &str) -> (f64, f64) {
        let is_encoder = (name.contains("encoder") || name.contains("decoder_model")) && !name.contains("scorer");
        let (rate, decay) = if is_encoder { (self.encoder, self.encoder_decay) } else { (self.head, self.head_decay) };
        let layer = name.rsplit('.').nth(1).unwrap_or_default().to_ascii_lowercase();
        let stays = name.contains("bias") || layer.contains("norm");
        (rate, if stays { 0.0 } else { decay })
    }
}

/// The two running means of a variable's gradients.
#[derive(Debug)]
enum Moments {
    /// On the processor.
    Numbers { mean: Vec<f32>, square: Vec<f32> },
    /// On another device.
    Tensors { mean: Tensor, square: Tensor },
}

impl Moments {
    fn numbers(&self) -> Result<[Cow<'_, [f32]>; 2]> {
        Ok(match self {
            Self::Numbers { mean, square } => [mean.into(), square.into()],
            Self::Tensors { mean, square } => {
                let flat = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
                [flat(mean)?.into(), flat(square)?.into()]
            }
        })
    }
}

#[derive(Debug)]
struct Slot {
    variable: Var,
    rate: f64,
    decay: f64,
    moments: Moments,
}

/// The optimizer, and the variables that it moves.
#[derive(Debug)]
pub struct AdamW {
    slots: BTreeMap<String, Slot>,
    steps: usize,
}

impl AdamW {
    /// Moves these variables, all of them f32.
    ///
    /// # Errors
    /// The device has no room.
    pub fn new(variables: BTreeMap<String, Var>, rates: Rates) -> Result<Self> {
        let slot = |(name, variable): (String, Var)| {
            let (rate, decay) = rates.of(&name);
            let moments = if variable.device().is_cpu() {
                let zeros = || vec![0.0; variable.elem_count()];
                Moments::Numbers { mean: zeros(), square: zeros() }
            } else {
                Moments::Tensors { mean: variable.zeros_like()?, square: variable.zeros_like()? }
            };
            Ok((name, Slot { variable, rate, decay, moments }))
        };
        Ok(Self { slots: variables.into_iter().map(slot).collect::<Result<_>>()?, steps: 0 })
    }

    /// How many steps were made.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The variables by name.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.slots.iter().map(|(name, slot)| (name.as_str(), &slot.variable))
    }

    /// One step against `gradients` times `scale`, by `share` of the greatest rates. A variable without a gradient
    /// stays as it is.
    ///
    /// # Errors
    /// A gradient does not fit, or the device failed.
    pub fn step(&mut self, gradients: &Gradients, scale: f64, share: f64) -> Result<()> {
        self.steps += 1;
        let corrected = |beta: f64| 1.0 - beta.powi(self.steps.min(i32::MAX as usize) as i32);
        for (name, slot) in &mut self.slots {
            let Some(gradient) = gradients.get(name) else { continue };
            let rate = slot.rate * share;
            let step = Step {
                scale,
                keep: 1.0 - rate * slot.decay,
                rate: rate / corrected(BETA_MEAN),
                root: corrected(BETA_SQUARE).sqrt(),
            };
            match &mut slot.moments {
                Moments::Numbers { mean, square } => {
                    let op = OnNumbers { step, moments: RefCell::new((mean, square)) };
                    slot.variable.as_tensor().inplace_op2(&gradient.contiguous()?, &op)?;
                }
                Moments::Tensors { mean, square } => step.on_tensors(&slot.variable, gradient, mean, square)?,
            }
        }
        Ok(())
    }

    /// The running means of each variable's gradient and of its square, to be kept.
    ///
    /// # Errors
    /// The device failed.
    pub fn moments(&self) -> Result<BTreeMap<&str, [Cow<'_, [f32]>; 2]>> {
        self.slots.iter().map(|(name, slot)| Ok((name.as_str(), slot.moments.numbers()?))).collect()
    }

    /// Goes on after `steps` steps with the running means that were kept.
    ///
    /// # Errors
    /// They are not those of these variables, or the device has no room.
    pub fn go_on(&mut self, steps: usize, mut moments: impl FnMut(&str) -> Option<[Vec<f32>; 2]>) -> Result<()> {
        for (name, slot) in &mut self.slots {
            let kept = moments(name).filter(|kept| kept.iter().all(|one| one.len() == slot.variable.elem_count()));
            let Some([mean, square]) = kept else {
                return Err(Error::Usage(format!("the kept state has no means for the variable {name}")));
            };
            slot.moments = match &slot.moments {
                Moments::Numbers { .. } => Moments::Numbers { mean, square },
                Moments::Tensors { mean: old, .. } => {
                    let tensor = |numbers| Tensor::from_vec(numbers, old.shape(), old.device());
                    Moments::Tensors { mean: tensor(mean)?, square: tensor(square)? }
                }
            };
        }
        self.steps = steps;
        Ok(())
    }
}

/// The norm of all gradients as one vector.
///
/// # Errors
/// The device failed.
pub fn norm(gradients: &Gradients) -> Result<f64> {
    let mut sum = 0.0;
    for gradient in gradients.values() {
        if !gradient.device().is_cpu() {
            sum += f64::from(gradient.to_dtype(DType::F32)?.sqr()?.sum_all()?.to_scalar::<f32>()?);
            continue;
        }
        let square = |chunk: &[f32]| chunk.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        let squares = |values: &[f32]| values.par_chunks(CHUNK).map(square).collect::<Vec<f64>>();
        // Summed in order: the threads have no say.
        sum += with_values(&gradient.contiguous()?, squares)?.iter().sum::<f64>();
    }
    Ok(sum.sqrt())
}

/// What gradients of this norm are multiplied by so that it is at most `greatest`.
///
/// Source: `torch.nn.utils.clip_grad_norm_`.
pub fn clipping(norm: f64, greatest: f64) -> f64 {
    (greatest / (norm + 1e-6)).min(1.0)
}

/// The numbers of one step of one variable.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Of the gradient.
    scale: f64,
    /// Which part of the variable does not decay.
    keep: f64,
    /// The learning rate, the mean's bias corrected.
    rate: f64,
    /// What corrects the bias of the root of the mean square.
    root: f64,
}

impl Step {
    fn on_tensors(self, variable: &Var, gradient: &Tensor, mean: &mut Tensor, square: &mut Tensor) -> Result<()> {
        let gradient = (gradient * self.scale)?;
        *mean = ((&*mean * BETA_MEAN)? + (&gradient * (1.0 - BETA_MEAN))?)?;
        *square = ((&*square * BETA_SQUARE)? + (gradient.sqr()? * (1.0 - BETA_SQUARE))?)?;
        let divisor = ((square.sqrt()? / self.root)? + EPSILON)?;
        let moved = ((variable.as_tensor() * self.keep)? - (mean.div(&divisor)? * self.rate)?)?;
        Ok(variable.set(&moved.detach())?)
    }

    /// One pass over all: memory is what it waits for.
    fn on_numbers(self, variable: &mut [f32], gradient: &[f32], mean: &mut [f32], square: &mut [f32]) {
        let [scale, keep, rate] = [self.scale, self.keep, self.rate].map(|x| x as f32);
        let [into_mean, keep_square, into_square] = [1.0 - BETA_MEAN, BETA_SQUARE, 1.0 - BETA_SQUARE].map(|x| x as f32);
        let [root, epsilon] = [self.root, EPSILON].map(|x| x as f32);
        for (((x, gradient), mean), square) in variable.iter_mut().zip(gradient).zip(mean).zip(square) {
            let gradient = gradient * scale;
            *mean += (gradient - *mean) * into_mean;
            *square = *square * keep_square + gradient * gradient * into_square;
            *x = *x * keep - rate * (*mean / (square.sqrt() / root + epsilon));
        }
    }
}

/// A step in the place where the variable is.
struct OnNumbers<'a> {
    step: Step,
    moments: RefCell<(&'a mut Vec<f32>, &'a mut Vec<f32>)>,
}

impl InplaceOp2 for OnNumbers<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        variable: &mut CpuStorage,
        variable_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> candle_core::Result<()> {
        let gradient = slice(gradient, gradient_layout)?;
        let variable = slice_mut(variable, variable_layout)?;
        if variable.len() != gradient.len() {
            return Err(candle_core::Error::msg("a gradient of another shape"));
        }
        let mut moments = self.moments.borrow_mut();
        let (mean, square) = &mut *moments;
        let variables = variable.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
        let all = variables.zip(mean.par_chunks_mut(CHUNK)).zip(square.par_chunks_mut(CHUNK));
        let step = self.step;
        all.for_each(|(((variable, gradient), mean), square)| step.on_numbers(variable, gradient, mean, square));
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use candle_core::Device;
    use serde::Deserialize;

    use super::*;
    use crate::training::schedule::{Schedule, Shape};

    /// What `tests/fixtures/training/make.py` recorded.
    #[derive(Deserialize)]
    struct Recorded {
        shapes: BTreeMap<String, Vec<usize>>,
        before: BTreeMap<String, Vec<f32>>,
        gradients: Vec<BTreeMap<String, Vec<f32>>>,
        norms: Vec<f64>,
        after: BTreeMap<String, Vec<f32>>,
    }

    const RATES: Rates = Rates { encoder: 1e-2, head: 3e-2, encoder_decay: 0.1, head_decay: 0.2 };

    fn recorded() -> Recorded {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/training/steps.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn tensor(numbers: &[f32], shape: &[usize]) -> Tensor {
        Tensor::from_slice(numbers, shape, &Device::Cpu).unwrap()
    }

    /// Makes the recorded steps, by way of `between` after each of them.
    fn make(recorded: &Recorded, mut between: impl FnMut(&mut AdamW)) -> AdamW {
        let variable =
            |name: &String| Var::from_tensor(&tensor(&recorded.before[name], &recorded.shapes[name])).unwrap();
        let variables = recorded.shapes.keys().map(|name| (name.clone(), variable(name))).collect();
        let mut optimizer = AdamW::new(variables, RATES).unwrap();
        let schedule = Schedule { shape: Shape::Linear, warmup: 2, steps: recorded.gradients.len() };
        for (step, gradients) in recorded.gradients.iter().enumerate() {
            let gradients: Gradients = gradients
                .iter()
                .map(|(name, numbers)| (name.clone(), tensor(numbers, &recorded.shapes[name])))
                .collect();
            let norm = norm(&gradients).unwrap();
            assert!((norm - recorded.norms[step]).abs() < 1e-6 * norm, "{norm}, not {}", recorded.norms[step]);
            optimizer.step(&gradients, clipping(norm, 1.0), schedule.share(step)).unwrap();
            between(&mut optimizer);
        }
        optimizer
    }

    #[test]
    fn ten_steps_are_those_of_pytorch_in_every_group() {
        let recorded = recorded();
        for (name, variable) in make(&recorded, |_| ()).variables() {
            let found = variable.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for (found, after) in found.iter().zip(&recorded.after[name]) {
                assert!((found - after).abs() < 1e-6, "{name}: {found}, not {after}");
            }
        }
    }

    #[test]
    fn tensor_operations_make_the_same_steps() {
        let recorded = recorded();
        let mut as_tensors = |optimizer: &mut AdamW| {
            for (name, slot) in &mut optimizer.slots {
                if let Moments::Numbers { mean, square } = &slot.moments {
                    let shape = &recorded.shapes[name];
                    slot.moments = Moments::Tensors { mean: tensor(mean, shape), square: tensor(square, shape) };
                }
            }
        };
        for (name, variable) in make(&recorded, &mut as_tensors).variables() {
            let found = variable.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for (found, after) in found.iter().zip(&recorded.after[name]) {
                assert!((found - after).abs() < 1e-6, "{name}: {found}, not {after}");
            }
        }
    }

    #[test]
    fn what_was_kept_goes_on_as_if_nothing_had_been() {
        let recorded = recorded();
        let through = make(&recorded, |_| ());
        let broken = make(&recorded, |optimizer| {
            let steps = optimizer.steps();
            let kept = optimizer.moments().unwrap().into_iter();
            let mut moments: BTreeMap<String, [Vec<f32>; 2]> =
                kept.map(|(name, moments)| (name.to_owned(), moments.map(Cow::into_owned))).collect();
            optimizer
                .slots
                .values_mut()
                .for_each(|slot| slot.moments = Moments::Numbers { mean: vec![], square: vec![] });
            optimizer.go_on(steps, |name| moments.remove(name)).unwrap();
        });
        assert_eq!(broken.moments().unwrap(), through.moments().unwrap());
    }

    #[test]
    fn norms_biases_and_the_head_have_their_own_rates() {
        let of = |name: &str| RATES.of(name);
        assert_eq!(of("model.encoder_model.layer.0.dense.weight"), (1e-2, 0.1));
        assert_eq!(of("model.encoder_model.layer.0.LayerNorm.weight"), (1e-2, 0.0));
        assert_eq!(of("model.encoder_model.layers.0.self_attn_layer_norm.bias"), (1e-2, 0.0));
        assert_eq!(of("model.decoder_model.layers.0.mlp.up_proj.weight"), (1e-2, 0.1));
        assert_eq!(of("model.scorer.scorer_encoder.layers.0.linear1.weight"), (3e-2, 0.2));
        assert_eq!(of("model.text_projector.linear_1.bias"), (3e-2, 0.0));
        assert_eq!(of("model.logit_scale"), (3e-2, 0.2));
    }
}
