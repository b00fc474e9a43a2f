//! A new head on a plain encoder: its folder becomes the files of a GLiClass model that has learned nothing yet.
//!
//! Source: `train.py` of Knowledgator's GLiClass and `GLiClassPreTrainedModel._init_weights` of `gliclass` 0.1.21;
//! `resize_token_embeddings` of transformers.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use rand::Rng;
use serde_json::{Map, Value, json};
use tokenizers::{AddedToken, Tokenizer};

use super::Files;
use crate::checkpoint::Weights;
use crate::checkpoint::config::{Architecture, ClassTokenPooling, Pooling, ScorerType, settings};
use crate::checkpoint::learning::random;
use crate::checkpoint::weights::Stored;
use crate::encode::ask;
use crate::encode::prompt::MARKERS;
use crate::error::{Error, Result};

/// What a new model looks like.
#[derive(Debug, Clone, Copy)]
pub struct Design {
    /// A uni-encoder, or a bi-encoder.
    pub architecture: Architecture,
    /// How the text's rows become one.
    pub pooling: Pooling,
    /// How a label's rows become one.
    pub class_token_pooling: ClassTokenPooling,
    /// The scorer.
    pub scorer: ScorerType,
    /// Rows of unit length before the scorer.
    pub normalize_features: bool,
    /// Labels before the text.
    pub prompt_first: bool,
    /// Where the new tensors begin.
    pub seed: u64,
}

/// The reference's deviation of new tensors.
const DEVIATION: f32 = 0.03;
/// The reference's logarithm of a scale, which it uses as the scale.
const LOGIT_SCALE: f32 = 2.6592;
/// Columns inside the `mlp` and `hopfield` scorers, and inside `cross-attn`.
const SCORER_COLUMNS: [usize; 2] = [256, 1024];
/// What the first words of tensors' names are in the checkpoints of whole models, which hold more than the encoder.
const BASES: [&str; 8] = ["bert", "roberta", "electra", "distilbert", "mpnet", "albert", "deberta", "model"];
/// Beginnings of the names of what an encoder-decoder (T5 and its kin) has beside its encoder.
const NO_ENCODER: [&str; 2] = ["decoder.", "lm_head."];
/// More tokens than any tokenizer has.
const HIGHEST_ID: u32 = 1 << 24;
/// Ends of the names of word embeddings.
const WORDS: [&str; 4] =
    ["embeddings.word_embeddings.weight", "embeddings.tok_embeddings.weight", "embed_tokens.weight", "shared.weight"];

/// The files of a new model on the encoder in `backbone`; a bi-encoder's labels have the one in `labels`, or another
/// copy of the same.
///
/// # Errors
/// A missing or damaged file, a model that is no plain encoder, or a design that cannot be.
pub fn files(backbone: &Path, labels: Option<&Path>, design: &Design) -> Result<Files> {
    let two = match design.architecture {
        Architecture::UniEncoder => false,
        Architecture::BiEncoder => true,
        other => {
            return Err(Error::model(backbone, format!("a new head for {other:?}: uni-encoder and bi-encoder are")));
        }
    };
    let mut encoder = Plain::read(backbone)?;
    let tokenizer = if two { encoder.tokenizer.clone() } else { encoder.add_markers(design.seed)? };
    let label_encoder = two.then(|| Plain::read(labels.unwrap_or(backbone))).transpose()?;
    let hidden = encoder.hidden()?;
    let config = config(design, hidden, (&encoder, &tokenizer), label_encoder.as_ref());
    let mut tensors = head(design, hidden);
    let mut add = |name: &str, plain: Plain| {
        tensors.extend(plain.tensors.into_iter().map(|(tensor, stored)| (format!("model.{name}.{tensor}"), stored)));
    };
    add("encoder_model", encoder);
    if let Some(label_encoder) = label_encoder {
        let label_hidden = label_encoder.hidden()?;
        add("label_encoder", label_encoder);
        tensors.extend(mlp(
            design.seed,
            "model.biencoder_projector",
            &["linear_1", "linear_2"],
            &[label_hidden, hidden, hidden],
        ));
    }
    Ok(Files {
        config: serde_json::to_string_pretty(&config).expect("a map of names prints: this is a bug"),
        tokenizer,
        weights: Weights::of(&backbone.join("model.safetensors"), tensors),
        folder: backbone.to_owned(),
    })
}

