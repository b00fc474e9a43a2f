//! The loop: batches of examples -> losses -> gradients -> steps; after each epoch, figures.
//!
//! Source: `Trainer` of `transformers` 5, as `gliclass` 0.1.21 uses it.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use candle_core::{DType, Tensor};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;

use super::augment::Augmenter;
use super::examples::Example;
use super::figures::{EpochFigures, judge};
use super::loss::{Loss, Objective, contrastive};
use super::optimizer::{AdamW, Gradients, Rates, clipping, norm};
use super::schedule::{Schedule, Shape};
use super::state::{Keeper, Kept, Position};
use crate::classifier::{Classifier, Encoded};
use crate::error::{Error, Result};
use crate::model::Learner;

/// How a model is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// What is made small.
    pub objective: Objective,
    /// How much the contrastive loss of the labels counts; 0 not at all.
    pub contrastive: f64,
    /// How often every record is seen.
    pub epochs: usize,
    /// Records of a batch.
    pub batch_size: usize,
    /// Batches of a step.
    pub accumulation: usize,
    /// The greatest learning rates, and the decays.
    pub rates: Rates,
    /// How the rates rise and fall.
    pub shape: Shape,
    /// The share of the steps in which the rates rise.
    pub warmup: f64,
    /// The greatest norm of a step's gradients; 0 for any.
    pub clip: f64,
    /// Epochs without a better figure after which it ends.
    pub patience: Option<usize>,
    /// Where chance begins.
    pub seed: u64,
}

/// What is seen of a training as it runs.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Steps that are done, of all epochs.
    pub steps: usize,
    /// Steps that will be done if it does not end early.
    pub of_steps: usize,
    /// The mean loss of the epoch so far.
    pub loss: f64,
    /// The learning rate of the encoder in the last step.
    pub rate: f64,
}

/// Who hears of a training, and keeps what it brings.
pub trait Watcher {
    /// A step was made.
    fn stepped(&mut self, progress: &Progress);

    /// An epoch was judged. The model is to be kept where it `is_best`: the best so far, or, without held-out
    /// records, the last.
    ///
    /// # Errors
    /// It cannot be written.
    fn judged(&mut self, learner: &Learner, position: &Position, is_best: bool) -> Result<()>;
}

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All epochs are done.
    Done,
    /// No epoch was better for too long.
    Early,
    /// It was interrupted, and its state saved.
    Interrupted,
}

/// A training.
pub struct Trainer<'a> {
    learner: &'a Learner,
    optimizer: AdamW,
    examples: &'a [Example],
    held_out: &'a [Example],
    augmenter: &'a Augmenter<'a>,
    recipe: Recipe,
    position: Position,
    threads: usize,
    begun: Instant,
}

impl<'a> Trainer<'a> {
    /// Trains `learner` on `examples`, judged on `held_out`; goes on from where `kept` came.
    ///
    /// # Errors
    /// The state does not fit the model, or the device has no room.
    pub fn new(
        learner: &'a Learner,
        [examples, held_out]: [&'a [Example]; 2],
        augmenter: &'a Augmenter<'a>,
        recipe: Recipe,
        kept: Option<&Kept>,
        threads: usize,
    ) -> Result<Self> {
        let mut optimizer = AdamW::new(learner.variables(), recipe.rates)?;
        let position = kept.map(|kept| kept.position.clone()).unwrap_or_default();
        kept.map_or(Ok(()), |kept| kept.restore(&mut optimizer))?;
        let begun = Instant::now();
        Ok(Self { learner, optimizer, examples, held_out, augmenter, recipe, position, threads, begun })
    }

    /// How far it came.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// How many numbers it may change.
    pub fn parameters(&self) -> usize {
        self.optimizer.variables().map(|(_, variable)| variable.elem_count()).sum()
    }

    /// Steps of the whole training.
    pub fn steps(&self) -> usize {
        self.recipe.epochs * self.batches().div_ceil(self.recipe.accumulation)
    }

    /// Batches of an epoch.
    fn batches(&self) -> usize {
        self.examples.len().div_ceil(self.recipe.batch_size)
    }

    /// Trains until the end, or until it is interrupted.
    ///
    /// # Errors
    /// The loss is no number, the computation failed, or something cannot be written.
    pub fn run(&mut self, keeper: &mut Keeper, watcher: &mut dyn Watcher, interrupted: &AtomicBool) -> Result<End> {
        let spent = self.position.seconds;
        self.begun = Instant::now();
        while self.position.epoch < self.recipe.epochs {
            if self.is_hopeless() {
                return Ok(End::Early);
            }
            let order = self.order();
            while self.position.batches < self.batches() {
                if interrupted.load(Ordering::Relaxed) {
                    keeper.save(&self.position, &self.optimizer)?;
                    return Ok(End::Interrupted);
                }
                let progress = self.step(&order)?;
                self.position.seconds = spent + self.begun.elapsed().as_secs_f64();
                watcher.stepped(&progress);
                if keeper.is_due() {
                    keeper.save(&self.position, &self.optimizer)?;
                }
            }
            if !self.close_epoch(watcher, interrupted)? {
                keeper.save(&self.position, &self.optimizer)?;
                return Ok(End::Interrupted);
            }
        }
        Ok(End::Done)
    }

    /// Whether patience is at its end.
    fn is_hopeless(&self) -> bool {
        let waited = self.position.best.map_or(0, |best| self.position.epochs.len() - 1 - best);
        self.recipe.patience.is_some_and(|patience| waited >= patience)
    }

    /// The records of this epoch, in the order of the seed.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.examples.len()).collect();
        order.shuffle(&mut self.chance(usize::MAX));
        order
    }

