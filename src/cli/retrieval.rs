//! `--rac-retrieve`: the vectors of the examples, computed once and kept beside their file.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::args::{LabelArgs, ModelArgs};
use crate::architectures::Vectors;
use crate::error::{Error, Result};
use crate::model::kept::Origin;
use crate::model::neighbours::{bare, candidates, unit};
use crate::model::{Embedder, KeptVectors, Model, Neighbours, Source};
use crate::records::{Defaults, Entry, LabelSet, RacExample};
use crate::runner::{Classified, Runner};

/// What `--rac-retrieve` asks for.
pub struct Retrieval {
    examples: Arc<[RacExample]>,
    labels: Arc<LabelSet>,
    count: NonZeroUsize,
    file: PathBuf,
}

impl ModelArgs {
    /// Loads the model that was found; it retrieves examples where that is wanted.
    ///
    /// # Errors
    /// As [`ModelArgs::load_from`], and an example that the model cannot read.
    pub fn load_with(
        &self,
        source: &Source,
        retrieval: Option<Retrieval>,
        single_label: bool,
    ) -> anyhow::Result<Model> {
        let model = self.load_from(source, single_label)?;
        match retrieval {
            Some(retrieval) => retrieval.add_to(model, source, self),
            None => Ok(model),
        }
    }
}

impl Retrieval {
    /// What was asked for, if it was.
    ///
    /// # Errors
    /// There are no labels to read texts with, or no example that could be written.
    pub fn new(args: &LabelArgs, defaults: &Defaults) -> anyhow::Result<Option<Self>> {
        let (Some(count), Some(file)) = (args.rac_retrieve, args.rac_examples.clone()) else { return Ok(None) };
        let examples = Arc::clone(&defaults.rac_examples);
        let labels = defaults.labels.clone().context(
            "--rac-retrieve needs --labels or --labels-file: texts and solved cases are compared as the model \
             reads them beside these labels",
        )?;
        if candidates(&examples).is_empty() {
            bail!("{}: no solved case has \"true_labels\": there is nothing to retrieve", file.display());
        }
        Ok(Some(Self { examples, labels, count, file }))
    }

    /// The model that retrieves.
    ///
    /// # Errors
    /// An example cannot be read by the model.
    fn add_to(self, model: Model, source: &Source, args: &ModelArgs) -> anyhow::Result<Model> {
        let texts: Vec<String> =
            candidates(&self.examples).into_iter().map(|place| self.examples[place].text.clone()).collect();
        let files = args.base.fingerprint(source)?;
        let origin = Origin { files: &files, model: model.describe(), labels: self.labels.names(), texts: &texts };
        let kept = KeptVectors::of(&self.file, &origin);
        let say = |line: String| args.base.verbosity.detail(&line);
        let path = kept.path().display();
        let rows = match kept.read() {
            Some(rows) => {
                say(format!("vectors of {} solved cases: from {path}", texts.len()));
                rows
            }
            None => {
                say(format!("vectors of {} solved cases: computing them", texts.len()));
                let rows = self.vectors(&model, texts, args.base.threads())?;
                match kept.write(&rows) {
                    Ok(()) => say(format!("vectors of solved cases: kept in {path}")),
                    Err(error) => say(format!("vectors of solved cases: not kept for the next run: {path}: {error}")),
                }
                rows
            }
        };
        Ok(model.with_neighbours(Neighbours::new(self.examples, self.labels, self.count, rows)?))
    }

    /// One row for each text, one behind the other.
    fn vectors(&self, model: &Model, texts: Vec<String>, threads: usize) -> anyhow::Result<Vec<f32>> {
        let labels = Arc::clone(&self.labels);
        let entries = texts
            .into_iter()
            .enumerate()
            .map(move |(number, text)| Ok(Entry { raw: number, bytes: text.len(), record: Ok(bare(&text, &labels)) }));
        let mut rows = Vec::new();
        let mut add = |number: usize, outcome: Result<Classified>| {
            let found = outcome.map_err(|error| {
                let file = self.file.display();
                Error::Usage(format!("{file}: solved case {} of those with true labels: {error}", number + 1))
            })?;
            rows.extend(unit(&Vectors::from_list(&found.logits, found.labels.len()).text));
            Ok(())
        };
        // Nothing is lost with them yet: Ctrl-C ends the program at once.
        let runner = Runner::new(threads, None);
        runner.run(&Embedder(model), entries, &mut add)?;
        Ok(rows)
    }
}
