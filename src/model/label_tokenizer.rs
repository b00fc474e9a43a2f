//! The tokenizer of a bi-encoder's labels, and what fills them up to one length.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Options;
use crate::architectures::LabelTokenizer;
use crate::checkpoint::config::Pooling;
use crate::checkpoint::{self, Config};
use crate::encode::Encoder;
use crate::error::{Error, Result};

/// What families of tokenizers take for padding where nothing else is said, by the name of their class or of the
/// model without `Tokenizer`, `Fast`, hyphens and capitals.
///
/// Source: `tokenization_*.py` of transformers.
const FAMILIES: [(&str, &[&str]); 3] = [
    ("[PAD]", &["bert", "distilbert", "electra", "deberta", "debertav2"]),
    ("<pad>", &["roberta", "xlmroberta", "camembert", "mpnet", "albert", "t5", "gemma"]),
    ("<|endoftext|>", &["qwen2", "qwen3"]),
];

/// Classes of tokenizers, likewise, that fill up before the text where nothing else is said.
///
/// Source: `padding_side` in `tokenization_*.py` of transformers.
const PADDED_BEFORE: [&str; 4] = ["llama", "codellama", "gemma", "cohere"];

/// The file of a tokenizer's settings, and the one that older tokenizers have beside it.
const CONFIG: &str = "tokenizer_config.json";
const OLDER: &str = "special_tokens_map.json";

/// Loads it from beside the checkpoint, or from where the options say; none where labels have no encoder.
///
/// # Errors
/// There is no tokenizer, or it has no padding where labels must be filled up.
pub(super) fn load(config: &Config, folder: &Path, options: &Options) -> Result<Option<LabelTokenizer>> {
    let Some(name) = config.label_model() else { return Ok(None) };
    let found = find(name, folder, options)?;
    let path = found.join("tokenizer.json");
    let text = checkpoint::read(&path)?;
    // How long a label may be is for its encoder to say.
    let encoder = Encoder::parse_any(&text, usize::MAX, &path)?;
    let label_config = config.label_model_config.as_ref().unwrap_or(&Value::Null);
    let tokenizer: Value = serde_json::from_str(&text).unwrap_or_default();
    let settings = Settings::read(&found, &tokenizer, label_config)?;
    let pads_before = settings.pads_before().map_err(|message| Error::model(found.join(CONFIG), message))?;
    match settings.padding(&encoder) {
        None if pads_before || config.pooling_strategy != Pooling::First => Err(Error::model(
            found.join(CONFIG),
            "no pad_token: labels are filled up with it to one length, so it must be named here",
        )),
        padding => Ok(Some(LabelTokenizer { encoder, padding: padding.unwrap_or(0), pads_before })),
    }
}

fn find(name: &str, folder: &Path, options: &Options) -> Result<PathBuf> {
    let folders = [Some(folder.join(name)), options.label_model.clone()];
    folders.into_iter().flatten().find(|folder| folder.join("tokenizer.json").is_file()).ok_or_else(|| {
        Error::model(
            folder.join("config.json"),
            format!("label_model_name {name:?}: there is no folder of that name with a tokenizer.json beside it"),
        )
    })
}

/// Where the padding may be named.
struct Settings<'a> {
    /// What [`CONFIG`] says.
    config: Value,
    /// What [`OLDER`] says.
    older: Value,
    tokenizer: &'a Value,
    label_config: &'a Value,
}

impl<'a> Settings<'a> {
    fn read(folder: &Path, tokenizer: &'a Value, label_config: &'a Value) -> Result<Self> {
        let config = read(&folder.join(CONFIG))?;
        // The older file counts where the newer one does not list the tokens.
        let lists_tokens = config["added_tokens_decoder"].is_object();
        let older = if lists_tokens { Value::Null } else { read(&folder.join(OLDER))? };
        Ok(Self { config, older, tokenizer, label_config })
    }

    /// The token id of the padding, looked for as `AutoTokenizer` does it; what it would give up on, we guess.
    fn padding(&self, encoder: &Encoder) -> Option<u32> {
        let token = named(&self.older["pad_token"])
            .or_else(|| named(&self.config["pad_token"]))
            .or_else(|| self.of_family())
            .or_else(|| named(&self.tokenizer["padding"]["pad_token"]));
        let configured = || self.label_config["pad_token_id"].as_u64()?.try_into().ok();
        let usual = || ["<pad>", "[PAD]"].into_iter().find_map(|token| encoder.id(token));
        token.and_then(|token| encoder.id(token)).or_else(configured).or_else(usual)
    }

    fn of_family(&self) -> Option<&'static str> {
        let kind = family(self.config["tokenizer_class"].as_str().or(self.label_config["model_type"].as_str())?);
        FAMILIES.iter().find(|(_, kinds)| kinds.contains(&kind.as_str())).map(|(token, _)| *token)
    }

    /// Whether the padding stands before the text.
    fn pads_before(&self) -> std::result::Result<bool, String> {
        let model = self.label_config["model_type"].as_str();
        match &self.config["padding_side"] {
            Value::Null => {}
            Value::String(side) if side == "left" => return Ok(true),
            Value::String(side) if side == "right" => return Ok(false),
            other => return Err(format!("padding_side is {other}: it is \"left\" or \"right\"")),
        }
        let direction = self.tokenizer["padding"]["direction"].as_str();
        Ok(match (direction, self.config["tokenizer_class"].as_str()) {
            (Some(direction), _) => direction.eq_ignore_ascii_case("left"),
            // `AutoTokenizer` gives Mistral another class than its files name, and Gemma its own where they name none.
            (None, Some(class)) => PADDED_BEFORE.contains(&family(class).as_str()) && model != Some("mistral"),
            (None, None) => model == Some("gemma"),
        })
    }
}

