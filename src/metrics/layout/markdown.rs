//! For a page of Markdown: the table of labels, then a section for each thing more that was asked for.

use std::fmt::Write;

use super::text::{
    EXCERPT, agreement, compared_as, cut, honesty_name, not_one_label, unreached, unseen, what, worth_name,
};
use super::{HEADINGS, average_rows, capital, label_rows, three};
use crate::display::escaped;
use crate::metrics::Task;
use crate::metrics::bootstrap::Bounds;
use crate::metrics::comparison::{Comparison, Difference};
use crate::metrics::counts::Figures;
use crate::metrics::findings::{Findings, LabelErrors, OrderTrials, ShownError};
use crate::metrics::fit::{Fit, Honesty, Worth};
use crate::metrics::report::Report;

/// How columns of words and of numbers are set.
const WORDS: &str = "---";
const NUMBERS: &str = "---:";

pub(super) fn render(findings: &Findings) -> String {
    let sections = [
        Some(labels(&findings.report)),
        findings.fit.as_ref().map(fit),
        findings.label_order.as_ref().map(|trials| label_order(trials, findings.report.records)),
        findings.comparison.as_ref().map(|other| comparison(&findings.report, other)),
        (!findings.errors.is_empty()).then(|| errors(&findings.errors)),
    ];
    sections.into_iter().flatten().collect::<Vec<String>>().join("\n")
}

/// A table, its first column of words and the others set as `rule` says.
fn table(headings: &[&str], rule: &str, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table =
        format!("| {} |\n|{WORDS}|{}\n", headings.join(" | "), format!("{rule}|").repeat(headings.len() - 1));
    for row in rows {
        let cells = row.iter().map(|cell| if cell.is_empty() { " |".to_owned() } else { format!(" {cell} |") });
        let _ = writeln!(table, "|{}", cells.collect::<String>());
    }
    table
}

/// Text that stays in its cell and is nothing but text there: labels and texts may be HTML or Markdown.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for character in escaped(text).chars() {
        match character {
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '&' => cell.push_str("&amp;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' => cell.extend(['\\', character]),
            _ => cell.push(character),
        }
    }
    cell
}

fn labels(report: &Report) -> String {
    let rows = label_rows(report).chain(average_rows(report)).map(|row| {
        let Figures { precision, recall, f1, support } = row.figures;
        let figure = |value: f64| if row.is_accuracy { String::new() } else { three(value) };
        vec![cell(row.name), figure(precision), figure(recall), three(f1), support.to_string()]
    });
    let [precision, recall, f1, support] = HEADINGS;
    let mut text = table(&["label", precision, recall, f1, support], NUMBERS, rows);
    let _ = write!(text, "\nRecords: {}", report.records);
    if report.task == Task::MultiLabel {
        let _ = write!(text, "; subset accuracy: {}", three(report.accuracy));
    }
    if let Some(count) = report.not_one_label {
        let _ = write!(text, "; {}", not_one_label(count, report.records));
    }
    text + "\n"
}

fn fit(fit: &Fit) -> String {
    let mut text = format!("### Fitted for {} on these records\n\n", fit.goal);
    if let Some(unseen) = unseen(fit) {
        let _ = writeln!(text, "{unseen}.\n");
    }
    if fit.worth.len() > 1 {
        let rows = fit.worth.iter().map(|worth| {
            let Worth { precision, recall, micro_f1, macro_f1, coverage, .. } = *worth;
            let figures = [precision, recall, micro_f1, macro_f1, coverage].map(three);
            std::iter::once(cell(worth_name(fit, worth).trim())).chain(figures).collect()
        });
        let headings = ["thresholds", "precision", "recall", "micro F1", "macro F1", "answered"];
        text += &table(&headings, NUMBERS, rows);
        text.push('\n');
    }
    if let Some(used) = fit.used() {
        let _ = writeln!(text, "{}.\n", capital(&used));
    }
    let rows = fit.honesty.iter().map(|honesty| {
        let Honesty { log_loss, expected_calibration_error, .. } = *honesty;
        vec![cell(honesty_name(fit, honesty).trim()), three(log_loss), three(expected_calibration_error)]
    });
    text += &table(&["scores", "log loss", "calibration error"], NUMBERS, rows);
    for line in unreached(fit).lines() {
        let _ = writeln!(text, "\n{line}");
    }
    text
}

fn label_order(trials: &OrderTrials, records: usize) -> String {
    let share = |count: f64| 100.0 * count / records.max(1) as f64;
    let (mean, ever) = (trials.mean_changed(), trials.ever_changed);
    let row = vec![
        trials.trials.to_string(),
        format!("{mean:.1} ({:.1} %)", share(mean)),
        format!("{ever} ({:.1} %)", share(ever as f64)),
        format!("{:.4}", trials.mean_score_change),
    ];
    let headings = ["shuffles", "records changed by each", "records changed by any", "change of a score"];
    format!("### Order of the labels\n\n{}", table(&headings, NUMBERS, [row]))
}

fn comparison(report: &Report, comparison: &Comparison) -> String {
    let has_bounds = comparison.differences.iter().any(|one| one.bounds.is_some());
    let columns = if has_bounds { 6 } else { 4 };
    let rows = comparison.differences.iter().map(|one| {
        let Difference { figure, this, other, difference, bounds } = *one;
        let interval = bounds.map(|Bounds { low, high }| format!("{low:+.3} to {high:+.3}")).unwrap_or_default();
        let better = one.better().map_or("", |is_this| if is_this { "this" } else { "the other" });
        let name = figure.name(comparison.task).to_owned();
        let cells = vec![name, three(this), three(other), format!("{difference:+.3}"), interval, better.to_owned()];
        cells.into_iter().take(columns).collect()
    });
    let headings = ["figure", "this", "other", "difference", "95 % interval", "better"];
    let table = table(&headings[..columns], NUMBERS, rows);
    let how = compared_as(report, comparison).map(|how| how + "\n\n").unwrap_or_default();
    format!("### Beside the other predictions\n\n{table}\n{how}{}", agreement(comparison))
}

fn errors(labels: &[LabelErrors]) -> String {
    let row = |label: &str, error: &ShownError| {
        let score = error.score.map_or_else(|| "?".to_owned(), |score| three(f64::from(score)));
        vec![cell(label), score, cell(&what(error)), cell(&error.place), cell(&cut(&error.text, EXCERPT))]
    };
    let rows = labels.iter().flat_map(|of| of.errors.iter().map(|error| row(&of.label, error)));
    let headings = ["label", "score", "error", "record", "text"];
    format!("### The most confident errors\n\n{}", table(&headings, WORDS, rows))
}
