//! `--fit`: thresholds fitted and written.

use anyhow::bail;

use super::gather::Gathered;
use crate::files::Reserved;
use crate::metrics::fit::{Fit, Scheme};
use crate::metrics::goal::Goal;
use crate::scores::thresholds::{Fitted, Thresholds, Use};

/// Writes what was fitted.
pub fn write(file: Reserved, fit: &Fit, gathered: &Gathered) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(&thresholds(fit, gathered))?;
    text.push('\n');
    Ok(file.write(text.as_bytes())?)
}

/// Checks the goal, before any work.
///
/// # Errors
/// It makes no sense where every text has an answer.
pub fn check_goal(goal: Goal, single_label: bool) -> anyhow::Result<()> {
    if single_label && matches!(goal, Goal::Recall(_)) {
        bail!("--fit-for {goal}: with --single-label every text has an answer: give precision=P");
    }
    Ok(())
}

/// Checks how many labels are true of each record, which can be known before a model is asked.
///
/// # Errors
/// Not one of some, where one must be.
pub fn check_truth(mut counts: impl Iterator<Item = usize>, single_label: bool) -> anyhow::Result<()> {
    if single_label && counts.any(|count| count != 1) {
        bail!("--fit: some records have no or several true labels: leave out --single-label");
    }
    Ok(())
}

/// Fits to records.
///
/// # Errors
/// Not every label has a score, or not one is true of each where one must be.
pub fn fit(gathered: &Gathered, goal: Goal, seed: u64) -> anyhow::Result<Fit> {
    let judged = &gathered.judged;
    if !judged.is_scored() {
        bail!(
            "--fit needs the scores of all labels: write the predictions with --all-scores, true labels among --labels"
        );
    }
    let true_labels = judged.iter().map(|record| record.iter().filter(|one| one.truth).count());
    check_truth(true_labels, judged.single_label())?;
    Ok(Fit::new(judged, goal, seed))
}

fn thresholds(fit: &Fit, gathered: &Gathered) -> Thresholds {
    let judged = &gathered.judged;
    Thresholds {
        single_label: judged.single_label(),
        temperature: fit.setting.temperature as f32,
        uses: (!judged.single_label()).then(|| if fit.uses == Scheme::All { Use::All } else { Use::Labels }),
        threshold: fit.setting.all,
        labels: judged.names().iter().cloned().zip(fit.setting.each.iter().copied()).collect(),
        abstain_below: fit.setting.abstain_below,
        fitted: Some(Fitted {
            goal: fit.goal.to_string(),
            data: gathered.files.join(", "),
            records: judged.records(),
            fingerprint: gathered.fingerprint(),
        }),
    }
}
