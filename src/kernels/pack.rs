//! Matrices laid out in panels: `width` columns side by side, one line of them for each step of the
//! inner dimension, so that a product reads memory strictly forward. The last panel is filled with 0.

use std::ops::{Deref, DerefMut};

use super::gemm::Lines;
use super::isa::Isa;
use super::parallel;

/// Numbers that begin on a cache line.
#[derive(Debug)]
pub(super) struct Aligned<T> {
    data: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// `len` zeros.
    pub(super) fn zeros(len: usize) -> Self {
        const LINE: usize = 64;
        let data = vec![T::default(); len + LINE / size_of::<T>()];
        let start = data.as_ptr().align_offset(LINE).min(LINE / size_of::<T>());
        Self { data, start, len }
    }

    /// Makes it `len` numbers of any value, in the same place where that is large enough.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn resize(&mut self, len: usize) -> &mut [T] {
        if self.start + len > self.data.len() {
            *self = Self::zeros(len);
        }
        self.len = len;
        self
    }
}

impl<T> Default for Aligned<T> {
    fn default() -> Self {
        Self { data: Vec::new(), start: 0, len: 0 }
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.data[self.start..][..self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data[self.start..][..self.len]
    }
}

/// The right side of a product in f32, laid out for an instruction set.
#[derive(Debug)]
pub(super) struct Panels {
    numbers: Aligned<f32>,
    isa: Isa,
    depth: usize,
}

impl Panels {
    /// Packs `rows (columns, depth)`, row-major; each becomes a column.
    pub(super) fn on(isa: Isa, rows: &[f32], columns: usize, depth: usize) -> Self {
        let mut numbers = Aligned::zeros(packed_size(columns, depth, isa.panel()));
        pack_rows(Lines { numbers: rows, stride: depth }, columns, depth, isa.panel(), &mut numbers);
        Self { numbers, isa, depth }
    }

    /// Packs `lines (depth, columns)`, row-major, on at most `threads` threads.
    pub(super) fn of_lines(isa: Isa, lines: &[f32], columns: usize, depth: usize, threads: usize) -> Self {
        let width = isa.panel();
        let mut numbers = Aligned::zeros(packed_size(columns, depth, width));
        let share = columns.div_ceil(width).div_ceil(threads.max(1)) * width;
        parallel(numbers.chunks_mut((share * depth).max(1)).enumerate(), |(part, to)| {
            let first = part * share;
            let lines = Lines { numbers: &lines[first..], stride: columns };
            pack_columns(lines, share.min(columns - first), depth, width, to);
        });
        Self { numbers, isa, depth }
    }

    /// The instruction set the layout is made for.
    pub(super) fn isa(&self) -> Isa {
        self.isa
    }

    /// The length of a column.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// The numbers from `column`, the first of a panel, on.
    pub(super) fn from(&self, column: usize) -> &[f32] {
        &self.numbers[column * self.depth..]
    }
}

/// Numbers in the panels of `columns` columns.
pub(super) fn packed_size(columns: usize, depth: usize, width: usize) -> usize {
    columns.next_multiple_of(width) * depth
}

/// Panels whose column `c` is the row `c` of `rows`.
pub(super) fn pack_rows<T: Copy + Default>(rows: Lines<T>, columns: usize, depth: usize, width: usize, to: &mut [T]) {
    if depth == 0 {
        return;
    }
    for (p, panel) in to.chunks_exact_mut(depth * width).enumerate() {
        let first = p * width;
        let count = width.min(columns - first);
        panel.chunks_exact_mut(width).for_each(|line| line[count..].fill(T::default()));
        for c in 0..count {
            for (line, x) in panel.chunks_exact_mut(width).zip(rows.row(first + c, depth)) {
                line[c] = *x;
            }
        }
    }
}

/// Panels whose line `k` is taken from the row `k` of `rows`.
pub(super) fn pack_columns(rows: Lines, columns: usize, depth: usize, width: usize, to: &mut [f32]) {
    if depth == 0 {
        return;
    }
    for (p, panel) in to.chunks_exact_mut(depth * width).enumerate() {
        let first = p * width;
        let count = width.min(columns - first);
        for (k, line) in panel.chunks_exact_mut(width).enumerate() {
            line[..count].copy_from_slice(&rows.from(k).numbers[first..][..count]);
            line[count..].fill(0.0);
        }
    }
}
