//! A tokenizer that reads an input part by part. The program cuts inputs at its markers itself, so that no other text
//! becomes one; each part is then read as the library reads it inside the whole input.

use std::collections::HashMap;
use std::str::FromStr;

use serde_json::{Value, json};
use tokenizers::{
    AddedToken, Encoding, Model, NormalizedString, Normalizer, NormalizerWrapper, OffsetType, PreTokenizer,
    PreTokenizerWrapper, Tokenizer,
};

use super::prompt::MARKERS;
use crate::error::{Error, Result};
use crate::panics;

/// What stands at one side of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Edge {
    /// Nothing: the input begins or ends.
    #[default]
    End,
    /// A marker at which the library cuts the input before it normalizes each part by itself.
    Cut,
    /// A marker that the library finds in the normalized input, whose inner blanks were not stripped.
    Normalized,
}

/// Both sides of an input that is read as one part.
pub(super) const WHOLE: [Edge; 2] = [Edge::End; 2];

/// A marker that a tokenizer has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marker {
    pub id: u32,
    /// What it is to the parts beside it.
    pub edge: Edge,
}

/// The tokenizer of one checkpoint.
pub(super) struct Reader {
    tokenizer: Tokenizer,
    /// The sides between which a part is read otherwise than a whole input, and how.
    contexts: Vec<([Edge; 2], Context)>,
    /// The markers that the tokenizer has; of those that cannot be written, why.
    pub markers: HashMap<&'static str, std::result::Result<Marker, String>>,
    /// Special tokens before and behind every input.
    pub around: [Vec<u32>; 2],
}

impl Reader {
    /// Reads the text of `tokenizer.json`. Its truncation, its padding and the dropout of its model are set aside.
    ///
    /// # Errors
    /// It is no tokenizer: the message says why.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let mut json: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if !json.is_object() {
            return Err("no JSON object".into());
        }
        check_templates(&json["post_processor"])?;
        json["truncation"] = Value::Null;
        json["padding"] = Value::Null;
        if let Some(dropout) = json.pointer_mut("/model/dropout") {
            *dropout = Value::Null;
        }
        make_markers_special(&mut json);
        let failed = |error: Error| error.to_string();
        let tokenizer = build(&json).map_err(failed)?;
        let around = surroundings(&tokenizer).map_err(failed)?;
        let markers = markers(&tokenizer, prepends(&json["normalizer"]));
        let has_normalized = markers.values().flatten().any(|marker| marker.edge == Edge::Normalized);
        let contexts = contexts(&json, has_normalized).map_err(|e| e.to_string())?;
        Ok(Self { tokenizer, contexts, markers, around })
    }

    /// The id of a token, whatever kind it is.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// The tokens of a part with these sides, without the special tokens around the input.
    ///
    /// # Errors
    /// The tokenizer failed.
    pub fn ids(&self, part: &str, sides: [Edge; 2]) -> Result<Vec<u32>> {
        let encoding = ask(|| match self.context(sides) {
            Some(context) => self.encode(part, sides, context, OffsetType::None),
            None => self.tokenizer.encode_fast(part, false),
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Where each of those tokens begins and ends in the part, in bytes.
    ///
    /// # Errors
    /// The tokenizer failed.
    pub fn offsets(&self, part: &str, sides: [Edge; 2]) -> Result<Vec<(usize, usize)>> {
        let encoding = ask(|| match self.context(sides) {
            Some(context) => self.encode(part, sides, context, OffsetType::Byte),
            None => self.tokenizer.encode(part, false),
        })?;
        Ok(encoding.get_offsets().to_vec())
    }

    fn context(&self, sides: [Edge; 2]) -> Option<&Context> {
        self.contexts.iter().find(|(between, _)| *between == sides).map(|(_, context)| context)
    }

    /// What the library's own `encode` does, in another context.
    fn encode(
        &self,
        part: &str,
        sides: [Edge; 2],
        context: &Context,
        offsets: OffsetType,
    ) -> tokenizers::Result<Encoding> {
        let segments = Segments { reader: self, sides, length: part.len() };
        let mut words = self.tokenizer.get_added_vocabulary().extract_and_normalize(Some(&segments), part);
        if let Some(pre_tokenizer) = &context.pre_tokenizer {
            pre_tokenizer.pre_tokenize(&mut words)?;
        }
        words.tokenize(|word| self.tokenizer.get_model().tokenize(word.get()))?;
        self.tokenizer.post_process(words.into_encoding(None, 0, offsets)?, None, false)
    }
}

/// The normalizer of a part with these sides: tokens that the library finds in it before it normalizes cut it into
/// segments, as the markers of that kind do.
struct Segments<'a> {
    reader: &'a Reader,
    sides: [Edge; 2],
    length: usize,
}

impl Normalizer for Segments<'_> {
    fn normalize(&self, segment: &mut NormalizedString) -> tokenizers::Result<()> {
        let (start, end) = segment.offsets_original();
        let [before, behind] = self.sides;
        let sides = [if start == 0 { before } else { Edge::Cut }, if end == self.length { behind } else { Edge::Cut }];
        let normalizer = match self.reader.context(sides) {
            Some(context) => context.normalizer.as_ref(),
            None => self.reader.tokenizer.get_normalizer(),
        };
        normalizer.map_or(Ok(()), |normalizer| normalizer.normalize(segment))
    }
}

