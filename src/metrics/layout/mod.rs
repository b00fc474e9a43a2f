//! What was found, as text, JSON, Markdown or CSV.

mod markdown;
mod text;

pub(crate) use text::{compared_as, cut, not_one_label, p_value};

use super::Task;
use super::counts::Figures;
use super::findings::Findings;
use super::report::Report;

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Layout {
    /// A table as scikit-learn prints it, and what else was found
    #[default]
    Text,
    /// One JSON object, with all digits
    Json,
    /// Markdown tables: a row per label and average, and what else was asked for; no main figures
    Markdown,
    /// One table: a row per label, average and main figure, with all digits
    Csv,
}

impl Layout {
    /// What was found in this layout, ending in a line break.
    pub fn render(self, findings: &Findings) -> String {
        match self {
            Self::Text => text::render(findings),
            Self::Json => json(findings),
            Self::Markdown => markdown::render(findings),
            Self::Csv => csv(&findings.report),
        }
    }
}

const HEADINGS: [&str; 4] = ["precision", "recall", "f1-score", "support"];
/// The longest heading of the averages.
const WEIGHTED: &str = "weighted avg";

/// A figure as tables show it.
pub(crate) fn three(value: f64) -> String {
    format!("{value:.3}")
}

/// The same, beginning with a capital letter.
pub(crate) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

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
        Task::SingleLabel => {
            // With answers withheld the two differ.
            let figures = Figures { f1: report.accuracy, ..report.micro_average };
            Row { name: "accuracy", figures, is_accuracy: true }
        }
        Task::MultiLabel => row("micro avg", report.micro_average),
    };
    [first, row("macro avg", report.macro_average), row(WEIGHTED, report.weighted_average)]
        .into_iter()
        .chain(report.samples_average.map(|figures| row("samples avg", figures)))
}

fn json(findings: &Findings) -> String {
    serde_json::to_string_pretty(findings).expect("a report has string keys only: this is a bug") + "\n"
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

    for interval in &report.intervals {
        let name = serde_json::to_string(&interval.figure).unwrap_or_default().replace('"', "");
        rows.push(["figure".into(), name, blank(), blank(), interval.value.to_string(), report.records.to_string()]);
    }
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    for row in &rows {
        writer.write_record(row).expect("every row has six fields: this is a bug");
    }
    let bytes = writer.into_inner().expect("a vector takes every write: this is a bug");
    String::from_utf8(bytes).expect("strings make a string: this is a bug")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::comparison::Comparison;
    use crate::metrics::findings::{LabelErrors, OrderTrials};
    use crate::metrics::fit::Fit;
    use crate::metrics::goal::Goal;
    use crate::metrics::judged::fixtures;
    use crate::metrics::{Candidate, Judged, Resampling};

    fn report(name: &str, single_label: bool) -> Findings {
        let names = [name.into(), "b".into()];
        let judged = fixtures::judged(&names, single_label, &[vec![0], vec![1]], &[vec![0], vec![0]]);
        Report::new(&judged, Resampling { rounds: 0, seed: 0 }).into()
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
    fn labels_are_nothing_but_text_in_markdown() {
        let text = Layout::Markdown.render(&report("<b>*a*_`b`&[c](d)~|\\", true));
        let row = "\n| &lt;b&gt;\\*a\\*\\_\\`b\\`&amp;\\[c\\](d)\\~\\|\\\\ | 0.500 |";
        assert!(text.contains(row), "{row} is not in {text}");
    }

    #[test]
    fn markdown_has_a_table_for_everything_that_was_asked_for() {
        let mut judged = Judged::new(vec!["a".into(), "b|".into()], true);
        for truth in [0, 1, 1, 1] {
            let candidate = |label| Candidate {
                label,
                score: if label == 0 { 0.75 } else { 0.25 },
                truth: label == truth,
                predicted: label == 0,
            };
            judged.push([0, 1].map(candidate));
        }
        let resampling = Resampling { rounds: 0, seed: 0 };
        let trials = OrderTrials { trials: 2, changed: vec![1, 0], ever_changed: 1, mean_score_change: 0.125 };
        let errors = LabelErrors::of(&judged, 1, |record| (format!("line {record}"), "one\ntext".into()));
        let findings = Findings {
            report: Report::new(&judged, resampling),
            fit: Some(Fit::new(&judged, Goal::F(1.0), 0)),
            label_order: Some(trials),
            comparison: Some(Comparison::new(&judged, &judged, resampling)),
            errors,
        };
        let text = Layout::Markdown.render(&findings);
        for part in [
            "\nRecords: 4\n\n### Fitted for f1 on these records\n\n\"unseen\" is 4-fold",
            "\n| scores | log loss | calibration error |\n|---|---:|---:|\n| scores as they are | ",
            "\n| unseen | ",
            "\n\n### Order of the labels\n\n| shuffles | ",
            "\n| 2 | 0.5 (12.5 %) | 1 (25.0 %) | 0.1250 |\n",
            "\n\n### Beside the other predictions\n\n| figure | this | other | difference |\n|---|---:|---:|---:|\n",
            "\n| accuracy | 0.250 | 0.250 | +0.000 |\n",
            "\n\nexactly right: both 1, only this 0, only the other 0, neither 3\nMcNemar's exact test: p = 1.0000\n",
            "\n\n### The most confident errors\n\n| label | score | error | record | text |\n|---|---|---|---|---|\n",
            "\n| a | 0.750 | said, true: b\\| | line 1 | one\\\\ntext |\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
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
figure,accuracy,,,0.5,2
figure,micro_f1,,,0.5,2
figure,macro_f1,,,0.3333333333333333,2
figure,weighted_f1,,,0.3333333333333333,2
figure,cohen_kappa,,,0,2
figure,matthews_correlation,,,0,2
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
    fn control_characters_direction_marks_and_bars_of_a_label_break_neither_terminal_nor_table() {
        let hostile = report("a\u{1b}[31m\u{202e}|\n", true);
        assert!(Layout::Text.render(&hostile).contains("a\\u001b[31m\\u202e|\\n"));
        assert!(Layout::Markdown.render(&hostile).contains("| a\\\\u001b\\[31m\\\\u202e\\|\\\\n |"));
    }
}
