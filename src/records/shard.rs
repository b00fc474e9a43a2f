//! One of several parts of an input: the records that begin in its share of the bytes.
//!
//! The parts are contiguous: the outputs of the shards in order, one behind the other, are the output of
//! one run. A share of the bytes is a fairer part of the work than a share of the records, and a plain
//! JSONL file is read only where it must be.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::{Entry, Raw, Source};
use crate::error::Result;

/// Which part, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

impl Shard {
    /// Part `index`, from 0, of `count`; none where there is no such part.
    pub fn new(index: u64, count: u64) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }

    /// Of how many parts it is one.
    pub fn count(self) -> u64 {
        self.count
    }

    /// Whether it is the first one, which writes what stands before all records.
    pub fn is_first(self) -> bool {
        self.index == 0
    }

    /// Its part of so many bytes.
    pub fn range(self, size: u64) -> Range<u64> {
        let bound = |index: u64| (u128::from(size) * u128::from(index) / u128::from(self.count)) as u64;
        bound(self.index)..bound(self.index + 1)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        const FORM: &str = "give I/N with I from 0 to N-1, such as 0/8";
        let (index, count) = text.split_once('/').ok_or(FORM)?;
        Self::new(index.parse().map_err(|_| FORM)?, count.parse().map_err(|_| FORM)?).ok_or(FORM)
    }
}

/// The records of a source that begin before `end`; all of them without one.
pub struct Until<S> {
    source: S,
    end: Option<u64>,
}

impl<S> Until<S> {
    /// Ends `source` where a record begins at `end` or after it.
    pub fn new(source: S, end: Option<u64>) -> Self {
        Self { source, end }
    }
}

impl<S: Source> Iterator for Until<S> {
    type Item = Result<Entry<S::Raw>>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.source.next()?;
        let inside = |entry: &Entry<S::Raw>| self.end.is_none_or(|end| entry.raw.begin().byte < end);
        (next.as_ref().map_or(true, inside)).then_some(next)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_shard_is_an_index_and_a_count() {
        assert_eq!("3/8".parse::<Shard>().unwrap().to_string(), "3/8");
        for text in ["8/8", "1", "1/0", "-1/2", "a/b", "0/0", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn shards_touch_and_cover_everything(size in any::<u64>(), count in 1_u64..100) {
            let ranges: Vec<_> = (0..count).map(|index| Shard { index, count }.range(size)).collect();
            prop_assert_eq!(ranges[0].start, 0);
            prop_assert_eq!(ranges[ranges.len() - 1].end, size);
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }
}
