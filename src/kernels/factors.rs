//! How attention keeps the factors of its products: in f32, or narrower.

use std::cell::RefCell;
use std::thread::LocalKey;

use super::gemm::{Lines, Product};
use super::memory::sized;
use super::pack::{pack_columns, packed_size};
use super::position_table::PositionTable;
use super::simd::Simd;

/// Buffers for factors that a thread keeps from one task to the next.
#[derive(Default)]
pub(super) struct Buffers<T> {
    /// Keys as left and as right factors.
    pub key_rows: Vec<T>,
    pub keys: Vec<T>,
    pub values: Vec<T>,
    pub queries: Vec<T>,
    /// Weights of keys.
    pub weights: Vec<T>,
}

/// A way to keep and multiply factors.
pub(super) trait Factors: Copy + Send + Sync {
    /// Neighbours along the inner dimension that are multiplied at once.
    type Number: Copy + Default + 'static;

    /// How many numbers of f32 that is. An end that is not full is filled with 0.
    const EACH: usize;

    fn buffers() -> &'static LocalKey<RefCell<Buffers<Self::Number>>>;

    /// The position vectors of a head, packed.
    fn positions(self, table: &PositionTable, head: usize) -> &[Self::Number];

    /// The first `count` rows, of `depth` numbers, as left factors: `buffer` has room for them.
    fn rows<'a>(
        self,
        rows: Lines<'a>,
        count: usize,
        depth: usize,
        buffer: &'a mut Vec<Self::Number>,
    ) -> Lines<'a, Self::Number>;

    /// The first `depth` rows, of `columns` numbers, as right factor: panels of `width` columns.
    fn columns<'a>(
        self,
        rows: Lines,
        columns: usize,
        depth: usize,
        width: usize,
        buffer: &'a mut Vec<Self::Number>,
    ) -> &'a [Self::Number];

    fn multiply<S: Simd>(self, s: S, product: Product<Self::Number>);
}

/// Factors in f32.
#[derive(Clone, Copy)]
pub(super) struct Exact;

thread_local! {
    static BUFFERS: RefCell<Buffers<f32>> = RefCell::default();
}

impl Factors for Exact {
    type Number = f32;
    const EACH: usize = 1;

    fn buffers() -> &'static LocalKey<RefCell<Buffers<f32>>> {
        &BUFFERS
    }

    #[inline(always)]
    fn positions(self, table: &PositionTable, head: usize) -> &[f32] {
        table.numbers(head)
    }

    #[inline(always)]
    fn rows<'a>(self, rows: Lines<'a>, _: usize, _: usize, _: &'a mut Vec<f32>) -> Lines<'a> {
        rows
    }

    #[inline(always)]
    fn columns<'a>(
        self,
        rows: Lines,
        columns: usize,
        depth: usize,
        width: usize,
        buffer: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        let panels = sized(buffer, packed_size(columns, depth, width));
        pack_columns(rows, columns, depth, width, panels);
        panels
    }

    #[inline(always)]
    fn multiply<S: Simd>(self, s: S, product: Product<f32>) {
        s.run(product);
    }
}
