//! Multi-head attention inside each sequence.

use std::ops::Range;
use std::sync::OnceLock;

use candle_core::{D, Device, Tensor};

use super::linear::precision;
use super::packed::{Group, Rectangle, Sight};
use super::{Derived, Dropout, get_or_make, gradients, kernels_hold, kernels_take, matrix, select_rows, with_values};
use crate::backbones::Sequences;
use crate::checkpoint::Weights;
use crate::error::{Error, Result};
use crate::kernels::{self, AttentionShape, DistanceTable, Rows};

#[cfg(any(feature = "cuda", test))]
pub(super) mod cuda;

/// What is added to the product of query and key.
#[derive(Clone, Copy)]
pub enum Bias<'a> {
    /// Nothing.
    None,
    /// T5: a number for each distance.
    Relative(&'a RelativeBias),
    /// DeBERTa v2.
    Disentangled(Disentangled<'a>),
}

impl Bias<'_> {
    fn is_on_kernels(&self) -> bool {
        match self {
            Bias::None => true,
            Bias::Relative(bias) => matches!(bias.way, BiasWay::Kernels(_)),
            Bias::Disentangled(Disentangled { c2p, p2c, .. }) => {
                [c2p, p2c].into_iter().flatten().all(|vectors| matches!(vectors.0, Way::Kernels(_)))
            }
        }
    }
}

/// A number of each head for each distance from query to key: `scale * q_i·k_j + bias[j - i]`.
pub struct RelativeBias {
    /// The largest distance with a number of its own; farther ones share it.
    reach: usize,
    way: BiasWay,
}

/// `(heads, 2 * reach + 1)`.
enum BiasWay {
    Kernels(Vec<f32>),
    Tensors(Derived),
}

impl RelativeBias {
    /// Loads `weight` `(count, heads)`; distance `j - i` takes the row `rows[j - i + reach]`, of which there
    /// are `2 * reach + 1`.
    ///
    /// # Errors
    /// A missing tensor or one of another shape.
    pub fn load(weights: &Weights, count: usize, heads: usize, rows: &[usize]) -> Result<Self> {
        let shape = [count, heads];
        let way = if kernels_hold(weights) {
            let table = weights.vec("weight", &shape)?;
            let by_head = (0..heads).flat_map(|head| rows.iter().map(move |row| (head, row)));
            BiasWay::Kernels(by_head.map(|(head, row)| table[row * heads + head]).collect())
        } else {
            let table = weights.tensor("weight", &shape)?;
            let rows = rows.to_vec();
            BiasWay::Tensors(Derived::new(weights, move || Ok(select_rows(&table, &rows)?.t()?.contiguous()?))?)
        };
        Ok(Self { reach: rows.len() / 2, way })
    }

    fn on_kernels(&self) -> Result<kernels::Bias<'_>> {
        match &self.way {
            BiasWay::Kernels(table) => Ok(kernels::Bias::Relative { table, max_distance: self.reach }),
            BiasWay::Tensors(_) => Err(other_device()),
        }
    }

    /// `(heads, 1, length, length)`.
    fn scores(&self, length: usize, device: &Device) -> Result<Tensor> {
        let width = 2 * self.reach + 1;
        let table = match &self.way {
            BiasWay::Tensors(table) => table.get()?,
            // Of a layer that does not learn, in one that does.
            BiasWay::Kernels(table) => Tensor::from_slice(table, (table.len() / width, width), device)?,
        };
        let heads = table.dim(0)?;
        let places = (1..2 * length).map(|at| (at + self.reach).saturating_sub(length).min(2 * self.reach) as u32);
        let width = 2 * length - 1;
        let rows = table.index_select(&Tensor::from_iter(places, table.device())?, 1)?;
        let rows = rows.reshape((heads, 1, width))?.broadcast_as((heads, length, width))?.contiguous()?;
        Ok(skew(&rows.reshape((heads, length * width))?, length)?.unsqueeze(1)?)
    }
}

