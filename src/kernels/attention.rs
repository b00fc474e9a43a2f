//! Multi-head attention over packed sequences.
//!
//! A sequence is cut into blocks of query rows, always at the same places; a task is a run of whole
//! blocks. So the arithmetic of a row depends on its sequence alone. For each head of a task, keys
//! and values are packed, and each block goes through scores, softmax and the product with the values.

use std::cell::RefCell;
use std::ops::Range;

use super::factors::{Buffers, Exact, Factors};
use super::gemm::{Finish, Lines, LinesMut, Product};
use super::isa::current;
use super::memory::sized;
use super::pack::{pack_rows, packed_size};
use super::positions::{DistanceTable, KeyScores, Positions, scores_of_keys};
use super::precision::Precision;
use super::simd::{Kernel, Simd};
use super::softmax::{exponentials, scale_row};
#[cfg(target_arch = "x86_64")]
use super::x86_64::Bf16;
use super::{meter, parallel};

/// Rows inside a wider buffer: head `h` of row `i` starts at `data[i * stride + offset + h * head_dim]`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The buffer.
    pub data: &'a [f32],
    /// Elements from one row to the next.
    pub stride: usize,
    /// Where head 0 starts in each row.
    pub offset: usize,
}

/// What an attention layer computes.
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape<'a> {
    /// Sequence `s` holds the rows `bounds[s]..bounds[s + 1]`; the first bound is 0.
    pub bounds: &'a [usize],
    /// Heads in a row.
    pub heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Multiplies the scores, 0 or above, before a [`Bias::Relative`] is added.
    pub scale: f32,
    /// Only keys with `|i - j| <= window` are seen.
    pub window: Option<usize>,
    /// Only keys with `j <= i` are seen.
    pub causal: bool,
    /// The rows that anybody reads, rising, where not all are: the others may be left as they are in the output.
    pub read: Option<&'a [usize]>,
    /// How exactly queries, keys, values and the weights of keys are multiplied: in bfloat16 where dense layers are,
    /// else in f32. The softmax is always f32.
    pub precision: Precision,
}

/// What is added to the product of query and key.
#[derive(Clone, Copy, Debug)]
pub enum Bias<'a> {
    /// Nothing.
    None,
    /// T5: `scale * q_i·k_j + table[h][clamp(j - i, -max_distance, max_distance) + max_distance]`.
    Relative {
        /// `(heads, 2 * max_distance + 1)`.
        table: &'a [f32],
        /// Distances beyond take the value at the end of the table.
        max_distance: usize,
    },
    /// DeBERTa v2: see [`Disentangled`].
    Disentangled(Disentangled<'a>),
}

/// `scale * (q_i·k_j + q_i·c2p[index(i - j)] + k_j·p2c[index(i - j)])`.
#[derive(Clone, Copy, Debug)]
pub struct Disentangled<'a> {
    /// Content to position: projected position keys.
    pub c2p: Option<DistanceTable<'a>>,
    /// Position to content: projected position queries.
    pub p2c: Option<DistanceTable<'a>>,
    /// The longest sequence the indices are made for.
    pub max_len: usize,
}

impl AttentionShape<'_> {
    /// Which of so many keys some of `rows` see, both counted from the start of their sequence.
    pub(super) fn seen(&self, rows: &Range<usize>, keys: usize) -> Range<usize> {
        let end = if self.causal { rows.end.min(keys) } else { keys };
        match self.window {
            Some(w) => rows.start.saturating_sub(w).min(end)..end.min(rows.end.saturating_add(w)),
            None => 0..end,
        }
    }

    /// Of rows cut into blocks, from the first block that anybody reads a row of to the last one.
    fn read_of(&self, rows: Range<usize>, block: usize) -> Range<usize> {
        let Some(read) = self.read else { return rows };
        let [start, end] = [rows.start, rows.end].map(|row| read.partition_point(|read| *read < row));
        match read.get(start..end) {
            Some([first, ..]) => {
                let number = |row: usize| (row - rows.start) / block;
                let end = rows.start + (number(read[end - 1]) + 1) * block;
                rows.start + number(*first) * block..end.min(rows.end)
            }
            _ => rows.start..rows.start,
        }
    }
}

