//! For people at a terminal: scikit-learn's table, then what it does not say.

use std::fmt::Write;

use super::{HEADINGS, Row, WEIGHTED, average_rows, label_rows};
use crate::display::escaped;
use crate::metrics::Task;
use crate::metrics::bootstrap::Bounds;
use crate::metrics::calibration::{Bin, Calibration};
use crate::metrics::comparison::{Agreement, Comparison, Difference};
use crate::metrics::counts::Figures;
use crate::metrics::findings::{Findings, LabelErrors, OrderTrials, ShownError};
use crate::metrics::fit::{Fit, Honesty, Worth};
use crate::metrics::mistakes::Kind;
use crate::metrics::report::Report;

/// More labels than these make no readable matrix of numbers.
const MATRIX: usize = 12;
/// Pairs of labels that are shown.
const PAIRS: usize = 8;
/// Columns of the reliability diagram.
const DIAGRAM: usize = 40;
/// Characters of a text that are shown.
pub(super) const EXCERPT: usize = 160;
/// Characters of a label in a narrow place.
const SHORT: usize = 28;

pub(super) fn render(findings: &Findings) -> String {
    let report = &findings.report;
    let sections = [
        Some(table(report)),
        Some(figures(report)),
        report.scores.as_ref().map(|scores| reliability(&scores.calibration, report.task)),
        confusion(report),
        findings.fit.as_ref().map(fit),
        findings.label_order.as_ref().map(|trials| label_order(trials, report.records)),
        findings.comparison.as_ref().map(|other| comparison(report, other)),
        (!findings.errors.is_empty()).then(|| errors(&findings.errors)),
    ];
    sections.into_iter().flatten().collect::<Vec<String>>().join("\n")
}

