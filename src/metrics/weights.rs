//! How often records count: once each, or as they were drawn.

/// How often each record counts, in each of several rounds: a record that is looked up serves all of them.
pub type Weights<const L: usize> = [[u8; L]];

/// Records that are looked up at once.
pub(super) const BLOCK: usize = 256;

/// The weights of a block of records, side by side.
///
/// Records lie anywhere in memory that no near cache holds. A loop that does nothing but fetch them waits
/// for many at a time; one that computes waits for each.
#[inline]
pub(super) fn fetch<'a, const L: usize>(
    records: impl Iterator<Item = u32>,
    weights: &Weights<L>,
    block: &'a mut [[u8; L]; BLOCK],
) -> &'a [[u8; L]] {
    let mut count = 0;
    for (place, record) in block.iter_mut().zip(records) {
        *place = weights[record as usize];
        count += 1;
    }
    &block[..count]
}

/// Every record counts once.
pub fn once(records: usize) -> Vec<[u8; 1]> {
    vec![[1]; records]
}