/// A plain encoder.
struct Plain {
    config: Map<String, Value>,
    /// The text of `tokenizer.json`.
    tokenizer: String,
    /// Its tensors by the names that an encoder alone gives them.
    tensors: BTreeMap<String, Stored>,
    folder: std::path::PathBuf,
}

impl Plain {
    /// What it was called when it was trained, else the name of its folder.
    fn name(&self) -> String {
        let named = self.config.get("_name_or_path").and_then(Value::as_str).filter(|name| !name.is_empty());
        let folder = || self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        named.map_or_else(folder, str::to_owned)
    }

    fn read(folder: &Path) -> Result<Self> {
        let Files { config, tokenizer, weights, .. } = Files::read(folder)?;
        let file = folder.join("config.json");
        let config = settings(&config, &file)?;
        if config.contains_key("encoder_config") {
            return Err(Error::model(&file, "a GLiClass model already: train it with --model, without --backbone"));
        }
        let based =
            |name: &str| name.split_once('.').filter(|(base, _)| BASES.contains(base)).map(|(_, rest)| rest.to_owned());
        let whole = weights.all().keys().any(|name| based(name).is_some());
        let tensors = weights.all().iter().filter_map(|(name, stored)| {
            let name = if whole { based(name)? } else { name.clone() };
            if NO_ENCODER.iter().any(|start| name.starts_with(start)) {
                return None;
            }
            // Names of old checkpoints.
            let name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias");
            Some((name, stored.clone()))
        });
        Ok(Self { config, tokenizer, tensors: tensors.collect(), folder: folder.to_owned() })
    }

    /// Columns of the hidden states, as the config says and the norms among the tensors show.
    fn hidden(&self) -> Result<usize> {
        let size = ["hidden_size", "d_model", "dim"].iter().find_map(|name| self.config.get(*name)?.as_u64());
        let file = || self.folder.join("config.json");
        let size = size.ok_or_else(|| Error::model(file(), "no hidden_size"))? as usize;
        if !self.tensors.values().any(|tensor| *tensor.shape() == [size]) {
            return Err(Error::model(file(), format!("hidden_size is {size}, but no norm of the weights is so wide")));
        }
        Ok(size)
    }

    /// Adds the markers to the tokenizer, whose text is given back, and rows for them to the word embeddings, which
    /// PyTorch's files may hold twice.
    fn add_markers(&mut self, seed: u64) -> Result<String> {
        let (tokenizer, tokens) = with_markers(&self.tokenizer)
            .map_err(|error| Error::model(self.folder.join("tokenizer.json"), error.to_string()))?;
        let named = |name: &&String| WORDS.iter().any(|end| name.ends_with(end));
        let names: Vec<String> = self.tensors.keys().filter(named).cloned().collect();
        let Some(first) = names.first() else {
            return Err(Error::model(
                &self.folder,
                "no word embeddings: this is no encoder of a kind that is known here",
            ));
        };
        let rows = names.iter().filter_map(|name| self.tensors[name].shape().first().copied());
        let wanted = rows.chain([tokens]).max().unwrap_or_default();
        for name in &names {
            let words = &self.tensors[name];
            let &[rows @ (1..), width @ (1..)] = words.shape() else {
                return Err(Error::model(
                    &self.folder,
                    format!("tensor {name:?} has the shape {:?}, not that of word embeddings", words.shape()),
                ));
            };
            // Copies stay the same, so that the model is written with what one of them learned in place of each.
            let values = with_rows(words.to_vec(), width, wanted - rows, Normal(random(seed, first)));
            self.tensors.insert(name.clone(), Stored::from_values(vec![wanted, width], &values));
        }
        self.config.insert("vocab_size".into(), json!(wanted));
        Ok(tokenizer)
    }
}

