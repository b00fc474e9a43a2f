//! `--html`: one page that stands by itself, with everything that was found.
//!
//! Nothing is loaded and nothing runs: a policy in the page forbids both, and every text is escaped.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Task;
use super::bootstrap::Interval;
use super::comparison::Comparison;
use super::counts::Figures;
use super::findings::{Findings, LabelErrors, ShownError};
use super::fit::Fit;
use super::layout::{capital, compared_as, cut, not_one_label, p_value, three};
use super::mistakes::Kind;
use super::plots::{Plot, style_sheet};
use super::report::Report;
use crate::display::escaped;

/// Pairs of labels that are shown.
const PAIRS: usize = 12;
/// A matrix of no more labels can be read at half its size.
const FEW: usize = 12;
/// Characters of a text that are shown.
const EXCERPT: usize = 600;
/// Errors of so many labels are open from the start.
const OPEN: usize = 3;

/// What the page is about.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The data, and the page's title.
    pub data: String,
    /// What made the predictions.
    pub model: String,
    /// How scores became labels.
    pub decision: String,
}

/// The page, as HTML, with these errors.
pub fn render(subject: &Subject, findings: &Findings, mistakes: &[LabelErrors], plots: &[Plot]) -> String {
    let report = &findings.report;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "Evaluation of " (escaped(&subject.data)) }
                style { (PreEscaped(include_str!("style.css"))) (PreEscaped(style_sheet("figure"))) }
            }
            body {
                main {
                    (heading(subject, report))
                    (tiles(report))
                    div.charts { @for plot in plots.iter().filter(|plot| !plot.is_wide) { (chart(plot)) } }
                    (labels(report))
                    @for plot in plots.iter().filter(|plot| plot.is_wide) { (wide(plot, report)) }
                    (figures(report))
                    @if let Some(fit) = &findings.fit { (fitted(fit)) }
                    @if let Some(comparison) = &findings.comparison { (compared(report, comparison)) }
                    @if let Some(trials) = &findings.label_order {
                        h2 { "Does the order of the labels matter?" }
                        p.note {
                            "Asked again with the labels shuffled " (trials.trials) " times: what is said of "
                            (trials.ever_changed) " of " (report.records) " records changed at least once, and a score by "
                            (format!("{:.4}", trials.mean_score_change)) " on average."
                        }
                    }
                    (errors(mistakes))
                    (footer(report))
                }
            }
        }
    };
    page.into_string()
}

fn heading(subject: &Subject, report: &Report) -> Markup {
    html! {
        header {
            h1 { (escaped(&subject.data)) }
            p.soft {
                (counted(report.records, "record")) ", " (counted(report.labels.len(), "label")) ", " (report.task.words()) ". "
                (escaped(&subject.model)) "; " (escaped(&subject.decision)) "."
            }
        }
    }
}

fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn tiles(report: &Report) -> Markup {
    use super::main_figures::Main;
    let shown = match report.task {
        Task::SingleLabel => {
            [Main::Accuracy, Main::MacroF1, Main::MeanAveragePrecision, Main::ExpectedCalibrationError]
        }
        Task::MultiLabel => [Main::MicroF1, Main::MacroF1, Main::MeanAveragePrecision, Main::ExpectedCalibrationError],
    };
    let interval = |figure: &Main| report.intervals.iter().find(|one| one.figure == *figure);
    let tiles: Vec<&Interval> = shown.iter().filter_map(interval).collect();
    html! {
        div.tiles {
            @for one in &tiles {
                div.tile {
                    span.soft { (capital(one.figure.name(report.task))) }
                    b { (three(one.value)) }
                    @if let Some(bounds) = one.bounds { span.soft { (three(bounds.low)) " to " (three(bounds.high)) } }
                }
            }
        }
        @if tiles.iter().any(|one| one.bounds.is_some()) {
            p.note style="margin-top:10px" { "Below each figure its 95 % interval: other records of the same kind would give another value." }
        }
        @if let Some(count) = report.not_one_label { p.note { (not_one_label(count, report.records)) "." } }
        @if let Some(withheld) = report.abstained.filter(|&withheld| withheld > 0) {
            p.note {
                (report.records - withheld) " records have an answer, of which " (three(report.micro_average.precision))
                " are right; withheld answers count as wrong above."
            }
        }
    }
}

fn chart(plot: &Plot) -> Markup {
    html! {
        figure {
            h3 { (plot.title) }
            (PreEscaped(&plot.svg))
            figcaption { (plot.caption) }
        }
    }
}