/// `scale * (q_i·k_j + q_i·c2p[index(i - j)] + k_j·p2c[index(i - j)])`.
#[derive(Clone, Copy)]
pub struct Disentangled<'a> {
    /// Content to position: projected position keys.
    pub c2p: Option<&'a DistanceVectors>,
    /// Position to content: projected position queries.
    pub p2c: Option<&'a DistanceVectors>,
    /// Which vector each distance takes.
    pub distances: &'a Distances,
}

/// Which position vector stands for which distance between query and key.
pub struct Distances {
    /// Entry `i - j + longest - 1` for distance `i - j`; `2 * longest - 1` entries.
    index: Vec<u32>,
    /// The same on the device that first asked, from the lowest distance up and from the highest down.
    tensors: OnceLock<[Tensor; 2]>,
}

impl Distances {
    /// From entry `i - j + longest - 1` for distance `i - j`.
    pub fn new(index: Vec<u32>) -> Self {
        Self { index, tensors: OnceLock::new() }
    }

    fn tensors(&self, device: &Device) -> Result<&[Tensor; 2]> {
        get_or_make(&self.tensors, || {
            let falling: Vec<u32> = self.index.iter().rev().copied().collect();
            Ok([Tensor::new(self.index.as_slice(), device)?, Tensor::new(falling, device)?])
        })
    }

    fn longest(&self) -> usize {
        self.index.len().div_ceil(2)
    }
}

/// A vector of each head for each relative position: the input of a bias of attention.
pub struct DistanceVectors(Way);

enum Way {
    Kernels(kernels::PositionTable),
    /// `(heads, positions, head_dim)`.
    Tensors(Derived),
}

impl DistanceVectors {
    /// Of `(positions, hidden)`, which `make` computes from `weights`.
    ///
    /// # Errors
    /// `make` failed.
    pub fn new(
        weights: &Weights,
        heads: usize,
        make: impl Fn() -> Result<Tensor> + Send + Sync + 'static,
    ) -> Result<Self> {
        if kernels_hold(weights) {
            let vectors = make()?;
            let (positions, hidden) = vectors.dims2()?;
            let pack = |values: &[f32]| {
                kernels::PositionTable::new(values, positions, heads, hidden / heads, precision(weights))
            };
            return Ok(Self(Way::Kernels(with_values(&vectors, pack)?)));
        }
        let by_head = move || {
            let vectors = make()?;
            let (positions, hidden) = vectors.dims2()?;
            Ok(vectors.reshape((positions, heads, hidden / heads))?.transpose(0, 1)?.contiguous()?)
        };
        Ok(Self(Way::Tensors(Derived::new(weights, by_head)?)))
    }

    fn packed<'a>(&'a self, distances: &'a Distances) -> Result<DistanceTable<'a>> {
        match &self.0 {
            Way::Kernels(positions) => Ok(DistanceTable { positions, index: &distances.index }),
            Way::Tensors(_) => Err(other_device()),
        }
    }

    /// Rows `(heads * sequences, length, head_dim)` times the vector of each distance between two tokens of
    /// one sequence: `(heads * sequences, length, length)`, for the row and each other token.
    ///
    /// `order` 0 counts the distance from the other token to the row, 1 from the row to the other token.
    fn scores(&self, rows: &Tensor, heads: usize, distances: &Distances, order: usize) -> Result<Tensor> {
        let Way::Tensors(vectors) = &self.0 else { return Err(other_device()) };
        let tensors = distances.tensors(rows.device())?;
        let (all, length, head_dim) = rows.dims3()?;
        let width = 2 * length - 1;
        let index = tensors[order].narrow(0, distances.longest() - length, width)?;
        let vectors = vectors.get()?.index_select(&index, 1)?;
        let rows = rows.reshape((heads, all / heads * length, head_dim))?;
        let products = rows.matmul(&vectors.transpose(1, 2)?)?;
        skew(&products.reshape((all, length * width))?, length)
    }
}

fn other_device() -> Error {
    candle_core::Error::Msg("a bias made for another device: this is a bug".into()).into()
}

