//! A model whose tensors are variables: the same logits by candle's operations, and gradients for every tensor.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use candle_core::{Tensor, Var};
use gliclass::architectures::{self, LabelTokenizer, Network};
use gliclass::backbones::layers::values;
use gliclass::checkpoint::learning::{Lora, Trains};
use gliclass::checkpoint::{Config, Learning, Weights};
use gliclass::classifier::Encoded;
use gliclass::encode::Encoder;
use gliclass::training::optimizer::{AdamW, Rates};
use serde_json::Value;

use crate::harness::fixture;
use crate::parity::{cases, encoded, folders, load, share_of_tolerance};

fn config(folder: &Path) -> Config {
    let file = folder.join("config.json");
    Config::parse(&std::fs::read_to_string(&file).unwrap(), &file).unwrap()
}

/// The network of a checkpoint, and its variables.
fn trainable(folder: &Path, learning: Learning) -> (Box<dyn Network>, Weights) {
    let config = config(folder);
    let weights = Weights::open(folder).unwrap().trainable(learning);
    let tokenizer = config.architecture_type.has_label_encoder().then(|| label_tokenizer(&config, folder));
    (architectures::load(config, tokenizer, &weights).unwrap(), weights)
}

fn label_tokenizer(config: &Config, folder: &Path) -> LabelTokenizer {
    let path = folder.join(config.label_model_name.as_deref().unwrap()).join("tokenizer.json");
    let encoder = Encoder::parse_any(&std::fs::read_to_string(&path).unwrap(), 512, &path).unwrap();
    let settings = std::fs::read_to_string(path.with_file_name("tokenizer_config.json")).unwrap();
    let settings: Value = serde_json::from_str(&settings).unwrap();
    let padding = encoder.id(settings["pad_token"].as_str().unwrap()).unwrap();
    LabelTokenizer { encoder, padding, pads_before: settings["padding_side"] == "left" }
}

fn records(folder: &Path) -> Vec<Encoded> {
    encoded(&load(folder), folder)
}