/// A file of JSON that need not be there.
fn read(path: &Path) -> Result<Value> {
    if !path.try_exists().map_err(|error| Error::io(path, error))? {
        return Ok(Value::Null);
    }
    serde_json::from_str(&checkpoint::read(path)?).map_err(|error| checkpoint::invalid_json(path, error))
}

/// A family by the name of a class or of a model.
fn family(name: &str) -> String {
    name.trim_end_matches("Fast").trim_end_matches("Tokenizer").to_lowercase().replace(['-', '_'], "")
}

/// A token as text or as an object.
fn named(token: &Value) -> Option<&str> {
    token.get("content").unwrap_or(token).as_str()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_padding_is_what_the_files_say_then_what_the_family_does() {
        let model = json!({"type": "WordLevel", "vocab": {"a": 0, "<pad>": 1, "[PAD]": 2, "own": 3}, "unk_token": "a"});
        let mut tokenizer = json!({"version": "1.0", "added_tokens": [], "model": model});
        let encoder = Encoder::parse_any(&tokenizer.to_string(), 8, Path::new("tokenizer.json")).unwrap();
        tokenizer["padding"] = json!({"pad_token": "own"});
        let folder = tempfile::tempdir().unwrap();
        let mut padding = |config: Value, older: Value, label_config: Value| {
            std::fs::write(folder.path().join(CONFIG), config.to_string()).unwrap();
            std::fs::write(folder.path().join(OLDER), older.to_string()).unwrap();
            let found = Settings::read(folder.path(), &tokenizer, &label_config).unwrap().padding(&encoder);
            tokenizer["padding"].take();
            found
        };
        let roberta = json!({"tokenizer_class": "RobertaTokenizer"});
        assert_eq!(padding(json!({"tokenizer_class": "PreTrainedTokenizerFast"}), json!({}), json!({})), Some(3));
        assert_eq!(padding(roberta.clone(), json!({}), json!({"pad_token_id": 0})), Some(1));
        assert_eq!(padding(json!({}), json!({}), json!({"model_type": "deberta-v2"})), Some(2));
        assert_eq!(
            padding(json!({}), json!({"pad_token": {"content": "own"}}), json!({"model_type": "bert"})),
            Some(3)
        );
        let listed = json!({"added_tokens_decoder": {}, "pad_token": "[PAD]", "tokenizer_class": "RobertaTokenizer"});
        assert_eq!(padding(listed, json!({"pad_token": "own"}), json!({})), Some(2));
        assert_eq!(padding(json!({}), json!({}), json!({"pad_token_id": 7})), Some(7));
        assert_eq!(padding(json!({}), json!({}), json!({})), Some(1));
    }

    #[test]
    fn the_side_of_the_padding_is_what_the_files_say_then_what_the_family_does() {
        let side = |config: Value, tokenizer: Value, label_config: Value| {
            let older = Value::Null;
            Settings { config, older, tokenizer: &tokenizer, label_config: &label_config }.pads_before()
        };
        let pads_before = |config, tokenizer, label_config| side(config, tokenizer, label_config).unwrap();
        let [left, right] = ["Left", "Right"].map(|side| json!({"padding": {"direction": side}}));
        assert!(!pads_before(json!({}), json!({}), json!({"model_type": "bert"})));
        assert!(pads_before(json!({}), json!({}), json!({"model_type": "gemma"})));
        assert!(!pads_before(json!({}), json!({}), json!({"model_type": "llama"})));
        let class = || json!({"tokenizer_class": "LlamaTokenizer"});
        assert!(pads_before(class(), json!({}), json!({"model_type": "llama"})));
        assert!(!pads_before(class(), json!({}), json!({"model_type": "mistral"})));
        assert!(pads_before(json!({"tokenizer_class": "LlamaTokenizerFast"}), json!({"padding": null}), json!({})));
        assert!(!pads_before(json!({"tokenizer_class": "LlamaTokenizer"}), right.clone(), json!({})));
        assert!(pads_before(json!({}), left.clone(), json!({})));
        assert!(pads_before(json!({"padding_side": "left"}), right, json!({})));
        assert!(!pads_before(json!({"padding_side": "right"}), left, json!({})));
        for bad in [json!("x"), json!(""), json!(3), json!({})] {
            let error = side(json!({"padding_side": bad}), json!({}), json!({})).unwrap_err();
            assert_eq!(error, format!("padding_side is {bad}: it is \"left\" or \"right\""));
        }
    }

    #[test]
    fn a_damaged_file_of_settings_is_an_error_and_a_missing_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let padded = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            let config = json!({"model_type": "bert"});
            let found = Settings::read(folder.path(), &Value::Null, &config).map(|settings| settings.pads_before());
            std::fs::remove_file(folder.path().join(name)).unwrap();
            found.map_err(|error| error.to_string())
        };
        assert_eq!(padded("other.json", ""), Ok(Ok(false)));
        assert_eq!(padded(CONFIG, r#"{"padding_side": "left"}"#), Ok(Ok(true)));
        for name in [CONFIG, OLDER] {
            for text in ["", r#"{"pad_token": "[PA"#, "<html></html>"] {
                let error = padded(name, text).unwrap_err();
                assert!(error.contains(&format!("{name}: not JSON: ")) && error.ends_with("fetch it again"), "{error}");
            }
        }
    }
}
