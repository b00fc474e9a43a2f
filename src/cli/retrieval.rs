//! `--rac-retrieve`: the vectors of the examples, computed once and kept beside their file.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::args::{LabelArgs, ModelArgs};
use super::terminal;
use crate::architectures::Vectors;
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::files;
use crate::model::neighbours::{bare, candidates, unit};
use crate::model::{Embedder, Model, Neighbours, Source};
use crate::records::{Defaults, Entry, LabelSet, RacExample};
use crate::runner::{Classified, Limits, Runner};

/// The name of the tensor, and of what tells whose it is.
const VECTORS: &str = "vectors";
const FINGERPRINT: &str = "fingerprint";

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
            "--rac-retrieve needs --labels or --labels-file: records and examples are compared as the model reads \
             them beside these labels",
        )?;
        if candidates(&examples).is_empty() {
            bail!("{}: no example has \"true_labels\": there is nothing to retrieve", file.display());
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
        let kept = Kept {
            path: files::beside(&self.file, ".vectors"),
            fingerprint: self.fingerprint(&model, &args.base.fingerprint(source)?, &texts),
            rows: texts.len(),
        };
        let say = |line: String| {
            if args.base.verbosity.verbose {
                terminal::say(&terminal::escaped(&line));
            }
        };
        let path = kept.path.display();
        let rows = match kept.read() {
            Some(rows) => {
                say(format!("vectors of {} examples: from {path}", texts.len()));
                rows
            }
            None => {
                say(format!("vectors of {} examples: computing them", texts.len()));
                let rows = self.vectors(&model, texts, args.base.threads())?;
                match kept.write(&self.file, &rows) {
                    Ok(()) => say(format!("vectors of examples: kept in {path}")),
                    Err(error) => say(format!("vectors of examples: not kept for the next run: {path}: {error}")),
                }
                rows
            }
        };
        Ok(model.with_neighbours(Neighbours::new(self.examples, self.labels, self.count, rows)?))
    }

    /// All that the vectors depend on: the program, the model and how it computes, the labels, the texts.
    fn fingerprint(&self, model: &Model, files: &str, texts: &[String]) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let all = json!([version, files, model.describe(), self.labels.names(), texts]);
        hex(Sha256::new_with_prefix(all.to_string()))
    }

    /// One row for each text, one behind the other.
    fn vectors(&self, model: &Model, texts: Vec<String>, threads: usize) -> anyhow::Result<Vec<f32>> {
        // Nothing is lost with them yet: Ctrl-C ends the program at once.
        static GO_ON: AtomicBool = AtomicBool::new(false);
        let labels = Arc::clone(&self.labels);
        let entries = texts
            .into_iter()
            .enumerate()
            .map(move |(number, text)| Ok(Entry { raw: number, bytes: text.len(), record: Ok(bare(&text, &labels)) }));
        let mut rows = Vec::new();
        let mut add = |number: usize, outcome: Result<Classified>| {
            let found = outcome.map_err(|error| {
                let file = self.file.display();
                Error::Usage(format!("{file}: example {} of those with true labels: {error}", number + 1))
            })?;
            let vectors = Vectors::from_list(&found.logits, found.labels.len())
                .expect("an embedder answers with a list of vectors: this is a bug");
            rows.extend(unit(&vectors.text));
            Ok(())
        };
        let runner = Runner { threads, limits: Limits::default(), interrupted: &GO_ON };
        runner.run(&Embedder::from(model), entries, &mut add)?;
        Ok(rows)
    }
}

/// Vectors in a file.
struct Kept {
    path: PathBuf,
    fingerprint: String,
    rows: usize,
}

impl Kept {
    /// The vectors, if they are there and those that are wanted.
    fn read(&self) -> Option<Vec<f32>> {
        let bytes = std::fs::read(&self.path).ok()?;
        let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
        if header.metadata().as_ref()?.get(FINGERPRINT)? != &self.fingerprint {
            return None;
        }
        let file = SafeTensors::deserialize(&bytes).ok()?;
        let tensor = file.tensor(VECTORS).ok()?;
        let fits =
            tensor.dtype() == Dtype::F32 && matches!(*tensor.shape(), [rows, width] if rows == self.rows && width > 0);
        let (numbers, _) = tensor.data().as_chunks();
        fits.then(|| numbers.iter().copied().map(f32::from_le_bytes).collect())
    }

    /// Keeps them for the next run, beside `examples`.
    fn write(&self, examples: &Path, rows: &[f32]) -> anyhow::Result<()> {
        if !examples.is_file() {
            bail!("the examples are no file");
        }
        let bytes: Vec<u8> = rows.iter().copied().flat_map(f32::to_le_bytes).collect();
        let tensor = TensorView::new(Dtype::F32, vec![self.rows, rows.len() / self.rows.max(1)], &bytes)?;
        let header = HashMap::from([(FINGERPRINT.to_owned(), self.fingerprint.clone())]);
        let content = safetensors::serialize([(VECTORS, tensor)], Some(header))?;
        // Shards may do so at the same time, and on several machines.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let new = files::beside(&self.path, &format!(".{}-{now}.new", std::process::id()));
        Ok(files::replace(&self.path, &new, &content)?)
    }
}
