//! The lines of fastText: `__label__a __label__b text`.

use super::{Found, Layout, Own, Spot, Truth, Written, flaw, lines};
use crate::error::Result;

/// Begins every label.
pub(super) const PREFIX: &str = "__label__";

pub(super) fn read(text: &str, layout: &Layout) -> Result<Vec<Found>> {
    lines(text).map(|(spot, line)| read_line(spot, line, layout)).collect()
}

fn read_line(spot: Spot, line: &str, layout: &Layout) -> Result<Found> {
    let mut rest = line.trim();
    let mut labels = Vec::new();
    while let Some(labelled) = rest.strip_prefix(PREFIX) {
        let (label, after) = labelled.split_once(char::is_whitespace).unwrap_or((labelled, ""));
        labels.push(Written::name_or_number(label.to_owned()));
        rest = after.trim_start();
    }
    if labels.is_empty() {
        return Err(flaw(spot, None, "no label: begin the line with __label__ and a name"));
    }
    if rest.is_empty() {
        return Err(flaw(spot, None, "no text after the labels"));
    }
    let source = layout.source(|| serde_json::json!({"text": rest}).to_string());
    let truth = Truth { field: PREFIX.to_owned(), labels, weights: Vec::new(), restate: true };
    Ok(Found { spot, text: rest.to_owned(), candidates: None, truth, own: Own::default(), source })
}
