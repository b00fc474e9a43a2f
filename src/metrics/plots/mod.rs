//! Plots as SVG: what a table cannot show at a glance.

mod charts;
mod confusion;
mod curves;
mod style;

pub use style::{standalone, style_sheet};

use super::judged::Judged;
use super::report::Report;
use super::{Task, ratio};
use crate::display::escaped;

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

impl Plot {
    /// A plot in one part that may be made smaller.
    fn narrow(name: &'static str, title: &'static str, caption: &str, svg: String) -> Self {
        Self { name, title, caption: caption.to_owned(), svg, is_wide: false, panels: Vec::new() }
    }
}

/// All plots that can be made of these records.
pub fn plots(judged: &Judged, report: &Report) -> Vec<Plot> {
    let mut plots = Vec::new();
    if let Some(scores) = &report.scores {
        plots.push(charts::reliability(&scores.calibration, report.task));
        plots.push(charts::coverage(judged));
        plots.push(match report.task {
            Task::MultiLabel => charts::f1_by_threshold(judged),
            Task::SingleLabel => charts::f1_by_withholding(judged),
        });
    }
    plots.push(confusion::plot(report));
    if report.scores.is_some() {
        plots.push(curves::plot(judged, report));
    }
    plots.iter_mut().for_each(|plot| plot.svg = style::named(&plot.svg, plot.title));
    plots
}

/// A label as it may stand in SVG: not too long, and without the two characters more that XML does not know.
fn shown(label: &str, length: usize) -> String {
    super::layout::cut(&escaped(label).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}"), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_does_not_know_and_what_turns_a_line_is_no_part_of_a_plot() {
        assert_eq!(shown("a\u{1b}\u{202e}\u{ffff}b", 40), "a\\u001b\\u202e\u{fffd}b");
        assert_eq!(shown("abcd", 3), "ab…");
    }
}
