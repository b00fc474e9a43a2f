//! Candidate labels: a flat list, or a hierarchy that is flattened with a separator.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The candidate labels of a record, in the order given. Never empty, no label twice.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelSet {
    names: Vec<String>,
    tree: Option<Value>,
}

impl LabelSet {
    /// A flat list of labels.
    ///
    /// # Errors
    /// No label at all, an empty one, or one given twice.
    pub fn flat(names: Vec<String>) -> Result<Self> {
        check(&names)?;
        Ok(Self { names, tree: None })
    }

    /// Labels from JSON: an array of strings, or a nested object whose leaves are strings or
    /// arrays of strings. Levels are joined with `separator`.
    ///
    /// # Errors
    /// Any other form, and what [`LabelSet::flat`] refuses.
    pub fn from_json(value: &Value, separator: &str) -> Result<Self> {
        let mut names = Vec::new();
        flatten(value, "", separator, &mut names)?;
        check(&names)?;
        let tree = value.is_object().then(|| value.clone());
        Ok(Self { names, tree })
    }

    /// The flat labels.
    pub fn names(&self) -> &[String] {
        &self.names
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

fn check(names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Err(Error::Usage("no labels: give at least one".into()));
    }
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if name.trim().is_empty() {
            return Err(Error::Usage("a label is empty: remove it".into()));
        }
        if !seen.insert(name) {
            return Err(Error::Usage(format!("label {name:?} is given twice: remove one")));
        }
    }
    Ok(())
}

fn flatten(value: &Value, prefix: &str, separator: &str, names: &mut Vec<String>) -> Result<()> {
    let join = |name: &str| match prefix {
        "" => name.to_owned(),
        prefix => format!("{prefix}{separator}{name}"),
    };
    match value {
        Value::String(name) => names.push(join(name)),
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::String(name) => names.push(join(name)),
                    other => return Err(Error::Usage(format!("a label must be a string, found {other}"))),
                }
            }
        }
        Value::Object(levels) => {
            for (key, below) in levels {
                flatten(below, &join(key), separator, names)?;
            }
        }
        other => {
            return Err(Error::Usage(format!("labels must be an array of strings or a nested object, found {other}")));
        }
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