fn wide(plot: &Plot, report: &Report) -> Markup {
    html! {
        section {
            h2 { (plot.title) }
            p.note { (plot.caption) }
            @if plot.panels.is_empty() {
                div.scroll { figure.wide.few[report.labels.len() <= FEW] { (PreEscaped(&plot.svg)) } }
                (pairs(report))
            } @else {
                figure.panels { @for panel in &plot.panels { (PreEscaped(panel)) } }
            }
        }
    }
}

fn pairs(report: &Report) -> Markup {
    let pairs = report.confusion.pairs();
    let name = |label: u32| escaped(&report.labels[label as usize].label);
    html! {
        @if !pairs.is_empty() {
            div.scroll {
                table {
                    thead { tr { th { "true" } th style="text-align:left" { "said instead" } th { "records" } } }
                    tbody {
                        @for pair in pairs.iter().take(PAIRS) {
                            tr {
                                td.name { (name(pair.truth)) }
                                td.name style="text-align:left" { (name(pair.said)) }
                                td { (pair.count) }
                            }
                        }
                    }
                }
            }
            @if pairs.len() > PAIRS { p.note style="margin-top:6px" { "and " (pairs.len() - PAIRS) " more pairs" } }
        }
    }
}

fn labels(report: &Report) -> Markup {
    let with_scores = report.scores.is_some();
    let single = report.task == Task::SingleLabel;
    let first = if single { Figures { f1: report.accuracy, ..report.micro_average } } else { report.micro_average };
    let averages = [
        (if single { "accuracy" } else { "micro average" }, Some(first)),
        ("macro average", Some(report.macro_average)),
        ("weighted average", Some(report.weighted_average)),
        ("samples average", report.samples_average),
    ];
    html! {
        h2 { "Label by label" }
        p.note {
            "Precision: how much of what was said is true. Recall: how much of what is true was said. F1: their harmonic mean. "
            "Support: how often the label is true."
        }
        div.scroll {
            table {
                thead {
                    tr {
                        th { "label" } th { "precision" } th { "recall" } th { "F1" }
                        @if with_scores { th { "average precision" } }
                        th { "support" }
                    }
                }
                tbody {
                    @for one in &report.labels {
                        tr {
                            th scope="row" { (escaped(&one.label)) }
                            td { (three(one.figures.precision)) }
                            td { (three(one.figures.recall)) }
                            td {
                                span.bar { i style=(format!("width:{:.1}%", 100.0 * one.figures.f1)) {} }
                                (three(one.figures.f1))
                            }
                            @if with_scores { td { (three(one.average_precision.unwrap_or_default())) } }
                            td { (one.figures.support) }
                        }
                    }
                }
                tfoot {
                    @for (name, figures) in averages.iter().filter_map(|(name, figures)| Some((name, (*figures)?))) {
                        tr {
                            th scope="row" { (name) }
                            @if *name == "accuracy" { td {} td {} } @else {
                                td { (three(figures.precision)) }
                                td { (three(figures.recall)) }
                            }
                            td { (three(figures.f1)) }
                            @if with_scores { td {} }
                            td { (figures.support) }
                        }
                    }
                }
            }
        }
    }
}

fn figures(report: &Report) -> Markup {
    let mut more: Vec<(String, f64)> = Vec::new();
    if let Some(scores) = &report.scores {
        more.extend(scores.top_k_accuracy.iter().map(|(k, value)| (format!("top-{k} accuracy"), *value)));
        more.push(("label ranking average precision".into(), scores.label_ranking_average_precision));
    }
    more.push(("Hamming loss".into(), report.hamming_loss));
    html! {
        h2 { "All figures" }
        div.scroll {
            table {
                thead { tr { th {} th { "value" } th { "95 % interval" } } }
                tbody {
                    @for one in &report.intervals {
                        tr {
                            th scope="row" { (one.figure.name(report.task)) }
                            td { (three(one.value)) }
                            td { @if let Some(bounds) = one.bounds { (three(bounds.low)) " to " (three(bounds.high)) } }
                        }
                    }
                    @for (name, value) in &more { tr { th scope="row" { (name) } td { (three(*value)) } td {} } }
                }
            }
        }
    }
}

