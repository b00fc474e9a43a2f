//! `config.json` of a GLiClass checkpoint, as typed choices. What the reference leaves to chance at
//! run time is refused here, with the value and what is supported.
//!
//! Source: `GLiClassModelConfig` of the Python package `gliclass` 0.1.21.

use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::file::invalid_json;
use crate::error::{Error, Result};
use crate::files;

/// How the text and the labels are read. A new head may be of the first two kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// Labels and text in one sequence.
    UniEncoder,
    /// Text and labels through an encoder each.
    BiEncoder,
    /// The same, where the text's encoder reads the label vectors, too.
    #[value(skip)]
    BiEncoderFused,
    /// The text to the encoder, the labels to the decoder.
    #[value(skip)]
    EncoderDecoder,
    /// The labels to the encoder, the text to the decoder, whose last token stands for it.
    #[value(skip)]
    EncoderDecoderCls,
    /// A causal decoder over text and labels, and a small encoder over its hidden states of the labels.
    #[value(skip)]
    DecoderKv,
}

impl Architecture {
    /// Whether labels have an encoder of their own.
    pub fn has_label_encoder(self) -> bool {
        matches!(self, Self::BiEncoder | Self::BiEncoderFused)
    }
}

/// How the text's token rows become one row. All but `Pass` are one of the reference's `*Pooling1D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Pooling {
    /// Largest value of each column.
    Max,
    /// The first row.
    First,
    /// The last row.
    Last,
    /// Mean of each column.
    Avg,
    /// Sum of each column.
    Sum,
    /// Root of the mean square of each column.
    Rms,
    /// Largest absolute value of each column.
    AbsMax,
    /// Mean absolute value of each column.
    AbsAvg,
    /// All rows, for a scorer that attends to them.
    Pass,
}

/// How a label's token rows become one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ClassTokenPooling {
    /// The row at `<<LABEL>>`, or the one after it.
    #[default]
    First,
    /// Mean over the label's span.
    Average,
}

/// How a text row and a label row become a logit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ScorerType {
    /// Dot product.
    Simple,
    /// Two projections, their product and an MLP.
    WeightedDot,
    /// An MLP over both rows.
    Mlp,
    /// Labels attend to the text, softmax over the labels, then an MLP.
    Hopfield,
    /// Labels attend to all text tokens, then an MLP.
    CrossAttn,
    /// The only one of the architecture of that name, which does not look at this setting.
    #[value(skip)]
    DecoderKv,
}

/// What a model was trained to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemType {
    /// One label is right.
    SingleLabelClassification,
    /// Each label is right or not by itself.
    #[serde(other)]
    Other,
}

/// How many label slots the reference allocates: matters to scorers that look across labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelSlots {
    /// A number of slots, empty ones included.
    Count(usize),
    /// As many as there are labels.
    Dynamic,
    /// `max_num_classes`.
    Fixed,
}

impl<'de> Deserialize<'de> for LabelSlots {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(rule) if rule == "dynamic" => Ok(Self::Dynamic),
            // Whatever else it is, in the reference.
            Value::String(_) | Value::Null => Ok(Self::Fixed),
            other => match other.as_u64().and_then(|count| count.try_into().ok()) {
                Some(count) => Ok(Self::Count(count)),
                None => {
                    Err(serde::de::Error::custom(format!("{other}: a number of labels, dynamic and fixed are known")))
                }
            },
        }
    }
}

/// A setting for which null means false, or the first choice, as in Python; what is left out has a default of its own.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Slots that scorers which look across labels may have: a record takes memory for all of them.
const MAX_LABEL_SLOTS: usize = 1 << 16;

/// Passes that a decoder-kv may make: nothing else bounds how long a record takes.
const MAX_PASSES: usize = 1_000;

/// Label slots where the config names no number.
const MAX_NUM_CLASSES: usize = 25;