#[test]
fn logits_by_tensor_operations_are_those_of_the_reference_in_one_batch() {
    // A calibrator is no part of what is learned.
    for folder in folders().into_iter().filter(|folder| !config(folder).use_calibrator) {
        let (network, _) = trainable(&folder, Learning::default());
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
    let folder = fixture(name);
    let (network, weights) = trainable(&folder, Learning::default());
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

#[test]
fn gradients_reach_every_tensor_of_both_encoders() {
    assert_gradients("bi-albert-mpnet-avg", None);
}

/// Takes a step of this length down the slope. The loss before it.
fn step(network: &dyn Network, weights: &Weights, records: &[Encoded], length: f64) -> f64 {
    let loss = loss(network, records);
    let gradients = loss.backward().unwrap();
    let variables = weights.variables();
    let gradient = |name: &str| gradients.get(&variables[name]).unwrap_or_else(|| panic!("no gradient of {name}"));
    let squares = variables.keys().flat_map(|name| values(gradient(name)).unwrap());
    let rate = length / squares.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    for (name, variable) in &variables {
        let moved = (variable.as_tensor() - (gradient(name) * rate).unwrap()).unwrap();
        variable.set(&moved.detach()).unwrap();
    }
    scalar(&loss)
}

fn numbers(tensors: BTreeMap<String, Tensor>) -> BTreeMap<String, Vec<f32>> {
    tensors.into_iter().map(|(name, tensor)| (name, values(&tensor).unwrap())).collect()
}

const LORA: Lora = Lora { rank: 2, alpha: 4.0, dropout: 0.0, seed: 5 };

/// Fixtures whose encoders are of every family, and the place of their encoder's layers.
const FAMILIES: [&str; 6] = [
    "uni-electra",
    "uni-deberta-conv-posbias",
    "uni-modernbert-avg-mlp-tanh",
    "encdec-t5-gated-lstm",
    "uni-llm2vec-gemma",
    "fused-bert-roberta-max-textfirst",
];

#[test]
fn only_what_trains_changes_and_the_loss_falls() {
    for name in FAMILIES {
        let folder = fixture(name);
        let records = &records(&folder)[..2];
        let before = numbers(Weights::open(&folder).unwrap().checkpoint().unwrap());
        for (trains, lora) in [
            (Trains::All, None),
            (Trains::All, Some(LORA)),
            (Trains::Head, None),
            (Trains::Layers(1), None),
            (Trains::Layers(1), Some(LORA)),
        ] {
            let (network, weights) = trainable(&folder, Learning { trains, lora, dropout: None });
            let losses: Vec<f64> = (0..4).map(|_| step(network.as_ref(), &weights, records, 1e-3)).collect();
            assert!(losses[3] < losses[0], "{name}, {trains:?}, {lora:?}: {losses:?}");
            let variables = weights.variables();
            let learned =
                |tensor: &String| variables.contains_key(tensor) || variables.contains_key(&format!("{tensor}.lora_b"));
            let changed = numbers(weights.checkpoint().unwrap());
            let (learned, others): (Vec<_>, Vec<_>) = changed.iter().partition(|(tensor, _)| learned(tensor));
            let changed = |(tensor, values): &(&String, &Vec<f32>)| before[*tensor] != **values;
            assert!(
                !others.iter().any(changed),
                "{name}, {trains:?}, {lora:?}: {:?}",
                others.iter().find(|x| changed(x))
            );
            // No attention is moved by the biases of its keys.
            let still: Vec<_> = learned.iter().filter(|x| !changed(x) && !x.0.contains("bias")).map(|x| x.0).collect();
            assert!(still.is_empty(), "{name}, {trains:?}, {lora:?}: {still:?} stood still");
            let in_encoder =
                variables.keys().filter(|name| name.contains("coder_model.") || name.contains("label_encoder."));
            assert_eq!(in_encoder.count() == 0, trains == Trains::Head, "{name}, {trains:?}");
        }
    }
}

#[test]
fn a_merged_checkpoint_answers_like_the_model_that_learned() {
    let folder = fixture("uni-deberta-conv-posbias");
    let records = &records(&folder)[..2];
    let (network, weights) = trainable(&folder, Learning { lora: Some(LORA), ..Learning::default() });
    let original = values(&network.forward(records, 1).unwrap().values).unwrap();
    (0..3).for_each(|_| _ = step(network.as_ref(), &weights, records, 1e-2));
    let learned = values(&network.forward(records, 1).unwrap().values).unwrap();
    let saved = tempfile::tempdir().unwrap();
    candle_core::safetensors::save(
        &weights.checkpoint().unwrap().into_iter().collect(),
        saved.path().join("model.safetensors"),
    )
    .unwrap();
    let merged = architectures::load(config(&folder), None, &Weights::open(saved.path()).unwrap()).unwrap();
    let merged = values(&merged.forward(records, 1).unwrap().values).unwrap();
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(distance(&learned, &merged) < 1e-4 && distance(&learned, &original) > 1e-2, "{learned:?} {merged:?}");
}

#[test]
fn dropout_follows_from_the_seed_and_the_batch_and_can_be_turned_off() {
    for name in FAMILIES {
        let folder = fixture(name);
        let records = &records(&folder)[..2];
        let logits = |network: &dyn Network| values(&network.forward(records, 1).unwrap().values).unwrap();
        let (network, weights) = trainable(&folder, Learning { dropout: Some(3), ..Learning::default() });
        let off = logits(network.as_ref());
        let at = |batch| {
            weights.dropout_at(batch);
            logits(network.as_ref())
        };
        let (first, second) = (at(Some(0)), at(Some(1)));
        assert!(first != off && second != first, "{name}");
        assert!(at(Some(0)) == first && at(None) == off, "{name}");
        weights.dropout_at(Some(7));
        let gradients = loss(network.as_ref(), records).backward().unwrap();
        assert!(weights.variables().values().any(|variable| gradients.get(variable).is_some()), "{name}");
    }
}

/// The reference's focal loss of a record's logits, every third label true.
fn focal_loss(logits: &Tensor) -> Tensor {
    let run = || -> candle_core::Result<Tensor> {
        let targets = Tensor::from_iter((0..logits.dim(0)?).map(|i| f32::from(i % 3 == 0)), logits.device())?;
        let sure = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
        let cross_entropy = ((logits.relu()? - (logits * &targets)?)? + sure)?;
        let probability = candle_nn::ops::sigmoid(logits)?;
        let of_target =
            ((&probability * &targets)? + (probability.affine(-1.0, 1.0)? * targets.affine(-1.0, 1.0)?)?)?;
        let weight = targets.affine(2.0 * 0.25 - 1.0, 1.0 - 0.25)?;
        (weight * (cross_entropy * of_target.affine(-1.0, 1.0)?.sqr()?)?)?.mean_all()
    };
    run().unwrap()
}

/// The length of a gradient, and its products with two vectors of made-up numbers: what `make_gradients.py` records.
fn fingerprint(gradient: &[f32]) -> [f64; 3] {
    let product = |start: u64| {
        let made_up = |at: u64| (at * 2_654_435_761 % (1 << 32)) as f64 / f64::from(1u32 << 31) - 1.0;
        gradient.iter().zip(start..).map(|(x, at)| f64::from(*x) * made_up(at)).sum::<f64>()
    };
    [gradient.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt(), product(1), product(1_000_003)]
}

/// What PyTorch found of the checkpoints, by their names.
fn recorded() -> serde_json::Map<String, serde_json::Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gradients/gradients.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The fingerprints of tensors by their names.
fn fingerprints(recorded: &serde_json::Value) -> BTreeMap<String, [f64; 3]> {
    let recorded = recorded.as_object().unwrap().iter();
    recorded.map(|(tensor, value)| (tensor.clone(), serde_json::from_value(value.clone()).unwrap())).collect()
}

/// The sum of the losses of two records.
fn loss_of_two(network: &dyn Network, records: &[Encoded]) -> Tensor {
    let logits = network.forward(records, 2).unwrap();
    let of_record = |rows: &Range<usize>| focal_loss(&logits.values.narrow(0, rows.start, rows.len()).unwrap());
    (of_record(&logits.rows[0]) + of_record(&logits.rows[1])).unwrap()
}

#[test]
fn gradients_are_those_of_pytorch() {
    let mut failures = Vec::new();
    for (name, recorded) in recorded() {
        let folder = fixture(&name);
        let (network, weights) = trainable(&folder, Learning::default());
        let loss = loss_of_two(network.as_ref(), &records(&folder)[..2]);
        let expected = recorded["loss"].as_f64().unwrap();
        assert!((scalar(&loss) - expected).abs() < 1e-5 * expected, "{name}: {} {expected}", scalar(&loss));
        let gradients = loss.backward().unwrap();
        let variables = weights.variables();
        let expected = fingerprints(&recorded["gradients"]);
        let longest = expected.values().map(|numbers| numbers[0]).fold(0.0, f64::max);
        for (tensor, expected) in expected {
            let variable = variables.get(&tensor).unwrap_or_else(|| panic!("{name}: {tensor} is no variable"));
            let gradient = gradients.get(variable).unwrap_or_else(|| panic!("{name}: no gradient of {tensor}"));
            let found = fingerprint(&values(gradient).unwrap());
            // Some gradients are zero, but for rounding: those of the biases of keys.
            let allowed = 1e-4 * expected[0] + 1e-6 * longest;
            if !found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= allowed) {
                failures.push(format!("{name}: {tensor}: {found:?}, not {expected:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn weights_after_ten_steps_are_those_of_pytorch() {
    let rates = Rates { encoder: 1e-3, head: 1e-3, encoder_decay: 0.01, head_decay: 0.01 };
    let (mut failures, mut compared) = (Vec::new(), 0);
    for (name, recorded) in recorded().into_iter().filter(|(_, recorded)| recorded.get("after_ten_steps").is_some()) {
        let folder = fixture(&name);
        let (network, weights) = trainable(&folder, Learning::default());
        let variables = weights.variables();
        let mut optimizer = AdamW::new(variables.clone(), rates).unwrap();
        for _ in 0..10 {
            let mut found = loss_of_two(network.as_ref(), &records(&folder)[..2]).backward().unwrap();
            let gradients = variables.iter().filter_map(|(tensor, x)| Some((tensor.clone(), found.remove(x)?)));
            optimizer.step(&gradients.collect(), 1.0, 1.0).unwrap();
        }
        let lengths = fingerprints(&recorded["gradients"]);
        let longest = lengths.values().map(|numbers| numbers[0]).fold(0.0, f64::max);
        // AdamW walks as far for a gradient of nothing but rounding as for any other, wherever that points.
        let is_steep = |tensor: &String| lengths[tensor][0] > 1e-4 * longest;
        // So does a single number of a steep tensor, as the bias of a ReLU at its kink: part of one such walk is allowed.
        let walk = 10.0 * rates.head;
        for (tensor, expected) in fingerprints(&recorded["after_ten_steps"]).into_iter().filter(|(t, _)| is_steep(t)) {
            let found = fingerprint(&values(&variables[&tensor]).unwrap());
            compared += 1;
            let allowed = 1e-4 * expected[0] + 0.1 * walk;
            if !found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= allowed) {
                failures.push(format!("{name}: {tensor}: {found:?}, not {expected:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(compared > 100, "only {compared} tensors were compared");
}
