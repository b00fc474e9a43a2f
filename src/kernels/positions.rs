//! The position terms of DeBERTa's disentangled attention.
//!
//! Position vectors are packed in falling order: neighbouring keys of a query mostly take
//! neighbouring positions, one lower each, so their scores lie side by side and are added as vectors.
//! Only the positions that occur between the queries and keys at hand are multiplied.

use std::ops::Range;

use super::factors::Factors;
use super::gemm::{Finish, Lines, LinesMut, Product};
use super::memory::sized;
use super::position_table::PositionTable;
use super::simd::{MAX_LANES, Simd};

/// Position vectors and which of them each distance takes.
#[derive(Clone, Copy, Debug)]
pub struct DistanceTable<'a> {
    /// The vectors, packed once at load.
    pub positions: &'a PositionTable,
    /// Entry `i - j + max_len - 1` is the position for distance `i - j`; `2 * max_len - 1` entries.
    pub index: &'a [u32],
}

/// A table with, for each distance, the column of the packed table.
pub(super) struct Positions<'a> {
    table: &'a PositionTable,
    /// Entry `j - i + zero` for the key `j` of the query `i`.
    columns: Vec<u32>,
    zero: usize,
    /// How many columns from this entry on are consecutive.
    runs: Vec<u32>,
}

impl<'a> Positions<'a> {
    /// For sequences up to `longest`.
    pub(super) fn new(table: DistanceTable<'a>, max_len: usize, longest: usize) -> Self {
        assert!(longest <= max_len, "a sequence of {longest} tokens, position index made for {max_len}");
        assert_eq!(table.index.len(), 2 * max_len - 1, "position index");
        let last = table.positions.positions as u32 - 1;
        let distances = &table.index[max_len - longest..max_len + longest - 1];
        let columns: Vec<u32> = distances.iter().rev().map(|p| last - p).collect();
        let mut runs = vec![1; columns.len()];
        for i in (1..columns.len()).rev() {
            if columns[i] == columns[i - 1] + 1 {
                runs[i - 1] = runs[i] + 1;
            }
        }
        Self { table: table.positions, columns, zero: longest - 1, runs }
    }

    /// The columns that occur between `queries` and `keys`, from the start of a panel on.
    fn range(&self, queries: &Range<usize>, keys: &Range<usize>, panel: usize) -> Range<usize> {
        let occurring = &self.columns[keys.start + self.zero + 1 - queries.end..keys.end + self.zero - queries.start];
        let (low, high) = occurring.iter().fold((u32::MAX, 0), |(low, high), c| (low.min(*c), high.max(*c)));
        low as usize / panel * panel..high as usize + 1
    }

    /// Adds query times position to `scores (queries, keys)`; `query` starts at the first of `queries`.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the operands of one term")]
    pub(super) fn add_queries<S: Simd, F: Factors>(
        &self,
        (s, factors): (S, F),
        head: usize,
        query: Lines<F::Number>,
        queries: &Range<usize>,
        keys: &Range<usize>,
        scores: &mut [f32],
        buffer: &mut Vec<f32>,
    ) {
        let columns = self.range(queries, keys, 2 * S::LANES);
        let width = columns.len();
        let products = sized(buffer, queries.len() * width);
        let to = LinesMut { numbers: products, stride: width };
        self.multiply((s, factors), head, query, queries.len(), &columns, to);
        for ((i, scores), products) in
            queries.clone().zip(scores.chunks_exact_mut(keys.len())).zip(products.chunks_exact(width))
        {
            let first = keys.start + self.zero - i;
            for (at, scores) in (first..).step_by(S::LANES).zip(scores.chunks_mut(S::LANES)) {
                let column = self.columns[at] as usize - columns.start;
                if self.runs[at] as usize >= scores.len() {
                    add(s, &products[column..][..scores.len()], scores);
                } else {
                    for (score, column) in scores.iter_mut().zip(&self.columns[at..]) {
                        *score += products[*column as usize - columns.start];
                    }
                }
            }
        }
    }

    /// `products (rows, columns) = a (rows, head_dim) * positions`.
    #[inline(always)]
    fn multiply<S: Simd, F: Factors>(
        &self,
        (s, factors): (S, F),
        head: usize,
        a: Lines<F::Number>,
        rows: usize,
        columns: &Range<usize>,
        products: LinesMut,
    ) {
        let packed = factors.positions(self.table, head);
        // Whole panels, the last of them filled up.
        let depth = packed.len() / self.table.positions.next_multiple_of(2 * S::LANES);
        factors.multiply(
            s,
            Product {
                a,
                rows,
                depth,
                panels: &packed[columns.start * depth..],
                panel_depth: depth,
                columns: columns.len(),
                c: products,
                finish: Finish::NONE,
            },
        );
    }

