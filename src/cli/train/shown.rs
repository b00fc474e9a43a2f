//! What is seen of a training as it runs: a bar where somebody looks on, lines elsewhere.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::cli::terminal;
use crate::error::Result;
use crate::model::Learner;
use crate::training::card::Card;
use crate::training::figures::EpochFigures;
use crate::training::folder::Folder;
use crate::training::state::Position;
use crate::training::trainer::{Progress, Watcher};

/// From one line to the next, where there is no bar.
const PAUSE: Duration = Duration::from_secs(10);

/// Shows a training, and keeps its best model.
pub(super) struct Shown<'a> {
    quiet: bool,
    bar: ProgressBar,
    folder: &'a Folder,
    card: &'a Card,
    said: Instant,
    /// Steps that were done before, and when this run began.
    begun: (usize, Instant),
}

impl<'a> Shown<'a> {
    pub(super) fn new(quiet: bool, folder: &'a Folder, card: &'a Card, steps: usize, position: &Position) -> Self {
        let bar = terminal::bar(Some(steps as u64), "{wide_bar} {msg}", quiet);
        bar.set_position(position.steps as u64);
        let now = Instant::now();
        Self { quiet, bar, folder, card, said: now, begun: (position.steps, now) }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| terminal::say(line));
        }
    }

    /// How far it is and how fast it goes, in few enough words that a terminal has room for a bar beside them.
    fn words_beside_bar(&self, progress: &Progress) -> String {
        let Progress { epoch, steps, of_steps, loss, .. } = *progress;
        let (before, begun) = self.begun;
        let seconds = begun.elapsed().as_secs_f64() / (steps - before).max(1) as f64;
        let left = duration(seconds * (of_steps - steps) as f64);
        format!("epoch {}, step {steps}/{of_steps}, loss {loss:.4}, {seconds:.2} s/step, {left} left", epoch + 1)
    }
}

impl Watcher for Shown<'_> {
    fn stepped(&mut self, progress: &Progress) {
        self.bar.set_position(progress.steps as u64);
        if !self.bar.is_hidden() {
            self.bar.set_message(self.words_beside_bar(progress));
        } else if self.said.elapsed() >= PAUSE {
            self.said = Instant::now();
            self.say(&format!("{}, rate {:.2e}", self.words_beside_bar(progress), progress.rate));
        }
    }

    fn judged(&mut self, learner: &Learner, position: &Position, is_best: bool) -> Result<()> {
        let Some(figures) = position.epochs.last() else { return Ok(()) };
        let mark = if is_best && figures.held_out.is_some() { ", the best so far" } else { "" };
        self.say(&format!("epoch {}: {}{mark}", position.epoch, words(figures)));
        if position.epochs.len() == 1 {
            // Of a model that was there before.
            self.folder.clear()?;
        }
        if is_best {
            self.folder.save(learner, &self.card.recipe)?;
            self.folder.describe(&self.card.text(position))?;
        }
        Ok(())
    }
}

/// The figures of an epoch on one line.
fn words(figures: &EpochFigures) -> String {
    let loss = format!("loss {:.4}", figures.loss);
    let Some(held_out) = figures.held_out else { return loss };
    format!(
        "{loss}; held out: loss {:.4}, macro F1 {:.4}, micro F1 {:.4}, accuracy {:.4}",
        held_out.loss, held_out.macro_f1, held_out.micro_f1, held_out.accuracy
    )
}

/// What a training came to, on one line.
pub(super) fn summary(position: &Position) -> String {
    let (epochs, time) = (position.epochs.len(), duration(position.seconds));
    let epochs = if epochs == 1 { "1 epoch".to_owned() } else { format!("{epochs} epochs") };
    let best = position.best.and_then(|best| Some((best, position.epochs.get(best)?)));
    match best {
        Some((best, figures)) if figures.held_out.is_some() => {
            format!("{epochs} in {time}; epoch {} is kept: {}", best + 1, words(figures))
        }
        _ => format!("{epochs} in {time}; the last is kept"),
    }
}

fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}
