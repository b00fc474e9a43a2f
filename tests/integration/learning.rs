//! A model whose tensors are variables: the same logits by candle's operations, and gradients for every tensor.

use std::path::Path;

use candle_core::{Tensor, Var};
use gliclass::architectures::{self, Network};
use gliclass::backbones::layers::values;
use gliclass::checkpoint::{Config, Weights};
use gliclass::classifier::Encoded;

use crate::parity::{cases, encoded, folders, load, share_of_tolerance};

fn config(folder: &Path) -> Config {
    let file = folder.join("config.json");
    Config::parse(&std::fs::read_to_string(&file).unwrap(), &file).unwrap()
}

/// The network of a checkpoint, and its variables.
fn trainable(folder: &Path) -> (Box<dyn Network>, Weights) {
    let config = config(folder);
    let weights = Weights::open(folder).unwrap().trainable();
    (architectures::load(config, None, &weights).unwrap(), weights)
}

fn records(folder: &Path) -> Vec<Encoded> {
    encoded(&load(folder), folder)
}

#[test]
fn logits_by_tensor_operations_are_those_of_the_reference_in_one_batch() {
    // The vectors of a label encoder are computed once and kept: they are no part of what is learned here.
    for folder in folders().into_iter().filter(|folder| !config(folder).architecture_type.has_label_encoder()) {
        let (network, _) = trainable(&folder);
        let logits = network.forward(&records(&folder), 1).unwrap().by_record().unwrap();
        for (case, logits) in cases(&folder).iter().zip(logits) {
            let share = share_of_tolerance(case, &logits);
            assert!(share <= 1.0, "{}: {share:.2} times the tolerance", folder.display());
        }
    }
}

/// A loss that looks at every logit in another way.
fn loss(network: &dyn Network, records: &[Encoded]) -> Tensor {
    let logits = network.forward(records, 1).unwrap().values;
    let count = logits.dim(0).unwrap();
    let targets = Tensor::from_iter((0..count).map(|i| (i % 3) as f32 - 1.0), logits.device()).unwrap();
    (logits - targets).unwrap().sqr().unwrap().mean_all().unwrap()
}

fn scalar(x: &Tensor) -> f64 {
    f64::from(values(x).unwrap()[0])
}

/// The slope of the loss along one entry of a variable, measured by a step to each side.
fn measured(network: &dyn Network, records: &[Encoded], variable: &Var, entry: usize, step: f32) -> f64 {
    let original = variable.as_tensor().copy().unwrap();
    let at = |step: f32| {
        let mut shifted = values(&original).unwrap();
        shifted[entry] += step;
        variable.set(&Tensor::from_vec(shifted, original.dims(), original.device()).unwrap()).unwrap();
        scalar(&loss(network, records))
    };
    let slope = (at(step) - at(-step)) / (2.0 * f64::from(step));
    variable.set(&original).unwrap();
    slope
}

/// Gradients reach every tensor but those of an `unused` layer, and are the measured slopes where they are steep.
#[track_caller]
fn assert_gradients(name: &str, unused: Option<&str>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(name);
    let (network, weights) = trainable(&folder);
    let records = &records(&folder)[..2];
    let loss = loss(network.as_ref(), records);
    let gradients = loss.backward().unwrap();
    let variables = weights.variables();
    assert!(variables.len() > 20, "{name}: {} variables", variables.len());
    let mut checked = 0;
    for (tensor, variable) in variables.iter().filter(|(tensor, _)| unused.is_none_or(|layer| !tensor.contains(layer)))
    {
        let gradient = gradients.get(variable).unwrap_or_else(|| panic!("{name}: no gradient of {tensor}"));
        let gradient = values(gradient).unwrap();
        assert!(gradient.iter().all(|x| x.is_finite()), "{name}: {tensor}");
        let (entry, steepest) = gradient.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap();
        assert!(*steepest != 0.0, "{name}: the gradient of {tensor} is zero");
        // Else the difference that a step makes would drown in rounding.
        if f64::from(steepest.abs()) > 0.03 * scalar(&loss) + 1e-2 {
            // A long step bends, a short one drowns in rounding: one between them must fit.
            let fits = |step: &f32| {
                let slope = measured(network.as_ref(), records, variable, entry, *step);
                (slope - f64::from(*steepest)).abs() < 0.01 * slope.abs() + 1e-3
            };
            assert!([1e-3, 4e-3, 2e-4].iter().any(fits), "{name}: {tensor}: {steepest} is not what is measured");
            checked += 1;
        }
    }
    assert!(checked > 5, "{name}: only {checked} slopes were steep enough to measure");
}

#[test]
fn gradients_reach_every_tensor_of_the_bert_family() {
    assert_gradients("uni-electra", None);
}

#[test]
fn gradients_reach_every_tensor_of_modernbert() {
    assert_gradients("uni-modernbert-avg-mlp-tanh", None);
}

#[test]
fn gradients_reach_every_tensor_of_deberta() {
    for name in ["uni-deberta-conv-posbias", "uni-deberta-nobuckets-c2p", "uni-deberta-crossattn"] {
        assert_gradients(name, None);
    }
}

#[test]
fn gradients_reach_every_tensor_of_the_other_backbones() {
    for name in ["uni-albert", "uni-mpnet", "uni-llm2vec-gemma", "decoderkv-reads-text", "encdec-t5-gated-lstm"] {
        assert_gradients(name, None);
    }
}

#[test]
fn gradients_reach_every_tensor_of_the_other_heads() {
    for name in ["uni-deberta-lstm", "uni-deberta-hopfield", "uni-deberta-extract-max-noembed"] {
        assert_gradients(name, None);
    }
    // It reads the hidden state before the last layer.
    assert_gradients("uni-deberta-segments-layer1", Some("encoder.layer.2."));
}
