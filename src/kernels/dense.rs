//! Dense layers: which product computes them, and how threads share one.
//!
//! The rows of a product are taken in blocks that stay in the second cache while the weights pass by.
//! A block changes no bit of a row: sums along the inner dimension go on in the same order.

use std::cell::RefCell;

use super::gemm::{Finish, Lines, LinesMut, Product};
use super::isa::{Isa, current};
use super::pack::Panels;
use super::part::Part;
use super::precision::Precision;
#[cfg(target_arch = "x86_64")]
use super::x86_64::{Amx, Bf16, Blocks, Pairs, Tiles, Unit};
use super::{Activation, meter, parallel};

/// The weights of a dense layer, laid out once at load for the product that will read them.
#[derive(Debug)]
pub struct PackedMatrix {
    layout: Layout,
    out_features: usize,
    in_features: usize,
    /// Columns of the product: those of the result, or of whole panels of two halves where it is gated.
    columns: usize,
    gated: bool,
}

#[derive(Debug)]
enum Layout {
    Panels(Panels),
    #[cfg(target_arch = "x86_64")]
    Blocks(Blocks),
    #[cfg(target_arch = "x86_64")]
    Pairs(Pairs),
    #[cfg(target_arch = "x86_64")]
    Tiles(Tiles<Amx>),
}

impl PackedMatrix {
    /// Packs `weight (out_features, in_features)`, row-major.
    pub fn new(weight: &[f32], out_features: usize, in_features: usize, precision: Precision) -> Self {
        assert_eq!(weight.len(), out_features * in_features, "shape of a weight");
        let layout = Layout::new(current(), weight, out_features, in_features, precision);
        Self { layout, out_features, in_features, columns: out_features, gated: false }
    }

    /// Packs `weight (2 * out_features, in_features)`, row-major, of a gated layer: see [`linear`].
    pub fn gated(weight: &[f32], out_features: usize, in_features: usize, precision: Precision) -> Self {
        assert_eq!(weight.len(), 2 * out_features * in_features, "shape of a weight");
        let isa = current();
        let columns = out_features.next_multiple_of(isa.panel() / 2) * 2;
        let layout = Layout::new(isa, &interleaved(isa, weight, in_features), columns, in_features, precision);
        Self { layout, out_features, in_features, columns, gated: true }
    }

    /// The bias `(2 * out_features)` of a gated layer as [`linear`] takes it.
    pub fn bias_of_gated(bias: &[f32]) -> Vec<f32> {
        interleaved(current(), bias, 1)
    }

    /// Packs `lines (in_features, out_features)`, row-major: the weight turned. In f32, on at most `threads` threads.
    pub fn of_lines(lines: &[f32], out_features: usize, in_features: usize, threads: usize) -> Self {
        assert_eq!(lines.len(), out_features * in_features, "shape of a weight");
        let panels = Panels::of_lines(current(), lines, out_features, in_features, threads);
        Self { layout: Layout::Panels(panels), out_features, in_features, columns: out_features, gated: false }
    }

    /// Whether it is from [`PackedMatrix::gated`].
    pub fn is_gated(&self) -> bool {
        self.gated
    }

    /// Columns of the result.
    pub fn out_features(&self) -> usize {
        self.out_features
    }

    /// Columns of the input.
    pub fn in_features(&self) -> usize {
        self.in_features
    }
}

/// Rows of `depth` numbers in the order of a gated product's columns: a panel has half its columns from the first half
/// of the rows, the others from the second; beyond the end of a half are zeros.
fn interleaved(isa: Isa, rows: &[f32], depth: usize) -> Vec<f32> {
    let each = isa.panel() / 2 * depth.max(1);
    let (first, second) = rows.split_at(rows.len() / 2);
    let mut panels = Vec::with_capacity(2 * first.len().next_multiple_of(each));
    for halves in first.chunks(each).zip(second.chunks(each)) {
        for half in [halves.0, halves.1] {
            panels.extend_from_slice(half);
            panels.resize(panels.len().next_multiple_of(each), 0.0);
        }
    }
    panels
}

/// The arithmetic of dense layers on this machine, for people.
pub fn arithmetic(precision: Precision) -> &'static str {
    match Layout::new(current(), &[], 0, 0, precision) {
        Layout::Panels(_) => "f32",
        #[cfg(target_arch = "x86_64")]
        Layout::Blocks(blocks) => blocks.name(),
        #[cfg(target_arch = "x86_64")]
        Layout::Pairs(_) => "bf16",
        #[cfg(target_arch = "x86_64")]
        Layout::Tiles(_) if precision == Precision::Split => "f32, in wide layers by high and low halves in bf16",
        #[cfg(target_arch = "x86_64")]
        Layout::Tiles(_) => "bf16",
    }
}

impl Layout {
    fn new(isa: Isa, weight: &[f32], columns: usize, depth: usize, precision: Precision) -> Self {
        #[cfg(target_arch = "x86_64")]
        match (isa, precision) {
            // Its products in bfloat16 are faster than those of bytes elsewhere.
            (Isa::Amx, Precision::Split | Precision::Bf16 | Precision::Int8) => {
                let unit = Amx::detect().expect("kernels are chosen among the available ones: this is a bug");
                return Self::Tiles(Tiles::new(unit, weight, columns, depth, precision == Precision::Split));
            }
            (_, Precision::Int8) if let Some(unit) = Unit::bytes(isa) => {
                return Self::Blocks(Blocks::new(unit, weight, columns, depth));
            }
            (_, Precision::Bf16 | Precision::Int8) => {
                if let Some(unit) = Unit::halves(isa) {
                    return Self::Blocks(Blocks::new(unit, weight, columns, depth));
                }
                if let Some(unit) = Bf16::detect().filter(|_| isa == Isa::Avx512) {
                    return Self::Pairs(Pairs::new(unit, weight, columns, depth));
                }
            }
            _ => {}
        }
        _ = precision; // other processors have no faster product
        Self::Panels(Panels::on(isa, weight, columns, depth))
    }