/// The config of a GLiClass checkpoint.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// How text and labels are read.
    pub architecture_type: Architecture,
    /// The backbone's own config, with its `model_type`.
    pub encoder_config: Value,
    /// The config of a bi-encoder's label encoder, with its `model_type`.
    pub label_model_config: Option<Value>,
    /// Where a bi-encoder's label tokenizer is: a folder beside the checkpoint, or a Hub repository.
    pub label_model_name: Option<String>,
    /// Width of the projectors' inner layer; the backbone's width when absent.
    pub hidden_size: Option<usize>,
    /// Rows of the word embedding.
    pub vocab_size: Option<usize>,
    /// Token id of `<<LABEL>>`; null where nothing looks for that token.
    pub class_token_index: Option<i64>,
    /// Token id of `<<SEP>>`, or null.
    pub text_token_index: Option<i64>,
    /// Token id of `<<EXAMPLE>>`, or null.
    pub example_token_index: Option<i64>,
    /// Labels before the text.
    #[serde(default, deserialize_with = "or_default")]
    pub prompt_first: bool,
    /// Text pooling.
    pub pooling_strategy: Pooling,
    /// Label pooling.
    #[serde(default, deserialize_with = "or_default")]
    pub class_token_pooling: ClassTokenPooling,
    /// Whether the `<<LABEL>>` row itself counts.
    #[serde(deserialize_with = "or_default")]
    pub embed_class_token: bool,
    /// Pool only the rows from `<<SEP>>` on.
    #[serde(default, deserialize_with = "or_default")]
    pub extract_text_features: bool,
    /// Unit rows before the scorer, and `logit_scale` after it.
    #[serde(default, deserialize_with = "or_default")]
    pub normalize_features: bool,
    /// A bidirectional LSTM over the text rows.
    #[serde(default, deserialize_with = "or_default")]
    pub use_lstm: bool,
    /// Attention over all layers of the backbone.
    #[serde(default, deserialize_with = "or_default")]
    pub squeeze_layers: bool,
    /// Which hidden state is read: -1 the last, else Python's index into all of them.
    pub encoder_layer_id: i64,
    /// Segment embeddings added to the word embeddings.
    #[serde(default, deserialize_with = "or_default")]
    pub use_segment_embeddings: bool,
    /// The scorer.
    pub scorer_type: ScorerType,
    /// Heads of the `cross-attn` scorer.
    pub scorer_num_heads: usize,
    /// The share that heads leave out while the model learns.
    pub dropout: f32,
    /// The share of the text's tokens that the `cross-attn` scorer leaves out while the model learns.
    pub scorer_attn_dropout: f32,
    /// The projectors' activation.
    pub projector_hidden_act: String,
    /// Label slots.
    pub max_labels_alloc: LabelSlots,
    /// Label slots when `max_labels_alloc` is neither `dynamic` nor a number.
    pub max_num_classes: Option<usize>,
    /// Token id of the `<<SEP>>` of a decoder-kv.
    pub sep_token_index: Option<u32>,
    /// Layers of a decoder-kv's encoder over the labels.
    pub scorer_encoder_num_layers: usize,
    /// What the model was trained to do: only a decoder-kv that stops early looks at it.
    pub problem_type: Option<ProblemType>,
    /// Passes of a decoder-kv's encoder, the plain first one among them.
    pub recurrent_steps: usize,
    /// Whether the passes after the first are made at all.
    #[serde(deserialize_with = "or_default")]
    pub recurrent_inference: bool,
    /// The number of passes instead of `recurrent_steps`.
    pub recurrent_inference_max_steps: Option<usize>,
    /// A record is done once no probability moves by this much in a pass; 0 or nothing: never.
    pub recurrent_halt_threshold: Option<f32>,
    /// Whether the passes after the first also look at the text.
    #[serde(default, deserialize_with = "or_default")]
    pub recurrent_read_text: bool,
    /// Whether logits go through a calibrator.
    #[serde(default, deserialize_with = "or_default")]
    pub use_calibrator: bool,
    /// Whether it gives a bias beside the factor.
    #[serde(default, deserialize_with = "or_default")]
    pub calibrator_use_bias: bool,
    /// The greatest factor it gives.
    pub calibrator_beta_max: f32,
}

