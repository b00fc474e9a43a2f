//! Candidate labels: a flat list, or a hierarchy that is flattened with a separator.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::distinct::Distinct;
use crate::error::{Error, Result};
use crate::files;

/// Labels that are looked through one by one: with more of them it is worth to put them in order first.
const FEW: usize = 16;

/// What is said of a label without a character to see.
pub(super) const EMPTY_LABEL: &str = "a label is empty: remove it";

/// The candidate labels of a record, in the order given. Never empty, no label twice.
#[derive(Clone)]
pub struct LabelSet {
    names: Vec<String>,
    tree: Option<Value>,
    wordings: Option<Wordings>,
    /// The places of many names in alphabetical order, once one of them is looked for.
    by_name: OnceLock<Box<[u32]>>,
}

// Whether a name was looked for says nothing about the labels.
impl fmt::Debug for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { names, tree, wordings, by_name: _ } = self;
        let mut labels = f.debug_struct("LabelSet");
        labels.field("names", names).field("tree", tree).field("wordings", wordings).finish()
    }
}

impl PartialEq for LabelSet {
    fn eq(&self, other: &Self) -> bool {
        (&self.names, &self.tree, &self.wordings) == (&other.names, &other.tree, &other.wordings)
    }
}

/// The wordings of labels that have several.
#[derive(Debug, Clone, PartialEq)]
pub struct Wordings {
    all: Arc<LabelSet>,
    /// How many each label has.
    counts: Vec<usize>,
}

impl Wordings {
    /// All wordings, those of the first label first.
    pub fn all(&self) -> &Arc<LabelSet> {
        &self.all
    }

    /// Of the values of all wordings, the best for each label.
    pub fn best(&self, values: &[f32]) -> Vec<f32> {
        let mut rest = values;
        let mut next = |&count: &usize| {
            let (own, after) = rest.split_at(count);
            rest = after;
            own.iter().copied().fold(f32::NEG_INFINITY, greater)
        };
        self.counts.iter().map(&mut next).collect()
    }
}

/// The greater of two values, and not a number where one of them is none: [`f32::max`] would pass over it.
pub fn greater(a: f32, b: f32) -> f32 {
    if a.is_nan() || a > b { a } else { b }
}

impl LabelSet {
    /// A flat list of labels.
    ///
    /// # Errors
    /// No label at all, an empty one, or one given twice.
    pub fn flat(names: Vec<String>) -> Result<Self> {
        check(&names, |_, _| String::new())?;
        Ok(Self::checked(names, None, None))
    }

    fn checked(names: Vec<String>, tree: Option<Value>, wordings: Option<Wordings>) -> Self {
        Self { names, tree, wordings, by_name: OnceLock::new() }
    }

    /// Labels from JSON: an array of strings, or a nested object whose leaves are strings or
    /// arrays of strings. Levels are joined with `separator`.
    ///
    /// # Errors
    /// Any other form, and what [`LabelSet::flat`] refuses.
    pub fn from_json(value: &Value, separator: &str) -> Result<Self> {
        let mut names = Vec::new();
        flatten(value, "", separator, &mut names)?;
        check(&names, |_, _| String::new())?;
        let tree = value.is_object().then(|| value.clone());
        Ok(Self::checked(names, tree, None))
    }

    /// Labels with their wordings from a JSON object: `{"sport": ["sport", "sports news"], "travel": "travel"}`.
    ///
    /// # Errors
    /// Any other form; a label or a wording is empty, or a wording is given twice.
    pub fn worded(value: &Value) -> Result<Self> {
        let Value::Object(labels) = value else {
            return Err(Error::Usage("wordings must be an object: {\"label\": [\"wording\", \"another\"]}".into()));
        };
        let (mut all, mut counts) = (Vec::new(), Vec::new());
        for (label, wordings) in labels {
            let before = all.len();
            if wordings.is_object() {
                return Err(Error::Usage(format!("the wordings of {label:?} must be a list of strings")));
            }
            flatten(wordings, "", "", &mut all)
                .map_err(|error| Error::Usage(format!("the wordings of {label:?}: {error}")))?;
            if all.len() == before {
                return Err(Error::Usage(format!("label {label:?} has no wording: give at least one")));
            }
            counts.push(all.len() - before);
        }
        let wordings = Wordings { all: Arc::new(Self::flat(all)?), counts };
        Ok(Self { wordings: Some(wordings), ..Self::flat(labels.keys().cloned().collect())? })
    }

    /// Their wordings, where the labels are not asked for by their names.
    pub fn wordings(&self) -> Option<&Wordings> {
        self.wordings.as_ref()
    }

