//! Which tensors of a model learn, and the chance in it: dropout, and where adapters begin.
//!
//! Hu et al., "LoRA" (arXiv 2106.09685); Srivastava et al., "Dropout" (JMLR 15, 2014).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Tensor, Var};
use rand::Rng;
use rand_pcg::Pcg64;

use crate::error::Result;

/// How a model learns. The default: all of it, without dropout.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Learning {
    /// Which tensors learn.
    pub trains: Trains,
    /// Instead of the encoder's matrices, products of narrow ones beside them.
    pub lora: Option<Lora>,
    /// The seed of dropout, at the rates of the config.
    pub dropout: Option<u64>,
}

/// Which tensors learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trains {
    /// All.
    #[default]
    All,
    /// Those beside the encoder.
    Head,
    /// Those, and so many of the encoder's last layers.
    Layers(usize),
}

/// Adapters: a dense layer of the encoder becomes `x (W + alpha / rank * B A)^T`, where only `B` and `A` learn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lora {
    /// Columns of `B`, rows of `A`.
    pub rank: usize,
    /// Weighs the adapters: twice the rank is usual.
    pub alpha: f64,
    /// The share of the adapters' inputs that is left out.
    pub dropout: f32,
    /// Where `A` begins; `B` begins at 0.
    pub seed: u64,
}

/// The pair of an adapted matrix `(outputs, inputs)`.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// `A`, `(rank, inputs)`.
    pub down: Tensor,
    /// `B`, `(outputs, rank)`.
    pub up: Tensor,
    /// `alpha / rank`.
    pub scale: f64,
    /// The share of the inputs that is left out.
    pub dropout: f32,
}

/// The keys of dropout's masks. They follow from the seed, the number of the batch and the order in which layers ask,
/// so that a run that goes on from any batch has the same ones.
#[derive(Debug)]
pub struct Noise {
    seed: u64,
    /// The key of the batch and how many masks it has had; none while nothing is left out.
    batch: Mutex<Option<(u64, u64)>>,
}

impl Noise {
    /// Of a seed; nothing is left out before the first batch.
    pub fn new(seed: u64) -> Self {
        Self { seed, batch: Mutex::new(None) }
    }

    /// Begins the masks of a batch; with none nothing is left out.
    pub fn begin(&self, batch: Option<u64>) {
        *super::lock(&self.batch) = batch.map(|batch| (mix(self.seed ^ mix(batch)), 0));
    }

    /// The key of the next mask; none while nothing is left out.
    pub fn draw(&self) -> Option<u64> {
        let mut batch = super::lock(&self.batch);
        let (key, drawn) = batch.as_mut()?;
        *drawn += 1;
        Some(mix(*key ^ *drawn))
    }
}

/// The finalizer of SplitMix64: neighbouring numbers become unrelated ones.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// What learning does to the tensors at a place of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Constants that no gradient passes: nothing before them learns.
    Fixed,
    /// Constants that gradients pass.
    Passed,
    /// Variables.
    Learns,
}

/// Where the encoders lie in a checkpoint.
const ENCODERS: [&str; 4] = ["encoder_model", "label_encoder", "decoder_model", "encoder_decoder_model"];
/// What is read by the first layer, beside an encoder.
const EMBEDDINGS: &str = "segment_embeddings";
/// What counts the layers of an encoder.
const LAYERS: [&str; 4] = ["layer", "layers", "block", "albert_layer_groups"];
/// What follows the last layer of an encoder.
const LAST: [&str; 3] = ["final_norm", "final_layer_norm", "norm"];

/// A model that learns.
#[derive(Debug)]
pub(super) struct Learner {
    learning: Learning,
    /// How many layers there are below each place that counts them.
    layers: BTreeMap<String, usize>,
    /// The tensors handed out so far by their full names, and the pairs of adapters.
    pub(super) variables: Mutex<BTreeMap<String, Var>>,
    pub(super) noise: Option<Arc<Noise>>,
}

impl Learner {
    pub(super) fn new<'a>(learning: Learning, names: impl Iterator<Item = &'a String>) -> Self {
        let mut layers = BTreeMap::new();
        for (place, layer) in names.filter_map(|name| layer_of(name)) {
            let count = layers.entry(place.to_owned()).or_insert(0);
            *count = (layer + 1).max(*count);
        }
        let noise = learning.dropout.map(|seed| Arc::new(Noise::new(seed)));
        Self { learning, layers, variables: Mutex::default(), noise }
    }

    /// What becomes of the tensors below `place`.
    pub(super) fn part(&self, place: &str) -> Part {
        let parts: Vec<&str> = place.split('.').collect();
        let in_encoder = parts.iter().any(|part| ENCODERS.contains(part));
        if !in_encoder && !parts.contains(&EMBEDDINGS) {
            return Part::Learns;
        }
        let adapted = if self.learning.lora.is_some() { Part::Passed } else { Part::Learns };
        let layer = layer_of(place);
        let last = parts.iter().any(|part| LAST.contains(part)) && !parts.contains(&"embeddings");
        match (self.learning.trains, layer) {
            (Trains::Layers(count), Some((above, layer))) if layer.saturating_add(count) >= self.count(above) => {
                adapted
            }
            (Trains::All, Some(_)) => adapted,
            (Trains::Layers(1..) | Trains::All, None) if last => adapted,
            (Trains::All, None) if self.learning.lora.is_none() => Part::Learns,
            _ => Part::Fixed,
        }
    }

    fn count(&self, above: &str) -> usize {
        self.layers.get(above).copied().unwrap_or(0)
    }

    /// How the matrices below `place` are adapted.
    pub(super) fn lora(&self, place: &str) -> Option<Lora> {
        self.learning.lora.filter(|_| self.part(place) == Part::Passed)
    }

    /// The present value of a tensor, given what it was: as it learned, or with what its adapter adds.
    pub(super) fn present(&self, name: &str, was: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
        let variables = super::lock(&self.variables);
        let value = |name: &str| variables.get(name).map(|variable| plain(variable.as_tensor())).transpose();
        if let Some(value) = value(name)? {
            return Ok(value);
        }
        let [down, up] = pair_of(name);
        match (self.learning.lora, value(&down)?, value(&up)?) {
            (Some(lora), Some(down), Some(up)) => Ok((was()? + (up.matmul(&down)? * lora.scale())?)?),
            _ => was(),
        }
    }
}