/// The values of the settings that a config leaves out, where it must have one.
fn defaults() -> Value {
    json!({
        "architecture_type": "uni-encoder",
        "class_token_index": -1,
        "text_token_index": -1,
        "example_token_index": -1,
        "pooling_strategy": "first",
        "embed_class_token": true,
        "encoder_layer_id": -1,
        "scorer_type": "simple",
        "scorer_num_heads": 16,
        "dropout": 0.1,
        "scorer_attn_dropout": 0.1,
        "projector_hidden_act": "gelu",
        "max_labels_alloc": "dynamic",
        "scorer_encoder_num_layers": 2,
        "problem_type": "single_label_classification",
        "recurrent_steps": 1,
        "recurrent_inference": true,
        "recurrent_halt_threshold": 0.01,
        "calibrator_beta_max": 3.0,
    })
}

/// The config, and those of the `defaults` that it does not name: null is a value, too.
pub(crate) fn completed(config: &Value, mut defaults: Value) -> Value {
    match (config.as_object(), defaults.as_object_mut()) {
        (Some(named), Some(settings)) => {
            settings.extend(named.clone());
            defaults
        }
        _ => config.clone(),
    }
}

/// What the text of a `config.json` says, by names; `file` is only named in errors.
///
/// # Errors
/// Not JSON, or it says nothing.
pub(crate) fn settings(text: &str, file: &Path) -> Result<Map<String, Value>> {
    match serde_json::from_str(text).map_err(|error| invalid_json(file, error))? {
        Value::Object(settings) if !settings.is_empty() => Ok(settings),
        _ => Err(Error::model(file, "holds no settings of a model: fetch it again")),
    }
}

/// The folder beside a checkpoint, or the repository of the Hub, that its `label_model_name` means.
///
/// # Errors
/// It leads out of the folder of the checkpoint.
pub fn label_folder(name: &str) -> std::result::Result<&str, String> {
    let folder = name.trim_start_matches("./").trim_end_matches('/');
    if files::is_below(folder) {
        return Ok(folder);
    }
    Err(format!(
        "label_model_name {name:?} leads out of the model's folder: name a folder inside it that holds the labels' \
         tokenizer.json, or a repository of the Hub"
    ))
}

impl Config {
    /// Whether the last bits of factors can become more than a thousandth of a logit: where a softmax over unscaled
    /// products is sharp, as in the `hopfield` scorer and in T5, and in what a decoder-kv has behind its decoder.
    pub fn magnifies_rounding(&self) -> bool {
        let is_t5 = self.encoder_config["model_type"].as_str().is_some_and(|kind| kind.ends_with("t5"));
        let is_decoder_kv = self.architecture_type == Architecture::DecoderKv;
        self.scorer_type == ScorerType::Hopfield || is_t5 || is_decoder_kv
    }

    /// Reads the text of `config.json`; `file` is only named in errors.
    ///
    /// # Errors
    /// Not JSON, a value outside the supported set (both are named), or settings that exclude each other.
    pub fn parse(text: &str, file: &Path) -> Result<Self> {
        let settings = completed(&Value::Object(settings(text, file)?), defaults());
        let config: Self =
            serde_path_to_error::deserialize(&settings).map_err(|error| Error::model(file, error.to_string()))?;
        config.check().map_err(|message| Error::model(file, message))?;
        Ok(config)
    }

