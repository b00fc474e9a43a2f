//! What the kernel is given beside queries, keys and values.

use std::ops::Range;

use candle_core::{Device, Tensor};

use crate::backbones::layers::attention::{
    Attention, Bias, BiasWay, Disentangled, DistanceVectors, RelativeBias, Way, other_device,
};
use crate::backbones::layers::get_or_make;
use crate::backbones::layers::packed::Packing;
use crate::error::Result;

/// `ROWS` in `attention.cu`.
const ROWS: usize = 64;

impl Attention {
    /// What the kernel adds to scores; none where that is to learn.
    pub(super) fn added(&self, query_key_value: &Tensor, packing: &Packing, bias: Bias<'_>) -> Result<Option<Added>> {
        let added = match bias {
            Bias::None => Added::default(),
            Bias::Relative(RelativeBias { reach, way }) => {
                let BiasWay::Tensors(table) = way else { return Ok(None) };
                Added { relative: Some((table.get()?.contiguous()?, *reach)), ..Added::default() }
            }
            Bias::Disentangled(bias) => {
                let products = self.products(query_key_value, packing, bias)?;
                Added { positions: Some(products), ..Added::default() }
            }
        };
        Ok(Some(added).filter(|added| !added.learns()))
    }

    /// Products of queries and keys `(tokens, 3 * hidden)` with the vectors of the positions that some distance in
    /// a sequence takes, for the kernel to pick from: no more of them than the longest sequence needs.
    fn products(&self, query_key_value: &Tensor, packing: &Packing, bias: Disentangled<'_>) -> Result<Positions> {
        let Disentangled { c2p, p2c, distances } = bias;
        let (tokens, hidden) = (query_key_value.dim(0)?, self.heads * self.head_dim);
        let (longest, length) = (distances.longest(), packing.longest());
        let taken = &distances.index[longest - length..longest + length - 1];
        let (first, last) = taken.iter().fold((u32::MAX, 0), |(first, last), &at| (first.min(at), last.max(at)));
        let (first, count) = (first as usize, (last - first) as usize + 1);
        let product = |vectors: &DistanceVectors, part: usize| -> Result<Tensor> {
            let Way::Tensors(vectors) = &vectors.0 else { return Err(other_device()) };
            let rows = query_key_value.narrow(1, part * hidden, hidden)?;
            let rows = rows.reshape((tokens, self.heads, self.head_dim))?.transpose(0, 1)?.contiguous()?;
            Ok(rows.matmul(&vectors.get()?.narrow(1, first, count)?.transpose(1, 2)?)?)
        };
        Ok(Positions {
            c2p: c2p.map(|vectors| product(vectors, 0)).transpose()?,
            p2c: p2c.map(|vectors| product(vectors, 1)).transpose()?,
            index: distances.tensors(query_key_value.device())?[0].clone(),
            longest,
            first,
            count,
        })
    }
}

impl Packing {
    /// [`tiles`] of the sequences.
    pub(super) fn tiles(&self) -> Result<&Tensor> {
        get_or_make(&self.tiles, || tiles(self.ranges.iter().cloned(), &self.seen, self.positions.device()))
    }

    fn longest(&self) -> usize {
        self.ranges.iter().map(ExactSizeIterator::len).max().unwrap_or(0)
    }
}

/// The queries of each block, and the keys that their sequence sees, as `Tile` in `attention.cu` has them:
/// `(blocks, 5)`.
pub(super) fn tiles(
    queries: impl Iterator<Item = Range<usize>>,
    seen: &[Range<usize>],
    device: &Device,
) -> Result<Tensor> {
    let mut numbers: Vec<u32> = Vec::new();
    for (queries, keys) in queries.zip(seen) {
        for place in (0..queries.len()).step_by(ROWS) {
            let count = ROWS.min(queries.len() - place);
            numbers.extend([queries.start + place, count, place, keys.start, keys.len()].map(|x| x as u32));
        }
    }
    let blocks = numbers.len() / 5;
    Ok(Tensor::from_vec(numbers, (blocks, 5), device)?)
}

/// What is added to scores.
#[derive(Default)]
pub(super) struct Added {
    /// `(heads, 2 * reach + 1)`, and `reach`.
    pub(super) relative: Option<(Tensor, usize)>,
    pub(super) positions: Option<Positions>,
}

impl Added {
    fn learns(&self) -> bool {
        let relative = self.relative.iter().map(|(table, _)| table);
        let positions = self.positions.iter().flat_map(|positions| positions.c2p.iter().chain(&positions.p2c));
        relative.chain(positions).any(Tensor::track_op)
    }
}

/// Products with the vectors of `count` positions from `first` on, both `(heads, tokens, count)`.
pub(super) struct Positions {
    pub(super) c2p: Option<Tensor>,
    pub(super) p2c: Option<Tensor>,
    /// The position of each distance, from `1 - longest` on.
    pub(super) index: Tensor,
    pub(super) longest: usize,
    pub(super) first: usize,
    pub(super) count: usize,
}
