//! Fitted thresholds: the file that `eval --fit` writes and `--thresholds` reads.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::records::LabelSet;
use crate::records::labels::read_text;

/// Which of the fitted thresholds decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// One for each label.
    #[default]
    Labels,
    /// The one for all labels.
    All,
}

/// How scores become labels, as found on labelled data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Whether they are for exactly one label a text.
    #[serde(default)]
    pub single_label: bool,
    /// Logits are divided by it before they become scores: above 1 the model was over-confident.
    #[serde(default = "one")]
    pub temperature: f32,
    /// Which thresholds decide: `labels`, also where it is not said, or `all`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub uses: Option<Use>,
    /// The threshold for all labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// The threshold of each label. A label that is not here cannot be decided.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, f32>,
    /// No label for a text whose best score is lower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abstain_below: Option<f32>,
    /// What they were fitted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<Fitted>,
}

/// Where thresholds come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fitted {
    /// What was sought.
    pub goal: String,
    /// The file.
    pub data: String,
    /// How many records it had.
    pub records: usize,
    /// Tells whether other data is the same, in whatever order.
    pub fingerprint: String,
}

fn one() -> f32 {
    1.0
}

impl Thresholds {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, is not of this form, or a number is out of its range.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        let flawed = |message: String| Error::Usage(format!("{}: {message}", path.display()));
        let thresholds: Self = serde_json::from_str(&text)
            .map_err(|error| flawed(format!("not a file of thresholds, as `eval --fit` writes them: {error}")))?;
        thresholds.check().map_err(flawed)?;
        Ok(thresholds)
    }

    fn check(&self) -> std::result::Result<(), String> {
        let within = |name: &str, value: f32| match (0.0..=1.0).contains(&value) {
            true => Ok(()),
            false => Err(format!("the threshold of {name} is {value}: it must be from 0 to 1")),
        };
        self.labels.iter().try_for_each(|(label, &value)| within(&format!("{label:?}"), value))?;
        self.threshold.map_or(Ok(()), |value| within("all labels", value))?;
        self.abstain_below.map_or(Ok(()), |value| within("abstain_below", value))?;
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(format!("the temperature is {}: it must be above 0", self.temperature));
        }
        if self.uses == Some(Use::All) && self.threshold.is_none() {
            return Err("\"use\" is \"all\", and there is no \"threshold\": add one".into());
        }
        Ok(())
    }

    /// Whether every label has a threshold; with one label a text none is needed.
    ///
    /// # Errors
    /// A label has none; the message names it.
    pub fn cover(&self, labels: &LabelSet) -> Result<()> {
        let missing = labels.names().iter().find(|name| !self.labels.contains_key(*name));
        match missing.filter(|_| !self.single_label) {
            None => Ok(()),
            Some(label) => Err(Error::Record(format!(
                "label {label:?} is not in the file of --thresholds: fit it with eval --fit, or add it there"
            ))),
        }
    }

    /// The least score of a label that holds.
    pub fn of(&self, label: &str) -> Option<f32> {
        match self.uses.unwrap_or_default() {
            Use::Labels => self.labels.get(label).copied(),
            Use::All => self.threshold,
        }
    }
}