/// What takes the place of a tokenizer's own where a part is read otherwise than a whole input.
struct Context {
    normalizer: Option<NormalizerWrapper>,
    pre_tokenizer: Option<PreTokenizerWrapper>,
}

/// All contexts in which a part is read otherwise than a whole input.
fn contexts(json: &Value, has_normalized: bool) -> serde_json::Result<Vec<([Edge; 2], Context)>> {
    let edges = if has_normalized { &[Edge::End, Edge::Cut, Edge::Normalized][..] } else { &[Edge::End, Edge::Cut] };
    let mut contexts = Vec::new();
    for (&before, &behind) in edges.iter().flat_map(|before| edges.iter().map(move |behind| (before, behind))) {
        let [mut normalizer, mut pre_tokenizer] = ["normalizer", "pre_tokenizer"].map(|name| json[name].clone());
        let mut differs = before != Edge::End && never_prepend(&mut pre_tokenizer);
        for (edge, side) in [(before, "strip_left"), (behind, "strip_right")] {
            differs |= edge == Edge::Normalized && never_strip(&mut normalizer, side);
        }
        if differs {
            let normalizer = serde_json::from_value(normalizer)?;
            let pre_tokenizer = serde_json::from_value(pre_tokenizer)?;
            contexts.push(([before, behind], Context { normalizer, pre_tokenizer }));
        }
    }
    Ok(contexts)
}

/// Asks the library, which panics over some tokenizers that make no sense.
pub(crate) fn ask<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
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

/// The markers that a tokenizer has, whose normalizer perhaps writes something before every text.
fn markers(tokenizer: &Tokenizer, prepends: bool) -> HashMap<&'static str, std::result::Result<Marker, String>> {
    let vocabulary = tokenizer.get_added_vocabulary();
    let found = MARKERS.into_iter().filter_map(|name| {
        let id = *vocabulary.get_vocab().get(name)?;
        let token = vocabulary.get_added_tokens_decoder().get(&id)?;
        let edge = if token.normalized { Edge::Normalized } else { Edge::Cut };
        Some((name, check_marker(token, prepends).map(|()| Marker { id, edge })))
    });
    found.collect()
}