/// Softmax attention inside each sequence: `out (tokens, heads * head_dim)`.
///
/// Where `keys` are given, sequence `s` sees the rows `keys[s]` of `k` and `v` instead: those of another text, or some
/// of its own. Distances count from the first row of each. A sequence without keys gives rows of zeros.
///
/// The result of a sequence does not depend on the other ones. At most `threads` threads work on it.
#[expect(clippy::too_many_arguments, reason = "all that attention is made of")]
pub fn attention(
    q: Rows,
    k: Rows,
    v: Rows,
    shape: &AttentionShape,
    keys: Option<&[Range<usize>]>,
    bias: Bias,
    out: &mut [f32],
    threads: usize,
) {
    let _timer = meter::start(meter::Part::Attention);
    assert!(keys.is_none_or(|keys| keys.len() + 1 == shape.bounds.len()), "keys of each sequence");
    let width = shape.heads * shape.head_dim;
    assert_eq!(out.len(), shape.bounds.last().map_or(0, |tokens| tokens * width), "output of attention");
    if out.is_empty() {
        return;
    }
    let isa = current();
    let block = 2 * isa.tile_rows();
    let lengths = shape.bounds.windows(2).map(|s| s[1] - s[0]);
    let longest = lengths.chain(keys.unwrap_or_default().iter().map(Range::len)).max().unwrap_or(0);
    let (relative, positions) = match bias {
        Bias::None => (None, [None, None]),
        Bias::Relative { table, max_distance } => (Some(Relative { table, max_distance }), [None, None]),
        Bias::Disentangled(d) => {
            (None, [d.c2p, d.p2c].map(|table| table.map(|table| Positions::new(table, d.max_len, longest))))
        }
    };
    let [c2p, p2c] = positions.each_ref().map(Option::as_ref);
    let layer = Layer { q, k, v, shape, keys, relative, c2p, p2c, block };
    let mut parts = Vec::new();
    let mut rest = out;
    for rows in tasks(&layer, threads) {
        let (part, others) = rest.split_at_mut(rows.len() * width);
        parts.push((rows, part));
        rest = others;
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(factors) = Bf16::of(isa, shape.precision) {
        return parallel(parts.into_iter(), |(rows, out)| isa.run(Task { factors, layer, rows, out }));
    }
    parallel(parts.into_iter(), |(rows, out)| isa.run(Task { factors: Exact, layer, rows, out }));
}

/// Cuts all rows into at most `threads` runs of about the same cost, between blocks.
fn tasks(layer: &Layer, threads: usize) -> Vec<Range<usize>> {
    // Below this many scores for each thread, waking it takes longer than the work.
    const WORTH_A_THREAD: usize = 1 << 10;
    let Layer { shape, block, .. } = *layer;
    let keys = |sequence| {
        let length = layer.keys_of(sequence).len();
        shape.window.map_or(length, |w| length.min(w.saturating_mul(2).saturating_add(block)))
    };
    let blocks = || {
        shape.bounds.windows(2).enumerate().flat_map(move |(i, s)| {
            let ends = (s[0]..s[1]).step_by(block).map(move |first| (first, s[1].min(first + block)));
            ends.map(move |(first, end)| (end, shape.read_of(first..end, block).len() * keys(i)))
        })
    };
    let total: usize = blocks().map(|(_, cost)| cost).sum();
    let threads = threads.min(total * shape.heads / WORTH_A_THREAD).max(1);
    let share = total.div_ceil(threads).max(1);
    let (mut tasks, mut start, mut cost) = (Vec::with_capacity(threads), 0, 0);
    for (end, cost_of_block) in blocks() {
        cost += cost_of_block;
        if cost >= share {
            tasks.push(start..end);
            (start, cost) = (end, 0);
        }
    }
    let tokens = shape.bounds.last().copied().unwrap_or(0);
    if start < tokens {
        tasks.push(start..tokens);
    }
    tasks
}

/// The operands of [`attention`].
#[derive(Clone, Copy)]
struct Layer<'a> {
    q: Rows<'a>,
    k: Rows<'a>,
    v: Rows<'a>,
    shape: &'a AttentionShape<'a>,
    /// The keys of each sequence, where they are not its own rows.
    keys: Option<&'a [Range<usize>]>,
    relative: Option<Relative<'a>>,
    c2p: Option<&'a Positions<'a>>,
    p2c: Option<&'a Positions<'a>>,
    /// Query rows in a block.
    block: usize,
}

