//! Prompt -> token ids. Only the markers that the program writes become special tokens; a text that
//! holds `<<LABEL>>` or `[SEP]` stays text.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::prompt::{LABEL, MARKERS, Piece, Prompt};
use crate::error::{Error, Result};
use crate::panics;

/// Bytes of labels and their tokens that are kept; beyond that all are forgotten.
const KEPT_BYTES: usize = 32 << 20;

/// Characters of a label that a message shows.
const SHOWN_CHARS: usize = 60;

/// Bytes of a long text that are looked at first: most models have read all they can long before.
const LONG_TEXT: usize = 1 << 16;

/// Bytes without a blank that are no word.
const LONG_WORD: usize = LONG_TEXT / 4;

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
    /// Labels among other pieces.
    labels: Store,
    /// Labels as inputs of their own, with the special tokens around them.
    lone_labels: Store,
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
        let (labels, lone_labels) = (Store::default(), Store::default());
        Ok(Self { tokenizer, following, markers, before, after, max_length, labels, lone_labels })
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

    /// A label alone, with the special tokens around it; from the store where it is known. Labels are never cut.
    ///
    /// # Errors
    /// It does not fit.
    pub fn encode_label(&self, label: &str) -> Result<Arc<[u32]>> {
        self.lone_labels.tokens(label, || {
            let tokens = [&self.before, &ids(&self.tokenizer, label)?, &self.after].map(Vec::as_slice).concat();
            if tokens.len() > self.max_length {
                let shown: String = label.chars().take(SHOWN_CHARS).collect();
                return Err(Error::Record(format!(
                    "the label {shown:?} needs {} tokens, but the label encoder reads {}: use a shorter label",
                    tokens.len(),
                    self.max_length
                )));
            }
            Ok(tokens.into())
        })
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
                    let start = run.text.len();
                    run.text.push_str(text);
                    run.body = Some(start..run.text.len());
                }
            }
        }
        self.flush(&mut run, &mut tokens, &mut body)?;
        tokens.extend_from_slice(after);
        let truncated = self.cut(&mut tokens, body, prompt)?;
        Ok(Tokens { ids: tokens, truncated })
    }

    /// Removes what does not fit from the end of the record's text, which is in `run`.
    fn cut(&self, tokens: &mut Vec<u32>, run: Option<Placed>, prompt: &Prompt<'_>) -> Result<bool> {
        let over = tokens.len().saturating_sub(self.max_length);
        if over == 0 {
            return Ok(false);
        }
        let text = if run.is_some() { ", and the text at least one more" } else { "" };
        let body = run.map(|run| self.body_tokens(&run)).transpose()?.unwrap_or(0..0);
        if over >= body.len() {
            let needed = tokens.len() - body.len();
            let labels = prompt.0.iter().filter(|piece| **piece == Piece::Marker(LABEL)).count();
            let what = match labels {
                0 => "prompt, examples and special tokens".to_owned(),
                1 => "one label with prompt and examples, if any,".to_owned(),
                labels => format!("{labels} labels with prompt and examples, if any,"),
            };
            let in_pieces = "; classify, batch and eval read many labels in pieces with --labels-chunk-size";
            return Err(Error::Record(format!(
                "{what} need {needed} tokens{text}, but a sequence may have {}: use fewer or shorter labels, or a higher \
                 --max-length if the model allows it{}",
                self.max_length,
                if labels > 1 { in_pieces } else { "" }
            )));
        }
        tokens.drain(body.end - over..body.end);
        Ok(true)
    }

    /// The tokens of the gathered text.
    fn flush(&self, run: &mut Run, tokens: &mut Vec<u32>, body: &mut Option<Placed>) -> Result<()> {
        let mut run = std::mem::take(run);
        let start = tokens.len();
        if !run.text.is_empty() {
            tokens.extend(self.ids_of(&mut run)?);
        }
        if run.body.is_some() {
            *body = Some(Placed { run, tokens: start..tokens.len() });
        }
        Ok(())
    }

    /// Tokens of a run. A record's text of any size is read only as far as it can be kept: the words behind that
    /// are left out of the run, but for the last one where more stands behind it. Where a script has no blanks, or a text
    /// none, characters take the place of words: the cut is far behind what is kept.
    fn ids_of(&self, run: &mut Run) -> Result<Vec<u32>> {
        let tokenizer = self.tokenizer_of(run);
        let Some(body) = run.body.clone() else { return ids(tokenizer, &run.text) };
        let word_before = |end: usize| {
            let start = run.text.floor_char_boundary(end - LONG_WORD.min(end - body.start));
            run.text[start..end].rfind(char::is_whitespace).map_or(start, |at| start + at)
        };
        let is_last = body.end == run.text.len();
        let rest = if is_last { body.end } else { word_before(body.end) };
        let mut size = LONG_TEXT;
        while body.start + size < rest {
            let end = word_before(run.text.floor_char_boundary(body.start + size));
            let text = [&run.text[..end], &run.text[rest..]].concat();
            let tokens = ids(tokenizer, &text)?;
            let beginning = Placed { tokens: 0..tokens.len(), run: Run { text, body: Some(body.start..end), ..*run } };
            if tokens.len() > self.max_length && self.body_tokens(&beginning)?.len() > self.max_length {
                *run = Run { body: Some(body.start..end + body.end - rest), ..beginning.run };
                return Ok(tokens);
            }
            size *= 4;
        }
        ids(tokenizer, &run.text)
    }

    /// Which tokens of a run are of the record's text and of nothing else.
    fn body_tokens(&self, Placed { run, tokens }: &Placed) -> Result<Range<usize>> {
        let body = run.body.clone().unwrap_or(0..0);
        if body == (0..run.text.len()) {
            return Ok(tokens.clone());
        }
        let encoding = ask(|| self.tokenizer_of(run).encode(run.text.as_str(), false))?;
        let is_body = |&(start, end): &(usize, usize)| {
            // A space before the text is not what must stay whole.
            let blank = run.text.get(start..end).map_or(0, |token| token.len() - token.trim_start().len());
            start < end && (start + blank).min(end - 1) >= body.start && end <= body.end
        };
        let offsets = encoding.get_offsets();
        let first = offsets.iter().position(is_body).unwrap_or(0);
        let last = offsets.iter().rposition(is_body).map_or(first, |last| last + 1);
        Ok(tokens.start + first..tokens.start + last)
    }

    fn tokenizer_of(&self, run: &Run) -> &Tokenizer {
        if run.leads { &self.tokenizer } else { self.following() }
    }

    fn following(&self) -> &Tokenizer {
        self.following.as_ref().unwrap_or(&self.tokenizer)
    }

    /// Tokens of a label, from the store where they are known.
    fn label(&self, label: &str) -> Result<Arc<[u32]>> {
        self.labels.tokens(label, || Ok(ids(self.following(), label)?.into()))
    }
}

