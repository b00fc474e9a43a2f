//! A report as text, JSON, Markdown or CSV.

use std::fmt::Write;

use super::report::{Figures, Report, Task};

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Layout {
    /// A table as scikit-learn prints it
    #[default]
    Text,
    /// One JSON object, every digit kept
    Json,
    /// A Markdown table
    Markdown,
    /// One row a label and an average, every digit kept
    Csv,
}

impl Layout {
    /// The report in this layout, ending in a line break.
    pub fn render(self, report: &Report) -> String {
        match self {
            Self::Text => text(report),
            Self::Json => json(report),
            Self::Markdown => markdown(report),
            Self::Csv => csv(report),
        }
    }
}

const HEADINGS: [&str; 4] = ["precision", "recall", "f1-score", "support"];
/// The longest heading of the averages.
const WEIGHTED: &str = "weighted avg";

/// A row of a report: what the figures are of, and the figures.
struct Row<'a> {
    name: &'a str,
    figures: Figures,
    /// The F1 of this row is the accuracy, and the one figure to show.
    is_accuracy: bool,
}

fn label_rows(report: &Report) -> impl Iterator<Item = Row<'_>> {
    report.labels.iter().map(|one| Row { name: &one.label, figures: one.figures, is_accuracy: false })
}

fn average_rows(report: &Report) -> impl Iterator<Item = Row<'_>> {
    let row = |name, figures| Row { name, figures, is_accuracy: false };
    let first = match report.task {
        Task::SingleLabel => Row { name: "accuracy", figures: report.micro_average, is_accuracy: true },
        Task::MultiLabel => row("micro avg", report.micro_average),
    };
    [first, row("macro avg", report.macro_average), row(WEIGHTED, report.weighted_average)]
        .into_iter()
        .chain(report.samples_average.map(|figures| row("samples avg", figures)))
}

fn text(report: &Report) -> String {
    let labels: Vec<(String, Row)> = label_rows(report).map(|row| (printable(row.name), row)).collect();
    let width = labels.iter().map(|(name, _)| name.chars().count()).fold(WEIGHTED.len(), usize::max);
    let mut lines = vec![format!("records: {}", report.records)];
    if report.task == Task::MultiLabel {
        lines.push(format!("subset accuracy: {:.3}", report.accuracy));
    }
    lines.push(String::new());
    let [precision, recall, f1, support] = HEADINGS;
    lines.push(format!("{:>width$}  {precision:>9} {recall:>9} {f1:>9} {support:>9}", ""));
    lines.push(String::new());
    lines.extend(labels.iter().map(|(name, row)| text_row(name, row, width)));
    lines.push(String::new());
    lines.extend(average_rows(report).map(|row| text_row(row.name, &row, width)));
    lines.join("\n") + "\n"
}

fn text_row(name: &str, row: &Row, width: usize) -> String {
    let Figures { precision, recall, f1, support } = row.figures;
    if row.is_accuracy {
        return format!("{name:>width$}  {:>9} {:>9} {f1:>9.3} {support:>9}", "", "");
    }
    format!("{name:>width$}  {precision:>9.3} {recall:>9.3} {f1:>9.3} {support:>9}")
}

fn json(report: &Report) -> String {
    serde_json::to_string_pretty(report).expect("a report has string keys only: this is a bug") + "\n"
}

fn markdown(report: &Report) -> String {
    let mut table = format!("| label | {} |\n|---|---:|---:|---:|---:|\n", HEADINGS.join(" | "));
    for row in label_rows(report).chain(average_rows(report)) {
        let Figures { precision, recall, f1, support } = row.figures;
        let name = printable(row.name).replace('\\', "\\\\").replace('|', "\\|");
        let _ = if row.is_accuracy {
            writeln!(table, "| {name} | | | {f1:.3} | {support} |")
        } else {
            writeln!(table, "| {name} | {precision:.3} | {recall:.3} | {f1:.3} | {support} |")
        };
    }
    let _ = write!(table, "\nRecords: {}", report.records);
    if report.task == Task::MultiLabel {
        let _ = write!(table, "; subset accuracy: {:.3}", report.accuracy);
    }
    table + "\n"
}

