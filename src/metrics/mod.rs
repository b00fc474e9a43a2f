//! Figures for `eval`: what was true and what was said in, how good it was out.
//!
//! Knows no model and no file: pure functions over [`Judged`] records. [`report`] has all figures, made of
//! [`counts`], [`ranking`], [`losses`], [`calibration`] and [`confusion`]; [`bootstrap`] says how sure they
//! are; [`fit`] fits decisions; [`comparison`] sets two predictions side by side; [`layout`], [`plots`] and
//! [`page`] show.

pub mod bootstrap;
pub mod calibration;
pub mod comparison;
pub mod confusion;
pub mod counts;
pub mod findings;
pub mod fit;
pub mod goal;
pub mod judged;
pub mod layout;
pub mod losses;
pub mod main_figures;
pub mod mistakes;
pub mod page;
pub mod plots;
pub mod ranking;
pub mod report;
pub mod temperature;
pub mod weights;

use serde::Serialize;

pub use bootstrap::Resampling;
pub use findings::Findings;
pub use judged::{Candidate, Judged};
pub use layout::Layout;
pub use report::Report;

/// Which of the two questions was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Each record has exactly one true label, and one answer or none.
    SingleLabel,
    /// Each record has any number of both.
    MultiLabel,
}

impl Task {
    /// In words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::SingleLabel => "exactly one label per record",
            Self::MultiLabel => "any number of labels per record",
        }
    }
}

/// A quotient that is 0 where there is nothing to divide by.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}