fn table(report: &Report) -> String {
    let labels: Vec<(String, Row)> = label_rows(report).map(|row| (escaped(row.name), row)).collect();
    let width = labels.iter().map(|(name, _)| name.chars().count()).fold(WEIGHTED.len(), usize::max);
    let mut lines = vec![format!("records: {}", report.records)];
    if report.task == Task::MultiLabel {
        lines.push(format!("subset accuracy: {:.3}", report.accuracy));
    }
    if let Some(count) = report.not_one_label {
        lines.push(not_one_label(count, report.records));
    }
    if let Some(withheld) = report.abstained.filter(|&withheld| withheld > 0) {
        let answered = report.records - withheld;
        lines.push(format!("answered: {answered}, of which right: {:.3}", report.micro_average.precision));
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

/// How records are judged that do not all have the one label that was asked for.
pub(crate) fn not_one_label(count: usize, records: usize) -> String {
    let any = Task::MultiLabel.words();
    format!("{count} of {records} records have no or several true labels, or several that were said: judged with {any}")
}

fn text_row(name: &str, row: &Row, width: usize) -> String {
    let Figures { precision, recall, f1, support } = row.figures;
    if row.is_accuracy {
        return format!("{name:>width$}  {:>9} {:>9} {f1:>9.3} {support:>9}", "", "");
    }
    format!("{name:>width$}  {precision:>9.3} {recall:>9.3} {f1:>9.3} {support:>9}")
}

fn figures(report: &Report) -> String {
    let rounds = report.bootstrap.rounds;
    let heading = if rounds > 0 { "95 % interval" } else { "" };
    let mut lines = vec![format!("{:32} {:>7}   {heading}", "", "value").trim_end().to_owned()];
    for one in &report.intervals {
        let interval = one.bounds.map_or_else(String::new, |Bounds { low, high }| format!("{low:.3} to {high:.3}"));
        lines.push(format!("{:32} {:>7.3}   {interval}", one.figure.name(report.task), one.value));
    }
    let plain = |name: &str, value: f64| format!("{name:32} {value:>7.3}");
    if let Some(scores) = &report.scores {
        lines.extend(scores.top_k_accuracy.iter().map(|(k, value)| plain(&format!("top-{k} accuracy"), *value)));
        lines.push(plain("label ranking average precision", scores.label_ranking_average_precision));
    }
    lines.push(plain("Hamming loss", report.hamming_loss));
    if rounds > 0 {
        let all_alike = report.intervals.iter().any(|one| one.bounds.is_none());
        let none = if all_alike { "; no interval where all gave the same value" } else { "" };
        lines.push(format!("{rounds} bootstrap rounds over the records, seed {}{none}", report.bootstrap.seed));
    }
    if report.scores.is_none() {
        lines.push("Not every label has a score: figures of scores are left out.".into());
    }
    lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Each bin a line: a bar where the score is, a dot where the truth is.
fn reliability(calibration: &Calibration, task: Task) -> String {
    let of = if task == Task::SingleLabel { "best scores" } else { "scores" };
    let bins = calibration.bins;
    let error = calibration.expected_calibration_error;
    let mut text = format!(
        "reliability of the {of}: {bins} bins of equal mass, expected calibration error {error:.3}\n\
         said  true  0{:>width$}\n",
        "1       count",
        width = DIAGRAM + 12
    );
    for Bin { score, share_true, count } in &calibration.points {
        let column = |share: f64| (share * DIAGRAM as f64).round() as usize;
        let (said, truth) = (column(*score), column(*share_true));
        let between = said.min(truth)..said.max(truth);
        let line: String = (0..=DIAGRAM)
            .map(|place| match (place == said, place == truth) {
                (true, true) => '◆',
                (true, false) => '│',
                (false, true) => '●',
                _ if between.contains(&place) => '─',
                _ => '·',
            })
            .collect();
        let _ = writeln!(text, "{score:.2}  {share_true:.2}  {line} {count:>12}");
    }
    text + "│ said, ● true, ◆ both\n"
}

fn confusion(report: &Report) -> Option<String> {
    let pairs = report.confusion.pairs();
    if pairs.is_empty() {
        return None;
    }
    let name = |label: usize| short(&report.labels[label].label);
    let mut text = matrix(report);
    text += "\nmost often confused (true, said instead, records)\n";
    let shown: Vec<_> = pairs.iter().take(PAIRS).map(|p| (name(p.truth as usize), name(p.said as usize), p)).collect();
    let width = shown.iter().map(|(truth, ..)| truth.chars().count()).max().unwrap_or_default();
    let said_width = shown.iter().map(|(_, said, _)| said.chars().count()).max().unwrap_or_default();
    for (truth, said, pair) in shown {
        let _ = writeln!(text, "  {truth:width$} → {said:said_width$}  {:>5}", pair.count);
    }
    if pairs.len() > PAIRS {
        let _ = writeln!(text, "  and {} more pairs", pairs.len() - PAIRS);
    }
    Some(text)
}

fn matrix(report: &Report) -> String {
    let labels = report.confusion.most_confused(report.labels.len(), MATRIX);
    let names: Vec<String> = labels.iter().map(|&label| short(&report.labels[label].label)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let largest = labels.iter().flat_map(|&t| labels.iter().map(move |&s| report.confusion.count(t, s))).max();
    let cell = largest.unwrap_or_default().to_string().len().max(3);
    let said = match report.task {
        Task::SingleLabel => "rows are true, columns said",
        Task::MultiLabel => "rows are true and missed, columns said instead; the diagonal is right",
    };
    let some = match report.labels.len() {
        all if all > labels.len() => format!("; the {} of {all} labels most confused", labels.len()),
        _ => String::new(),
    };
    let mut text = format!("confusion: {said}{some}\n{:1$}", "", width + 4);
    (1..=labels.len()).for_each(|number| _ = write!(text, " {number:>cell$}"));
    text.push('\n');
    for ((number, &truth), name) in (1..).zip(&labels).zip(&names) {
        let _ = write!(text, "{number:>3} {name:width$}");
        for &said in &labels {
            let _ = match report.confusion.count(truth, said) {
                0 => write!(text, " {:>cell$}", "·"),
                count => write!(text, " {count:>cell$}"),
            };
        }
        text.push('\n');
    }
    text
}

fn fit(fit: &Fit) -> String {
    let mut text = format!("fitted for {} on these records", fit.goal);
    if let Some(unseen) = unseen(fit) {
        let _ = write!(text, "; {unseen}");
    }
    text += "\n";
    if fit.worth.len() > 1 {
        let _ = writeln!(
            text,
            "{:46} {:>9} {:>7} {:>9} {:>9} {:>9}",
            "", "precision", "recall", "micro F1", "macro F1", "answered"
        );
    }
    for worth in fit.worth.iter().filter(|_| fit.worth.len() > 1) {
        let Worth { precision, recall, micro_f1, macro_f1, coverage, .. } = worth;
        let name = worth_name(fit, worth);
        let _ =
            writeln!(text, "{name:46} {precision:>9.3} {recall:>7.3} {micro_f1:>9.3} {macro_f1:>9.3} {coverage:>9.3}");
    }
    if let Some(used) = fit.used() {
        let _ = writeln!(text, "{used}");
    }
    let _ = writeln!(text, "{:46} {:>9} {:>18}", "", "log loss", "calibration error");
    for honesty in &fit.honesty {
        let name = honesty_name(fit, honesty);
        let _ = writeln!(text, "{name:46} {:>9.3} {:>18.3}", honesty.log_loss, honesty.expected_calibration_error);
    }
    text + &unreached(fit)
}

/// What the lines called "unseen" are, where there are some.
pub(super) fn unseen(fit: &Fit) -> Option<String> {
    let folds = fit.folds;
    let words = || format!("\"unseen\" is {folds}-fold cross-validation: expect that on other records");
    (folds > 1).then(words)
}

/// What thresholds are called; those on unseen records stand below the others, and further in.
pub(super) fn worth_name(fit: &Fit, worth: &Worth) -> String {
    if worth.unseen { "  unseen".to_owned() } else { fit.words_of(worth.scheme) }
}

/// The same of scores.
pub(super) fn honesty_name(fit: &Fit, honesty: &Honesty) -> String {
    match honesty.unseen {
        None => "scores as they are".to_owned(),
        Some(false) => format!("at temperature {:.3}", fit.setting.temperature),
        Some(true) => "  unseen".to_owned(),
    }
}

/// The labels that could not be fitted, a line for each reason.
pub(super) fn unreached(fit: &Fit) -> String {
    let mut text = String::new();
    for (labels, what) in [
        (&fit.unfitted, "labels never true here, so with the threshold for all"),
        (&fit.missed, "labels for which no threshold reaches the goal"),
    ] {
        if !labels.is_empty() {
            let _ = writeln!(text, "{what}: {}", labels.iter().map(|l| escaped(l)).collect::<Vec<_>>().join(", "));
        }
    }
    text
}

fn label_order(trials: &OrderTrials, records: usize) -> String {
    let share = |count: usize| 100.0 * count as f64 / records.max(1) as f64;
    let mean = trials.mean_changed();
    format!(
        "order of the labels: {} shuffles change what is said of {mean:.1} records each ({:.1} %), of {} in any of \
         them ({:.1} %); a score changes by {:.4} on average\n",
        trials.trials,
        100.0 * mean / records.max(1) as f64,
        trials.ever_changed,
        share(trials.ever_changed),
        trials.mean_score_change
    )
}

fn comparison(report: &Report, comparison: &Comparison) -> String {
    let has_bounds = comparison.differences.iter().any(|one| one.bounds.is_some());
    let mut text = format!(
        "beside the other predictions\n{:32} {:>7} {:>7} {:>10}{}\n",
        "",
        "this",
        "other",
        "difference",
        if has_bounds { "   95 % interval of the difference" } else { "" }
    );
    for one in &comparison.differences {
        let interval =
            one.bounds.map_or_else(String::new, |Bounds { low, high }| format!("   {low:+.3} to {high:+.3}"));
        let better = match one.better() {
            None => "",
            Some(true) => "  this is better",
            Some(false) => "  the other is better",
        };
        let _ = writeln!(
            text,
            "{:32} {:>7.3} {:>7.3} {:>+10.3}{interval}{better}",
            one.figure.name(comparison.task),
            one.this,
            one.other,
            one.difference
        );
    }
    if let Some(how) = compared_as(report, comparison) {
        let _ = writeln!(text, "{how}");
    }
    text + &agreement(comparison)
}

/// How two are compared, where this one has other figures beside the other than in its own report.
pub(crate) fn compared_as(report: &Report, comparison: &Comparison) -> Option<String> {
    let above = |figure| report.intervals.iter().find(|one| one.figure == figure);
    let differs = |one: &Difference| above(one.figure).is_some_and(|above| (above.value - one.this).abs() > 1e-9);
    let is_compared = |figure| comparison.differences.iter().any(|one| one.figure == figure);
    let lacks_scores = report.intervals.iter().any(|one| !is_compared(one.figure));
    let how = || {
        let (labels, any) = (comparison.labels, comparison.task.words());
        let without =
            if lacks_scores { ", without figures of scores, which not both have of the same labels" } else { "" };
        format!("compared over the {labels} labels of both, with {any}{without}: so this has other figures than above")
    };
    (lacks_scores || comparison.differences.iter().any(differs)).then(how)
}

/// How many records each was right about, and whether that may be chance.
pub(super) fn agreement(comparison: &Comparison) -> String {
    let Agreement { both, only_this, only_other, neither } = comparison.exactly_right;
    let p = p_value(comparison.mcnemar_p);
    format!(
        "exactly right: both {both}, only this {only_this}, only the other {only_other}, neither {neither}\n\
         McNemar's exact test: p = {p}\n"
    )
}

pub(crate) fn p_value(p: f64) -> String {
    if p < 0.0001 { "less than 0.0001".to_owned() } else { format!("{p:.4}") }
}

fn errors(labels: &[LabelErrors]) -> String {
    let mut text = "the most confident errors\n".to_owned();
    for of_label in labels {
        let _ = writeln!(text, "\n  {}", escaped(&of_label.label));
        for error in &of_label.errors {
            let score = error.score.map_or_else(|| "    ?".to_owned(), |score| format!("{score:.3}"));
            let (what, place, record) = (what(error), &error.place, escaped(&cut(&error.text, EXCERPT)));
            let _ = writeln!(text, "    {score}  {what} ({place})\n           {record}");
        }
    }
    text
}

/// What went wrong, and what is true.
pub(super) fn what(error: &ShownError) -> String {
    let truth = error.true_labels.iter().map(|label| escaped(label)).collect::<Vec<_>>().join(", ");
    match error.kind {
        Kind::Said if truth.is_empty() => "said, nothing is true".to_owned(),
        Kind::Said => format!("said, true: {truth}"),
        Kind::Missed => "true, not said".to_owned(),
    }
}

fn short(name: &str) -> String {
    cut(&escaped(name), SHORT)
}

/// The beginning of a text.
pub(crate) fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some(_) => text.chars().take(length - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}