/// The text of a tokenizer that has the markers, and the number of its tokens.
fn with_markers(text: &str) -> Result<(String, usize)> {
    ask(|| {
        let mut tokenizer = Tokenizer::from_str(text)?;
        tokenizer.add_special_tokens(MARKERS[..3].iter().map(|marker| AddedToken::from(*marker, true)))?;
        // The library writes down all ids up to the highest, whether they are in use or not.
        match tokenizer.get_vocab(true).into_values().max() {
            Some(id) if id > HIGHEST_ID => Err(format!("a token has the id {id}, above {HIGHEST_ID}").into()),
            _ => Ok((tokenizer.to_string(true)?, tokenizer.get_vocab_size(true))),
        }
    })
}

/// A table of `width` columns with so many `more` rows: the mean of the rows there were, with a breath of their
/// deviation, as transformers does it.
fn with_rows(mut table: Vec<f32>, width: usize, more: usize, mut normal: Normal<impl Rng>) -> Vec<f32> {
    let added: Vec<f32> = (0..width)
        .flat_map(|column| {
            let (mean, deviation) = moments(table[column..].iter().step_by(width));
            (0..more).map(|_| mean + normal.next() * deviation * BREATH).collect::<Vec<_>>()
        })
        .collect();
    table.extend((0..more * width).map(|at| added[at % width * more + at / width]));
    table
}

/// The root of the share of the covariance that transformers gives new rows.
const BREATH: f32 = 3.162_278e-5;

fn moments<'a>(numbers: impl Iterator<Item = &'a f32>) -> (f32, f32) {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for &x in numbers {
        let x = f64::from(x);
        (count, sum, squares) = (count + 1.0, sum + x, squares + x * x);
    }
    let mean = sum / f64::max(count, 1.0);
    (mean as f32, (squares / f64::max(count, 1.0) - mean * mean).max(0.0).sqrt() as f32)
}

/// The config of the new model, whose encoder has this tokenizer.
fn config(design: &Design, hidden: usize, (encoder, tokenizer): (&Plain, &str), labels: Option<&Plain>) -> Value {
    let tokenizer = ask(|| Tokenizer::from_str(tokenizer)).ok();
    let id = |marker: usize| tokenizer.as_ref()?.token_to_id(MARKERS[marker]);
    json!({
        "model_type": "GLiClass",
        "architectures": ["GLiClassModel"],
        "architecture_type": design.architecture,
        "encoder_config": encoder.config,
        // The Python package does not load a model without it.
        "encoder_model_name": encoder.name(),
        "label_model_config": labels.map(|labels| &labels.config),
        "label_model_name": labels.map(|_| "label_model"),
        "hidden_size": hidden,
        "vocab_size": encoder.config.get("vocab_size"),
        "class_token_index": id(0).map_or(-1, i64::from),
        "text_token_index": id(1).map_or(-1, i64::from),
        "example_token_index": id(2).map_or(-1, i64::from),
        "prompt_first": design.prompt_first,
        "pooling_strategy": design.pooling,
        "class_token_pooling": design.class_token_pooling,
        "scorer_type": design.scorer,
        "normalize_features": design.normalize_features,
        "problem_type": "multi_label_classification",
        "dtype": "float32",
    })
}

