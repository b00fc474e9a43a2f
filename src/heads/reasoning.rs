//! A gated step that lets a scorer look again at its own result.
//!
//! Source: `RecurrentReasoningCell` of `gliclass` 0.1.21.

use std::ops::Range;

use candle_core::Tensor;

use crate::backbones::Sequences;
use crate::backbones::layers::{Activation, Attention, LayerNorm, Linear};
use crate::checkpoint::Weights;
use crate::error::Result;

/// Epsilon of `torch.nn.functional.layer_norm`.
const LAYER_NORM_EPS: f32 = 1e-5;

/// Columns of a head of the attention to the text.
const HEAD: usize = 64;

/// Mixes a state with what is encoded from it.
pub struct ReasoningCell {
    norm: LayerNorm,
    reset: Linear,
    update: Linear,
    reader: Option<Reader>,
}

/// Attention from the state to the text.
struct Reader {
    query: Linear,
    key_value: Linear,
    attention: Attention,
    output: Linear,
}

/// The text as the reader sees it: keys and values `(rows, 2 * hidden)`, and each record's rows.
pub struct Memory {
    key_value: Tensor,
    rows: Vec<Range<usize>>,
}

impl ReasoningCell {
    /// Loads the cell; `reads_text` says whether it attends to the text.
    ///
    /// # Errors
    /// Missing or mismatched tensors.
    pub fn load(weights: &Weights, hidden: usize, reads_text: bool) -> Result<Self> {
        Ok(Self {
            norm: LayerNorm::plain(weights, hidden, LAYER_NORM_EPS)?,
            reset: Linear::load(&weights.at("reset_gate"), 2 * hidden, hidden)?,
            update: Linear::load(&weights.at("update_gate"), 2 * hidden, hidden)?,
            reader: reads_text.then(|| Reader::load(weights, hidden)).transpose()?,
        })
    }

    /// Brings `x` `(tokens, hidden)` to the scale of a state.
    ///
    /// # Errors
    /// `x` has another width.
    pub fn normalize(&self, x: &Tensor, threads: usize) -> Result<Tensor> {
        self.norm.forward(x, threads)
    }

    /// The rows `text` of the hidden states `(tokens, hidden)`, made ready once for all steps; none where the
    /// text is not read.
    ///
    /// # Errors
    /// `hidden` has another width.
    pub fn memory(&self, hidden: &Tensor, text: &[Range<usize>], threads: usize) -> Result<Option<Memory>> {
        let Some(reader) = &self.reader else { return Ok(None) };
        let key_value = reader.key_value.forward(&self.normalize(hidden, threads)?, threads)?;
        Ok(Some(Memory { key_value, rows: text.to_vec() }))
    }

    /// The state after one step, all `(tokens, hidden)`; `inputs` are normalized.
    ///
    /// # Errors
    /// The computation failed.
    pub fn step(
        &self,
        state: &Tensor,
        inputs: &Tensor,
        sequences: &Sequences,
        memory: Option<&Memory>,
        encode: impl FnOnce(Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let reset = gate(&self.reset, state, inputs, sequences.threads)?;
        let mut candidate = mix(&reset, state, inputs)?;
        if let (Some(reader), Some(memory)) = (&self.reader, memory) {
            candidate = reader.add_to(&candidate, &self.normalize(state, sequences.threads)?, sequences, memory)?;
        }
        let candidate = encode(candidate)?;
        let update = gate(&self.update, state, &candidate, sequences.threads)?;
        mix(&update, &candidate, state)
    }
}

impl Reader {
    fn load(weights: &Weights, hidden: usize) -> Result<Self> {
        let attention = Attention::beside(weights, hidden, (hidden / HEAD).max(1))?;
        Ok(Self {
            query: Linear::load(&weights.at("read_q"), hidden, hidden)?,
            key_value: Linear::load_joined(weights, &["read_k", "read_v"], hidden, hidden)?,
            attention,
            output: Linear::load(&weights.at("read_out"), hidden, hidden)?,
        })
    }

    /// `x` plus what `state` reads from the text.
    fn add_to(&self, x: &Tensor, state: &Tensor, sequences: &Sequences, memory: &Memory) -> Result<Tensor> {
        let query = self.query.forward(state, sequences.threads)?;
        let context = self.attention.forward_over(&query, &memory.key_value, sequences, &memory.rows)?;
        self.output.forward_add(&context, x, sequences.threads)
    }
}

/// A number between 0 and 1 for each element, from two states side by side.
fn gate(linear: &Linear, a: &Tensor, b: &Tensor, threads: usize) -> Result<Tensor> {
    linear.forward_activated(&Tensor::cat(&[a, b], 1)?, Activation::SIGMOID, threads)
}

/// `gate * open + (1 - gate) * closed`.
fn mix(gate: &Tensor, open: &Tensor, closed: &Tensor) -> Result<Tensor> {
    Ok(((gate * open)? + (gate.affine(-1.0, 1.0)? * closed)?)?)
}
