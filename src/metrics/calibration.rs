//! Whether scores are what they say: of the labels said with 0.8, are 80 % true?

use rayon::prelude::*;
use serde::Serialize;

use super::judged::Judged;
use super::ranking::best;
use super::weights::{BLOCK, MARK, RECORD, TRUE, Weights, check_count, fetch};
use super::{Task, ratio};

/// Bins of a reliability diagram; each holds as many scores, but for ties, which stay together.
pub const BINS: usize = 15;

/// Scores that are alike, and how often they were right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// The mean score.
    pub score: f64,
    /// The share that is true.
    pub share_true: f64,
    /// How many scores are in it.
    pub count: u64,
}

/// A reliability diagram and its one number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// How many bins of equal mass the scores were cut into; ties may leave some empty.
    pub bins: usize,
    /// Expected calibration error: the mean distance between score and share, each bin counting by its size.
    pub expected_calibration_error: f64,
    /// The bins that hold something, by rising score.
    pub points: Vec<Bin>,
}

/// The score before is lower.
const FIRST_OF_TIES: u32 = MARK;

/// All scores that say how sure an answer is, by rising score: each record's best where exactly one label
/// is true, every decision where any number is.
#[derive(Debug, Clone, Default)]
pub struct Confidences {
    scores: Vec<f32>,
    /// The record, whether the answer is true, and whether the score before is lower.
    records: Vec<u32>,
    /// How many scores each record has.
    per_record: Vec<u32>,
}

impl Confidences {
    /// The confidences of `judged`, of which every candidate has a score.
    ///
    /// # Panics
    /// There are more than 2^30 records.
    pub fn new(judged: &Judged) -> Self {
        check_count(judged.records());
        let single = judged.task() == Task::SingleLabel;
        let mut confidences: Vec<(f32, u32)> = Vec::new();
        let mut per_record = Vec::with_capacity(judged.records());
        for (number, record) in (0..).zip(judged.iter()) {
            let chosen = if single { best(record).map_or(&[][..], std::slice::from_ref) } else { record };
            confidences.extend(chosen.iter().map(|one| (one.score, number | if one.truth { TRUE } else { 0 })));
            per_record.push(chosen.len() as u32);
        }
        confidences.par_sort_unstable_by(|(a, x), (b, y)| a.total_cmp(b).then(x.cmp(y)));
        let mut previous = f32::NAN;
        let marked = confidences.into_iter().map(|(score, record)| {
            let first = if score == previous { 0 } else { FIRST_OF_TIES };
            previous = score;
            (score, record | first)
        });
        let (scores, records) = marked.unzip();
        Self { scores, records, per_record }
    }

    /// The bins, once for each lane of the weights.
    ///
    /// Bin `b` of `B` ends with the scores equal to that of rank `b (n - 1) / B`, rounded down: the bins
    /// of scikit-learn's `calibration_curve` with the strategy `quantile`, without its rounding errors.
    pub fn calibration<const L: usize>(&self, weights: &Weights<L>) -> [Calibration; L] {
        let mut binning: [Binning; L] = std::array::from_fn(|lane| {
            let own =
                self.per_record.iter().zip(weights).map(|(&own, weight)| u64::from(own) * u64::from(weight[lane]));
            Binning::new(own.sum())
        });
        let mut block = [[0; L]; BLOCK];
        for (scores, records) in self.scores.chunks(BLOCK).zip(self.records.chunks(BLOCK)) {
            let weights = fetch(records.iter().map(|record| record & RECORD), weights, &mut block);
            let block = Sum::of(scores, records, weights);
            if (0..L).all(|lane| binning[lane].has_room(block[lane].count)) {
                (0..L).for_each(|lane| binning[lane].add(block[lane]));
                continue;
            }
            for (place, record) in records.iter().enumerate() {
                let only = place..=place;
                let one = Sum::of(&scores[only.clone()], &records[only.clone()], &weights[only]);
                for lane in 0..L {
                    if record & FIRST_OF_TIES != 0 {
                        binning[lane].move_on();
                    }
                    binning[lane].add(one[lane]);
                }
            }
        }
        binning.map(|binning| binning.calibration())
    }
}

