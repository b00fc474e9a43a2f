//! Prompt -> token ids. Only the markers that the program writes become special tokens; a text that
//! holds `<<LABEL>>` or `[SEP]` stays text.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::prompt::{LABEL, MARKERS, Piece, Prompt};
use crate::error::{Error, Result};

/// Bytes of labels and their tokens that are kept; beyond that all are forgotten.
const KEPT_BYTES: usize = 32 << 20;

/// Bytes of a long text that are looked at first: most models have read all they can long before.
const LONG_TEXT: usize = 1 << 16;

/// A prompt as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Token ids, with the special tokens around them.
    pub ids: Vec<u32>,
    /// Whether the record's text was cut to fit.
    pub truncated: bool,
}

/// Cuts prompts into the tokens of one checkpoint.
pub struct Encoder {
    tokenizer: Tokenizer,
    /// For text behind a marker, where the tokenizer puts a word boundary only before the first text.
    following: Option<Tokenizer>,
    markers: HashMap<&'static str, u32>,
    /// Special tokens around every input.
    before: Vec<u32>,
    after: Vec<u32>,
    max_length: usize,
    labels: RwLock<Kept>,
}

impl Encoder {
    /// Reads the text of `tokenizer.json`; `file` is only named in errors. Inputs have at most
    /// `max_length` tokens. The file's own truncation and padding are set aside.
    ///
    /// # Errors
    /// The file is no tokenizer, or lacks the markers `<<LABEL>>` and `<<SEP>>`.
    pub fn parse(text: &str, max_length: usize, file: &Path) -> Result<Self> {
        let encoder = Self::parse_any(text, max_length, file)?;
        match MARKERS[..2].iter().find(|marker| !encoder.markers.contains_key(*marker)) {
            Some(missing) => {
                Err(Error::model(file, format!("no token {missing}: this is no tokenizer of a GLiClass model")))
            }
            None => Ok(encoder),
        }
    }

    /// The same, for a model that needs no markers.
    ///
    /// # Errors
    /// The file is no tokenizer.
    pub fn parse_any(text: &str, max_length: usize, file: &Path) -> Result<Self> {
        let damaged = |e: &dyn std::fmt::Display| Error::model(file, format!("not a usable tokenizer: {e}"));
        let mut json: Value = serde_json::from_str(text).map_err(|e| damaged(&e))?;
        if !json.is_object() {
            return Err(damaged(&"no JSON object"));
        }
        check_templates(&json["post_processor"]).map_err(|e| damaged(&e))?;
        json["truncation"] = Value::Null;
        json["padding"] = Value::Null;
        make_markers_special(&mut json);
        let tokenizer = build(&json).map_err(|e| damaged(&e))?;
        let changed = never_prepend(&mut json["pre_tokenizer"]);
        let following = changed.then(|| build(&json)).transpose().map_err(|e| damaged(&e))?;
        let added = tokenizer.get_added_vocabulary().get_vocab();
        let markers: HashMap<_, _> =
            MARKERS.into_iter().filter_map(|marker| added.get(marker).map(|&id| (marker, id))).collect();
        let (before, after) = surroundings(&tokenizer).map_err(|e| damaged(&e))?;
        Ok(Self { tokenizer, following, markers, before, after, max_length, labels: RwLock::default() })
    }

    /// The same, for inputs of at most `length` tokens.
    pub fn at_most(self, length: usize) -> Self {
        Self { max_length: self.max_length.min(length), ..self }
    }

    /// Tokens that an input may have.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// Where each token of a text begins and ends, in bytes.
    ///
    /// # Errors
    /// The tokenizer failed.
    pub fn offsets(&self, text: &str) -> Result<Vec<(usize, usize)>> {
        let encoding = ask(|| self.tokenizer.encode(text, false))?;
        Ok(encoding.get_offsets().to_vec())
    }

    /// The id of a token, whatever kind it is.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// A label alone, with the special tokens around it; from the store where it is known.
    ///
    /// # Errors
    /// The special tokens alone do not fit.
    pub fn encode_label(&self, label: &str) -> Result<Arc<[u32]>> {
        self.kept(label, || Ok(self.encode(&Prompt::label(label))?.ids.into()))
    }

    /// Cuts a prompt into tokens; where they do not fit, the record's text is cut from its end.
    ///
    /// # Errors
    /// All but the text does not fit: the message says how many tokens it needs.
    pub fn encode(&self, prompt: &Prompt<'_>) -> Result<Tokens> {
        self.encode_between(&self.before, prompt, &self.after)
    }