    fn check(&self) -> std::result::Result<(), String> {
        let (pooling, scorer, architecture) = (self.pooling_strategy, self.scorer_type, self.architecture_type);
        // The decoder's last token is one row, whatever the pooling.
        let passes = pooling == Pooling::Pass && architecture != Architecture::EncoderDecoderCls;
        // A decoder-kv has a pooling and a scorer of its own.
        if architecture != Architecture::DecoderKv && passes != (scorer == ScorerType::CrossAttn) {
            return Err(format!(
                "pooling_strategy {pooling:?} with scorer_type {scorer:?} in {architecture:?}: all token rows, which \
                 `pass` leaves, and `cross-attn` only work together"
            ));
        }
        if passes && self.use_calibrator {
            return Err("use_calibrator with pooling_strategy `pass`: a calibrator reads one row of the text".into());
        }
        if passes && architecture.has_label_encoder() {
            return Err(format!("pooling_strategy `pass` in {architecture:?}: a label must be pooled to one row"));
        }
        let slots = self.label_slots(0);
        if scorer == ScorerType::Hopfield && slots > MAX_LABEL_SLOTS {
            return Err(format!(
                "max_labels_alloc or max_num_classes {slots} with scorer_type {scorer:?}: there can be at most \
                 {MAX_LABEL_SLOTS} slots for labels"
            ));
        }
        if architecture.has_label_encoder() && self.label_model_config.is_none() {
            return Err(format!("label_model_config is missing: {architecture:?} needs the label encoder's config"));
        }
        if let Some(name) = self.label_model() {
            label_folder(name)?;
        }
        self.check_passes()?;
        self.check_numbers()?;
        self.check_markers()
    }

    fn check_numbers(&self) -> std::result::Result<(), String> {
        let rates = [("dropout", self.dropout), ("scorer_attn_dropout", self.scorer_attn_dropout)];
        if let Some((name, rate)) = rates.iter().find(|(_, rate)| !(0.0..=1.0).contains(rate)) {
            return Err(format!("{name} is {rate}, not from 0 to 1: config.json is damaged, fetch it again"));
        }
        let factor = self.calibrator_beta_max;
        if !(factor.is_finite() && factor > 0.0) {
            return Err(format!(
                "calibrator_beta_max is {factor}, not above 0: config.json is damaged, fetch it again"
            ));
        }
        Ok(())
    }

    fn check_passes(&self) -> std::result::Result<(), String> {
        let counts = [
            ("recurrent_steps", self.recurrent_steps),
            ("recurrent_inference_max_steps", self.recurrent_inference_max_steps.unwrap_or(0)),
        ];
        match counts.iter().find(|(_, count)| *count > MAX_PASSES) {
            Some((name, count)) => {
                Err(format!("{name} is {count}, more than {MAX_PASSES}: config.json is damaged, fetch it again"))
            }
            None => Ok(()),
        }
    }

    fn check_markers(&self) -> std::result::Result<(), String> {
        let marks = self.architecture_type != Architecture::BiEncoder;
        let segments = marks && self.use_segment_embeddings;
        let sought = [
            ("class_token_index", self.class_token_index, marks),
            ("text_token_index", self.text_token_index, segments || marks && self.extract_text_features),
            ("example_token_index", self.example_token_index, segments),
        ];
        match sought.iter().find(|(_, id, is_sought)| *is_sought && id.is_none()) {
            Some((name, ..)) => {
                Err(format!("{name} is null: a model with these settings looks for that token by its id"))
            }
            None => Ok(()),
        }
    }

    /// Where the tokenizer of a label encoder is; nowhere where labels have none.
    pub fn label_model(&self) -> Option<&str> {
        let named = || self.label_model_name.as_deref().unwrap_or("label_model");
        self.architecture_type.has_label_encoder().then(named)
    }

    /// Token ids of `<<LABEL>>`, `<<SEP>>` and `<<EXAMPLE>>`; absent ones stand behind the vocabulary, as in the reference,
    /// and of those that are null there is no token.
    pub fn marker_ids(&self, vocab_size: usize) -> [u32; 3] {
        let after = self.vocab_size.unwrap_or(vocab_size) as i64;
        let ids = [self.class_token_index, self.text_token_index, self.example_token_index];
        let id = |i: usize| if ids[i]? == -1 { Some(after + i as i64) } else { ids[i] };
        std::array::from_fn(|i| id(i).and_then(|id| id.try_into().ok()).unwrap_or(u32::MAX))
    }