/// From a product for each row `i` and distance `d`, `(all, length * (2 * length - 1))`, to one for each row
/// `i` and column `j`, where `d = j - i + length - 1`: each row begins one place before the last one's end.
fn skew(products: &Tensor, length: usize) -> Result<Tensor> {
    let all = products.dim(0)?;
    if length == 1 {
        return Ok(products.reshape((all, 1, 1))?);
    }
    let stride = 2 * length - 2;
    let rows = products.narrow(1, length - 1, length * stride)?.reshape((all, length, stride))?;
    Ok(rows.narrow(2, 0, length)?)
}

/// Multi-head self-attention inside each sequence, over queries, keys and values side by side.
pub struct Attention {
    heads: usize,
    head_dim: usize,
    scale: f32,
    window: Option<usize>,
    causal: bool,
    /// Of the weights of keys.
    dropout: Dropout,
    precision: kernels::Precision,
}

impl Attention {
    /// Heads that share `hidden` columns, scaled by the root of the head's width.
    ///
    /// # Errors
    /// The heads do not divide the width.
    pub fn new(hidden: usize, heads: usize) -> std::result::Result<Self, String> {
        if heads == 0 || !hidden.is_multiple_of(heads) {
            return Err(format!("num_attention_heads {heads} does not divide hidden_size {hidden}"));
        }
        let head_dim = hidden / heads;
        let scale = 1.0 / (head_dim as f32).sqrt();
        let precision = kernels::Precision::F32;
        Ok(Self { heads, head_dim, scale, window: None, causal: false, dropout: Dropout::default(), precision })
    }

    /// The same, which multiplies as exactly as layers with these weights.
    ///
    /// # Errors
    /// The heads do not divide the width.
    pub fn beside(weights: &Weights, hidden: usize, heads: usize) -> Result<Self> {
        let attention = weights.setting(Self::new(hidden, heads))?;
        Ok(Self { precision: precision(weights), ..attention })
    }

    /// The same, with another factor on the scores.
    pub fn scaled(self, scale: f32) -> Self {
        Self { scale, ..self }
    }

    /// The same, where a token sees only tokens at most `distance` away.
    pub fn within(self, distance: usize) -> Self {
        Self { window: Some(distance), ..self }
    }

    /// The same, where a token sees only itself and those before it.
    pub fn causal(self) -> Self {
        Self { causal: true, ..self }
    }

    /// The same, where a share of the keys' weights is left out while the model learns.
    pub fn dropping(self, dropout: Dropout) -> Self {
        Self { dropout, ..self }
    }

    /// `(tokens, 3 * hidden)` to `(tokens, hidden)`. Where not all rows are `read`, others may be zeros.
    ///
    /// # Errors
    /// The width is another one.
    pub fn forward(
        &self,
        query_key_value: &Tensor,
        sequences: &Sequences,
        bias: Bias<'_>,
        read: Option<&[usize]>,
    ) -> Result<Tensor> {
        let (tokens, width) = query_key_value.dims2()?;
        let hidden = self.heads * self.head_dim;
        if width != 3 * hidden || tokens != sequences.tokens() {
            return Err(candle_core::Error::Msg(format!("attention over {:?}", query_key_value.dims())).into());
        }
        if let (true, true, Bias::None, None) =
            (query_key_value.track_op(), gradients::take(query_key_value), bias, &sequences.text)
        {
            let mask = self.dropout.mask();
            return Ok(gradients::attention(query_key_value, &self.shape(sequences, None), mask, sequences.threads)?);
        }
        // A bias that learns, or came from one that does, is made for tensors whatever its input.
        if !kernels_take(query_key_value) || !bias.is_on_kernels() {
            #[cfg(feature = "cuda")]
            if let Some(out) = self.by_own_kernel(query_key_value, sequences, bias)? {
                return Ok(out);
            }
            return self.by_tensors(query_key_value, sequences, bias);
        }
        let shape = self.shape(sequences, read);
        let bias = match bias {
            Bias::None => kernels::Bias::None,
            Bias::Relative(bias) => bias.on_kernels()?,
            Bias::Disentangled(Disentangled { c2p, p2c, distances }) => {
                kernels::Bias::Disentangled(kernels::Disentangled {
                    c2p: c2p.map(|vectors| vectors.packed(distances)).transpose()?,
                    p2c: p2c.map(|vectors| vectors.packed(distances)).transpose()?,
                    max_len: distances.longest(),
                })
            }
        };
        let mut out = vec![0.0; tokens * hidden];
        with_values(query_key_value, |data| {
            let part = |i: usize| Rows { data, stride: width, offset: i * hidden };
            let seen = sequences.text.as_deref();
            kernels::attention(part(0), part(1), part(2), &shape, seen, bias, &mut out, sequences.threads);
        })?;
        matrix(out, hidden)
    }