/// The new tensors of a head on `hidden` columns.
fn head(design: &Design, hidden: usize) -> BTreeMap<String, Stored> {
    let seed = design.seed;
    let mut tensors = BTreeMap::new();
    for name in ["text_projector", "classes_projector"] {
        tensors.extend(mlp(seed, &format!("model.{name}"), &["linear_1", "linear_2"], &[hidden; 3]));
    }
    tensors.insert("model.logit_scale".into(), Stored::from_values(Vec::new(), &[LOGIT_SCALE]));
    let scorer = |layers: &[&str], columns: &[usize]| mlp(seed, "model.scorer", layers, columns);
    let [inner, wide] = SCORER_COLUMNS;
    match design.scorer {
        // Loading refuses the second by name.
        ScorerType::Simple | ScorerType::DecoderKv => {}
        ScorerType::WeightedDot => {
            tensors.extend(scorer(&["proj_text"], &[hidden, 2 * hidden]));
            tensors.extend(scorer(&["proj_label"], &[hidden, 2 * hidden]));
            tensors.extend(scorer(&["out_mlp.0", "out_mlp.3"], &[3 * hidden, 4 * hidden, 1]));
        }
        ScorerType::Mlp => {
            tensors.extend(scorer(&["mlp.0", "mlp.2", "mlp.4"], &[2 * hidden, inner, inner / 2, 1]));
        }
        ScorerType::Hopfield => {
            for name in ["q_proj", "k_proj", "v_proj"] {
                tensors.extend(scorer(&[name], &[hidden; 2]).into_iter().filter(|(name, _)| name.ends_with("weight")));
            }
            tensors.extend(scorer(&["mlp.0", "mlp.2", "mlp.4"], &[hidden, inner, inner / 2, 1]));
        }
        ScorerType::CrossAttn => {
            for name in ["q", "k", "v", "out"] {
                tensors.extend(scorer(&[name], &[hidden; 2]));
            }
            for norm in ["q_norm", "kv_norm", "norm"] {
                for (end, value) in [("weight", 1.0), ("bias", 0.0)] {
                    let values = Stored::from_values(vec![hidden], &vec![value; hidden]);
                    tensors.insert(format!("model.scorer.{norm}.{end}"), values);
                }
            }
            let layers = ["score_mlp.0", "score_mlp.2", "score_mlp.4"];
            tensors.extend(scorer(&layers, &[2 * hidden, wide, wide / 2, 1]));
        }
    }
    tensors
}

/// Weights and biases of dense layers from `columns[i]` to `columns[i + 1]`.
fn mlp(seed: u64, place: &str, layers: &[&str], columns: &[usize]) -> Vec<(String, Stored)> {
    let mut tensors = Vec::new();
    for (layer, pair) in layers.iter().zip(columns.windows(2)) {
        let name = format!("{place}.{layer}.weight");
        let mut normal = Normal(random(seed, &name));
        let values: Vec<f32> = (0..pair[0] * pair[1]).map(|_| normal.next() * DEVIATION).collect();
        tensors.push((name, Stored::from_values(vec![pair[1], pair[0]], &values)));
        tensors.push((format!("{place}.{layer}.bias"), Stored::from_values(vec![pair[1]], &vec![0.0; pair[1]])));
    }
    tensors
}

/// Numbers of the normal distribution, by Box and Muller.
struct Normal<R>(R);