    /// Label slots for a record of `labels` labels. Encoder-decoders have `max_num_classes` of them, whatever
    /// `max_labels_alloc` says.
    pub fn label_slots(&self, labels: usize) -> usize {
        let fixed = labels.max(self.max_num_classes.unwrap_or(MAX_NUM_CLASSES));
        match self.max_labels_alloc {
            _ if matches!(self.architecture_type, Architecture::EncoderDecoder | Architecture::EncoderDecoderCls) => {
                fixed
            }
            LabelSlots::Dynamic => labels,
            LabelSlots::Fixed => fixed,
            LabelSlots::Count(count) => labels.max(count),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn the_command_line_calls_each_choice_as_configs_do() {
        fn check<T: ValueEnum + Serialize>(choices: usize) {
            assert_eq!(T::value_variants().len(), choices);
            for choice in T::value_variants() {
                let name = choice.to_possible_value().unwrap().get_name().to_owned();
                assert_eq!(serde_json::to_value(choice).unwrap(), Value::String(name));
            }
        }
        check::<Architecture>(2);
        check::<Pooling>(9);
        check::<ClassTokenPooling>(2);
        check::<ScorerType>(5);
    }

    #[test]
    fn a_sharp_softmax_magnifies_rounding() {
        let magnifies = |kind: &str, settings: &str| {
            let text = format!(r#"{{"encoder_config": {{"model_type": "{kind}"}} {settings}}}"#);
            Config::parse(&text, Path::new("config.json")).unwrap().magnifies_rounding()
        };
        for (kind, settings, expected) in [
            ("bert", "", false),
            ("bert", r#", "scorer_type": "hopfield""#, true),
            ("mt5", "", true),
            ("qwen3", "", false),
            ("qwen3", r#", "architecture_type": "decoder-kv""#, true),
        ] {
            assert_eq!(magnifies(kind, settings), expected, "{kind}{settings}");
        }
    }

    #[test]
    fn label_slots_are_counted_as_the_reference_does_it() {
        let slots = |settings: &str| {
            let text = format!(r#"{{"encoder_config": {{}}, "scorer_type": "hopfield", {settings}}}"#);
            Config::parse(&text, Path::new("config.json")).map(|config| config.label_slots(3))
        };
        for (settings, expected) in [
            (r#""max_num_classes": null"#, 3),
            (r#""max_labels_alloc": null"#, 25),
            (r#""max_labels_alloc": "fixed", "max_num_classes": null"#, 25),
            (r#""max_labels_alloc": "fixed", "max_num_classes": 7"#, 7),
            (r#""max_labels_alloc": 9"#, 9),
            (r#""max_labels_alloc": 2"#, 3),
        ] {
            assert_eq!(slots(settings).unwrap(), expected, "{settings}");
        }
        for (settings, what) in [
            (r#""max_labels_alloc": 10000000000"#, "at most 65536"),
            (r#""max_labels_alloc": "fixed", "max_num_classes": 10000000000"#, "at most 65536"),
            (r#""max_labels_alloc": -1"#, "max_labels_alloc: -1: a number of labels, dynamic and fixed are known"),
        ] {
            let error = slots(settings).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn a_decoder_kv_makes_a_bounded_number_of_passes() {
        let parse = |settings: &str| {
            let text = format!(r#"{{"encoder_config": {{}}, "architecture_type": "decoder-kv", {settings}}}"#);
            Config::parse(&text, Path::new("config.json"))
        };
        for name in ["recurrent_steps", "recurrent_inference_max_steps"] {
            assert!(parse(&format!(r#""{name}": 1000"#)).is_ok());
            let error = parse(&format!(r#""{name}": 1000000000000000000"#)).unwrap_err().to_string();
            assert!(error.contains(&format!("{name} is 1000000000000000000, more than 1000")), "{error}");
        }
    }

    #[test]
    fn numbers_that_make_no_sense_are_named() {
        for (setting, what) in [
            (r#""dropout": 7"#, "dropout is 7, not from 0 to 1"),
            (r#""scorer_attn_dropout": -1"#, "scorer_attn_dropout is -1, not from 0 to 1"),
            (r#""calibrator_beta_max": 0"#, "calibrator_beta_max is 0, not above 0"),
            (r#""calibrator_beta_max": 1e308"#, "calibrator_beta_max is inf, not above 0"),
        ] {
            let text = format!(r#"{{"encoder_config": {{}}, {setting}}}"#);
            let error = Config::parse(&text, Path::new("config.json")).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn null_is_the_id_of_a_marker_that_nothing_looks_for() {
        let parse = |settings: &str| {
            let text = format!(r#"{{"encoder_config": {{}}, {settings}}}"#);
            Config::parse(&text, Path::new("config.json")).map(|config| config.marker_ids(10))
        };
        let unread = r#""text_token_index": null, "example_token_index": null"#;
        assert_eq!(parse(unread).unwrap(), [10, u32::MAX, u32::MAX]);
        assert_eq!(parse(r#""example_token_index": 3"#).unwrap(), [10, 11, 3]);
        let apart = r#""architecture_type": "bi-encoder", "label_model_config": {}, "class_token_index": null"#;
        assert_eq!(parse(apart).unwrap(), [u32::MAX, 11, 12]);
        for (settings, what) in [
            (r#""class_token_index": null"#, "class_token_index is null"),
            (r#""text_token_index": null, "extract_text_features": true"#, "text_token_index is null"),
            (r#""example_token_index": null, "use_segment_embeddings": true"#, "example_token_index is null"),
        ] {
            let error = parse(settings).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn null_is_no_setting_left_out() {
        let completed = completed(&json!({"a": null, "b": 1}), json!({"a": 2, "b": 2, "c": 2}));
        assert_eq!(completed, json!({"a": null, "b": 1, "c": 2}));
    }

    #[test]
    fn null_is_no_as_in_python() {
        let settings = r#""embed_class_token": null, "prompt_first": null, "class_token_pooling": null"#;
        let config = Config::parse(&format!(r#"{{"encoder_config": {{}}, {settings}}}"#), Path::new("config.json"));
        let config = config.unwrap();
        assert!(!config.embed_class_token && !config.prompt_first);
        assert_eq!(config.class_token_pooling, ClassTokenPooling::First);
    }

    #[test]
    fn the_tokenizer_of_labels_lies_nowhere_but_beside_the_model() {
        let parse = |architecture: &str, name: &str| {
            let config = serde_json::json!({
                "encoder_config": {},
                "label_model_config": {},
                "architecture_type": architecture,
                "label_model_name": name,
            });
            Config::parse(&config.to_string(), Path::new("config.json"))
        };
        for name in ["label_model", "./label_model", "label_model/", "owner/name"] {
            assert_eq!(parse("bi-encoder", name).unwrap().label_model(), Some(name));
        }
        for name in ["../x", "a/../../x", "/x", ""] {
            let error = parse("bi-encoder-fused", name).unwrap_err().to_string();
            assert!(error.starts_with(&format!("config.json: label_model_name {name:?} leads out")), "{error}");
            assert_eq!(parse("uni-encoder", name).unwrap().label_model(), None);
        }
    }

    #[test]
    fn a_value_that_is_not_known_is_named_with_its_field() {
        let known = r#"{"class_token_index": 1, "text_token_index": 2, "encoder_config": {}"#;
        for (field, what) in [
            (r#""architecture_type": "tri-encoder""#, "architecture_type: unknown variant `tri-encoder`"),
            (r#""dropout": 1, "max_num_classes": "many""#, "max_num_classes: invalid type"),
        ] {
            let error = Config::parse(&format!("{known}, {field}}}"), Path::new("config.json")).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
        for text in ["null", "[]", "{}"] {
            let error = Config::parse(text, Path::new("config.json")).unwrap_err().to_string();
            assert_eq!(error, "config.json: holds no settings of a model: fetch it again", "{text}");
        }
        for text in ["{\"encoder_config\": {}} and more", "{", "{\"encoder_config\": {},}"] {
            let error = Config::parse(text, Path::new("config.json")).unwrap_err().to_string();
            assert!(error.starts_with("config.json: not JSON: ") && error.ends_with("fetch it again"), "{error}");
        }
    }
}
