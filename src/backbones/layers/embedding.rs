//! Rows by id.

use candle_core::Tensor;

use super::{detach_rows, gradients, kernels_hold, matrix};
use crate::checkpoint::Weights;
use crate::checkpoint::weights::Stored;
use crate::error::{Error, Result};

/// A table of rows by id.
pub struct Embedding {
    rows: usize,
    width: usize,
    /// The row that never learns.
    frozen: Option<u32>,
    way: Way,
}

enum Way {
    /// Rows are read from the file as they are needed.
    Kernels(Stored),
    Tensors(Tensor),
}

impl Embedding {
    /// Loads `weight` `(any number, width)`.
    ///
    /// # Errors
    /// A missing tensor or one of another width.
    pub fn load(weights: &Weights, width: usize) -> Result<Self> {
        let rows = weights.stored("weight")?.shape().first().copied().unwrap_or(0);
        let way = if kernels_hold(weights) {
            Way::Kernels(weights.shaped("weight", &[rows, width])?.clone())
        } else {
            Way::Tensors(weights.tensor("weight", &[rows, width])?)
        };
        Ok(Self { rows, width, frozen: None, way })
    }

    /// The same, whose row for padding never learns: as torch's `padding_idx`, which below 0 counts from the end.
    pub fn freezing(self, padding: Option<i64>) -> Self {
        let from_start = |id: i64| if id < 0 { id + self.rows as i64 } else { id };
        Self { frozen: padding.and_then(|id| from_start(id).try_into().ok()), ..self }
    }

    /// Whether there is a row for each of these ids.
    ///
    /// # Errors
    /// An id outside the table.
    pub fn check(&self, ids: &[u32]) -> Result<()> {
        match ids.iter().find(|&&id| id as usize >= self.rows) {
            None => Ok(()),
            Some(id) => Err(Error::Record(format!(
                "token id {id} is outside the model's vocabulary of {}: tokenizer.json and the weights do not fit",
                self.rows
            ))),
        }
    }

    /// The rows of these ids: `(ids, width)`.
    ///
    /// # Errors
    /// An id outside the table.
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        self.check(ids)?;
        let rows = self.gather(ids)?;
        match self.frozen {
            Some(frozen) if rows.track_op() && ids.contains(&frozen) => {
                detach_rows(&rows, (0..ids.len()).filter(|&at| ids[at] == frozen))
            }
            _ => Ok(rows),
        }
    }

    fn gather(&self, ids: &[u32]) -> Result<Tensor> {
        match &self.way {
            Way::Kernels(table) => {
                let mut out = vec![0.0; ids.len() * self.width];
                for (&id, out) in ids.iter().zip(out.chunks_exact_mut(self.width)) {
                    table.read(id as usize * self.width, out);
                }
                matrix(out, self.width)
            }
            Way::Tensors(table) if gradients::take(table) => Ok(gradients::gather(table, ids.to_vec())?),
            Way::Tensors(table) => Ok(table.index_select(&Tensor::new(ids, table.device())?, 0)?),
        }
    }
}
