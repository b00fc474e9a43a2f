//! Which rows of one matrix meet which of another, and how many of them at once.

use std::ops::Range;

use candle_core::Tensor;

use super::{select_ranges, select_rows};
use crate::backbones::consecutive;
use crate::error::Result;

/// Pairs whose rows are laid side by side at once: enough for the products of a layer to be fast, few enough to take
/// little room.
const AT_ONCE: usize = 1 << 11;

/// Pairs of a row of a first matrix and one of a second: each row of the first is given with a range of the second,
/// which several may share.
#[derive(Debug)]
pub struct Pairs(Vec<(usize, Range<usize>)>);

impl Pairs {
    /// Rows of the first matrix, each with those of the second that it meets.
    pub fn new(rows: impl Iterator<Item = (usize, Range<usize>)>) -> Self {
        Self(rows.collect())
    }

    /// Each row of the first matrix with its range of the second.
    pub fn rows(&self) -> &[(usize, Range<usize>)] {
        &self.0
    }

    /// Where the pairs of each row of the first matrix lie among all.
    pub fn places(&self) -> Vec<Range<usize>> {
        consecutive(self.0.iter().map(|(_, rows)| rows.len()))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.iter().map(|(_, rows)| rows.len()).sum()
    }

    /// The row of the first matrix `x` in each pair: `(pairs, width)`.
    ///
    /// # Errors
    /// A row outside the matrix.
    pub fn firsts(&self, x: &Tensor) -> Result<Tensor> {
        let rows = self.0.iter().flat_map(|(first, rows)| std::iter::repeat_n(*first, rows.len()));
        select_rows(x, &rows.collect::<Vec<_>>())
    }

    /// The row of the second matrix `x` in each pair: `(pairs, width)`.
    ///
    /// # Errors
    /// A row outside the matrix.
    pub fn seconds(&self, x: &Tensor) -> Result<Tensor> {
        let ranges = || self.0.iter().map(|(_, rows)| rows.clone());
        let adjoin = ranges().zip(ranges().skip(1)).all(|(one, next)| one.end == next.start);
        if let (Some(first), true) = (ranges().next(), adjoin) {
            return Ok(x.narrow(0, first.start, self.count())?);
        }
        select_ranges(x, ranges())
    }

    /// What `f` makes of the pairs, a row of each, where it is given some of them at a time: whole rows of the first
    /// matrix with all that they meet.
    ///
    /// # Errors
    /// That of `f`.
    pub fn in_runs(&self, f: impl FnMut(&Self) -> Result<Tensor>) -> Result<Tensor> {
        let parts = self.runs().iter().map(f).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&parts, 0)?)
    }

    /// At least one, so that nothing gets the shape it would have.
    fn runs(&self) -> Vec<Self> {
        let (mut runs, mut run, mut count) = (Vec::new(), Vec::new(), 0);
        for (first, rows) in &self.0 {
            if count > 0 && count + rows.len() > AT_ONCE {
                runs.push(Self(std::mem::take(&mut run)));
                count = 0;
            }
            count += rows.len();
            run.push((*first, rows.clone()));
        }
        runs.push(Self(run));
        runs
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{matrix, values};
    use super::*;

    #[test]
    fn shared_rows_are_laid_side_by_side_for_some_pairs_at_a_time() {
        const LABELS: usize = 900;
        let texts = matrix((0..7).map(|i| i as f32).collect(), 1).unwrap();
        let labels = matrix((0..LABELS + 5).map(|i| i as f32 / 1024.0).collect(), 1).unwrap();
        let own = [(5, LABELS..LABELS + 5), (6, 0..400)];
        let pairs = Pairs::new((0..5).map(|text| (text, 0..LABELS)).chain(own.clone()));
        let (mut most, mut runs) = (0, 0);
        let sums = pairs.in_runs(|run| {
            (most, runs) = (most.max(run.count()), runs + 1);
            Ok((run.firsts(&texts)? + run.seconds(&labels)?)?)
        });
        assert_eq!((most, runs), (2 * LABELS, 3), "{AT_ONCE} pairs at once are those of two texts");
        let expected = (0..5).map(|text| (text, 0..LABELS)).chain(own);
        let expected = expected.flat_map(|(text, rows)| rows.map(move |label| text as f32 + label as f32 / 1024.0));
        assert_eq!(values(&sums.unwrap()).unwrap(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_row_that_meets_more_than_fits_is_not_cut() {
        let pairs = Pairs::new([(0, 0..3), (1, 0..2 * AT_ONCE), (2, 5..6)].into_iter());
        let runs: Vec<usize> = pairs.runs().iter().map(Pairs::count).collect();
        assert_eq!(runs, [3, 2 * AT_ONCE, 1]);
        assert_eq!(pairs.places(), [0..3, 3..3 + 2 * AT_ONCE, 3 + 2 * AT_ONCE..4 + 2 * AT_ONCE]);
        assert_eq!(Pairs::new(std::iter::empty()).runs().len(), 1);
    }

    #[test]
    fn rows_that_follow_each_other_are_not_copied() {
        let x = matrix((0..12).map(|i| i as f32).collect(), 2).unwrap();
        let adjoining = Pairs::new([(0, 1..3), (1, 3..3), (2, 3..6)].into_iter()).seconds(&x).unwrap();
        assert_eq!(values(&adjoining).unwrap(), (2..12).map(|i| i as f32).collect::<Vec<_>>());
        let apart = Pairs::new([(0, 1..3), (1, 1..2)].into_iter()).seconds(&x).unwrap();
        assert_eq!(values(&apart).unwrap(), [2.0, 3.0, 4.0, 5.0, 2.0, 3.0]);
    }
}