    fn shape<'a>(&self, sequences: &'a Sequences, read: Option<&'a [usize]>) -> AttentionShape<'a> {
        AttentionShape {
            bounds: &sequences.bounds,
            heads: self.heads,
            head_dim: self.head_dim,
            scale: self.scale,
            window: self.window,
            causal: self.causal,
            read,
            precision: self.precision,
        }
    }

    /// Queries `(tokens, hidden)` of `sequences` over keys and values side by side `(rows, 2 * hidden)`, of
    /// which sequence `i` sees the rows `seen[i]`, all of them: `(tokens, hidden)`.
    ///
    /// # Errors
    /// A width is another one.
    pub fn forward_over(
        &self,
        query: &Tensor,
        key_value: &Tensor,
        sequences: &Sequences,
        seen: &[Range<usize>],
    ) -> Result<Tensor> {
        let hidden = self.heads * self.head_dim;
        if query.dims() != [sequences.tokens(), hidden] || key_value.dims2()?.1 != 2 * hidden {
            let message = format!("attention of {:?} over {:?}", query.dims(), key_value.dims());
            return Err(candle_core::Error::Msg(message).into());
        }
        if !kernels_take(query) {
            #[cfg(feature = "cuda")]
            if let Some(out) = self.over_by_own_kernel(query, key_value, sequences, seen)? {
                return Ok(out);
            }
            return self.over_by_tensors(query, key_value, sequences, seen);
        }
        let shape = self.shape(sequences, None);
        let mut out = vec![0.0; sequences.tokens() * hidden];
        with_values(query, |query| {
            with_values(key_value, |data| {
                let query = Rows { data: query, stride: hidden, offset: 0 };
                let [key, value] = [0, hidden].map(|offset| Rows { data, stride: 2 * hidden, offset });
                let bias = kernels::Bias::None;
                kernels::attention(query, key, value, &shape, Some(seen), bias, &mut out, sequences.threads);
            })
        })??;
        matrix(out, hidden)
    }

    /// By operations on padded rectangles, one for each group of sequences.
    fn by_tensors(&self, query_key_value: &Tensor, sequences: &Sequences, bias: Bias<'_>) -> Result<Tensor> {
        if sequences.tokens() == 0 {
            return Ok(query_key_value.narrow(1, 0, self.heads * self.head_dim)?);
        }
        let groups = sequences.packing(query_key_value.device())?.groups()?;
        // candle's softmax takes no text of nothing.
        let groups = groups.iter().filter(|group| group.rectangle.length > 0);
        let outputs = groups.map(|group| self.attend(query_key_value, group, bias));
        Ok(Tensor::cat(&outputs.collect::<Result<Vec<_>>>()?, 0)?)
    }

    /// [`Attention::forward_over`] by operations on padded rectangles.
    fn over_by_tensors(
        &self,
        query: &Tensor,
        key_value: &Tensor,
        sequences: &Sequences,
        seen: &[Range<usize>],
    ) -> Result<Tensor> {
        let hidden = self.heads * self.head_dim;
        let [key, value] = [key_value.narrow(1, 0, hidden)?, key_value.narrow(1, hidden, hidden)?];
        let rows: Vec<Range<usize>> = sequences.ranges().collect();
        attend_tensors([query, &key, &value], (self.heads, self.scale), &rows, seen, &self.dropout)
    }