    /// The same without the tokenizer's own special tokens around the input.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode_bare(&self, prompt: &Prompt<'_>) -> Result<Tokens> {
        self.encode_between(&[], prompt, &[])
    }

    fn encode_between(&self, before: &[u32], prompt: &Prompt<'_>, after: &[u32]) -> Result<Tokens> {
        let mut tokens = before.to_vec();
        let mut body = None;
        let mut run = Run { leads: true, ..Run::default() };
        for piece in &prompt.0 {
            match piece {
                Piece::Marker(marker) => match self.markers.get(marker) {
                    Some(&id) => {
                        self.flush(&mut run, &mut tokens, &mut body)?;
                        tokens.push(id);
                    }
                    // A tokenizer without the token reads its letters, as in training.
                    None => run.text.push_str(marker),
                },
                // A label stands alone between two markers.
                Piece::Label(label) => tokens.extend_from_slice(&self.label(label)?),
                Piece::Text(text) => run.text.push_str(text),
                Piece::Body(text) => {
                    run.text.push_str(text);
                    run.holds_body = true;
                }
            }
        }
        self.flush(&mut run, &mut tokens, &mut body)?;
        tokens.extend_from_slice(after);
        let truncated = self.cut(&mut tokens, body, prompt)?;
        Ok(Tokens { ids: tokens, truncated })
    }

    /// Removes what does not fit from the end of `body`, the tokens of the text.
    fn cut(&self, tokens: &mut Vec<u32>, body: Option<std::ops::Range<usize>>, prompt: &Prompt<'_>) -> Result<bool> {
        let over = tokens.len().saturating_sub(self.max_length);
        if over == 0 {
            return Ok(false);
        }
        let text = if body.is_some() { ", and the text at least one more" } else { "" };
        let body = body.unwrap_or(0..0);
        if over >= body.len() {
            let needed = tokens.len() - body.len();
            let what = match prompt.0.iter().filter(|piece| **piece == Piece::Marker(LABEL)).count() {
                0 => "prompt, examples and special tokens".to_owned(),
                labels => format!("{labels} labels with prompt and examples"),
            };
            return Err(Error::Record(format!(
                "{what} need {needed} tokens{text}, but a sequence may have {}: use \
                 fewer or shorter labels, --labels-chunk-size, or a higher --max-length if the model allows it",
                self.max_length
            )));
        }
        tokens.drain(body.end - over..body.end);
        Ok(true)
    }

    /// Tokens of the text gathered so far.
    fn flush(&self, run: &mut Run, tokens: &mut Vec<u32>, body: &mut Option<std::ops::Range<usize>>) -> Result<()> {
        let Run { text, holds_body, leads } = std::mem::take(run);
        let start = tokens.len();
        if !text.is_empty() {
            let tokenizer = if leads { &self.tokenizer } else { self.following() };
            tokens.extend(if holds_body { self.first_ids(tokenizer, &text)? } else { ids(tokenizer, &text)? });
        }
        if holds_body {
            *body = Some(start..tokens.len());
        }
        Ok(())
    }

    /// Tokens of a text of any size: all of them, or more than can be kept, of whole words of its beginning.
    fn first_ids(&self, tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
        let mut size = LONG_TEXT;
        while size < text.len() {
            let end = text[..text.floor_char_boundary(size)].rfind(char::is_whitespace).unwrap_or(0);
            let first = ids(tokenizer, &text[..end])?;
            if first.len() > self.max_length {
                return Ok(first);
            }
            size *= 4;
        }
        ids(tokenizer, text)
    }

    fn following(&self) -> &Tokenizer {
        self.following.as_ref().unwrap_or(&self.tokenizer)
    }

    /// Tokens of a label, from the store where they are known.
    fn label(&self, label: &str) -> Result<Arc<[u32]>> {
        self.kept(label, || Ok(ids(self.following(), label)?.into()))
    }

    fn kept(&self, label: &str, cut: impl FnOnce() -> Result<Arc<[u32]>>) -> Result<Arc<[u32]>> {
        if let Some(known) = self.labels.read().unwrap_or_else(PoisonError::into_inner).tokens.get(label) {
            return Ok(Arc::clone(known));
        }
        let tokens = cut()?;
        self.labels.write().unwrap_or_else(PoisonError::into_inner).insert(label, &tokens);
        Ok(tokens)
    }
}

/// The tokens of the labels known so far.
#[derive(Default)]
struct Kept {
    tokens: HashMap<String, Arc<[u32]>>,
    bytes: usize,
}

impl Kept {
    fn insert(&mut self, label: &str, tokens: &Arc<[u32]>) {
        let bytes = size_of::<(String, Arc<[u32]>)>() + label.len() + size_of_val(&**tokens);
        if self.bytes + bytes > KEPT_BYTES {
            *self = Self::default();
        }
        // Another worker may have cut the same label meanwhile.
        if self.tokens.insert(label.to_owned(), Arc::clone(tokens)).is_none() {
            self.bytes += bytes;
        }
    }
}

/// Text gathered until the next marker: the tokenizer must see it as one.
#[derive(Default)]
struct Run {
    text: String,
    holds_body: bool,
    /// Whether nothing of the prompt stands before it.
    leads: bool,
}

