//! How often records count: once each, or as they were drawn.

/// How often each record counts, in each of several rounds: a record that is looked up serves all of them.
pub type Weights<const L: usize> = [[u8; L]];

/// The bit beside a record's number that says that a label is true of it.
pub(super) const TRUE: u32 = 1 << 31;
/// The bit that is left to each list.
pub(super) const MARK: u32 = 1 << 30;
/// The bits of the number.
pub(super) const RECORD: u32 = MARK - 1;

/// Checks that there is a number for each of so many records.
///
/// # Panics
/// There are more than 2^30 records.
pub(super) fn check_count(records: usize) {
    assert!(records <= RECORD as usize, "more than 2^30 records do not fit in memory: this is a bug");
}

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