impl Lora {
    pub(super) fn scale(&self) -> f64 {
        self.alpha / self.rank.max(1) as f64
    }

    /// `A` as it begins, `(rank, inputs)`: uniform within the root of `1 / inputs`, as `torch.nn.Linear` has it.
    pub(super) fn begin(&self, name: &str, inputs: usize, device: &Device) -> Result<Tensor> {
        let bound = 1.0 / (inputs.max(1) as f32).sqrt();
        let mut random = random(self.seed, name);
        let values: Vec<f32> = (0..self.rank * inputs).map(|_| random.random_range(-bound..=bound)).collect();
        Ok(Tensor::from_vec(values, (self.rank, inputs), &Device::Cpu)?.to_device(device)?)
    }
}

/// Random numbers for the tensor of this name: others do not change them.
pub(crate) fn random(seed: u64, name: &str) -> Pcg64 {
    let name = name.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
    Pcg64::new(u128::from(seed), u128::from(name))
}

/// The names of the adapter of a matrix.
pub(super) fn pair_of(name: &str) -> [String; 2] {
    [format!("{name}.lora_a"), format!("{name}.lora_b")]
}

/// In f32 on the processor, apart from the model.
pub(super) fn plain(tensor: &Tensor) -> Result<Tensor> {
    Ok(tensor.detach().to_device(&Device::Cpu)?.to_dtype(DType::F32)?.copy()?)
}

/// The first layer of an encoder that a name lies in: what counts the layers, and its number.
fn layer_of(name: &str) -> Option<(&str, usize)> {
    let mut end = 0;
    let mut parts = name.split('.').peekable();
    while let Some(part) = parts.next() {
        end += part.len();
        let number = parts.peek().and_then(|next| next.parse().ok());
        if let Some(number) = number.filter(|_| LAYERS.contains(&part)) {
            return Some((&name[..end], number));
        }
        end += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn learner(trains: Trains, lora: bool) -> Learner {
        let names = ["embeddings.word_embeddings.weight", "encoder.layer.0.up.weight", "encoder.layer.1.up.weight"]
            .map(|name| format!("model.encoder_model.{name}"));
        let lora = lora.then_some(Lora { rank: 2, alpha: 4.0, dropout: 0.0, seed: 1 });
        Learner::new(Learning { trains, lora, dropout: None }, names.iter())
    }

    #[test]
    fn what_lies_before_all_that_learns_is_fixed() {
        let places = [
            "model.encoder_model.embeddings.norm",
            "model.encoder_model.encoder.layer.0.up",
            "model.encoder_model.encoder.layer.1.up",
            "model.encoder_model.final_norm",
            "model.segment_embeddings",
            "model.text_projector.linear_1",
            "model.scorer.scorer_encoder.layer.0",
        ];
        use Part::{Fixed, Learns, Passed};
        for (trains, lora, parts) in [
            (Trains::All, false, [Learns; 7]),
            (Trains::All, true, [Fixed, Passed, Passed, Passed, Fixed, Learns, Learns]),
            (Trains::Layers(1), false, [Fixed, Fixed, Learns, Learns, Fixed, Learns, Learns]),
            (Trains::Layers(1), true, [Fixed, Fixed, Passed, Passed, Fixed, Learns, Learns]),
            (Trains::Layers(5), false, [Fixed, Learns, Learns, Learns, Fixed, Learns, Learns]),
            (Trains::Head, false, [Fixed, Fixed, Fixed, Fixed, Fixed, Learns, Learns]),
        ] {
            assert_eq!(places.map(|place| learner(trains, lora).part(place)), parts, "{trains:?}, LoRA: {lora}");
        }
    }

    #[test]
    fn masks_are_those_of_the_seed_and_the_batch() {
        let masks = |noise: &Noise, batch| {
            noise.begin(Some(batch));
            [noise.draw(), noise.draw()]
        };
        let noise = Noise::new(7);
        assert_eq!(noise.draw(), None);
        let (first, second) = (masks(&noise, 0), masks(&noise, 1));
        let distinct: std::collections::BTreeSet<_> = [first, second].concat().into_iter().flatten().collect();
        assert_eq!(distinct.len(), 4);
        assert_eq!(masks(&Noise::new(7), 1), second);
        assert_ne!(masks(&Noise::new(8), 1), second);
        noise.begin(None);
        assert_eq!(noise.draw(), None);
    }
}
