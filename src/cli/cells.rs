//! Predictions in the cells of CSV and TSV.

use anyhow::bail;

use crate::records::LabelSet;
use crate::records::csv;
use crate::records::names::{PREDICTED_LABELS, PREDICTED_SCORES, SCORE};
use crate::runner::Classified;
use crate::scores::{self, Decision};

/// Joins several labels, or scores, in a cell where nothing else is said.
pub const LIST_SEPARATOR: &str = "|";

/// Checks that a cell can hold each label.
///
/// # Errors
/// TSV cannot hold one of them.
pub fn check_labels(labels: &LabelSet, is_tsv: bool) -> anyhow::Result<()> {
    match labels.names().iter().find(|label| is_tsv && label.contains(csv::NOT_IN_TSV)) {
        Some(label) => {
            bail!("label {label:?} holds a tab or a line break, which no cell of TSV can hold: give CSV or JSONL")
        }
        None => Ok(()),
    }
}

/// Checks that a cell with a list of labels can be read back.
///
/// # Errors
/// Lists are written, and a label, or any number, holds what stands between two of them; or TSV cannot hold that.
pub fn check_lists(labels: &LabelSet, decision: &Decision, separator: &str, is_tsv: bool) -> anyhow::Result<()> {
    if decision.all_scores {
        return Ok(());
    }
    if is_tsv && separator.contains(csv::NOT_IN_TSV) {
        bail!("{separator:?} is a tab or a line break, which no cell of TSV can hold");
    }
    if separator.chars().all(|one| one.is_ascii_digit() || one == '.') {
        bail!("{separator:?} also stands inside scores, which it separates");
    }
    match labels.names().iter().find(|label| hides(label, separator)) {
        Some(label) => bail!("label {label:?} cannot be told from {separator:?}, which separates labels in a column"),
        None => Ok(()),
    }
}

/// Whether a separator could be found at another place than before and behind this label.
fn hides(label: &str, separator: &str) -> bool {
    let joined = format!("{separator}{label}{separator}");
    let behind = separator.len() + label.len();
    (1..behind).any(|place| joined.as_bytes()[place..].starts_with(separator.as_bytes()))
}

/// The columns of the predictions: one for each label, or two lists.
pub fn csv_columns(labels: &LabelSet, decision: &Decision) -> Vec<String> {
    if decision.all_scores {
        return labels.names().iter().map(|label| format!("{SCORE}{label}")).collect();
    }
    [PREDICTED_LABELS, PREDICTED_SCORES].map(str::to_owned).into()
}

/// The values of [`csv_columns`]: every score, or the labels that hold and their scores.
pub fn csv_values(found: &Classified, decision: &Decision, list_separator: &str) -> Vec<String> {
    if decision.all_scores {
        return decision.scores(&found.logits).iter().map(f32::to_string).collect();
    }
    let predictions = scores::decide(&found.logits, &found.labels, decision);
    let labels: Vec<&str> = predictions.iter().map(|prediction| prediction.name(&found.labels)).collect();
    let scores: Vec<String> = predictions.iter().map(|prediction| prediction.score.to_string()).collect();
    vec![labels.join(list_separator), scores.join(list_separator)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separator_is_found_only_where_it_joins() {
        for (label, separator) in [("a|b", "|"), ("a|", "||"), ("|a", "||"), ("xab", "aba"), ("b", "aba")] {
            assert!(hides(label, separator), "{label:?} {separator:?}");
        }
        for (label, separator) in
            [("a", "|"), ("a|b", "||"), (",b", "||"), ("a, b", "; "), ("a;", "; "), ("axx", "aba"), ("é", "è")]
        {
            assert!(!hides(label, separator), "{label:?} {separator:?}");
        }
    }
}
