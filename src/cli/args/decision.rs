//! How scores become labels, and what a prediction looks like.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;

use super::values::{from_one, share};
use crate::records::LabelSet;
use crate::runner::Classified;
use crate::scores::{self, Decision, Thresholds};

/// How scores become labels.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Decision")]
pub struct DecisionArgs {
    /// Exactly one label per text
    ///
    /// Scores are then by softmax and sum to 1. Otherwise each label is judged by itself, by sigmoid.
    #[arg(long)]
    pub single_label: bool,
    /// The lowest score at which a label applies, from 0 to 1 [default: 0.5]
    ///
    /// Unused with --single-label.
    #[arg(short, long, value_name = "F", value_parser = share::<f32>)]
    pub threshold: Option<f32>,
    /// Thresholds and temperature from a file written by `eval --fit`
    ///
    /// Without --single-label, every label must be in it.
    #[arg(long, value_name = "FILE", conflicts_with = "threshold")]
    pub thresholds: Option<PathBuf>,
    /// No label for a text whose best score is below F, from 0 to 1
    #[arg(long, value_name = "F", value_parser = share::<f32>)]
    pub abstain_below: Option<f32>,
    /// At most N labels per text, the best ones
    #[arg(short = 'k', long, value_name = "N", value_parser = from_one)]
    pub top_k: Option<NonZeroUsize>,
    /// Every label with its score, whatever the threshold
    #[arg(long)]
    pub all_scores: bool,
}

impl DecisionArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.thresholds.iter().map(PathBuf::as_path)
    }

    /// What was typed, as the decision that it means, about `labels` if they are known.
    ///
    /// # Errors
    /// The file of thresholds cannot be used, or not for these labels.
    pub fn decision(&self, labels: Option<&LabelSet>) -> anyhow::Result<Decision> {
        let fitted =
            self.thresholds.as_deref().map(Thresholds::read).transpose().context("--thresholds")?.map(Arc::new);
        if let (Some(fitted), Some(path)) = (&fitted, &self.thresholds)
            && fitted.single_label != self.single_label
        {
            let (with, remedy) = if fitted.single_label { ("with", "add it") } else { ("without", "leave it out") };
            bail!("{}: fitted {with} --single-label: {remedy}", path.display());
        }
        if let (Some(fitted), Some(labels)) = (&fitted, labels) {
            fitted.cover(labels)?;
        }
        Ok(Decision {
            single_label: self.single_label,
            threshold: self.threshold.unwrap_or(Decision::default().threshold),
            abstain_below: self.abstain_below.or_else(|| fitted.as_ref()?.abstain_below),
            fitted,
            top_k: self.top_k.map(NonZeroUsize::get),
            all_scores: self.all_scores,
        })
    }
}

/// What a prediction looks like in JSON.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Decision")]
pub struct ShapeArgs {
    /// Add `logit`, the score before sigmoid or softmax, to each prediction
    #[arg(long, conflicts_with = "hierarchical")]
    pub logits: bool,
    /// Write predictions in the shape of the labels, every leaf a score
    ///
    /// No label is left out, whatever the threshold is.
    #[arg(long)]
    pub hierarchical: bool,
}

impl ShapeArgs {
    /// Checks that no label is to be left out of an object of all labels.
    ///
    /// # Errors
    /// `decision` says that some are.
    pub fn check(self, decision: &DecisionArgs) -> anyhow::Result<()> {
        let options = [("--top-k", decision.top_k.is_some()), ("--abstain-below", decision.abstain_below.is_some())];
        if let Some((option, _)) = options.iter().find(|(_, is_given)| self.hierarchical && *is_given) {
            bail!("{option} with --hierarchical: there every label has its score: leave one of the two out");
        }
        Ok(())
    }

    /// The predictions of one record as JSON.
    pub fn json(self, decision: &Decision, found: &Classified) -> String {
        if self.hierarchical {
            return scores::to_json_shaped(&found.logits, &found.labels, decision);
        }
        scores::to_json(&scores::decide(&found.logits, &found.labels, decision), &found.labels, self.logits)
    }
}