/// The tokens of labels, cut once.
#[derive(Default)]
struct Store(RwLock<Kept>);

impl Store {
    fn tokens(&self, label: &str, cut: impl FnOnce() -> Result<Arc<[u32]>>) -> Result<Arc<[u32]>> {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).tokens.get(label) {
            return Ok(Arc::clone(known));
        }
        let tokens = cut()?;
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(label, &tokens);
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
    /// Where in it the record's text is.
    body: Option<Range<usize>>,
    /// Whether nothing of the prompt stands before it.
    leads: bool,
}

/// The run that holds the record's text, and its place among all tokens.
struct Placed {
    run: Run,
    tokens: Range<usize>,
}

fn ids(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
    let encoding = ask(|| tokenizer.encode_fast(text, false))?;
    Ok(encoding.get_ids().to_vec())
}

/// Asks the library, which panics over some tokenizers that make no sense.
fn ask<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
    let answer = panics::caught(call).unwrap_or_else(|_| Err("tokenizer.json makes no sense".into()));
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
#[allow(clippy::unwrap_used)]
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

    /// Words `a` to `d` and the two markers that each tokenizer has; all else is the token 4.
    fn words(max_length: usize) -> Encoder {
        pieces(max_length, &json!({"type": "WhitespaceSplit"}))
    }

    /// The same, where words are what `pre_tokenizer` makes of a text.
    fn pieces(max_length: usize, pre_tokenizer: &Value) -> Encoder {
        let vocab = json!({"a": 0, "b": 1, "c": 2, "d": 3, "?": 4});
        let token = |id: u32, content: &str| {
            json!({"id": id, "content": content, "special": true, "single_word": false, "lstrip": false,
                   "rstrip": false, "normalized": false})
        };
        let text = json!({
            "version": "1.0",
            "added_tokens": [token(5, LABEL), token(6, "<<SEP>>")],
            "pre_tokenizer": pre_tokenizer,
            "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "?"},
        });
        Encoder::parse(&text.to_string(), max_length, Path::new("tokenizer.json")).unwrap()
    }

    #[test]
    fn of_words_that_are_cut_in_one_go_only_those_of_the_text_are_left_out() {
        let text = |text: &'static str| Piece::Text(text.into());
        let (sep, example) = (Piece::Marker("<<SEP>>"), Piece::Marker("<<EXAMPLE>>"));
        for (pieces, expected) in [
            (vec![sep.clone(), text("c c "), Piece::Body("a b a b")], vec![6, 2, 2, 0]),
            (vec![Piece::Body("a b a b"), text(" d"), sep.clone()], vec![0, 1, 3, 6]),
            (vec![text("c "), Piece::Body("a b a b"), text(" d"), sep.clone()], vec![2, 0, 3, 6]),
            (vec![Piece::Body("a b a b"), text(" "), example, text(" d")], vec![0, 1, 4, 3]),
            // What is one token with a word of the prompt stays.
            (vec![text("c"), Piece::Body("a b a b a b"), text("d")], vec![4, 1, 0, 4]),
        ] {
            let tokens = words(4).encode(&Prompt(pieces)).unwrap();
            assert_eq!((tokens.ids, tokens.truncated), (expected, true));
        }
    }

    #[test]
    fn words_that_leave_no_room_for_the_text_are_an_error() {
        let prompt = Prompt(vec![Piece::Marker("<<SEP>>"), Piece::Text("c c c ".into()), Piece::Body("a b")]);
        assert_eq!(words(5).encode(&prompt).unwrap().ids, [6, 2, 2, 2, 0]);
        let error = words(4).encode(&prompt).unwrap_err().to_string();
        assert!(error.contains("need 4 tokens, and the text at least one more, but a sequence may have 4"), "{error}");
    }

    #[test]
    fn a_text_of_any_size_is_cut_as_if_it_had_been_read_to_its_end() {
        let long = "a b ".repeat(LONG_TEXT) + "a";
        let around = Prompt(vec![Piece::Text("c ".into()), Piece::Body(&long), Piece::Text("d d".into())]);
        assert_eq!(words(6).encode(&around).unwrap().ids, [2, 0, 1, 0, 4, 3]);
        let spaces = " ".repeat(2 * LONG_TEXT) + &long;
        let behind = Prompt(vec![Piece::Body(&spaces), Piece::Text(" d".into())]);
        assert_eq!(words(4).encode(&behind).unwrap().ids, [0, 1, 0, 3]);
        assert_eq!(words(3).encode(&Prompt(vec![Piece::Body(&spaces)])).unwrap().ids, [0, 1, 0]);
    }
    #[test]
    fn a_text_of_any_size_without_blanks_is_read_only_as_far_as_it_is_kept() {
        let characters = json!({"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": false});
        let encoder = pieces(5, &characters);
        let long = "ab".repeat(4 * LONG_TEXT);
        assert_eq!(encoder.encode(&Prompt(vec![Piece::Body(&long)])).unwrap().ids, [0, 1, 0, 1, 0]);
        let around = Prompt(vec![Piece::Text("c".into()), Piece::Body(&long), Piece::Text("d".into())]);
        assert_eq!(encoder.encode(&around).unwrap().ids, [2, 0, 1, 0, 3]);
        let mut run = Run { body: Some(0..long.len()), leads: true, text: long };
        assert!(encoder.ids_of(&mut run).unwrap().len() <= LONG_TEXT && run.text.len() <= LONG_TEXT);
    }
}
