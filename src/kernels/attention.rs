//! Multi-head attention over packed sequences.

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
    /// Multiplies the scores, before a [`Bias::Relative`] is added.
    pub scale: f32,
    /// Only keys with `|i - j| <= window` are seen.
    pub window: Option<usize>,
    /// Only keys with `j <= i` are seen.
    pub causal: bool,
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

/// Position vectors and which of them each distance takes.
#[derive(Clone, Copy, Debug)]
pub struct DistanceTable<'a> {
    /// The vectors, packed once at load.
    pub positions: &'a PositionTable,
    /// Entry `i - j + max_len - 1` is the position for distance `i - j`; `2 * max_len - 1` entries.
    pub index: &'a [u32],
}

/// Projected position vectors of each head, laid out for the kernels once at load.
#[derive(Clone, Debug)]
pub struct PositionTable {
    data: Vec<f32>,
    width: usize,
}

impl PositionTable {
    /// Packs `data (positions, heads * head_dim)`, row-major.
    pub fn new(data: &[f32], positions: usize, heads: usize, head_dim: usize) -> Self {
        assert_eq!(data.len(), positions * heads * head_dim);
        Self { data: data.to_vec(), width: heads * head_dim }
    }
}

/// Softmax attention inside each sequence: `out (tokens, heads * head_dim)`.
///
/// The result of a sequence does not depend on the other ones. At most `threads` threads work on it.
pub fn attention(q: Rows, k: Rows, v: Rows, shape: &AttentionShape, bias: Bias, out: &mut [f32], _threads: usize) {
    let dim = shape.head_dim;
    for s in shape.bounds.windows(2) {
        for h in 0..shape.heads {
            let row = |m: Rows, i: usize| -> Vec<f32> { m.data[i * m.stride + m.offset + h * dim..][..dim].to_vec() };
            for i in s[0]..s[1] {
                let q = row(q, i);
                let mut scores: Vec<f32> = (s[0]..s[1])
                    .map(|j| {
                        let outside = (shape.causal && j > i) || shape.window.is_some_and(|w| i.abs_diff(j) > w);
                        if outside {
                            return f32::NEG_INFINITY;
                        }
                        let k = row(k, j);
                        let content = dot(&q, &k);
                        let at = |t: DistanceTable, max_len: usize| -> Vec<f32> {
                            let p = t.index[i + max_len - 1 - j] as usize;
                            t.positions.data[p * t.positions.width + h * dim..][..dim].to_vec()
                        };
                        match bias {
                            Bias::None => content * shape.scale,
                            Bias::Relative { table, max_distance } => {
                                let at = (j + max_distance).saturating_sub(i).min(2 * max_distance);
                                content * shape.scale + table[h * (2 * max_distance + 1) + at]
                            }
                            Bias::Disentangled(d) => {
                                let c2p = d.c2p.map_or(0.0, |t| dot(&q, &at(t, d.max_len)));
                                let p2c = d.p2c.map_or(0.0, |t| dot(&k, &at(t, d.max_len)));
                                (content + c2p + p2c) * shape.scale
                            }
                        }
                    })
                    .collect();
                let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                scores.iter_mut().for_each(|x| *x = (*x - max).exp());
                let sum: f32 = scores.iter().sum();
                let out = &mut out[i * shape.heads * dim + h * dim..][..dim];
                out.fill(0.0);
                for (j, p) in (s[0]..s[1]).zip(scores) {
                    for (o, v) in out.iter_mut().zip(row(v, j)) {
                        *o += p / sum * v;
                    }
                }
            }
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
