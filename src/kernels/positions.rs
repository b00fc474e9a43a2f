//! The position terms of DeBERTa's disentangled attention.
//!
//! Position vectors are packed in falling order: neighbouring keys of a query mostly take
//! neighbouring positions, one lower each, so their scores lie side by side and are added as vectors.
//! Only the positions that occur between the queries and keys at hand are multiplied.

use std::ops::Range;

use super::factors::{Factors, Lines};
use super::gemm::{Finish, Product};
use super::isa::Isa;
use super::memory::sized;
use super::position_table::PositionTable;
use super::simd::Simd;

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
    /// Whether a vector's worth of columns from this entry on are consecutive.
    consecutive: Vec<bool>,
}

impl<'a> Positions<'a> {
    /// For sequences up to `longest`.
    pub(super) fn new(table: DistanceTable<'a>, max_len: usize, longest: usize, isa: Isa) -> Self {
        assert!(longest <= max_len, "a sequence of {longest} tokens, position index made for {max_len}");
        assert_eq!(table.index.len(), 2 * max_len - 1, "position index");
        let last = table.positions.positions as u32 - 1;
        let distances = &table.index[max_len - longest..max_len + longest - 1];
        let columns: Vec<u32> = distances.iter().rev().map(|p| last - p).collect();
        let lanes = isa.panel() / 2;
        let mut consecutive = vec![false; columns.len()];
        let mut run = 0;
        for i in (0..columns.len()).rev() {
            run = if columns.get(i + 1) == Some(&(columns[i] + 1)) { run + 1 } else { 1 };
            consecutive[i] = run >= lanes;
        }
        Self { table: table.positions, columns, zero: longest - 1, consecutive }
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
        self.multiply((s, factors), head, query, queries.len(), &columns, products, width);
        for ((i, scores), products) in
            queries.clone().zip(scores.chunks_exact_mut(keys.len())).zip(products.chunks_exact(width))
        {
            let first = keys.start + self.zero - i;
            for (at, scores) in (first..).step_by(S::LANES).zip(scores.chunks_mut(S::LANES)) {
                let column = self.columns[at] as usize - columns.start;
                if scores.len() == S::LANES && self.consecutive[at] {
                    let sum = s.add(s.load(scores), s.load(&products[column..][..S::LANES]));
                    s.store(sum, scores);
                } else {
                    for (score, column) in scores.iter_mut().zip(&self.columns[at..]) {
                        *score += products[*column as usize - columns.start];
                    }
                }
            }
        }
    }

    /// `products (rows, columns) = a (rows, head_dim) * positions`, `width` from one row to the next.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the operands of one product")]
    fn multiply<S: Simd, F: Factors>(
        &self,
        (s, factors): (S, F),
        head: usize,
        a: Lines<F::Number>,
        rows: usize,
        columns: &Range<usize>,
        products: &mut [f32],
        width: usize,
    ) {
        let packed = factors.positions(self.table, head);
        // Whole panels, the last of them filled up.
        let depth = packed.len() / self.table.positions.next_multiple_of(2 * S::LANES);
        factors.multiply(
            s,
            Product {
                a: a.numbers,
                a_stride: a.stride,
                rows,
                depth,
                panels: &packed[columns.start * depth..],
                panel_depth: depth,
                columns: columns.len(),
                c: products,
                c_stride: width,
                finish: Finish::NONE,
            },
        );
    }

    /// Adds key times position, from [`scores_of_keys`], to `scores (queries, keys)`.
    pub(super) fn add_keys(
        &self,
        of_keys: &KeyScores,
        queries: &Range<usize>,
        keys: &Range<usize>,
        first_key: usize,
        scores: &mut [f32],
    ) {
        /// Keys whose lines, one for each key, stay in the first cache from one query to the next.
        const NEAR: usize = 128;
        let count = keys.len();
        for from in (0..count).step_by(NEAR) {
            let to = count.min(from + NEAR);
            for (i, scores) in queries.clone().zip(scores.chunks_exact_mut(count)) {
                let first = keys.start + from;
                let columns = &self.columns[first + self.zero - i..];
                let products = of_keys.products[(first - first_key) * of_keys.width..].chunks_exact(of_keys.width);
                for ((score, column), products) in scores[from..to].iter_mut().zip(columns).zip(products) {
                    *score += products[*column as usize - of_keys.first];
                }
            }
        }
    }
}

/// Key times position: a row of `width` products for each key, the first one for the column `first`.
pub(super) struct KeyScores<'a> {
    products: &'a [f32],
    first: usize,
    width: usize,
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
        let to = &mut products[row * width + columns.start - all.start..];
        positions.multiply((s, factors), head, key_rows.from(row), block.len(), &columns, to, width);
    }
    KeyScores { products, first: all.start, width }
}
