//! `--fit`: thresholds fitted and written.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::gather::Gathered;
use crate::error::Error;
use crate::metrics::Task;
use crate::metrics::fit::{Fit, Scheme};
use crate::metrics::goal::Goal;
use crate::records::output::open_file;
use crate::scores::thresholds::{Fitted, Thresholds, Use};

/// The file that is fitted into; there before any work, so that none is lost.
pub struct ThresholdsFile {
    path: PathBuf,
    file: File,
}

/// Begins the file.
pub fn create(path: &Path) -> anyhow::Result<ThresholdsFile> {
    Ok(ThresholdsFile { path: path.to_owned(), file: open_file(path)? })
}

impl ThresholdsFile {
    /// Writes what was fitted.
    pub fn write(mut self, fit: &Fit, gathered: &Gathered) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(&thresholds(fit, gathered))?;
        text.push('\n');
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(text.as_bytes()));
        Ok(written.map_err(|error| Error::io(&self.path, error))?)
    }
}

/// Fits to records.
///
/// # Errors
/// Not every label has a score, or the goal makes no sense for them.
pub fn fit(gathered: &Gathered, goal: Goal, seed: u64) -> anyhow::Result<Fit> {
    let judged = &gathered.judged;
    if !judged.is_scored() {
        bail!("--fit needs the scores of all labels: write the predictions with --all-scores");
    }
    if judged.single_label() && judged.task() == Task::MultiLabel {
        bail!("--fit: some records have no or several true labels: leave out --single-label");
    }
    if judged.single_label() && matches!(goal, Goal::Recall(_)) {
        bail!("--fit-for {goal}: with --single-label every text has an answer: give precision=P");
    }
    Ok(Fit::new(judged, goal, seed))
}

fn thresholds(fit: &Fit, gathered: &Gathered) -> Thresholds {
    let judged = &gathered.judged;
    Thresholds {
        single_label: judged.single_label(),
        temperature: fit.setting.temperature as f32,
        uses: if !judged.single_label() && fit.better() == Scheme::All { Use::All } else { Use::Labels },
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
