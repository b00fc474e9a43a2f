//! Plots as SVG: what a table cannot show at a glance.

mod charts;
mod confusion;
mod curves;
mod style;

pub use style::{standalone, style_sheet};

use super::judged::Judged;
use super::report::Report;
use super::{Task, ratio};

/// A plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// What a file of it is called, without the ending.
    pub name: &'static str,
    /// What it is of.
    pub title: &'static str,
    /// How it is read.
    pub caption: String,
    /// SVG that takes its colours from [`style_sheet`].
    pub svg: String,
    /// Whether it is wide, and best not made smaller than it is.
    pub is_wide: bool,
    /// The same in small parts that may be laid out anew, if it has parts.
    pub panels: Vec<String>,
}

/// All plots that can be made of these records.
pub fn plots(judged: &Judged, report: &Report) -> Vec<Plot> {
    let mut plots = Vec::new();
    if let Some(scores) = &report.scores {
        plots.push(charts::reliability(&scores.calibration, report.task));
        plots.push(charts::coverage(judged, report));
        plots.push(match report.task {
            Task::MultiLabel => charts::f1_by_threshold(judged),
            Task::SingleLabel => charts::f1_by_withholding(judged),
        });
    }
    plots.push(confusion::plot(report));
    if report.scores.is_some() {
        plots.push(curves::plot(judged, report));
    }
    plots
}

/// A label as it may stand in SVG: no control characters, which XML does not know, and not too long.
fn shown(label: &str, length: usize) -> String {
    let printable: String = label
        .chars()
        .map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c })
        .collect();
    super::layout::cut(&printable, length)
}
