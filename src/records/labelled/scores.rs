//! Scores as they must be, in whatever form they are written.

use super::{Spot, flaw};
use crate::error::Result;
use crate::records::names::PREDICTED_SCORES;

/// The score, where it can be one.
pub(super) fn probability(score: f32) -> std::result::Result<f32, String> {
    if (0.0..=1.0).contains(&score) { Ok(score) } else { Err(format!("the score {score} is not from 0 to 1")) }
}

/// Checks that there is a score for each label of two lists; else `remedy` says what to do.
pub(super) fn check_pairs(spot: Spot, labels: usize, scores: usize, remedy: &str) -> Result<()> {
    if labels == scores {
        return Ok(());
    }
    Err(flaw(spot, Some(PREDICTED_SCORES), &format!("{scores} scores for {labels} labels: {remedy}")))
}
