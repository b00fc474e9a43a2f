//! Prompt -> token ids. Only the markers that the program writes become special tokens; a text that
//! holds `<<LABEL>>` or `[SEP]` stays text.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use super::prompt::{EXAMPLE, LABEL, MARKERS, Piece, Prompt, SEP};
use super::reader::{Edge, Marker, Reader, WHOLE};
use crate::error::{Error, Result};

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
    reader: Reader,
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
    /// The file is no tokenizer, lacks the markers `<<LABEL>>` and `<<SEP>>`, or has one that cannot be written.
    pub fn parse(text: &str, max_length: usize, file: &Path) -> Result<Self> {
        let encoder = Self::parse_any(text, max_length, file)?;
        let markers = &encoder.reader.markers;
        if let Some(wrong) = MARKERS.iter().find_map(|name| markers.get(name)?.as_ref().err()) {
            return Err(Error::model(file, wrong));
        }
        let edge = |name: &str| match markers.get(name) {
            Some(Ok(marker)) => Ok(marker.edge),
            _ => Err(Error::model(file, format!("no token {name}: this is no tokenizer of a GLiClass model"))),
        };
        // A label has one of them on either side.
        if edge(LABEL)? != edge(SEP)? {
            let message = format!("\"normalized\" differs between {LABEL} and {SEP}, which is not supported");
            return Err(Error::model(file, message));
        }
        Ok(encoder)
    }

    /// The same, for a model that needs no markers.
    ///
    /// # Errors
    /// The file is no tokenizer.
    pub fn parse_any(text: &str, max_length: usize, file: &Path) -> Result<Self> {
        let reader = Reader::parse(text).map_err(|e| Error::model(file, format!("not a usable tokenizer: {e}")))?;
        Ok(Self { reader, max_length, labels: Store::default(), lone_labels: Store::default() })
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
        self.reader.offsets(text, WHOLE)
    }

    /// The id of a token, whatever kind it is.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.reader.id(token)
    }

    /// A label alone, with the special tokens around it; from the store where it is known. Labels are never cut.
    ///
    /// # Errors
    /// It does not fit.
    pub fn encode_label(&self, label: &str) -> Result<Arc<[u32]>> {
        self.lone_labels.tokens(label, || {
            let [before, behind] = &self.reader.around;
            let tokens = [before, &self.reader.ids(label, WHOLE)?, behind].map(Vec::as_slice).concat();
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
        let [before, behind] = &self.reader.around;
        self.encode_between(before, prompt, behind)
    }

    /// The same without the tokenizer's own special tokens around the input.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode_bare(&self, prompt: &Prompt<'_>) -> Result<Tokens> {
        self.encode_between(&[], prompt, &[])
    }

    fn encode_between(&self, before: &[u32], prompt: &Prompt<'_>, behind: &[u32]) -> Result<Tokens> {
        let mut tokens = before.to_vec();
        let mut body = None;
        let mut run = Run::default();
        for piece in &prompt.0 {
            match piece {
                Piece::Marker(marker) => match self.reader.markers.get(marker) {
                    Some(Ok(Marker { id, edge })) => {
                        self.flush(&mut run, *edge, &mut tokens, &mut body)?;
                        tokens.push(*id);
                    }
                    Some(Err(wrong)) => return Err(Error::Record(wrong.clone())),
                    // A tokenizer without the token reads its letters, as in training.
                    None => run.text.push_str(marker),
                },
                // A label stands alone between two markers of one kind.
                Piece::Label(label) => tokens.extend_from_slice(&self.label(label, run.sides[0])?),
                Piece::Task(text) => run.text.push_str(text),
                Piece::Text(text) => run.text.push_str(text),
                Piece::Body(text) => {
                    let start = run.text.len();
                    run.text.push_str(text);
                    run.body = Some(start..run.text.len());
                }
                Piece::End => self.flush(&mut run, Edge::End, &mut tokens, &mut body)?,
            }
        }
        self.flush(&mut run, Edge::End, &mut tokens, &mut body)?;
        tokens.extend_from_slice(behind);
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
            let (what, remedy) = uncut(prompt, self.task_length(prompt)?, needed, self.max_length);
            return Err(Error::Record(format!(
                "{what} need {needed} tokens{text}, but a sequence may have {}: {remedy}",
                self.max_length
            )));
        }
        tokens.drain(body.end - over..body.end);
        Ok(true)
    }

    /// How many tokens the task description has by itself.
    fn task_length(&self, prompt: &Prompt<'_>) -> Result<usize> {
        let task = prompt.0.iter().find_map(|piece| match piece {
            Piece::Task(text) => Some(self.reader.ids(text, WHOLE)),
            _ => None,
        });
        Ok(task.transpose()?.map_or(0, |tokens| tokens.len()))
    }

    /// The tokens of the gathered text, up to what stands behind it.
    fn flush(&self, run: &mut Run, behind: Edge, tokens: &mut Vec<u32>, body: &mut Option<Placed>) -> Result<()> {
        let next = Run { sides: [behind, Edge::End], ..Run::default() };
        let mut run = std::mem::replace(run, next);
        run.sides[1] = behind;
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
        let Some(body) = run.body.clone() else {
            return self.reader.ids(&run.text, run.sides);
        };
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
            let tokens = self.reader.ids(&text, run.sides)?;
            let beginning = Placed { tokens: 0..tokens.len(), run: Run { text, body: Some(body.start..end), ..*run } };
            if tokens.len() > self.max_length && self.body_tokens(&beginning)?.len() > self.max_length {
                *run = Run { body: Some(body.start..end + body.end - rest), ..beginning.run };
                return Ok(tokens);
            }
            size *= 4;
        }
        self.reader.ids(&run.text, run.sides)
    }

    /// Which tokens of a run are of the record's text and of nothing else.
    fn body_tokens(&self, Placed { run, tokens }: &Placed) -> Result<Range<usize>> {
        let body = run.body.clone().unwrap_or(0..0);
        if body == (0..run.text.len()) {
            return Ok(tokens.clone());
        }
        let offsets = self.reader.offsets(&run.text, run.sides)?;
        let is_body = |&(start, end): &(usize, usize)| {
            // A space before the text is not what must stay whole.
            let blank = run.text.get(start..end).map_or(0, |token| token.len() - token.trim_start().len());
            // Blanks that the tokenizer trims off leave their token at their end, without any width.
            (start + blank).min(end.saturating_sub(1)) >= body.start && end <= body.end
        };
        let first = offsets.iter().position(is_body).unwrap_or(0);
        let last = offsets.iter().rposition(is_body).map_or(first, |last| last + 1);
        Ok(tokens.start + first..tokens.start + last)
    }

    /// Tokens of a label, from the store where they are known.
    fn label(&self, label: &str, beside: Edge) -> Result<Arc<[u32]>> {
        self.labels.tokens(label, || Ok(self.reader.ids(label, [beside; 2])?.into()))
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
    /// What stands before and behind it.
    sides: [Edge; 2],
}

