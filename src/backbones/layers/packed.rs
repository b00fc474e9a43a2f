//! Packed rows as padded rectangles, for operations on whole rectangles.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use candle_core::{DType, Device, Tensor};

use super::get_or_make;
use crate::error::Result;

/// Sequences share a rectangle while the shortest of them has at least this share of the longest's length.
const LIKE_LENGTH: f64 = 0.75;

/// What is added to scores that do not count: beside any that does, their exponential is 0; in float16, which has no
/// room for more, beside any above that. Twice that is a number, too.
fn hiding(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => -30_000.0,
        _ => f64::from(f32::MIN / 4.0),
    }
}

/// Ranges of rows side by side: `(ranges, longest, width)`, shorter ones filled up.
#[derive(Debug)]
pub(super) struct Rectangle {
    pub(super) count: usize,
    pub(super) length: usize,
    /// The row of the matrix at each place; none where the rectangle is the matrix's rows from `first` on.
    gather: Option<Tensor>,
    first: usize,
    /// The place of each row of each range, in order; none where the rectangle is full.
    scatter: Option<Tensor>,
    /// 1 at rows and 0 at filling, `(count, length)` in f32; none where the rectangle is full.
    present: Option<Tensor>,
}

impl Rectangle {
    pub(super) fn new(ranges: &[Range<usize>], device: &Device) -> Result<Self> {
        let count = ranges.len();
        let length = ranges.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        let first = ranges.iter().find(|range| !range.is_empty()).map_or(0, |range| range.start);
        let full = ranges.iter().all(|range| range.len() == length);
        let adjoining = ranges.windows(2).all(|pair| pair[0].end == pair[1].start);
        let gather = (!full || !adjoining).then(|| {
            // Filling repeats a row that is there.
            let places = ranges
                .iter()
                .flat_map(|range| (0..length).map(|at| if at < range.len() { range.start + at } else { first } as u32));
            Tensor::from_iter(places, device)
        });
        let scatter = (!full).then(|| {
            let places = ranges.iter().enumerate();
            let places = places.flat_map(|(i, range)| (0..range.len()).map(move |at| (i * length + at) as u32));
            Tensor::from_iter(places, device)
        });
        let present = (!full).then(|| {
            let places = ranges.iter().flat_map(|range| (0..length).map(|at| f32::from(at < range.len())));
            Tensor::from_iter(places, device)?.reshape((count, length))
        });
        Ok(Self {
            count,
            length,
            gather: gather.transpose()?,
            first,
            scatter: scatter.transpose()?,
            present: present.transpose()?,
        })
    }

    /// `(rows, width)` to `(count, length, width)`.
    pub(super) fn fill(&self, x: &Tensor) -> Result<Tensor> {
        let width = x.dim(1)?;
        let rows = match &self.gather {
            Some(gather) => x.contiguous()?.index_select(gather, 0)?,
            None => x.narrow(0, self.first, self.count * self.length)?.contiguous()?,
        };
        Ok(rows.reshape((self.count, self.length, width))?)
    }

    /// `(count, length, width)` to the rows of the ranges, one range after another.
    pub(super) fn empty(&self, x: &Tensor) -> Result<Tensor> {
        let rows = x.reshape((self.count * self.length, x.dim(2)?))?;
        match &self.scatter {
            Some(scatter) => Ok(rows.index_select(scatter, 0)?),
            None => Ok(rows),
        }
    }

    /// Hides filling when it is added: `(count, length)`; none where there is no filling.
    pub(super) fn mask(&self, dtype: DType) -> Result<Option<Tensor>> {
        let hiding = hiding(dtype);
        let mask = |present: &Tensor| present.affine(-hiding, hiding)?.to_dtype(dtype);
        Ok(self.present.as_ref().map(mask).transpose()?)
    }
}

/// How a packed batch lies on a device.
#[derive(Debug)]
pub(crate) struct Packing {
    /// The place of each token in its sequence: `(tokens)`.
    pub(super) positions: Tensor,
    /// The rows of each sequence.
    pub(super) ranges: Vec<Range<usize>>,
    /// Those that are seen.
    pub(super) seen: Vec<Range<usize>>,
    /// Neighbouring sequences of like length, from the first operation on that asks.
    groups: OnceLock<Vec<Group>>,
    /// How a kernel cuts them, likewise.
    #[cfg(any(feature = "cuda", test))]
    pub(super) tiles: OnceLock<Tensor>,
}

/// Sequences in one rectangle.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) rectangle: Rectangle,
    /// 1 at the keys that no query sees, else 0, in f32: `(count, 1, length)`; none where there are none.
    hidden: Option<Tensor>,
    /// How many keys of each sequence are seen, the first ones.
    seen: Vec<usize>,
    masks: Mutex<BTreeMap<Sight, Vec<Tensor>>>,
}