/// Scores on their way into bins.
struct Binning {
    sums: [Sum; BINS],
    total: u64,
    /// The bin that is being filled.
    bin: usize,
    /// The rank of the next score.
    rank: u64,
    /// The last rank that belongs into the bin, but for ties.
    last: u64,
}

impl Binning {
    fn new(total: u64) -> Self {
        let mut binning = Self { sums: [Sum::default(); BINS], total, bin: 0, rank: 0, last: 0 };
        binning.last = binning.last_rank(0);
        binning
    }

    fn last_rank(&self, bin: usize) -> u64 {
        if bin + 1 == BINS { u64::MAX } else { (bin as u64 + 1) * self.total.saturating_sub(1) / BINS as u64 }
    }

    /// Whether so many more scores belong into the bin, whatever they are.
    fn has_room(&self, count: u64) -> bool {
        self.rank + count <= self.last
    }

    /// The next score is higher than the one before.
    fn move_on(&mut self) {
        while self.rank > self.last {
            self.bin += 1;
            self.last = self.last_rank(self.bin);
        }
    }

    fn add(&mut self, sum: Sum) {
        let bin = &mut self.sums[self.bin];
        bin.scores += sum.scores;
        bin.truths += sum.truths;
        bin.count += sum.count;
        self.rank += sum.count;
    }

    fn calibration(&self) -> Calibration {
        let error: f64 = self.sums.iter().map(|sum| (sum.scores - sum.truths as f64).abs()).sum();
        Calibration {
            bins: BINS,
            expected_calibration_error: ratio(error, self.total as f64),
            points: self.sums.iter().filter(|sum| sum.count > 0).map(Sum::bin).collect(),
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    scores: f64,
    truths: u64,
    count: u64,
}

impl Sum {
    /// Of so many scores, in each lane of their weights.
    #[inline]
    fn of<const L: usize>(scores: &[f32], records: &[u32], weights: &Weights<L>) -> [Self; L] {
        let (mut sums, mut truths, mut counts) = ([0.0; L], [0_u32; L], [0_u32; L]);
        for ((&score, &record), weight) in scores.iter().zip(records).zip(weights) {
            let score = f64::from(score);
            for lane in 0..L {
                sums[lane] += score * f64::from(weight[lane]);
                truths[lane] += u32::from(weight[lane]) * (record >> 31);
                counts[lane] += u32::from(weight[lane]);
            }
        }
        std::array::from_fn(|lane| Self { scores: sums[lane], truths: truths[lane].into(), count: counts[lane].into() })
    }

    fn bin(&self) -> Bin {
        let count = self.count as f64;
        Bin { score: self.scores / count, share_true: self.truths as f64 / count, count: self.count }
    }
}

/// A point of the curve of coverage against accuracy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Covered {
    /// The least best score that is answered.
    pub score: f32,
    /// The share of records that are answered.
    pub coverage: f64,
    /// The share of the answered whose best label is true.
    pub accuracy: f64,
}

/// What is right of the answers, where those below a score are withheld: one point for each score, from the
/// surest on.
pub fn coverage(judged: &Judged) -> Vec<Covered> {
    let mut bests: Vec<(f32, bool)> = judged.iter().filter_map(best).map(|one| (one.score, one.truth)).collect();
    bests.par_sort_unstable_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut curve = Vec::new();
    let (mut answered, mut right) = (0_u64, 0_u64);
    for ties in bests.chunk_by(|(a, _), (b, _)| a == b) {
        answered += ties.len() as u64;
        right += ties.iter().filter(|(_, truth)| *truth).count() as u64;
        let (coverage, accuracy) = (ratio(answered as f64, judged.records() as f64), right as f64 / answered as f64);
        curve.push(Covered { score: ties[0].0, coverage, accuracy });
    }
    curve
}