/// What of a prompt is never cut, and what to do where that does not fit: it has `needed` tokens, and the task description
/// `task` of them.
fn uncut(prompt: &Prompt<'_>, task: usize, needed: usize, max_length: usize) -> (String, String) {
    let count = |marker| prompt.0.iter().filter(|piece| **piece == Piece::Marker(marker)).count();
    let (labels, examples) = (count(LABEL), count(EXAMPLE));
    let counted = |count, name| format!("{count} {name}{}", if count == 1 { "" } else { "s" });
    let (mut what, mut less) = (Vec::new(), Vec::new());
    if labels > 0 {
        what.push(counted(labels, "label"));
        less.push("fewer or shorter labels");
    }
    if examples > 0 {
        what.push(counted(examples, "example"));
        less.push("fewer or shorter examples (--rac-retrieve says how many)");
    }
    // Where the task description alone is too long, and nothing else, less of the others does not help.
    let others_help = task < max_length || needed.saturating_sub(task) >= max_length;
    if !others_help {
        less.clear();
    }
    if task > 0 {
        what.push(format!("a prompt of {}", counted(task, "token")));
        less.push("a shorter prompt");
    }
    let what = if what.is_empty() { String::new() } else { what.join(", ") + " and " };
    let less = if less.is_empty() { String::new() } else { less.join(", ") + ", or " };
    // Each piece has all examples.
    let in_pieces = match others_help && labels > 1 && examples == 0 {
        true => "; classify, batch and eval read many labels in pieces with --labels-chunk-size",
        false => "",
    };
    let remedy = format!("use {less}a higher --max-length if the model allows it{in_pieces}");
    (what + "the special tokens", remedy)
}

/// The run that holds the record's text, and its place among all tokens.
struct Placed {
    run: Run,
    tokens: Range<usize>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::str::FromStr;