    /// The chance of a record in this epoch, the same whatever came before.
    fn chance(&self, record: usize) -> Pcg64 {
        let seed = u128::from(self.recipe.seed) << 64 | self.position.epoch as u128;
        // What Pcg64 takes for a seed is a state and a stream.
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&seed.to_le_bytes());
        bytes[16..].copy_from_slice(&(record as u128).to_le_bytes());
        Pcg64::from_seed(bytes)
    }

    /// One step of the optimizer, over as many batches as belong to it.
    fn step(&mut self, order: &[usize]) -> Result<Progress> {
        let batches: Vec<&[usize]> =
            order.chunks(self.recipe.batch_size).skip(self.position.batches).take(self.recipe.accumulation).collect();
        let mut gradients = Gradients::new();
        for (number, records) in batches.iter().enumerate() {
            let number = self.position.epoch * self.batches() + self.position.batches + number;
            self.position.loss += self.learn(number as u64, records, &mut gradients)?;
        }
        let share = 1.0 / batches.len() as f64;
        let length = norm(&gradients)? * share;
        if !length.is_finite() {
            return Err(self.burst(self.position.steps + 1, "the gradients are"));
        }
        let clipped = if self.recipe.clip > 0.0 { clipping(length, self.recipe.clip) } else { 1.0 };
        let rate = self.schedule().share(self.position.steps);
        self.optimizer.step(&gradients, share * clipped, rate)?;
        self.position.steps += 1;
        self.position.batches += batches.len();
        Ok(Progress {
            epoch: self.position.epoch,
            steps: self.position.steps,
            of_steps: self.steps(),
            loss: self.position.loss / self.position.batches as f64,
            rate: rate * self.recipe.rates.encoder,
        })
    }

    fn schedule(&self) -> Schedule {
        let steps = self.steps();
        Schedule { shape: self.recipe.shape, warmup: (steps as f64 * self.recipe.warmup).ceil() as usize, steps }
    }

    /// Adds the gradients of one batch; gives its loss.
    fn learn(&self, number: u64, records: &[usize], gradients: &mut Gradients) -> Result<f64> {
        let (examples, encoded): (Vec<Example>, Vec<Encoded>) =
            records.iter().map(|&record| self.draw(record)).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let logits = self.learner.forward(number, &encoded, self.threads)?;
        let numbers = logits.by_record()?;
        let answers = numbers.iter().zip(&examples);
        let answers: Vec<(&[f32], &[f32])> =
            answers.map(|(logits, example)| (&logits[..], &example.targets[..])).collect();
        let loss = self.recipe.objective.loss(&answers);
        let (mut value, mut root) = (loss.value, weighted(&logits.values, &logits.rows, &loss.slopes)?);
        if let Some(labels) = logits.labels.as_ref().filter(|_| self.recipe.contrastive > 0.0) {
            let (contrast, weighted) = contrast(labels, &logits.rows)?;
            value += self.recipe.contrastive * contrast;
            root = (root + (weighted * self.recipe.contrastive)?)?;
        }
        if !value.is_finite() {
            return Err(self.burst(self.position.steps + 1, "the loss is"));
        }
        let mut found = root.backward()?;
        for (name, variable) in self.optimizer.variables() {
            let Some(gradient) = found.remove(variable) else { continue };
            let sum = match gradients.remove(name) {
                Some(sum) => (sum + gradient)?,
                None => gradient,
            };
            gradients.insert(name.to_owned(), sum);
        }
        Ok(value)
    }

    /// A record as it is drawn in this epoch.
    fn draw(&self, record: usize) -> Result<(Example, Encoded)> {
        let original = &self.examples[record];
        let drawn = self.augmenter.apply(original, &mut self.chance(record));
        match self.learner.encode(&drawn.record) {
            Ok(encoded) => Ok((drawn, encoded)),
            // What was added does not fit, or labels that are longer than the first ones: it is seen without.
            Err(Error::Record(_)) => {
                let plain = self.augmenter.plain(original);
                let encoded = self.learner.encode(&plain.record)?;
                Ok((plain, encoded))
            }
            Err(error) => Err(error),
        }
    }

    /// A number that is not finite. The learning rates can be to blame for it once a step has changed the weights.
    fn burst(&self, step: usize, what: &str) -> Error {
        let cause = if self.schedule().moves_weights_within(self.position.steps) {
            let Rates { encoder, head, .. } = self.recipe.rates;
            format!(
                " any more. The learning rates ({encoder} for the encoder, {head} for the head) are too high for this \
                 model and this data: begin again with --force and lower ones, or a longer --warmup"
            )
        } else {
            ". No weight has changed yet, so the learning rates are not the cause: a record or the weights of the model \
             are such that the computation overflows. `gliclass batch` with this model names the records whose answers \
             are not finite: leave those out. Where it names all of them, or none, begin with another model"
                .to_owned()
        };
        Error::Usage(format!("step {step} of epoch {}: {what} not a finite number{cause}", self.position.epoch + 1))
    }

    /// Judges the epoch; `false` where that was interrupted.
    fn close_epoch(&mut self, watcher: &mut dyn Watcher, interrupted: &AtomicBool) -> Result<bool> {
        let held_out = if self.held_out.is_empty() {
            None
        } else {
            let judged = judge(self.learner, self.held_out, &self.recipe.objective, self.threads, interrupted);
            // Each of them was encoded before the first step: only an answer that is no number fails one by itself.
            let figures = judged.map_err(|error| match error {
                Error::Record(_) => self.burst(self.position.steps, "an answer about the held-out records is"),
                error => error,
            })?;
            if figures.is_none() {
                return Ok(false);
            }
            figures
        };
        let loss = self.position.loss / self.batches() as f64;
        let best = self.position.best.and_then(|best| self.position.epochs.get(best)?.held_out);
        let is_best = held_out.zip(best).is_none_or(|(new, best)| new.are_better_than(&best));
        self.position.epochs.push(EpochFigures { loss, held_out });
        if is_best {
            self.position.best = Some(self.position.epoch);
        }
        self.position.epoch += 1;
        (self.position.batches, self.position.loss) = (0, 0.0);
        watcher.judged(self.learner, &self.position, is_best)?;
        Ok(true)
    }
}