    /// The same labels in another order: first the one that is now at `order[0]`. Hierarchies lose their shape.
    ///
    /// # Panics
    /// `order` does not have every place once.
    pub fn reordered(&self, order: &[usize]) -> Self {
        assert_eq!(order.len(), self.names.len(), "an order of all labels: this is a bug");
        let names = order.iter().map(|&place| self.names[place].clone()).collect();
        let wordings = self.wordings.as_ref().map(|wordings| {
            let start = |place: usize| wordings.counts[..place].iter().sum::<usize>();
            let places = order.iter().flat_map(|&place| start(place)..start(place) + wordings.counts[place]);
            Wordings {
                all: Arc::new(wordings.all.reordered(&places.collect::<Vec<usize>>())),
                counts: order.iter().map(|&place| wordings.counts[place]).collect(),
            }
        });
        Self::checked(names, None, wordings)
    }

    /// The flat labels.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of the label of this name, from 0.
    pub fn place_of(&self, name: &str) -> Option<usize> {
        if self.len() <= FEW {
            return self.names.iter().position(|own| own == name);
        }
        let name_at = |place: u32| self.names[place as usize].as_str();
        let by_name = self.by_name.get_or_init(|| {
            let mut places: Vec<u32> = (0..self.len() as u32).collect();
            places.sort_unstable_by_key(|&place| name_at(place));
            places.into()
        });
        let found = by_name.binary_search_by_key(&name, |&place| name_at(place));
        found.ok().map(|at| by_name[at] as usize)
    }

    /// How many labels there are.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// `values` (one for each flat label) in the shape of the labels: nested objects, each leaf its value.
    pub fn shaped(&self, values: &[Value]) -> Value {
        let mut values = values.iter().cloned();
        match &self.tree {
            Some(tree) => shape(tree, &mut values),
            None => Value::Object(self.names.iter().cloned().zip(values).collect()),
        }
    }
}

/// What stands between labels: line ends, too, as in `--labels "$(cat labels.txt)"`.
const BETWEEN: [char; 2] = [',', '\n'];

/// The labels of the option `--labels`, given once or several times. A label that begins with a quote is written as in
/// CSV; elsewhere than at its beginning a quote is a character like any other.
///
/// # Errors
/// A label is empty or given twice, a quote is not closed, or there is none.
pub fn from_options(options: &[String]) -> Result<LabelSet> {
    let mut names = Vec::new();
    for option in options {
        let mut rest = Some(option.trim());
        while let Some(text) = rest.map(str::trim_start) {
            let (name, behind) = match text.strip_prefix('"') {
                Some(quoted) => quoted_label(quoted).map_err(|what| Error::Usage(format!("{option}: {what}")))?,
                None => {
                    let (name, behind) = text.split_at(text.find(BETWEEN).unwrap_or(text.len()));
                    (name.trim_end().to_owned(), behind)
                }
            };
            names.push(name);
            rest = behind.strip_prefix(BETWEEN);
        }
    }
    if names.iter().any(String::is_empty) {
        let message = "a label is empty: remove a comma, or put a list with blanks in quotes: \"a, b\"";
        return Err(Error::Usage(message.into()));
    }
    LabelSet::flat(names)
}

/// The label behind an opening quote, and what stands behind the closing one.
fn quoted_label(text: &str) -> std::result::Result<(String, &str), &'static str> {
    let mut quotes = text.match_indices('"').map(|(place, _)| place).peekable();
    while let Some(place) = quotes.next() {
        // Written twice, it is a character of the label.
        if quotes.next_if_eq(&(place + 1)).is_none() {
            let behind = text[place + 1..].trim_start_matches([' ', '\t', '\r']);
            let is_end = behind.is_empty() || behind.starts_with(BETWEEN);
            let label = || text[..place].replace("\"\"", "\"");
            return is_end
                .then(|| (label(), behind))
                .ok_or("text stands behind a closing quote; inside it is written twice");
        }
    }
    Err("a quote is opened and never closed; inside it is written twice")
}

/// The labels of a file: JSON (an array, or a nested object), or one label a line. With `wordings`, the object's
/// lists are wordings of its labels.
///
/// # Errors
/// The file cannot be read, or a label is empty or given twice. Empty lines are passed over.
pub fn from_file(path: &Path, separator: &str, wordings: bool) -> Result<LabelSet> {
    let text = read_text(path)?;
    let labels = if wordings || text.trim_start().starts_with(['[', '{']) {
        let value = serde_json::from_str(&text).map_err(|error| {
            Error::Usage(match error.is_data() {
                true => error.to_string(),
                false => format!("not JSON: {error}; a file of labels that begins with [ or {{ is read as JSON"),
            })
        });
        value.and_then(|Distinct(value)| match wordings {
            true => LabelSet::worded(&value),
            false => LabelSet::from_json(&value, separator),
        })
    } else {
        from_lines(&text)
    };
    labels.map_err(|error| Error::Usage(format!("{}: {error}", path.display())))
}