/// [`Bias::Relative`].
#[derive(Clone, Copy)]
struct Relative<'a> {
    table: &'a [f32],
    max_distance: usize,
}

impl Layer<'_> {
    /// The rows of `k` and `v` that a sequence sees.
    fn keys_of(&self, sequence: usize) -> Range<usize> {
        match self.keys {
            Some(keys) => keys[sequence].clone(),
            None => self.shape.bounds[sequence]..self.shape.bounds[sequence + 1],
        }
    }

    /// The relative bias of a head, for each `j - i` in `-(length - 1)..=keys - 1`; nothing where there is none.
    fn expand(&self, head: usize, length: usize, keys: usize, to: &mut Vec<f32>) {
        let Some(Relative { table, max_distance }) = self.relative else { return };
        let own = &table[head * (2 * max_distance + 1)..][..2 * max_distance + 1];
        to.clear();
        let distances = 0..length + keys - 1;
        to.extend(distances.map(|x| own[(x + max_distance).saturating_sub(length - 1).min(2 * max_distance)]));
    }
}

/// The rows of `out` that one thread computes.
struct Task<'a, F> {
    factors: F,
    layer: Layer<'a>,
    rows: Range<usize>,
    out: &'a mut [f32],
}

/// Buffers a thread keeps from one task to the next.
#[derive(Default)]
struct Scratch {
    scores: Vec<f32>,
    /// [`Bias::Relative`] of one head, for each `j - i`.
    relative: Vec<f32>,
    c2p: Vec<f32>,
    p2c: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl<F: Factors> Kernel for Task<'_, F> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let shape = self.layer.shape;
        let width = shape.heads * shape.head_dim;
        let mut work = |scratch: &mut Scratch, buffers: &mut Buffers<F::Number>| {
            for (index, bounds) in shape.bounds.windows(2).enumerate() {
                let rows = self.rows.start.max(bounds[0])..self.rows.end.min(bounds[1]);
                let rows = shape.read_of(rows, self.layer.block);
                if rows.is_empty() {
                    continue;
                }
                let out = &mut self.out[(rows.start - self.rows.start) * width..][..rows.len() * width];
                let sequence = Sequence {
                    layer: self.layer,
                    start: bounds[0],
                    length: bounds[1] - bounds[0],
                    seen: self.layer.keys_of(index),
                    rows: rows.start - bounds[0]..rows.end - bounds[0],
                };
                if sequence.seen.is_empty() {
                    out.fill(0.0);
                    continue;
                }
                for head in 0..shape.heads {
                    let (scratch, buffers, out) = (&mut *scratch, &mut *buffers, &mut *out);
                    s.run(Head { factors: self.factors, sequence: &sequence, head, scratch, buffers, out });
                }
            }
        };
        SCRATCH.with_borrow_mut(|scratch| F::buffers().with_borrow_mut(|buffers| work(scratch, buffers)));
    }
}

/// Part of a sequence; rows are counted from its start, keys from the first that it sees.
struct Sequence<'a> {
    layer: Layer<'a>,
    start: usize,
    length: usize,
    /// The rows of its keys and values.
    seen: Range<usize>,
    rows: Range<usize>,
}