fn ids(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
    let encoding = ask(|| tokenizer.encode_fast(text, false))?;
    Ok(encoding.get_ids().to_vec())
}

/// Asks the library, which panics over some tokenizers that make no sense.
fn ask<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
    let answer = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err("tokenizer.json makes no sense".into()));
    answer.map_err(|error| Error::Record(format!("the tokenizer failed: {error}")))
}

fn build(json: &Value) -> Result<Tokenizer> {
    let mut tokenizer = ask(|| Tokenizer::from_str(&json.to_string()))?;
    tokenizer.set_encode_special_tokens(true);
    Ok(tokenizer)
}

/// Special tokens in a text are read as its letters; markers must be special for that.
fn make_markers_special(json: &mut Value) {
    for token in json["added_tokens"].as_array_mut().into_iter().flatten() {
        if token["content"].as_str().is_some_and(|content| MARKERS.contains(&content)) {
            token["special"] = json!(true);
        }
    }
}

/// The library takes for granted that a template names only what there is, and panics where it does not.
fn check_templates(processor: &Value) -> std::result::Result<(), String> {
    for piece in processor["single"].as_array().into_iter().flatten() {
        if let Some(token) = piece["SpecialToken"]["id"].as_str()
            && processor["special_tokens"].get(token).is_none()
        {
            return Err(format!("its post_processor names {token:?}, which is not among its special_tokens"));
        }
        if piece["Sequence"]["id"].as_str().is_some_and(|sequence| sequence != "A") {
            return Err("its post_processor asks for a second text where there is one".into());
        }
    }
    processor["processors"].as_array().into_iter().flatten().try_for_each(check_templates)
}

/// Turns a `Metaspace` that marks only the first text into one that marks none; whether there was one.
fn never_prepend(pre_tokenizer: &mut Value) -> bool {
    let mut changed = pre_tokenizer.get("prepend_scheme") == Some(&json!("first"));
    if changed {
        pre_tokenizer["prepend_scheme"] = json!("never");
    }
    for inner in pre_tokenizer.get_mut("pretokenizers").and_then(Value::as_array_mut).into_iter().flatten() {
        changed |= never_prepend(inner);
    }
    changed
}

/// What the tokenizer puts before and after every input.
fn surroundings(tokenizer: &Tokenizer) -> Result<(Vec<u32>, Vec<u32>)> {
    let bare = ask(|| tokenizer.encode_fast("a", false))?;
    let dressed = ask(|| tokenizer.encode_fast("a", true))?;
    let (bare, dressed) = (bare.get_ids(), dressed.get_ids());
    let at = dressed.windows(bare.len().max(1)).position(|window| window == bare).unwrap_or(0);
    let end = (at + bare.len()).min(dressed.len());
    Ok((dressed[..at].to_vec(), dressed[end..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(processor: &Value) -> Result<Encoder> {
        let model = json!({"type": "WordLevel", "vocab": {"a": 0, "[CLS]": 1}, "unk_token": "a"});
        let text = json!({"version": "1.0", "added_tokens": [], "model": model, "post_processor": processor});
        Encoder::parse_any(&text.to_string(), 8, Path::new("tokenizer.json"))
    }

    fn template(token: &str, sequence: &str) -> Value {
        let single = json!([
            {"SpecialToken": {"id": token, "type_id": 0}},
            {"Sequence": {"id": sequence, "type_id": 0}},
        ]);
        let tokens = json!({"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}});
        json!({"type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": tokens})
    }

    #[test]
    fn a_template_that_names_what_is_not_there_is_refused() {
        assert!(parse(&template("[CLS]", "A")).is_ok_and(|encoder| encoder.before == [1]));
        for (bad, what) in [(template("[SEP]", "A"), "\"[SEP]\""), (template("[CLS]", "B"), "a second text")] {
            for processor in [bad.clone(), json!({"type": "Sequence", "processors": [bad]})] {
                let error = parse(&processor).err().map(|error| error.to_string());
                assert!(error.as_ref().is_some_and(|error| error.contains(what)), "{error:?}");
            }
        }
    }

    #[test]
    fn what_is_kept_of_long_labels_is_bounded() {
        let mut kept = Kept::default();
        let tokens: Arc<[u32]> = vec![0; 1 << 18].into();
        for number in 0..100 {
            kept.insert(&format!("label {}", number / 2), &tokens);
            assert!(kept.bytes <= KEPT_BYTES && kept.tokens.len() <= 32);
        }
        assert!(kept.tokens.contains_key("label 49"));
    }

    #[test]
    fn a_panic_of_the_library_is_a_bad_record() {
        let error = ask::<()>(|| panic!("an index out of bounds")).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("the tokenizer failed: tokenizer.json makes no sense"));
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        assert!(Encoder::parse_any("[]", 8, Path::new("tokenizer.json")).is_err());
    }
}
