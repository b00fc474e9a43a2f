//! Position vectors laid out for products.

use super::isa::current;
use super::pack::Panels;
use super::precision::Precision;
#[cfg(target_arch = "x86_64")]
use super::x86_64::{Bf16, Pairs};

/// Projected position vectors of each head, laid out for the kernels once at load.
#[derive(Debug)]
pub struct PositionTable {
    heads: Heads,
    pub(super) positions: usize,
}

#[derive(Debug)]
enum Heads {
    Exact(Vec<Panels>),
    #[cfg(target_arch = "x86_64")]
    Pairs(Vec<Pairs>),
}

impl PositionTable {
    /// Packs `data (positions, heads * head_dim)`, row-major, for attention of this precision.
    pub fn new(data: &[f32], positions: usize, heads: usize, head_dim: usize, precision: Precision) -> Self {
        let isa = current();
        assert_eq!(data.len(), positions * heads * head_dim, "shape of a position table");
        let rows =
            |head: usize| data.chunks(heads * head_dim).rev().flat_map(move |row| &row[head * head_dim..][..head_dim]);
        let falling = (0..heads).map(|head| rows(head).copied().collect::<Vec<f32>>());
        #[cfg(target_arch = "x86_64")]
        if let Some(unit) = Bf16::of(isa, precision) {
            let heads = falling.map(|rows| Pairs::new(unit, &rows, positions, head_dim)).collect();
            return Self { heads: Heads::Pairs(heads), positions };
        }
        _ = precision; // other processors have no faster product
        let heads = falling.map(|rows| Panels::on(isa, &rows, positions, head_dim)).collect();
        Self { heads: Heads::Exact(heads), positions }
    }

    /// The vectors of a head as panels of f32.
    pub(super) fn numbers(&self, head: usize) -> &[f32] {
        match &self.heads {
            Heads::Exact(heads) => heads[head].from(0),
            #[cfg(target_arch = "x86_64")]
            Heads::Pairs(_) => panic!("{MISMATCH}"),
        }
    }

    /// The vectors of a head as panels of pairs.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn pairs(&self, head: usize) -> &[u32] {
        match &self.heads {
            Heads::Pairs(heads) => heads[head].lines(),
            Heads::Exact(_) => panic!("{MISMATCH}"),
        }
    }
}

#[cfg(target_arch = "x86_64")]
const MISMATCH: &str = "a position table made for attention of another precision";