impl<R: Rng> Normal<R> {
    fn next(&mut self) -> f32 {
        let (radius, angle) = (1.0 - self.0.random::<f64>(), self.0.random::<f64>());
        ((-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::architectures;
    use crate::checkpoint::Config;
    use crate::encode::Encoder;
    use crate::records::Record;

    const DESIGN: Design = Design {
        architecture: Architecture::UniEncoder,
        pooling: Pooling::First,
        class_token_pooling: ClassTokenPooling::First,
        scorer: ScorerType::Simple,
        normalize_features: false,
        prompt_first: true,
        seed: 1,
    };

    const WORDS_BEFORE: usize = 900;

    /// Whole models; the package has no others.
    const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reference/bi-bert-bert-avg-norm-mlp");
    const OF_T5: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reference/uni-umt5-layers-mlp");

    /// The encoder of a checkpoint in a folder of its own, as one is published.
    fn plain(base: &str) -> tempfile::TempDir {
        let named = |name: &str| vec![format!("{base}{name}")];
        folder_of(FIXTURE, "label_model/tokenizer.json", named, "cls.bias")
    }

    /// The same of a T5, whose table of words stands there three times.
    fn t5() -> tempfile::TempDir {
        let named = |name: &str| match name {
            "shared.weight" => {
                [name, "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"].map(str::to_owned).to_vec()
            }
            _ => vec![name.to_owned()],
        };
        // Its tokenizer has the markers already.
        folder_of(OF_T5, "tokenizer.json", named, "lm_head.weight")
    }

    /// The encoder of a `fixture` without rows for the markers, each tensor under the names that it is to have, and one
    /// more that is none of the encoder's.
    fn folder_of(
        fixture: &str,
        tokenizer: &str,
        named: impl Fn(&str) -> Vec<String>,
        other: &str,
    ) -> tempfile::TempDir {
        let fixture = Path::new(fixture);
        let folder = tempfile::tempdir().unwrap();
        let Files { config, .. } = Files::read(fixture).unwrap();
        let config: Value = serde_json::from_str(&config).unwrap();
        std::fs::write(folder.path().join("config.json"), config["encoder_config"].to_string()).unwrap();
        std::fs::copy(fixture.join(tokenizer), folder.path().join("tokenizer.json")).unwrap();
        let tensors = Weights::open(fixture).unwrap().checkpoint().unwrap().into_iter().filter_map(|(name, tensor)| {
            let name = name.strip_prefix("model.encoder_model.")?;
            let has_markers = WORDS.iter().any(|end| name.ends_with(end));
            let tensor = if has_markers { tensor.narrow(0, 0, WORDS_BEFORE).unwrap() } else { tensor };
            let tensor = tensor.contiguous().unwrap();
            Some(named(name).into_iter().map(move |name| (name, tensor.clone())))
        });
        let other = (other.to_owned(), candle_core::Tensor::new(1f32, &candle_core::Device::Cpu).unwrap());
        let tensors = tensors.flatten().chain([other]);
        candle_core::safetensors::save(&tensors.collect(), folder.path().join("model.safetensors")).unwrap();
        folder
    }

    /// Loads it, asks it about a text with two labels, and checks that it answers.
    fn answer(files: &Files) {
        let config = Config::parse(&files.config, &files.folder).unwrap();
        let encoder = Encoder::parse(&files.tokenizer, 100, &files.folder).unwrap();
        let network = architectures::load(config, None, &files.weights).unwrap();
        let labels = crate::records::LabelSet::from_json(&json!(["sport", "travel"]), ".").unwrap();
        let record = Record {
            text: "a long way".into(),
            labels: labels.into(),
            prompt: None,
            examples: Default::default(),
            rac_examples: Default::default(),
        };
        let encoded = network.encode(&record, &encoder).unwrap();
        let logits = network.forward(&[encoded], 1).unwrap().by_record().unwrap().remove(0);
        assert!(logits.len() == 2 && logits.iter().all(|logit| logit.is_finite()), "{logits:?}: {}", files.config);
    }

    #[test]
    fn a_new_head_on_a_plain_encoder_answers() {
        for (scorer, pooling) in [
            (ScorerType::Simple, Pooling::First),
            (ScorerType::WeightedDot, Pooling::Avg),
            (ScorerType::Mlp, Pooling::First),
            (ScorerType::Hopfield, Pooling::Max),
            (ScorerType::CrossAttn, Pooling::Pass),
        ] {
            let folder = plain("bert.");
            let files = files(folder.path(), None, &Design { scorer, pooling, ..DESIGN }).unwrap();
            // Sixteen heads of the scorer divide the sixteen columns.
            answer(&files);
            let unused = files.weights.unused();
            assert!(unused.iter().all(|name| name.contains("pooler") || name.contains("logit_scale")), "{unused:?}");
        }
    }

    #[test]
    fn each_copy_of_the_words_has_rows_for_the_markers_and_a_decoder_is_left_behind() {
        let folder = t5();
        let files = files(folder.path(), None, &DESIGN).unwrap();
        answer(&files);
        let tensors = files.weights.all();
        let [shared, copy] =
            ["shared", "encoder.embed_tokens"].map(|name| &tensors[&format!("model.encoder_model.{name}.weight")]);
        assert_eq!(shared.shape(), [WORDS_BEFORE + 3, 16]);
        assert!(shared.to_vec() == copy.to_vec());
        let unused = files.weights.unused();
        assert!(
            unused.iter().all(|name| name.ends_with("embed_tokens.weight") || name.contains("logit_scale")),
            "{unused:?}"
        );
        assert!(!tensors.keys().any(|name| name.contains("decoder.") || name.contains("lm_head")));
    }

    #[test]
    fn rows_of_markers_are_means_and_the_seed_makes_the_rest() {
        let (bare, based) = (plain(""), plain("bert."));
        let make = |folder: &tempfile::TempDir, seed| files(folder.path(), None, &Design { seed, ..DESIGN }).unwrap();
        let words =
            |files: &Files| files.weights.all()["model.encoder_model.embeddings.word_embeddings.weight"].to_vec();
        let projector = |files: &Files| files.weights.all()["model.text_projector.linear_1.weight"].to_vec();
        let (first, same, other) = (make(&bare, 1), make(&based, 1), make(&bare, 2));
        assert!(words(&first) == words(&same) && projector(&first) == projector(&same));
        assert_ne!(projector(&first), projector(&other));
        let (rows, width) = (words(&first), 16);
        assert_eq!(rows.len(), (WORDS_BEFORE + 3) * width);
        for column in 0..width {
            let (mean, _) = moments(rows[..WORDS_BEFORE * width][column..].iter().step_by(width));
            assert!((WORDS_BEFORE..WORDS_BEFORE + 3).all(|row| (rows[row * width + column] - mean).abs() < 1e-3));
        }
        let deviation = moments(projector(&first).iter()).1;
        assert!((deviation - DEVIATION).abs() < 0.3 * DEVIATION, "{deviation}");
        assert!(first.config.contains("GLiClassModel"));
    }

    #[test]
    fn a_hidden_size_that_the_weights_do_not_have_is_refused_before_a_head_is_made() {
        let folder = plain("");
        let file = folder.path().join("config.json");
        let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        config["hidden_size"] = json!(1_000_000_000_000_000_000_u64);
        std::fs::write(&file, config.to_string()).unwrap();
        let error = files(folder.path(), None, &DESIGN).err().unwrap().to_string();
        assert!(error.contains("config.json: hidden_size is 1000000000000000000, but no norm"), "{error}");
    }

    #[test]
    fn word_embeddings_without_rows_are_refused() {
        let folder = plain("");
        let (file, name) = (folder.path().join("model.safetensors"), "embeddings.word_embeddings.weight");
        let device = candle_core::Device::Cpu;
        let mut tensors = candle_core::safetensors::load(&file, &device).unwrap();
        let none = candle_core::Tensor::zeros((0, 16), candle_core::DType::F32, &device).unwrap();
        tensors.insert(name.to_owned(), none);
        candle_core::safetensors::save(&tensors, &file).unwrap();
        let error = files(folder.path(), None, &DESIGN).err().unwrap().to_string();
        assert!(error.contains(&format!("tensor {name:?} has the shape [0, 16], not that of word")), "{error}");
    }

    #[test]
    fn a_tokenizer_that_makes_no_sense_is_refused() {
        let refused = |place: &str, value: Value| {
            let folder = plain("");
            let file = folder.path().join("tokenizer.json");
            let mut tokenizer: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            *tokenizer.pointer_mut(place).unwrap() = value;
            std::fs::write(&file, tokenizer.to_string()).unwrap();
            files(folder.path(), None, &DESIGN).err().unwrap().to_string()
        };
        let error = refused("/normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}));
        assert!(error.contains("tokenizer.json") && error.contains("makes no sense"), "{error}");
        let error = refused("/model/vocab/the", json!(4_000_000_000_u32));
        assert!(error.contains("tokenizer.json") && error.contains("a token has the id 4000000000, above"), "{error}");
    }

    #[test]
    fn what_is_no_plain_encoder_is_refused() {
        let error = files(FIXTURE.as_ref(), None, &DESIGN).err().unwrap().to_string();
        assert!(error.contains("--model"), "{error}");
        let folder = plain("");
        let design = Design { architecture: Architecture::DecoderKv, ..DESIGN };
        assert!(files(folder.path(), None, &design).is_err());
    }
}