/// One label a line. Empty lines are passed over.
fn from_lines(text: &str) -> Result<LabelSet> {
    let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty());
    let (names, numbers): (Vec<String>, Vec<usize>) = lines.map(|(line, number)| (line.to_owned(), number)).unzip();
    check(&names, |first, second| format!("lines {} and {}: ", numbers[first], numbers[second]))?;
    Ok(LabelSet::checked(names, None, None))
}

/// The examples of a file, a JSON array or JSONL; none without a file.
///
/// # Errors
/// The file cannot be read, or is not of this form; the message names the line.
pub fn examples_from_file<T: DeserializeOwned>(path: Option<&Path>) -> Result<Arc<[T]>> {
    let Some(path) = path else { return Ok(Arc::from([])) };
    let text = read_text(path)?;
    let examples: std::result::Result<Vec<T>, _> = if text.trim_start().starts_with('[') {
        serde_json::from_str(&text)
    } else {
        serde_json::Deserializer::from_str(&text).into_iter().collect()
    };
    let examples = examples.map_err(|error| {
        Error::Usage(format!("{}: is not a JSON array or JSONL of such examples: {error}", path.display()))
    })?;
    if examples.is_empty() {
        return Err(Error::Usage(format!("{}: holds no example: leave the option out", path.display())));
    }
    Ok(examples.into())
}

/// The text of a file that belongs to an option, without a byte order mark.
///
/// # Errors
/// It cannot be read, is standard input, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    if path.as_os_str() == "-" {
        return Err(Error::Usage("-: name a file: standard input is for texts and records".into()));
    }
    let mut bytes = Vec::new();
    files::open(path)?.read_to_end(&mut bytes).map_err(|error| Error::io(path, error))?;
    let text = super::unicode::utf8(&bytes).map_err(|error| Error::Usage(format!("{}: {error}", path.display())))?;
    Ok(text.to_owned())
}

/// Checks that there are labels, none empty and none twice; `places` says where two of these places are.
fn check(names: &[String], places: impl Fn(usize, usize) -> String) -> Result<()> {
    if names.is_empty() {
        return Err(Error::Usage("no labels: give at least one".into()));
    }
    let mut seen = HashMap::new();
    for (place, name) in names.iter().enumerate() {
        if name.trim().is_empty() {
            return Err(Error::Usage(EMPTY_LABEL.into()));
        }
        if let Some(first) = seen.insert(name, place) {
            return Err(Error::Usage(format!("{}label {name:?} is given twice: remove one", places(first, place))));
        }
    }
    Ok(())
}

/// Adds the labels of `value`, which stands below the level called `prefix`, or below none.
fn flatten(value: &Value, prefix: &str, separator: &str, names: &mut Vec<String>) -> Result<()> {
    let flaw = |message: String| {
        let at = if prefix.is_empty() { String::new() } else { format!("{prefix:?}: ") };
        Err(Error::Usage(at + &message))
    };
    let join = |name: &str| match prefix {
        "" => name.to_owned(),
        prefix => format!("{prefix}{separator}{name}"),
    };
    match value {
        Value::String(name) if name.trim().is_empty() => return flaw(EMPTY_LABEL.into()),
        Value::String(name) => names.push(join(name)),
        Value::Array(items) => {
            for item in items {
                if !item.is_string() {
                    return flaw(format!("a label must be a string, found {item}"));
                }
                flatten(item, prefix, separator, names)?;
            }
        }
        Value::Object(levels) => {
            for (key, below) in levels {
                if key.trim().is_empty() {
                    return flaw("a key is empty: name the level, or put what is below it one level up".into());
                }
                let (level, before) = (join(key), names.len());
                flatten(below, &level, separator, names)?;
                if names.len() == before {
                    let message = format!("{level:?}: there is no label below it: add one, or remove it");
                    return Err(Error::Usage(message));
                }
            }
        }
        other => return flaw(format!("labels must be an array of strings or a nested object, found {other}")),
    }
    Ok(())
}