    /// One group of sequences: `(tokens, 3 * hidden)` to the group's rows of `(tokens, hidden)`.
    fn attend(&self, query_key_value: &Tensor, group: &Group, bias: Bias<'_>) -> Result<Tensor> {
        let (heads, head_dim) = (self.heads, self.head_dim);
        let Rectangle { count, length, .. } = group.rectangle;
        let parts = group.rectangle.fill(query_key_value)?.reshape((count, length, 3, heads, head_dim))?;
        let parts = parts.permute((2, 3, 0, 1, 4))?.contiguous()?;
        let part = |i| parts.get(i)?.reshape((heads * count, length, head_dim));
        let (query, key, value) = ((part(0)? * f64::from(self.scale))?, part(1)?, part(2)?);
        let mut scores = query.matmul(&key.transpose(1, 2)?)?;
        if let Bias::Disentangled(Disentangled { c2p, p2c, distances }) = bias {
            if let Some(vectors) = c2p {
                scores = (scores + vectors.scores(&query, heads, distances, 1)?)?;
            }
            if let Some(vectors) = p2c {
                let key = (key * f64::from(self.scale))?;
                scores = (scores + vectors.scores(&key, heads, distances, 0)?.transpose(1, 2)?)?;
            }
        }
        let sight: Sight = (self.window, self.causal);
        let mut masks = group.masks(sight, scores.dtype(), scores.device())?;
        if let Bias::Relative(bias) = bias {
            masks.push(bias.scores(length, scores.device())?);
        }
        if !masks.is_empty() {
            scores = scores.reshape((heads, count, length, length))?;
            for mask in masks {
                scores = scores.broadcast_add(&mask)?;
            }
            scores = scores.reshape((heads * count, length, length))?;
        }
        let weights = self.dropout.forward(&softmax(&scores)?)?;
        let mut context = weights.matmul(&value)?.reshape((heads, count, length, head_dim))?;
        if let Some(sighted) = group.sighted(sight, context.dtype(), context.device())? {
            context = context.broadcast_mul(&sighted)?;
        }
        let context = context.permute((1, 2, 0, 3))?.contiguous()?.reshape((count, length, heads * head_dim))?;
        group.rectangle.empty(&context)
    }
}

/// Over the last dimension; candle's own operation where no gradient is wanted, which it has none for.
pub(super) fn softmax(scores: &Tensor) -> Result<Tensor> {
    if scores.track_op() {
        return Ok(candle_nn::ops::softmax(scores, D::Minus1)?);
    }
    Ok(candle_nn::ops::softmax_last_dim(&scores.contiguous()?)?)
}

/// Of queries over keys and values, all `(rows, hidden)`: the rows `query_rows[i]`, which lie one after another and fill
/// `query`, see the rows `key_rows[i]`. A range without keys gives rows of zeros.
fn attend_tensors(
    [query, key, value]: [&Tensor; 3],
    (heads, scale): (usize, f32),
    query_rows: &[Range<usize>],
    key_rows: &[Range<usize>],
    dropout: &Dropout,
) -> Result<Tensor> {
    let (_, width) = query.dims2()?;
    if key_rows.iter().all(Range::is_empty) {
        return Ok(query.zeros_like()?);
    }
    let head_dim = width / heads.max(1);
    let queries = Rectangle::new(query_rows, query.device())?;
    let keys = Rectangle::new(key_rows, query.device())?;
    let by_head = |x: &Tensor, rectangle: &Rectangle| -> Result<Tensor> {
        let x = rectangle.fill(x)?.reshape((rectangle.count, rectangle.length, heads, head_dim))?;
        Ok(x.transpose(1, 2)?.contiguous()?)
    };
    let query = (by_head(query, &queries)? * f64::from(scale))?;
    let mut scores = query.matmul(&by_head(key, &keys)?.transpose(2, 3)?)?;
    if let Some(mask) = keys.mask(scores.dtype())? {
        scores = scores.broadcast_add(&mask.unsqueeze(1)?.unsqueeze(1)?)?;
    }
    let mut context = dropout.forward(&softmax(&scores)?)?.matmul(&by_head(value, &keys)?)?;
    if key_rows.iter().any(Range::is_empty) {
        let sees = Tensor::from_iter(key_rows.iter().map(|rows| f32::from(!rows.is_empty())), context.device())?;
        context = context.broadcast_mul(&sees.to_dtype(context.dtype())?.reshape(((), 1, 1, 1))?)?;
    }
    let context = context.transpose(1, 2)?.contiguous()?.reshape((queries.count, queries.length, width))?;
    queries.empty(&context)
}
