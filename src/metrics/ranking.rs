//! Figures of the order of scores: average precision, label ranking average precision, top-k accuracy.

use rayon::prelude::*;

use super::judged::{Candidate, Judged};
use super::ratio;
use super::weights::{BLOCK, MARK, RECORD, TRUE, Weights, check_count, fetch};

/// The next score is lower, and the label is true of some record with this one.
const LAST_OF_HITS: u32 = MARK;

/// The records that have one label among their candidates, by its falling score.
///
/// A record's number, whether the label is true of it and whether a step of the curve ends here are one
/// number: resampling reads these lists a thousand times.
#[derive(Debug, Clone, Default)]
pub struct Ranking {
    items: Vec<u32>,
}

impl Ranking {
    fn new(mut scored: Vec<(f32, u32)>) -> Self {
        scored.sort_unstable_by(|(a, x), (b, y)| b.total_cmp(a).then(x.cmp(y)));
        let mut items = Vec::with_capacity(scored.len());
        for ties in scored.chunk_by(|(a, _), (b, _)| a == b) {
            items.extend(ties.iter().map(|(_, item)| *item));
            if let Some(last) = items.last_mut().filter(|_| ties.iter().any(|(_, item)| item & TRUE != 0)) {
                *last |= LAST_OF_HITS;
            }
        }
        Self { items }
    }

    /// Recall and precision from the highest threshold on: where a true record comes in, precision rises; up
    /// to the next it falls.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        let support = self.items.iter().filter(|item| *item & TRUE != 0).count() as f64;
        let (mut hits, mut open, mut curve) = (0.0, false, Vec::new());
        for (seen, item) in (1_u32..).zip(&self.items) {
            let is_hit = item & TRUE != 0;
            if is_hit && open && seen > 1 {
                curve.push((hits / support, hits / f64::from(seen - 1)));
                open = false;
            }
            hits += if is_hit { 1.0 } else { 0.0 };
            if item & LAST_OF_HITS != 0 {
                curve.push((hits / support, hits / f64::from(seen)));
                open = true;
            }
        }
        curve
    }

    /// The area under the precision-recall curve as a step function, as scikit-learn's
    /// `average_precision_score`; 0 where the label is never true. One for each lane of the weights.
    pub fn average_precision<const L: usize>(&self, weights: &Weights<L>) -> [f64; L] {
        let (mut seen, mut hits, mut new_hits, mut area) = ([0_u32; L], [0_u32; L], [0_u32; L], [0.0; L]);
        let mut block = [[0; L]; BLOCK];
        for items in self.items.chunks(BLOCK) {
            let weights = fetch(items.iter().map(|item| item & RECORD), weights, &mut block);
            for (item, weight) in items.iter().zip(weights) {
                for lane in 0..L {
                    seen[lane] += u32::from(weight[lane]);
                    new_hits[lane] += u32::from(weight[lane]) * (item >> 31);
                }
                if item & LAST_OF_HITS == 0 {
                    continue;
                }
                for lane in 0..L {
                    hits[lane] += new_hits[lane];
                    area[lane] += f64::from(new_hits[lane]) * (f64::from(hits[lane]) / f64::from(seen[lane].max(1)));
                    new_hits[lane] = 0;
                }
            }
        }
        std::array::from_fn(|lane| ratio(area[lane], hits[lane].into()))
    }
}

/// The ranking of each label.
///
/// # Panics
/// There are more than 2^30 records.
pub fn rankings(judged: &Judged) -> Vec<Ranking> {
    check_count(judged.records());
    let mut columns: Vec<Vec<(f32, u32)>> = vec![Vec::new(); judged.names().len()];
    for (record, candidates) in (0..).zip(judged.iter()) {
        for one in candidates {
            columns[one.label as usize].push((one.score, record | if one.truth { TRUE } else { 0 }));
        }
    }
    columns.into_par_iter().map(Ranking::new).collect()
}

/// The mean over records of how many of the labels ranked at or above a true one are true, as
/// scikit-learn's `label_ranking_average_precision_score`: 1 for a record with no or only true labels.
pub fn label_ranking_average_precision(judged: &Judged) -> f64 {
    let sum: f64 = judged.iter().map(precision_of_record).sum();
    ratio(sum, judged.records() as f64)
}

fn precision_of_record(candidates: &[Candidate]) -> f64 {
    let truths = candidates.iter().filter(|one| one.truth).count();
    if truths == 0 || truths == candidates.len() {
        return 1.0;
    }
    let precision = |truth: &Candidate| {
        let above = candidates.iter().filter(|one| one.score >= truth.score);
        let (ranked, hits) = above.fold((0, 0), |(ranked, hits), one| (ranked + 1, hits + u32::from(one.truth)));
        f64::from(hits) / f64::from(ranked)
    };
    candidates.iter().filter(|one| one.truth).map(precision).sum::<f64>() / truths as f64
}

/// The share of records with a true label among the `k` best; of equal scores the one that stands first is better.
pub fn top_k_accuracy(judged: &Judged, k: usize) -> f64 {
    let among = |candidates: &&[Candidate]| {
        let place = |truth: usize| {
            let better = |(other, one): &(usize, &Candidate)| {
                let score = candidates[truth].score;
                one.score > score || (one.score == score && *other < truth)
            };
            candidates.iter().enumerate().filter(better).count()
        };
        let mut truths = (0..candidates.len()).filter(|&index| candidates[index].truth);
        truths.any(|truth| place(truth) < k)
    };
    ratio(judged.iter().filter(among).count() as f64, judged.records() as f64)
}

/// The best candidate of a record: the highest score, the first of equal ones.
pub fn best(candidates: &[Candidate]) -> Option<&Candidate> {
    candidates.iter().reduce(|best, one| if one.score > best.score { one } else { best })
}
