//! How sure the figures are: records are drawn anew, with replacement, and the figures computed again.

use rand::Rng;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;
use serde::Serialize;

use super::main_figures::{Main, MainFigures};
use super::weights::Weights;

/// How often is drawn, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Resampling {
    /// Rounds.
    pub rounds: u32,
    /// The same seed draws the same records, on any number of threads.
    pub seed: u64,
}

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Which figure.
    pub figure: Main,
    /// Its value on the records as they are.
    pub value: f64,
    /// Where the middle 95 % of the rounds lie, mirrored at the value where rounds overstate it; none without rounds,
    /// and none where they say nothing.
    #[serde(flatten)]
    pub bounds: Option<Bounds>,
}

/// The ends of a 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bounds {
    /// The lower one.
    pub low: f64,
    /// The higher one.
    pub high: f64,
}

/// Rounds that are computed together: the widest vectors that most processors have hold so many sums.
const LANES: usize = 8;

/// The main figures with their intervals; the values alone where there are no rounds. Intervals are those of the
/// percentiles, of the figures that rounds overstate the basic ones.
pub fn intervals(main: &MainFigures, resampling: Resampling) -> Vec<Interval> {
    let rounds = resampling.map(main.records(), |weights| main.values(weights));
    let interval = |(place, (figure, value)): (usize, (Main, f64))| {
        let column = sorted(rounds.iter().map(|values| values[place]));
        let bounds = percentiles(&column).map(|percentiles| match figure {
            Main::ExpectedCalibrationError | Main::MeanAveragePrecision => percentiles.mirrored_at(value),
            _ => percentiles,
        });
        Interval { figure, value, bounds: bounds.filter(Bounds::say_something) }
    };
    main.figures().into_iter().zip(main.plain_values()).enumerate().map(interval).collect()
}

impl Bounds {
    /// Whether there is more than one value between them. Where all rounds come to the same one, as where every record
    /// is right, that is no sign that other records would.
    pub(super) fn say_something(&self) -> bool {
        // Sums of the same numbers in another order differ by less.
        self.high - self.low > 1e-12
    }

    /// The basic interval of a share whose percentiles these are.
    ///
    /// Bins have some calibration error by mere chance, and more of it where records are drawn twice; a rare label is
    /// found better where its few records are. All rounds lie too high, often above the value itself. As far as they
    /// lie above it, it lies above the truth. The value is never left out: it is what the interval is read beside.
    fn mirrored_at(self, value: f64) -> Self {
        Self { low: (2.0 * value - self.high).max(0.0).min(value), high: (2.0 * value - self.low).min(1.0).max(value) }
    }
}

impl Resampling {
    /// What `figures` says of each round, given how often each of `records` was drawn in it.
    ///
    /// Every round has a generator of its own, so that threads do not matter. Of up to 255 records none
    /// can be drawn more often than a `u8` holds; of more, none ever is: the chance is below 1 in 10^500.
    pub(super) fn map<T: Send>(self, records: usize, figures: impl Fn(&Weights<LANES>) -> [T; LANES] + Sync) -> Vec<T> {
        let draw = |(drawn, weights): &mut (Vec<u8>, Vec<[u8; LANES]>), first: u32| {
            for lane in 0..LANES {
                let round = u64::from(first) * LANES as u64 + lane as u64;
                let mut random = generator(self.seed, round);
                drawn.fill(0);
                (0..records).for_each(|_| drawn[random.random_range(0..records as u32) as usize] += 1);
                weights.iter_mut().zip(drawn.iter()).for_each(|(weight, &drawn)| weight[lane] = drawn);
            }
            figures(weights)
        };
        let together = (0..self.rounds.div_ceil(LANES as u32)).into_par_iter();
        let buffers = || (vec![0; records], vec![[0; LANES]; records]);
        let values: Vec<[T; LANES]> = together.map_init(buffers, draw).collect();
        values.into_iter().flatten().take(self.rounds as usize).collect()
    }
}

/// The generator of one round of a seed; rounds of neighbouring seeds are no more alike than any others.
pub fn generator(seed: u64, round: u64) -> Pcg64Mcg {
    // Counted from the seed itself, all rounds of 0 but the first would be rounds of 1.
    let first: u64 = Pcg64Mcg::seed_from_u64(seed).random();
    Pcg64Mcg::seed_from_u64(first.wrapping_add(round))
}