    use serde_json::{Value, json};
    use tokenizers::Tokenizer;

    use super::*;

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
    fn what_leaves_no_room_is_named_with_what_to_use_less_of() {
        let (label, example) = (Piece::Marker(LABEL), Piece::Marker(EXAMPLE));
        let in_pieces = "allows it; classify, batch and eval read many labels in pieces with --labels-chunk-size";
        for (room, pieces, what, remedy) in [
            (4, vec![], "the special tokens need", "use a higher --max-length"),
            (4, vec![label.clone()], "1 label and the special tokens need", "use fewer or shorter labels, or a higher"),
            (
                4,
                vec![example.clone()],
                "1 example and the special tokens need",
                "use fewer or shorter examples (--rac-retrieve says how many), or a",
            ),
            (
                4,
                vec![Piece::Task("c"), label.clone(), label.clone(), example],
                "2 labels, 1 example, a prompt of 1 token and the special tokens need",
                "use fewer or shorter labels, fewer or shorter examples (--rac-retrieve says how many), a shorter prompt, or a higher",
            ),
            (4, vec![label.clone(), label.clone()], "2 labels and the special tokens need", in_pieces),
            (
                4,
                vec![label.clone(), label.clone(), Piece::Task("c c c c c")],
                "2 labels, a prompt of 5 tokens and the special tokens need",
                "use fewer or shorter labels, a shorter prompt, or a higher",
            ),
            (
                8,
                vec![label.clone(), label, Piece::Task("c c c c c c c c")],
                "2 labels, a prompt of 8 tokens and the special tokens need",
                "use a shorter prompt, or a higher",
            ),
        ] {
            let prompt = Prompt([pieces, vec![Piece::Text(" c c c c ".into()), Piece::Body("a b")]].concat());
            let error = words(room).encode(&prompt).unwrap_err().to_string();
            assert!(error.starts_with(what) && error.contains(remedy), "{error}");
            let helps = what.starts_with("2 labels")
                && !what.contains("example")
                && !remedy.starts_with("use a shorter prompt");
            assert_eq!(error.contains("--labels-chunk-size"), helps, "{error}");
        }
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
    fn blanks_that_are_trimmed_off_are_cut_with_their_text() {
        let json = json!({
            "version": "1.0",
            "added_tokens": [],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            "post_processor": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2}, "merges": []},
        });
        let encoder = Encoder::parse_any(&json.to_string(), 4, Path::new("tokenizer.json")).unwrap();
        let tokens = encoder.encode(&Prompt(vec![Piece::Text("b".into()), Piece::Body("      a")])).unwrap();
        assert_eq!((tokens.ids, tokens.truncated), (vec![1, 2, 2, 2], true));
    }

    #[test]
    fn a_text_of_any_size_without_blanks_is_read_only_as_far_as_it_is_kept() {
        let characters = json!({"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": false});
        let encoder = pieces(5, &characters);
        let long = "ab".repeat(4 * LONG_TEXT);
        assert_eq!(encoder.encode(&Prompt(vec![Piece::Body(&long)])).unwrap().ids, [0, 1, 0, 1, 0]);
        let around = Prompt(vec![Piece::Text("c".into()), Piece::Body(&long), Piece::Text("d".into())]);
        assert_eq!(encoder.encode(&around).unwrap().ids, [2, 0, 1, 0, 3]);
        let mut run = Run { body: Some(0..long.len()), sides: WHOLE, text: long };
        assert!(encoder.ids_of(&mut run).unwrap().len() <= LONG_TEXT && run.text.len() <= LONG_TEXT);
    }

    /// Every character of a text whose ends are stripped, and markers with these settings.
    fn characters(normalized: bool, label: &Value, normalizer: &Value) -> String {
        let token = |id: u32, content: &str| {
            json!({"id": id, "content": content, "special": false, "single_word": false, "lstrip": false,
                   "rstrip": false, "normalized": normalized})
        };
        let mut tokens = [token(4, LABEL), token(5, SEP)];
        tokens[0].as_object_mut().unwrap().extend(label.as_object().unwrap().clone());
        let split = json!({"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": false});
        let vocab = json!({"a": 0, " ": 1, "▁": 2, "?": 3});
        let model = json!({"type": "WordLevel", "vocab": vocab, "unk_token": "?"});
        let pipeline = json!({"version": "1.0", "added_tokens": tokens, "normalizer": normalizer});
        let mut pipeline = pipeline.as_object().unwrap().clone();
        pipeline.extend([("pre_tokenizer".to_owned(), split), ("model".to_owned(), model)]);
        Value::from(pipeline).to_string()
    }

    #[test]
    fn blanks_beside_markers_are_stripped_where_the_library_strips_them() {
        let pieces = [
            Piece::Body(" a "),
            Piece::Marker(LABEL),
            Piece::Label(" a "),
            Piece::Marker(SEP),
            Piece::Text(" a ".into()),
        ];
        let strip = |left, right| json!({"type": "Strip", "strip_left": left, "strip_right": right});
        for (left, right) in [(true, true), (false, true), (true, false)] {
            let normalizer = json!({"type": "Sequence", "normalizers": [strip(left, right), {"type": "NFC"}]});
            for normalized in [true, false] {
                let text = characters(normalized, &json!({}), &normalizer);
                let whole = Tokenizer::from_str(&text).unwrap().encode(" a <<LABEL>> a <<SEP>> a ", false).unwrap();
                let encoder = Encoder::parse(&text, 20, Path::new("tokenizer.json")).unwrap();
                let tokens = encoder.encode(&Prompt(pieces.to_vec())).unwrap();
                assert_eq!(tokens.ids, whole.get_ids(), "{left} {right} {normalized}");
                let inputs = Prompt(vec![Piece::Body(" a "), Piece::End, Piece::Marker(SEP)]);
                let body = Tokenizer::from_str(&text).unwrap().encode(" a ", false).unwrap();
                assert_eq!(encoder.encode(&inputs).unwrap().ids, [body.get_ids(), &[5]].concat());
                // What looks like a marker in a text stays text.
                let tokens = encoder.encode(&Prompt(vec![Piece::Body("<<SEP>>a")])).unwrap();
                assert_eq!(tokens.ids, [3, 3, 3, 3, 3, 3, 3, 0]);
            }
        }
    }

    #[test]
    fn blanks_beside_a_token_that_is_no_marker_are_stripped_where_the_library_strips_them() {
        let strip = json!({"type": "Strip", "strip_left": true, "strip_right": true});
        for normalized in [true, false] {
            let mut json: Value = serde_json::from_str(&characters(true, &json!({}), &strip)).unwrap();
            json["added_tokens"].as_array_mut().unwrap().push(json!({"id": 6, "content": "<a>", "special": false,
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": normalized}));
            let library = Tokenizer::from_str(&json.to_string()).unwrap();
            let whole = library.encode(" a <a> a <<LABEL>> <a> a <<SEP>> a <a> ", false).unwrap();
            let encoder = Encoder::parse(&json.to_string(), 40, Path::new("tokenizer.json")).unwrap();
            let tokens = encoder.encode(&Prompt(vec![
                Piece::Body(" a <a> a "),
                Piece::Marker(LABEL),
                Piece::Label(" <a> a "),
                Piece::Marker(SEP),
                Piece::Text(" a <a> ".into()),
            ]));
            assert_eq!(tokens.unwrap().ids, whole.get_ids(), "{normalized}");
        }
    }

    #[test]
    fn markers_that_are_found_only_in_some_places_are_refused_where_they_are_written() {
        let prepend = json!({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}]});
        let (plain, none) = (json!({}), Value::Null);
        let file = Path::new("tokenizer.json");
        for (text, what) in [
            (characters(true, &plain, &prepend), "Prepend"),
            (characters(false, &json!({"lstrip": true}), &none), "blanks beside it"),
            (characters(false, &json!({"rstrip": true}), &none), "blanks beside it"),
            (characters(false, &json!({"single_word": true}), &none), "beside a letter"),
            (characters(false, &json!({"normalized": true}), &none), "\"normalized\" differs"),
        ] {
            let error = Encoder::parse(&text, 20, file).err().unwrap().to_string();
            assert!(error.contains(what) && error.contains(LABEL), "{error}");
        }
        assert!(Encoder::parse(&characters(false, &plain, &prepend), 20, file).is_ok());
        let encoder = Encoder::parse_any(&characters(true, &plain, &prepend), 20, file).unwrap();
        assert_eq!(encoder.encode(&Prompt(vec![Piece::Body("a")])).unwrap().ids, [2, 0]);
        let error = encoder.encode(&Prompt(vec![Piece::Marker(SEP)])).unwrap_err().to_string();
        assert!(error.contains("the token <<SEP>> is one only behind a blank"), "{error}");
    }
}