fn shape(tree: &Value, values: &mut impl Iterator<Item = Value>) -> Value {
    let mut next = || values.next().unwrap_or(Value::Null);
    let object: Map<String, Value> = match tree {
        Value::Object(levels) => levels.iter().map(|(key, below)| (key.clone(), shape(below, values))).collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(|name| (name.to_owned(), next())).collect(),
        Value::String(name) => std::iter::once((name.clone(), next())).collect(),
        _ => Map::new(),
    };
    Value::Object(object)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_quote_inside_a_label_is_a_character_and_one_before_it_must_be_closed() {
        let names = |option: &str| from_options(&[option.to_owned()]).map(|labels| labels.names().to_vec());
        assert_eq!(names("24\" screen,tv").unwrap(), ["24\" screen", "tv"]);
        assert_eq!(names("\"news, politics\",tv").unwrap(), ["news, politics", "tv"]);
        assert_eq!(names("tv , \"news, \"\"politics\"\"\" , sport").unwrap(), ["tv", "news, \"politics\"", "sport"]);
        for (option, what) in
            [("sport,\"news, politics", "never closed"), ("\"a\"\"", "never closed"), ("\"a\" b,c", "behind")]
        {
            let error = names(option).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn labels_on_lines_of_their_own_are_all_taken() {
        let labels = from_options(&["a\r\nb, c\n\"d\n,e\"\n".to_owned(), "f".to_owned()]).unwrap();
        assert_eq!(labels.names(), ["a", "b", "c", "d\n,e", "f"]);
        assert!(from_options(&["a,\n".to_owned()]).unwrap_err().to_string().contains("a label is empty"));
    }

    #[test]
    fn a_label_that_is_twice_in_a_file_is_told_by_its_lines() {
        assert_eq!(from_lines("a\n\n b \r\n").unwrap().names(), ["a", "b"]);
        let error = from_lines("a\n\nb\r\n a\nb\n").unwrap_err().to_string();
        assert_eq!(error, "lines 1 and 4: label \"a\" is given twice: remove one");
    }

    #[test]
    fn wordings_belong_to_their_label_in_any_order() {
        let labels = LabelSet::worded(&json!({"a": ["a1", "a2"], "b": "b1"})).unwrap();
        assert_eq!(
            (labels.names(), labels.wordings().unwrap().all().names()),
            (&["a", "b"].map(String::from)[..], &["a1", "a2", "b1"].map(String::from)[..])
        );
        let turned = labels.reordered(&[1, 0]);
        assert_eq!(turned.names(), ["b", "a"]);
        assert_eq!(turned.wordings().unwrap().all().names(), ["b1", "a1", "a2"]);
        assert_eq!(turned.wordings().unwrap().best(&[1.0, 2.0, 3.0]), [1.0, 3.0]);
        let damaged = turned.wordings().unwrap().best(&[f32::NAN, 2.0, 3.0]);
        assert!(damaged[0].is_nan() && damaged[1] == 3.0);
    }

    #[test]
    fn every_label_is_found_at_its_place_and_no_other() {
        for count in [1, FEW, FEW + 1, 10 * FEW] {
            let names: Vec<String> = (0..count).map(|number| format!("label {}", number * 7 % count)).collect();
            let labels = LabelSet::flat(names.clone()).unwrap();
            let places: Vec<usize> = names.iter().map(|name| labels.place_of(name).unwrap()).collect();
            assert!(places.iter().copied().eq(0..count), "{places:?}");
            assert_eq!((labels.place_of("label"), labels.place_of("m")), (None, None));
            // Looked through or not, they are the same labels.
            let others = LabelSet::flat(names).unwrap();
            assert_eq!((&labels, format!("{labels:?}")), (&others, format!("{others:?}")));
        }
    }

    #[test]
    fn what_is_no_list_of_wordings_is_refused() {
        for (value, message) in [
            (json!(["a"]), "wordings must be an object"),
            (json!({"a": []}), "label \"a\" has no wording"),
            (json!({"a": {"b": ["c"]}}), "the wordings of \"a\" must be a list"),
            (json!({"a": ["x"], "b": ["x"]}), "label \"x\" is given twice"),
            (json!({"a": [1]}), "the wordings of \"a\": a label must be a string"),
            (json!({"a": ["b", ""]}), "the wordings of \"a\": a label is empty"),
        ] {
            let error = LabelSet::worded(&value).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn a_level_without_labels_or_without_a_name_is_refused_by_its_key() {
        for (value, message) in [
            (json!({"travel": [], "sport": ["football"]}), "\"travel\": there is no label below it"),
            (json!({"a": {"b": {}, "c": "d"}}), "\"a.b\": there is no label below it"),
            (json!({"travel": ""}), "\"travel\": a label is empty"),
            (json!({"a": {"b": ["c", " "]}}), "\"a.b\": a label is empty"),
            (json!({"": ["a"]}), "a key is empty"),
            (json!({"a": {"": ["b"]}}), "\"a\": a key is empty"),
            (json!({"a": null}), "\"a\": labels must be an array of strings or a nested object, found null"),
            (json!({"a": ["b", 1]}), "\"a\": a label must be a string, found 1"),
            (json!({}), "no labels"),
            (json!([""]), "a label is empty"),
        ] {
            let error = LabelSet::from_json(&value, ".").unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        let nested = LabelSet::from_json(&json!({"a": {"b": ["c"]}, "d": "e"}), ".").unwrap();
        assert_eq!(nested.names(), ["a.b.c", "d.e"]);
    }
}