    /// Adds key times position, from [`scores_of_keys`], to `scores (queries, keys)`.
    ///
    /// Products lie by key, scores by query: squares of them are turned, where the positions in them are consecutive.
    #[inline(always)]
    pub(super) fn add_keys<S: Simd>(
        &self,
        s: S,
        of_keys: &KeyScores,
        queries: &Range<usize>,
        keys: &Range<usize>,
        scores: &mut [f32],
    ) {
        let mut square = [0.0; MAX_LANES * MAX_LANES];
        let starts = |count: usize| (0..count).step_by(S::LANES);
        for key in starts(keys.len()) {
            let columns = key..keys.len().min(key + S::LANES);
            for query in starts(queries.len()) {
                let rows = query..queries.len().min(query + S::LANES);
                // The last squares end with the last key and the last query.
                let corner = rows.end.checked_sub(S::LANES).zip(columns.end.checked_sub(S::LANES));
                let whole = corner.and_then(|(row, column)| {
                    let at = self.entry(queries.start + rows.end - 1, keys.start + column);
                    (self.runs[at] as usize >= 2 * S::LANES - 1).then_some((row, column, at))
                });
                let Some((row, column, at)) = whole else {
                    self.add_each(of_keys, [queries.start, keys.start], [rows, columns.clone()], keys.len(), scores);
                    continue;
                };
                s.turn(of_keys.from(keys.start + column, self.columns[at]), of_keys.width + 1, &mut square);
                for r in rows {
                    let turned = &square[(r - row) * S::LANES + columns.start - column..][..columns.len()];
                    add(s, turned, &mut scores[r * keys.len()..][columns.clone()]);
                }
            }
        }
    }

    /// [`Positions::add_keys`] for some rows and columns of `scores`, one by one; the first query and key are given.
    fn add_each(
        &self,
        of_keys: &KeyScores,
        [query, key]: [usize; 2],
        [rows, columns]: [Range<usize>; 2],
        width: usize,
        scores: &mut [f32],
    ) {
        for row in rows {
            for column in columns.clone() {
                let at = self.columns[self.entry(query + row, key + column)];
                scores[row * width + column] += of_keys.from(key + column, at)[0];
            }
        }
    }

    /// Of `columns`.
    fn entry(&self, query: usize, key: usize) -> usize {
        key + self.zero - query
    }
}

/// Adds numbers to as many others, at most a vector.
#[inline(always)]
fn add<S: Simd>(s: S, numbers: &[f32], to: &mut [f32]) {
    s.store_some(s.add(s.load_some(to), s.load_some(numbers)), to);
}

/// Key times position: a row of `width` products for each key from `first_key` on, the first one for the column
/// `first_column`.
pub(super) struct KeyScores<'a> {
    products: &'a [f32],
    first_key: usize,
    first_column: usize,
    width: usize,
}

impl KeyScores<'_> {
    /// The products from this key and this column on.
    #[inline(always)]
    fn from(&self, key: usize, column: u32) -> &[f32] {
        &self.products[(key - self.first_key) * self.width + column as usize - self.first_column..]
    }
}

/// Numbers in a cache line.
const LINE: usize = 16;

/// Multiplies `keys` with the positions that occur between them and `queries`.
#[inline(always)]
pub(super) fn scores_of_keys<'b, S: Simd, F: Factors>(
    (s, factors): (S, F),
    positions: &Positions,
    head: usize,
    key_rows: Lines<F::Number>,
    keys: &Range<usize>,
    queries: &Range<usize>,
    buffer: &'b mut Vec<f32>,
) -> KeyScores<'b> {
    let all = positions.range(queries, keys, 2 * S::LANES);
    // An odd number of cache lines between rows, so that they do not share sets of the first cache.
    let width = (all.len().div_ceil(LINE) | 1) * LINE;
    let products = sized(buffer, keys.len() * width);
    for first in keys.clone().step_by(2 * S::TILE_ROWS) {
        let block = first..keys.end.min(first + 2 * S::TILE_ROWS);
        let columns = positions.range(queries, &block, 2 * S::LANES);
        let row = first - keys.start;
        let to = LinesMut { numbers: &mut products[row * width + columns.start - all.start..], stride: width };
        positions.multiply((s, factors), head, key_rows.from(row), block.len(), &columns, to);
    }
    KeyScores { products, first_key: keys.start, first_column: all.start, width }
}