fn fitted(fit: &Fit) -> Markup {
    html! {
        h2 { "Fitted thresholds" }
        p.note {
            "Fitted for " (fit.goal) " on the records of this page. The same records fit and judge, which flatters"
            @if fit.folds > 1 {
                ": believe the lines \u{201c}on unseen records\u{201d}, " (fit.folds) "-fold cross-validation"
            }
            "."
            @if let Some(used) = fit.used() { " " (capital(&used)) "." }
        }
        @if fit.worth.len() > 1 {
            div.scroll {
                table {
                    thead { tr { th {} th { "precision" } th { "recall" } th { "micro F1" } th { "macro F1" } th { "answered" } } }
                    tbody {
                        @for worth in &fit.worth {
                            tr {
                                th scope="row" {
                                    @if worth.unseen { span.soft { "on unseen records" } } @else { (fit.words_of(worth.scheme)) }
                                }
                                td { (three(worth.precision)) }
                                td { (three(worth.recall)) }
                                td { (three(worth.micro_f1)) }
                                td { (three(worth.macro_f1)) }
                                td { (three(worth.coverage)) }
                            }
                        }
                    }
                }
            }
        }
        div.scroll {
            table {
                thead { tr { th {} th { "log loss" } th { "calibration error" } } }
                tbody {
                    @for honesty in &fit.honesty {
                        tr {
                            th scope="row" {
                                @match honesty.unseen {
                                    None => "scores as they are",
                                    Some(false) => { "at temperature " (three(fit.setting.temperature)) }
                                    Some(true) => span.soft { "on unseen records" },
                                }
                            }
                            td { (three(honesty.log_loss)) }
                            td { (three(honesty.expected_calibration_error)) }
                        }
                    }
                }
            }
        }
    }
}

fn compared(report: &Report, comparison: &Comparison) -> Markup {
    let right = comparison.exactly_right;
    html! {
        h2 { "Beside the other predictions" }
        p.note {
            "Both were exactly right on " (right.both) " records, only these on " (right.only_this) ", only the others on "
            (right.only_other) ", neither on " (right.neither) ". McNemar's exact test: p = " (p_value(comparison.mcnemar_p))
            ". Intervals draw the same records for both; a difference whose interval holds 0 may be chance."
        }
        @if let Some(how) = compared_as(report, comparison) { p.note { (capital(&how)) "." } }
        div.scroll {
            table {
                thead { tr { th {} th { "these" } th { "the others" } th { "difference" } th { "95 % interval" } } }
                tbody {
                    @for one in &comparison.differences {
                        tr {
                            th scope="row" { (one.figure.name(comparison.task)) }
                            td { (three(one.this)) }
                            td { (three(one.other)) }
                            td.better[one.better() == Some(true)].worse[one.better() == Some(false)] {
                                (format!("{:+.3}", one.difference))
                            }
                            td {
                                @if let Some(bounds) = one.bounds { (format!("{:+.3} to {:+.3}", bounds.low, bounds.high)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn errors(labels: &[LabelErrors]) -> Markup {
    html! {
        @if !labels.is_empty() {
            h2 { "The most confident errors" }
            p.note { "What was surest and wrong. Often the record is wrong, or two labels mean nearly the same." }
            @for (place, of_label) in labels.iter().enumerate() {
                details open[place < OPEN] {
                    summary { (escaped(&of_label.label)) }
                    @for error in &of_label.errors { (error_card(error)) }
                }
            }
        }
    }
}

fn error_card(error: &ShownError) -> Markup {
    let ShownError { kind, score, place, text, true_labels, predicted_labels } = error;
    let list = |labels: &[String]| match labels {
        [] => "nothing".to_owned(),
        labels => escaped(&labels.join(", ")),
    };
    html! {
        div.error {
            p dir="auto" { (lines(&cut(text, EXCERPT))) }
            p.soft {
                @match kind {
                    Kind::Said => { span.tag { "said" } @if let Some(score) = score { " with " (three(f64::from(*score))) } }
                    Kind::Missed => { span.tag { "missed" } @if let Some(score) = score { ", its score " (three(f64::from(*score))) } }
                }
                "; true: " (list(true_labels)) "; said: " (list(predicted_labels)) "; " (escaped(place))
            }
        }
    }
}

/// A text of several lines; a page shows their ends as blanks.
fn lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<String>>().join("\n")
}

fn footer(report: &Report) -> Markup {
    html! {
        footer.note {
            p {
                "Figures are those of scikit-learn on the same predictions; a label that never occurs counts in macro averages. "
                @if let Some(scores) = &report.scores {
                    "Calibration error is over " (scores.calibration.bins) " bins of equal mass. "
                }
                @if report.bootstrap.rounds > 0 {
                    "Intervals are percentiles of " (report.bootstrap.rounds) " bootstrap rounds over the records"
                    @if report.scores.is_some() {
                        ", those of mean average precision and of the calibration error, which rounds overstate, mirrored "
                        "at the value"
                    }
                    "; none where all rounds gave the same value; seed " (report.bootstrap.seed) ". "
                }
                "Made by gliclass eval."
            }
        }
    }
}