    /// Rows of the largest tile, and columns of a panel.
    fn tile(&self) -> (usize, usize) {
        match self {
            Self::Panels(panels) => (panels.isa().tile_rows(), panels.isa().panel()),
            #[cfg(target_arch = "x86_64")]
            Self::Blocks(blocks) => blocks.tile(),
            #[cfg(target_arch = "x86_64")]
            Self::Pairs(_) => Pairs::TILE,
            #[cfg(target_arch = "x86_64")]
            Self::Tiles(_) => Tiles::<Amx>::TILE,
        }
    }

    fn product(&self, part: Part) {
        match self {
            Self::Panels(panels) => product(panels, part),
            #[cfg(target_arch = "x86_64")]
            Self::Blocks(blocks) => blocks.product(part),
            #[cfg(target_arch = "x86_64")]
            Self::Pairs(pairs) => pairs.product(part),
            #[cfg(target_arch = "x86_64")]
            Self::Tiles(tiles) => tiles.product(part),
        }
    }
}

/// A dense layer: `out (rows, out_features) = activation(x (rows, in_features) * w^T + bias) + residual`; of a gated one
/// `activation(x * w[..out_features]^T) * (x * w[out_features..]^T)`, each with its part of the bias and no residual.
///
/// `residual` has the shape of `out`, a gated layer's `bias` is from [`PackedMatrix::bias_of_gated`]. At most `threads`
/// threads work on it.
#[expect(clippy::too_many_arguments, reason = "the operands of one formula")]
pub fn linear(
    x: &[f32],
    rows: usize,
    w: &PackedMatrix,
    bias: Option<&[f32]>,
    activation: Activation,
    residual: Option<&[f32]>,
    out: &mut [f32],
    threads: usize,
) {
    let PackedMatrix { ref layout, out_features, in_features: depth, columns, gated } = *w;
    assert_eq!(x.len(), rows * depth, "input of a dense layer");
    assert_eq!(out.len(), rows * out_features, "output of a dense layer");
    assert!(bias.is_none_or(|b| b.len() == columns), "bias of a dense layer");
    assert!(residual.is_none_or(|r| r.len() == out.len() && !gated), "residual of a dense layer");
    if out.is_empty() {
        return;
    }
    meter::multiplied(rows * out_features * depth * if gated { 2 } else { 1 });
    let _timer = meter::start(meter::Part::Dense);
    // Below this many multiply-adds, waking a thread takes longer than the work.
    const WORTH_A_THREAD: usize = 1 << 17;
    let threads = threads.min(rows * columns * depth / WORTH_A_THREAD).max(1);
    let finish = Finish { bias, activation, gated, residual, residual_stride: out_features };
    let (tile_rows, panel) = layout.tile();
    if rows >= threads * tile_rows {
        let share = rows.div_ceil(threads);
        parallel(out.chunks_mut(share * out_features).enumerate(), |(i, out)| {
            let x = &x[i * share * depth..][..out.len() / out_features * depth];
            let finish = finish.starting_at(i * share, 0);
            layout.product(Part { x, depth, column: 0, width: columns, finish, out, out_width: out_features });
        });
        return;
    }
    // Few rows: each thread takes some panels of the weights.
    let share = columns.div_ceil(threads).next_multiple_of(panel);
    if share >= columns {
        return layout.product(Part { x, depth, column: 0, width: columns, finish, out, out_width: out_features });
    }
    let out_share = finish.column(share);
    let mut parts = vec![0.0; out.len()];
    parallel(parts.chunks_mut(out_share * rows).enumerate(), |(i, out)| {
        let column = i * share;
        let (width, out_width) = (share.min(columns - column), out.len() / rows);
        layout.product(Part { x, depth, column, width, finish: finish.starting_at(0, column), out, out_width });
    });
    for (i, part) in parts.chunks(out_share * rows).enumerate() {
        let width = part.len() / rows;
        for (from, to) in part.chunks_exact(width).zip(out.chunks_exact_mut(out_features)) {
            to[i * out_share..][..width].copy_from_slice(from);
        }
    }
}

thread_local! {
    /// Input rows moved apart, see [`product`].
    static PADDED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// A part in f32.
fn product(panels: &Panels, part: Part) {
    /// Numbers in a block of rows: half of a second cache of 1 MiB.
    const CACHED: usize = 1 << 17;
    /// Rows this many numbers apart share a few sets of the first cache and push each other out.
    const COLLISION: usize = 512;
    const APART: usize = 16;
    let tile = panels.isa().tile_rows();
    let depth = part.depth;
    part.in_blocks(CACHED, depth, tile, |part| {
        if depth == 0 || !depth.is_multiple_of(COLLISION) || part.x.len() == depth {
            let x = Lines { numbers: part.x, stride: depth };
            return multiply(panels, x, part);
        }
        PADDED.with_borrow_mut(|padded| {
            padded.clear();
            for row in part.x.chunks_exact(depth) {
                padded.extend_from_slice(row);
                padded.extend_from_slice(&[0.0; APART]);
            }
            multiply(panels, Lines { numbers: padded, stride: depth + APART }, part);
        });
    });
}

/// [`product`] with the rows `x`.
fn multiply(panels: &Panels, x: Lines, part: Part) {
    panels.isa().run(Product {
        a: x,
        rows: part.rows(),
        depth: panels.depth(),
        panels: panels.from(part.column),
        panel_depth: panels.depth(),
        columns: part.width,
        finish: part.finish,
        c: LinesMut { numbers: part.out, stride: part.out_width },
    });
}