/// Which keys a query sees: those within a distance, and only those before it.
pub(super) type Sight = (Option<usize>, bool);

impl Packing {
    /// Of the sequences between `bounds`, where some rows are padding and only those of `text` are seen.
    pub(crate) fn new(bounds: &[usize], text: Option<&[Range<usize>]>, device: &Device) -> Result<Self> {
        let ranges: Vec<Range<usize>> = bounds.windows(2).map(|pair| pair[0]..pair[1]).collect();
        let positions = ranges.iter().flat_map(|range| 0..range.len() as u32);
        Ok(Self {
            positions: Tensor::from_iter(positions, device)?,
            seen: text.map_or_else(|| ranges.clone(), <[_]>::to_vec),
            ranges,
            groups: OnceLock::new(),
            #[cfg(any(feature = "cuda", test))]
            tiles: OnceLock::new(),
        })
    }

    /// Neighbouring sequences of like length.
    pub(super) fn groups(&self) -> Result<&[Group]> {
        Ok(get_or_make(&self.groups, || self.group())?)
    }

    fn group(&self) -> Result<Vec<Group>> {
        let alike = |group: &[Range<usize>], next: &Range<usize>| {
            let lengths = || group.iter().chain([next]).map(ExactSizeIterator::len);
            let (shortest, longest) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
            shortest as f64 >= longest as f64 * LIKE_LENGTH
        };
        let mut groups: Vec<Vec<Range<usize>>> = Vec::new();
        for range in &self.ranges {
            match groups.last_mut() {
                Some(group) if alike(group, range) => group.push(range.clone()),
                _ => groups.push(vec![range.clone()]),
            }
        }
        let device = self.positions.device();
        let mut sequence = 0;
        let group = |ranges: Vec<Range<usize>>| {
            let rectangle = Rectangle::new(&ranges, device)?;
            let seen = &self.seen[sequence..sequence + ranges.len()];
            sequence += ranges.len();
            let hidden = beyond(seen, rectangle.length, device)?;
            let seen = seen.iter().map(ExactSizeIterator::len).collect();
            Ok(Group { rectangle, hidden, seen, masks: Mutex::default() })
        };
        groups.into_iter().map(group).collect()
    }
}

/// `(sequences, 1, length)`: 1 at the places of each sequence beyond the rows that are seen.
fn beyond(seen: &[Range<usize>], length: usize, device: &Device) -> Result<Option<Tensor>> {
    if seen.iter().all(|seen| seen.len() == length) {
        return Ok(None);
    }
    let places = seen.iter().flat_map(|seen| (0..length).map(|at| f32::from(at >= seen.len())));
    Ok(Some(Tensor::from_iter(places, device)?.reshape((seen.len(), 1, length))?))
}

impl Group {
    /// 1 at queries that see a key, 0 where all that are near enough are hidden or there are none, `(count, length, 1)`;
    /// none where all queries see one.
    pub(super) fn sighted(&self, (window, _): Sight, dtype: DType, device: &Device) -> Result<Option<Tensor>> {
        let length = self.rectangle.length;
        let window = window.unwrap_or(usize::MAX);
        let sees = |i: usize, seen: usize| i.saturating_sub(window) < seen;
        if self.seen.iter().all(|seen| sees(length.saturating_sub(1), *seen)) {
            return Ok(None);
        }
        let places = self.seen.iter().flat_map(|seen| (0..length).map(move |i| f32::from(sees(i, *seen))));
        Ok(Some(Tensor::from_iter(places, device)?.reshape((self.seen.len(), length, 1))?.to_dtype(dtype)?))
    }

    /// What is added to scores `(.., sequences, length, length)` to hide keys; each is broadcast.
    pub(super) fn masks(&self, sight: Sight, dtype: DType, device: &Device) -> Result<Vec<Tensor>> {
        let mut masks = self.masks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(masks) = masks.get(&sight) {
            return Ok(masks.clone());
        }
        let mut made = Vec::new();
        if let Some(mask) = &self.hidden {
            made.push((mask * hiding(dtype))?.to_dtype(dtype)?);
        }
        let length = self.rectangle.length;
        let (window, causal) = sight;
        if causal || window.is_some_and(|window| window + 1 < length) {
            let window = window.unwrap_or(length);
            let seen = |i: usize, j: usize| i.abs_diff(j) <= window && (j <= i || !causal);
            let hiding = hiding(dtype) as f32;
            let places = (0..length).flat_map(|i| (0..length).map(move |j| if seen(i, j) { 0.0 } else { hiding }));
            made.push(Tensor::from_iter(places, device)?.reshape((1, length, length))?.to_dtype(dtype)?);
        }
        masks.insert(sight, made.clone());
        Ok(made)
    }
}