/// `kind` keeps a label named `accuracy` apart from the accuracy.
fn csv(report: &Report) -> String {
    let mut rows = vec![["kind", "name", "precision", "recall", "f1-score", "support"].map(str::to_owned)];
    let figures = |kind: &str, row: Row| {
        let Figures { precision, recall, f1, support } = row.figures;
        let numbers = [precision.to_string(), recall.to_string(), f1.to_string(), support.to_string()];
        let [precision, recall, f1, support] = numbers;
        [kind.to_owned(), row.name.to_owned(), precision, recall, f1, support]
    };
    rows.extend(label_rows(report).map(|row| figures("label", row)));
    rows.extend(average_rows(report).filter(|row| !row.is_accuracy).map(|row| figures("average", row)));
    let name = if report.task == Task::SingleLabel { "accuracy" } else { "subset accuracy" };
    let blank = String::new;
    let records = report.records.to_string();
    rows.push(["accuracy".into(), name.into(), blank(), blank(), report.accuracy.to_string(), records]);

    let mut writer = ::csv::Writer::from_writer(Vec::new());
    for row in &rows {
        writer.write_record(row).expect("every row has six fields: this is a bug");
    }
    let bytes = writer.into_inner().expect("a vector takes every write: this is a bug");
    String::from_utf8(bytes).expect("strings make a string: this is a bug")
}

/// The text with its control characters escaped: none may reach a terminal, or break a row, raw.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Outcome;

    fn report(name: &str, single_label: bool) -> Report {
        let outcomes = [
            Outcome { truth: [0].into(), predicted: [0].into() },
            Outcome { truth: [1].into(), predicted: [0].into() },
        ];
        Report::new(&outcomes, &[name.into(), "b".into()], single_label)
    }

    #[test]
    fn markdown_has_a_row_for_each_label_and_average() {
        let expected = "\
| label | precision | recall | f1-score | support |
|---|---:|---:|---:|---:|
| a | 0.500 | 1.000 | 0.667 | 1 |
| b | 0.000 | 0.000 | 0.000 | 1 |
| accuracy | | | 0.500 | 2 |
| macro avg | 0.250 | 0.500 | 0.333 | 2 |
| weighted avg | 0.250 | 0.500 | 0.333 | 2 |

Records: 2
";
        assert_eq!(Layout::Markdown.render(&report("a", true)), expected);
    }

    #[test]
    fn csv_keeps_every_digit_and_quotes_labels() {
        let expected = "\
kind,name,precision,recall,f1-score,support
label,\"a,\"\"b\"\"\",0.5,1,0.6666666666666666,1
label,b,0,0,0,1
average,macro avg,0.25,0.5,0.3333333333333333,2
average,weighted avg,0.25,0.5,0.3333333333333333,2
accuracy,accuracy,,,0.5,2
";
        assert_eq!(Layout::Csv.render(&report("a,\"b\"", true)), expected);
    }

    #[test]
    fn json_is_one_object_with_the_same_figures() {
        let value: serde_json::Value =
            serde_json::from_str(&Layout::Json.render(&report("a", false))).unwrap_or_default();
        assert_eq!(value["task"], "multi_label");
        assert_eq!(value["records"], 2);
        assert_eq!(value["labels"][0]["label"], "a");
        assert_eq!(value["labels"][0]["precision"], 0.5);
        assert_eq!(value["samples_average"]["f1"], 0.5);
    }

    #[test]
    fn control_characters_and_bars_of_a_label_break_neither_terminal_nor_table() {
        let hostile = report("a\x1b[31m|\n", true);
        assert!(Layout::Text.render(&hostile).contains("a\\u{1b}[31m|\\n"));
        assert!(Layout::Markdown.render(&hostile).contains("| a\\\\u{1b}[31m\\|\\\\n |"));
    }
}