/// The library finds some markers only in some places, or takes along what stands beside them.
fn check_marker(token: &AddedToken, prepends: bool) -> std::result::Result<(), String> {
    let wrong = if token.lstrip || token.rstrip {
        "takes along the blanks beside it"
    } else if token.single_word {
        "is none beside a letter"
    } else if token.normalized && prepends {
        "is one only behind a blank, since the normalizer has a Prepend"
    } else {
        return Ok(());
    };
    Err(format!(
        "the token {} {wrong}, which is not supported: one with lstrip, rstrip, single_word and normalized false is",
        token.content
    ))
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

/// Turns every `Strip` that strips this side into one that does not; whether there was one.
fn never_strip(normalizer: &mut Value, side: &str) -> bool {
    let mut changed = normalizer.get(side) == Some(&json!(true));
    if changed {
        normalizer[side] = json!(false);
    }
    for inner in normalizer.get_mut("normalizers").and_then(Value::as_array_mut).into_iter().flatten() {
        changed |= never_strip(inner, side);
    }
    changed
}

/// Whether a normalizer writes something before every text.
fn prepends(normalizer: &Value) -> bool {
    let inner = normalizer["normalizers"].as_array();
    normalizer["prepend"].is_string() || inner.into_iter().flatten().any(prepends)
}

/// What the tokenizer puts before and behind every input. Not every tokenizer has tokens for the first text that
/// comes to mind: then a word of its own vocabulary shows it.
fn surroundings(tokenizer: &Tokenizer) -> Result<[Vec<u32>; 2]> {
    if let Some(around) = surroundings_of("a", tokenizer)? {
        return Ok(around);
    }
    let mut words: Vec<(String, u32)> = tokenizer.get_vocab(false).into_iter().collect();
    words.sort_unstable_by_key(|(_, id)| *id);
    for (word, _) in words {
        if let Some(around) = surroundings_of(&word, tokenizer)? {
            return Ok(around);
        }
    }
    Err(Error::Record("no word of its vocabulary has a token".into()))
}

/// The same, as a text shows it that has tokens of its own.
fn surroundings_of(text: &str, tokenizer: &Tokenizer) -> Result<Option<[Vec<u32>; 2]>> {
    let dressed = ask(|| tokenizer.encode_fast(text, true))?;
    let is_text = |&special: &u32| special == 0;
    let mask = dressed.get_special_tokens_mask();
    let (Some(first), Some(last)) = (mask.iter().position(is_text), mask.iter().rposition(is_text)) else {
        return Ok(None);
    };
    let ids = dressed.get_ids();
    Ok(Some([ids[..first].to_vec(), ids[last + 1..].to_vec()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(processor: &Value) -> std::result::Result<Reader, String> {
        let model = json!({"type": "WordLevel", "vocab": {"a": 0, "[CLS]": 1}, "unk_token": "a"});
        let text = json!({"version": "1.0", "added_tokens": [], "model": model, "post_processor": processor});
        Reader::parse(&text.to_string())
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
        assert!(parse(&template("[CLS]", "A")).is_ok_and(|reader| reader.around == [vec![1], vec![]]));
        for (bad, what) in [(template("[SEP]", "A"), "\"[SEP]\""), (template("[CLS]", "B"), "a second text")] {
            for processor in [bad.clone(), json!({"type": "Sequence", "processors": [bad]})] {
                let error = parse(&processor).err();
                assert!(error.as_ref().is_some_and(|error| error.contains(what)), "{error:?}");
            }
        }
    }

    #[test]
    fn special_tokens_are_found_also_where_the_letter_a_has_no_token() {
        let special = |id: &str| json!({"SpecialToken": {"id": id, "type_id": 0}});
        let single = json!([special("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, special("[SEP]")]);
        let [cls, sep] =
            [("[CLS]", 1), ("[SEP]", 2)].map(|(name, id)| json!({"id": name, "ids": [id], "tokens": [name]}));
        let tokens = json!({"[CLS]": cls, "[SEP]": sep});
        let processor = json!({"type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": tokens});
        let parse = |vocab: Value| {
            let model = json!({"type": "BPE", "vocab": vocab, "merges": []});
            let text = json!({"version": "1.0", "added_tokens": [], "model": model, "post_processor": processor});
            Reader::parse(&text.to_string())
        };
        let reader = parse(json!({"b": 0, "[CLS]": 1, "[SEP]": 2}));
        assert!(reader.is_ok_and(|reader| reader.around == [vec![1], vec![2]]));
        assert!(parse(json!({"[CLS]": 1, "[SEP]": 2})).is_err_and(|error| error.contains("vocabulary")));
    }

    #[test]
    fn dropout_of_a_tokenizer_is_set_aside() {
        let model = json!({
            "type": "BPE", "dropout": 1.0, "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"],
        });
        let text = json!({"version": "1.0", "added_tokens": [], "model": model});
        let ids = Reader::parse(&text.to_string()).map(|reader| reader.ids("ab", WHOLE).ok());
        assert_eq!(ids, Ok(Some(vec![2])));
    }

    #[test]
    fn a_panic_of_the_library_is_a_bad_record() {
        let error = ask::<()>(|| panic!("an index out of bounds")).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("the tokenizer failed: tokenizer.json makes no sense"));
    }
}
