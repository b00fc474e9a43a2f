//! How the learning rate rises and falls.

use std::f64::consts::PI;

/// The shape of a learning rate over a run. Each rises evenly from 0 while it warms up.
///
/// Source: `get_scheduler` of `transformers` 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Shape {
    /// Falls evenly to 0
    #[default]
    Linear,
    /// Falls along half a wave of the cosine to 0
    Cosine,
    /// Does not fall
    Constant,
}

/// The learning rate at each step of a run, as a share of its greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// How it goes after it has warmed up.
    pub shape: Shape,
    /// Steps of warming up.
    pub warmup: usize,
    /// Steps of the whole run.
    pub steps: usize,
}

impl Schedule {
    /// The share at a step, counted from 0: the first step of a run that warms up changes nothing.
    pub fn share(&self, step: usize) -> f64 {
        if step < self.warmup {
            return step as f64 / self.warmup as f64;
        }
        let falling = self.steps.saturating_sub(self.warmup).max(1) as f64;
        let progress = (step - self.warmup) as f64 / falling;
        match self.shape {
            Shape::Linear => (1.0 - progress).max(0.0),
            Shape::Cosine => (0.5 * (1.0 + (PI * progress).cos())).max(0.0),
            Shape::Constant => 1.0,
        }
    }

    /// Whether any of the first `steps` steps changes weights.
    pub fn moves_weights_within(&self, steps: usize) -> bool {
        (0..steps).any(|step| self.share(step) > 0.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::ValueEnum;
    use serde::Deserialize;

    use super::*;

    /// One of the schedules that `tests/fixtures/training/make.py` recorded.
    #[derive(Deserialize)]
    struct Recorded {
        schedule: String,
        warmup: usize,
        steps: usize,
        rates: Vec<f64>,
    }

    #[test]
    fn rates_are_those_of_transformers() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/training/schedules.json");
        let all: Vec<Recorded> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(all.len(), 12);
        for Recorded { schedule, warmup, steps, rates } in all {
            let shape = Shape::from_str(&schedule, false).unwrap();
            let found = Schedule { shape, warmup, steps };
            for (step, rate) in rates.into_iter().enumerate() {
                let share = found.share(step);
                assert!((share - rate).abs() < 1e-12, "{found:?} at {step}: {share}, not {rate}");
            }
        }
    }

    #[test]
    fn the_first_step_changes_something_where_nothing_warms_up() {
        for (warmup, first) in [(0, 1), (1, 2), (3, 2)] {
            let schedule = Schedule { shape: Shape::Linear, warmup, steps: 5 };
            assert!(!schedule.moves_weights_within(first - 1) && schedule.moves_weights_within(first), "{warmup}");
        }
    }
}
