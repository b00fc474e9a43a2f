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
    let settings = Settings { folder: &found, tokenizer: &tokenizer, label_config };
    let pads_before = settings.pads_before();
    match settings.padding(&encoder) {
        None if pads_before || config.pooling_strategy != Pooling::First => Err(Error::model(
            found.join("tokenizer_config.json"),
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
    folder: &'a Path,
    tokenizer: &'a Value,
    label_config: &'a Value,
}

impl Settings<'_> {
    /// The token id of the padding, looked for as `AutoTokenizer` does it; what it would give up on, we guess.
    fn padding(&self, encoder: &Encoder) -> Option<u32> {
        let config = self.read("tokenizer_config.json");
        // The older file counts where the newer one does not list the tokens.
        let older =
            if config["added_tokens_decoder"].is_object() { Value::Null } else { self.read("special_tokens_map.json") };
        let token = named(&older["pad_token"])
            .or_else(|| named(&config["pad_token"]))
            .or_else(|| self.of_family(&config))
            .or_else(|| named(&self.tokenizer["padding"]["pad_token"]));
        let configured = || self.label_config["pad_token_id"].as_u64()?.try_into().ok();
        let usual = || ["<pad>", "[PAD]"].into_iter().find_map(|token| encoder.id(token));
        token.and_then(|token| encoder.id(token)).or_else(configured).or_else(usual)
    }

    fn of_family(&self, config: &Value) -> Option<&'static str> {
        let kind = family(config["tokenizer_class"].as_str().or(self.label_config["model_type"].as_str())?);
        FAMILIES.iter().find(|(_, kinds)| kinds.contains(&kind.as_str())).map(|(token, _)| *token)
    }

    /// Whether the padding stands before the text.
    fn pads_before(&self) -> bool {
        let config = self.read("tokenizer_config.json");
        let side = config["padding_side"].as_str().or(self.tokenizer["padding"]["direction"].as_str());
        let model = self.label_config["model_type"].as_str();
        match (side, config["tokenizer_class"].as_str()) {
            (Some(side), _) => side.eq_ignore_ascii_case("left"),
            // `AutoTokenizer` gives Mistral another class than its files name, and Gemma its own where they name none.
            (None, Some(class)) => PADDED_BEFORE.contains(&family(class).as_str()) && model != Some("mistral"),
            (None, None) => model == Some("gemma"),
        }
    }

    /// A file that need not be there.
    fn read(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
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
            std::fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
            std::fs::write(folder.path().join("special_tokens_map.json"), older.to_string()).unwrap();
            let settings = Settings { folder: folder.path(), tokenizer: &tokenizer, label_config: &label_config };
            let found = settings.padding(&encoder);
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
        let folder = tempfile::tempdir().unwrap();
        let pads_before = |config: Value, tokenizer: Value, label_config: Value| {
            std::fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
            Settings { folder: folder.path(), tokenizer: &tokenizer, label_config: &label_config }.pads_before()
        };
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
    }
}