impl Sequence<'_> {
    /// The keys that some of `rows` see.
    fn keys(&self, rows: &Range<usize>) -> Range<usize> {
        self.layer.shape.seen(rows, self.seen.len())
    }

    /// A head of the queries, from row `first` of the sequence on.
    fn queries(&self, head: usize, first: usize) -> Lines<'_> {
        self.head(self.layer.q, head, self.start + first)
    }

    /// A head of `rows`, keys or values, from key `first` on.
    fn of_keys<'b>(&self, rows: Rows<'b>, head: usize, first: usize) -> Lines<'b> {
        self.head(rows, head, self.seen.start + first)
    }

    /// Turns the scores of `rows` for the keys `seen` into weights that are not yet divided by their sums, which it gives.
    #[inline(always)]
    fn softmax<S: Simd>(
        &self,
        s: S,
        rows: &Range<usize>,
        seen: &Range<usize>,
        relative: &[f32],
        scores: &mut [f32],
    ) -> [f32; MAX_BLOCK] {
        let Layer { shape, relative: table, .. } = self.layer;
        let mut sums = [0.0; MAX_BLOCK];
        for ((row, scores), sum) in rows.clone().zip(scores.chunks_exact_mut(seen.len())).zip(&mut sums) {
            let relative = table.map(|_| &relative[seen.start + self.length - 1 - row..][..seen.len()]);
            let own = self.keys(&(row..row + 1));
            *sum = exponentials(s, scores, shape.scale, relative, own.start - seen.start..own.end - seen.start);
        }
        sums
    }

    fn head<'b>(&self, rows: Rows<'b>, head: usize, row: usize) -> Lines<'b> {
        let start = row * rows.stride + rows.offset + head * self.layer.shape.head_dim;
        Lines { numbers: &rows.data[start..], stride: rows.stride }
    }
}

/// One head of a part of a sequence. `out` holds the rows of the part, all heads.
struct Head<'a, F: Factors> {
    factors: F,
    sequence: &'a Sequence<'a>,
    head: usize,
    scratch: &'a mut Scratch,
    buffers: &'a mut Buffers<F::Number>,
    out: &'a mut [f32],
}

impl<F: Factors> Kernel for Head<'_, F> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Head { factors, sequence, head, scratch, buffers, out } = self;
        let Layer { shape, block, .. } = sequence.layer;
        let width = shape.heads * shape.head_dim;
        let columns = head * shape.head_dim..(head + 1) * shape.head_dim;
        let Buffers { key_rows, keys, values, queries, weights } = buffers;
        let Scratch { scores, relative, c2p, p2c } = scratch;
        // Panels begin at the same keys, whatever the task.
        let all = from_panel(&sequence.keys(&sequence.rows), 2 * S::LANES);
        if all.is_empty() {
            // Nothing is in the window of any of these rows.
            clear(out, width, columns);
            return;
        }
        sequence.layer.expand(head, sequence.length, sequence.seen.len(), relative);
        let keys = PackedKeys::new((s, factors), sequence, head, all, [key_rows, keys, values], p2c);

        for first in sequence.rows.clone().step_by(block) {
            let rows = first..sequence.rows.end.min(first + block);
            if shape.read_of(sequence.start + rows.start..sequence.start + rows.end, block).is_empty() {
                continue;
            }
            let out = &mut out[(rows.start - sequence.rows.start) * width..][..rows.len() * width];
            let seen = from_panel(&sequence.keys(&rows), 2 * S::LANES);
            if seen.is_empty() {
                clear(out, width, columns.clone());
                continue;
            }
            let scores = sized(scores, rows.len() * seen.len());
            keys.score((s, factors), &rows, &seen, queries, c2p, scores);
            let sums = sequence.softmax(s, &rows, &seen, relative, scores);
            let weights = factors.rows(Lines { numbers: scores, stride: seen.len() }, rows.len(), seen.len(), weights);
            let out = &mut out[columns.start..];
            keys.weigh((s, factors), weights, rows.len(), &seen, out);
            for (row, sum) in out.chunks_mut(width).zip(sums).take(rows.len()) {
                // The sum is 0 for a row that sees no key, and so are its values.
                scale_row(s, &mut row[..shape.head_dim], if sum == 0.0 { 0.0 } else { 1.0 / sum });
            }
        }
    }
}

/// Keys from the start of the panel that holds the first of them on; none where there are none.
fn from_panel(keys: &Range<usize>, panel: usize) -> Range<usize> {
    if keys.is_empty() { keys.clone() } else { keys.start / panel * panel..keys.end }
}