/// Where the middle of what is sorted lies.
pub(super) fn percentiles(sorted: &[f64]) -> Option<Bounds> {
    Some(Bounds { low: percentile(sorted, 0.025)?, high: percentile(sorted, 0.975)? })
}

pub(super) fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Between two values, in proportion.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * (sorted.len().checked_sub(1)? as f64);
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;

    use super::super::judged::{Candidate, Judged};
    use super::*;

    #[test]
    fn the_interval_of_the_calibration_error_of_scores_that_say_the_truth_lies_below_its_value() {
        for seed in 0..20 {
            let mut random = Pcg64Mcg::seed_from_u64(seed);
            let mut judged = Judged::new(vec!["a".into(), "b".into()], true);
            for _ in 0..300 {
                let score = random.random::<f32>();
                let is_first = random.random::<f32>() < score;
                let first = Candidate { label: 0, score, truth: is_first, predicted: score > 0.5 };
                let second = Candidate { label: 1, score: 1.0 - score, truth: !is_first, predicted: score <= 0.5 };
                judged.push([first, second]);
            }
            let all = intervals(&MainFigures::new(&judged), Resampling { rounds: 200, seed: 0 });
            let error = all.iter().find(|one| one.figure == Main::ExpectedCalibrationError).unwrap();
            let bounds = error.bounds.unwrap();
            assert!(bounds.high - error.value < error.value - bounds.low, "{error:?}");
        }
    }

    #[test]
    fn the_value_of_rare_labels_average_precision_lies_in_the_upper_half_of_its_interval() {
        for seed in 0..20 {
            let mut random = Pcg64Mcg::seed_from_u64(seed);
            let names: Vec<String> = (0..20).map(|label| label.to_string()).collect();
            let mut judged = Judged::new(names, false);
            for record in 0..200 {
                let candidate = |label: u32| {
                    let truth = record / 3 == label;
                    let drawn = random.random::<f32>();
                    let score = if truth { 0.8 + drawn / 5.0 } else { drawn };
                    Candidate { label, score, truth, predicted: score > 0.5 }
                };
                judged.push((0..20).map(candidate).collect::<Vec<_>>());
            }
            let all = intervals(&MainFigures::new(&judged), Resampling { rounds: 200, seed: 0 });
            let precision = all.iter().find(|one| one.figure == Main::MeanAveragePrecision).unwrap();
            let bounds = precision.bounds.unwrap();
            assert!(bounds.high - precision.value < precision.value - bounds.low, "{precision:?}");
        }
    }

    #[test]
    fn rounds_that_all_say_the_same_make_no_interval() {
        let judged = |records: u16| {
            let mut judged = Judged::new(vec!["a".into(), "b".into()], true);
            for record in 0..records {
                let score = 0.9 + f32::from(record % 7) / 100.0;
                let first = Candidate { label: 0, score, truth: true, predicted: true };
                judged.push([first, Candidate { label: 1, score: 1.0 - score, truth: false, predicted: false }]);
            }
            judged
        };
        let with_interval = |records: u16| -> Vec<Main> {
            let all = intervals(&MainFigures::new(&judged(records)), Resampling { rounds: 200, seed: 0 });
            all.iter().filter(|one| one.bounds.is_some()).map(|one| one.figure).collect()
        };
        assert!(with_interval(1).is_empty());
        assert_eq!(with_interval(60), [Main::LogLoss, Main::BrierScore, Main::ExpectedCalibrationError]);
    }

    #[test]
    fn an_interval_is_mirrored_within_what_a_share_can_be() {
        let mirrored = |low, high, value| {
            let Bounds { low, high } = Bounds { low, high }.mirrored_at(value);
            [low, high]
        };
        assert_eq!(mirrored(0.5, 0.875, 0.625), [0.375, 0.75]);
        assert_eq!(mirrored(0.125, 0.5, 0.125), [0.0, 0.125]);
        assert_eq!(mirrored(0.25, 0.5, 0.125), [0.0, 0.125]);
        assert_eq!(mirrored(0.5, 0.875, 0.875), [0.875, 1.0]);
    }

    #[test]
    fn neighbouring_seeds_share_no_round() {
        let drawn = (0..4).flat_map(|seed| (0..1000).map(move |round| generator(seed, round).random()));
        assert_eq!(drawn.collect::<HashSet<u64>>().len(), 4000);
    }
}