/// A number whose gradients are those of the loss: what was computed, each number times its slope. `rows` are those
/// of each record.
fn weighted(computed: &Tensor, rows: &[Range<usize>], slopes: &[Vec<f32>]) -> Result<Tensor> {
    let width = computed.elem_count() / computed.dim(0)?.max(1);
    let mut all = vec![0.0; computed.elem_count()];
    for (rows, slopes) in rows.iter().zip(slopes) {
        all[rows.start * width..rows.end * width].copy_from_slice(slopes);
    }
    let slopes = Tensor::from_vec(all, computed.dims(), computed.device())?;
    Ok((computed.to_dtype(DType::F32)? * slopes)?.sum_all()?)
}

/// The contrastive loss of the rows of each record's labels, `(rows, width)`, and a number with its gradients.
fn contrast(labels: &Tensor, rows: &[Range<usize>]) -> Result<(f64, Tensor)> {
    let numbers: Vec<Vec<f32>> = labels.to_dtype(DType::F32)?.to_vec2()?;
    let records: Vec<&[Vec<f32>]> = rows.iter().map(|rows| &numbers[rows.clone()]).collect();
    let Loss { value, slopes } = contrastive(&records);
    let mut slopes = slopes.into_iter();
    let by_record: Vec<Vec<f32>> =
        rows.iter().map(|rows| slopes.by_ref().take(rows.len()).flatten().collect()).collect();
    Ok((value, weighted(labels, rows, &by_record)?))
}