/// What the rows of a part of a sequence see in one head, as factors.
struct PackedKeys<'a, N> {
    sequence: &'a Sequence<'a>,
    head: usize,
    /// Which keys.
    all: Range<usize>,
    /// Keys in panels, each `depth` long.
    keys: &'a [N],
    depth: usize,
    /// Values in panels, as long as the keys are many.
    values: &'a [N],
    /// Keys times positions.
    p2c: Option<(&'a Positions<'a>, KeyScores<'a>)>,
}

impl<'a, N: Copy + Default + 'static> PackedKeys<'a, N> {
    #[inline(always)]
    fn new<S: Simd, F: Factors<Number = N>>(
        (s, factors): (S, F),
        sequence: &'a Sequence,
        head: usize,
        all: Range<usize>,
        [rows, keys, values]: [&'a mut Vec<N>; 3],
        p2c: &'a mut Vec<f32>,
    ) -> Self {
        let Layer { k, v, shape, p2c: positions, .. } = sequence.layer;
        let (panel, depth) = (2 * S::LANES, shape.head_dim.div_ceil(F::EACH));
        let rows = factors.rows(sequence.of_keys(k, head, all.start), all.len(), shape.head_dim, rows);
        let keys = sized(keys, packed_size(all.len(), depth, panel));
        pack_rows(rows, all.len(), depth, panel, keys);
        let values = factors.columns(sequence.of_keys(v, head, all.start), shape.head_dim, all.len(), panel, values);
        let p2c = positions.map(|p| (p, scores_of_keys((s, factors), p, head, rows, &all, &sequence.rows, p2c)));
        Self { sequence, head, all, keys, depth, values, p2c }
    }

    /// Products of queries with the keys `seen`, and the terms of their positions: `scores (rows, seen)`.
    #[inline(always)]
    fn score<S: Simd, F: Factors<Number = N>>(
        &self,
        (s, factors): (S, F),
        rows: &Range<usize>,
        seen: &Range<usize>,
        queries: &mut Vec<N>,
        c2p: &mut Vec<f32>,
        scores: &mut [f32],
    ) {
        let Layer { shape, c2p: positions, .. } = self.sequence.layer;
        let queries = factors.rows(self.sequence.queries(self.head, rows.start), rows.len(), shape.head_dim, queries);
        factors.multiply(
            s,
            Product {
                a: queries,
                rows: rows.len(),
                depth: self.depth,
                panels: &self.keys[self.skipped(seen) * self.depth..],
                panel_depth: self.depth,
                columns: seen.len(),
                c: LinesMut { numbers: scores, stride: seen.len() },
                finish: Finish::NONE,
            },
        );
        if let Some(positions) = positions {
            positions.add_queries((s, factors), self.head, queries, rows, seen, scores, c2p);
        }
        if let Some((positions, of_keys)) = &self.p2c {
            positions.add_keys(s, of_keys, rows, seen, scores);
        }
    }

    /// Sums of the values of the keys `seen`, for each row of `weights (rows, seen)`, into the first columns of `out`.
    #[inline(always)]
    fn weigh<S: Simd, F: Factors<Number = N>>(
        &self,
        (s, factors): (S, F),
        weights: Lines<N>,
        rows: usize,
        seen: &Range<usize>,
        out: &mut [f32],
    ) {
        let shape = self.sequence.layer.shape;
        factors.multiply(
            s,
            Product {
                a: weights,
                rows,
                depth: seen.len().div_ceil(F::EACH),
                panels: &self.values[self.skipped(seen) / F::EACH * 2 * S::LANES..],
                panel_depth: self.all.len().div_ceil(F::EACH),
                columns: shape.head_dim,
                c: LinesMut { numbers: out, stride: shape.heads * shape.head_dim },
                finish: Finish::NONE,
            },
        );
    }

    /// Keys before those that are seen: whole panels.
    fn skipped(&self, seen: &Range<usize>) -> usize {
        seen.start - self.all.start
    }
}

/// Sets some columns of all rows to 0.
fn clear(out: &mut [f32], width: usize, columns: Range<usize>) {
    out.chunks_mut(width).for_each(|row| row[columns.clone()].fill(0.0));
}

/// More rows no block has.
const MAX_BLOCK: usize = 32;
