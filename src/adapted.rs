//! A classifier as the command line wants it: labels in several wordings, and only labels that can be decided.

use std::sync::Arc;

use crate::classifier::{Classifier, Encoded};
use crate::error::Result;
use crate::records::Record;
use crate::scores::Thresholds;

/// Asks a classifier for every wording of a label and takes the best; refuses labels without a fitted threshold.
pub struct Adapted<C> {
    classifier: C,
    thresholds: Option<Arc<Thresholds>>,
}

impl<C> Adapted<C> {
    /// `classifier`, whose labels must all have a threshold where there are fitted ones.
    pub fn new(classifier: C, thresholds: Option<Arc<Thresholds>>) -> Self {
        Self { classifier, thresholds }
    }
}

impl<C: Classifier> Classifier for Adapted<C> {
    fn encode(&self, record: &Record) -> Result<Encoded> {
        if let Some(thresholds) = &self.thresholds {
            thresholds.cover(&record.labels)?;
        }
        let Some(wordings) = record.labels.wordings() else { return self.classifier.encode(record) };
        let asked = Record { labels: wordings.all().clone(), ..record.clone() };
        Ok(Encoded { labels: record.labels.clone(), ..self.classifier.encode(&asked)? })
    }

    fn batch_tokens(&self) -> Option<usize> {
        self.classifier.batch_tokens()
    }

    fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
        if batch.iter().all(|one| one.labels.wordings().is_none()) {
            return self.classifier.logits(batch, threads);
        }
        let asked: Vec<Encoded> = batch
            .iter()
            .map(|one| Encoded {
                labels: one.labels.wordings().map_or(&one.labels, |wordings| wordings.all()).clone(),
                ..one.clone()
            })
            .collect();
        let logits = self.classifier.logits(&asked, threads)?;
        let best = |(one, logits): (&Encoded, Vec<f32>)| match one.labels.wordings() {
            Some(wordings) => wordings.best(&logits),
            None => logits,
        };
        Ok(batch.iter().zip(logits).map(best).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::records::{Defaults, LabelSet};

    /// Gives each label the logit that it is named.
    struct Named;

    impl Classifier for Named {
        fn encode(&self, record: &Record) -> Result<Encoded> {
            Ok(Encoded::new(vec![1], Vec::new(), &record.labels, false))
        }

        fn logits(&self, batch: &[Encoded], _threads: usize) -> Result<Vec<Vec<f32>>> {
            let named = |one: &Encoded| one.labels.names().iter().map(|name| name.parse().unwrap()).collect();
            Ok(batch.iter().map(named).collect())
        }
    }

    fn record(labels: LabelSet) -> Record {
        let defaults = Defaults { labels: Some(Arc::new(labels)), ..Defaults::default() };
        defaults.record("text".into()).unwrap()
    }

    #[test]
    fn a_label_scores_as_the_best_of_its_wordings() {
        let labels = serde_json::json!({"high": ["1", "3", "2"], "low": ["-4", "-5"], "7": "7"});
        let adapted = Adapted::new(Named, None);
        let encoded = adapted.encode(&record(LabelSet::worded(&labels).unwrap())).unwrap();
        let plain = adapted.encode(&record(LabelSet::flat(vec!["5".into()]).unwrap())).unwrap();
        assert_eq!(encoded.labels.names(), ["high", "low", "7"]);
        assert_eq!(adapted.logits(&[encoded, plain], 1).unwrap(), [vec![3.0, -4.0, 7.0], vec![5.0]]);
    }

    #[test]
    fn a_label_without_a_fitted_threshold_is_refused_by_name() {
        let thresholds: Thresholds = serde_json::from_str(r#"{"labels": {"a": 0.5}}"#).unwrap();
        let adapted = Adapted::new(Named, Some(Arc::new(thresholds)));
        let encode = |names: &[&str]| {
            let names = names.iter().map(|&name| name.to_owned()).collect();
            adapted.encode(&record(LabelSet::flat(names).unwrap()))
        };
        assert!(encode(&["a"]).is_ok());
        assert!(
            matches!(encode(&["a", "b"]), Err(Error::Record(message)) if message.contains("label \"b\" is not in"))
        );
    }
}
