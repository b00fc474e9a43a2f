//! The folder that comes of a training: a checkpoint that this program loads, and the Python package too.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::loss::Problem;
use super::tensors::{self, Numbers};
use super::trainer::Recipe;
use crate::checkpoint::weights::FORMS;
use crate::error::{Error, Result};
use crate::files;
use crate::model::Learner;

/// What a tokenizer may have beside `tokenizer.json`, in whatever library reads it.
const TOKENIZER_FILES: [&str; 10] = [
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spm.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
];

/// Special tokens by their role, as tokenizers of different families call them.
const ROLES: [(&str, [&str; 2]); 5] = [
    ("pad_token", ["[PAD]", "<pad>"]),
    ("unk_token", ["[UNK]", "<unk>"]),
    ("cls_token", ["[CLS]", "<s>"]),
    ("sep_token", ["[SEP]", "</s>"]),
    ("mask_token", ["[MASK]", "<mask>"]),
];

/// What the model was trained as, for who comes back to it.
const TRAINING: &str = "training.json";

/// The weights that are written.
const MODEL: &str = "model.safetensors";

/// What is written whatever the model is.
const OWN_FILES: [&str; 5] = ["config.json", "tokenizer.json", MODEL, "README.md", TRAINING];

/// Where a trained model is written.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The folder of the model that it began with, if it has one.
    base: Option<PathBuf>,
    /// The folder of the label encoder's tokenizer, where it is not beside that model.
    label_model: Option<PathBuf>,
}

impl Folder {
    /// The folder at `path`, made where it is not there, for a model that began as the one in `base`; nobody else
    /// writes to it. A new bi-encoder's labels have the tokenizer in `label_model`.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path, base: Option<&Path>, label_model: Option<PathBuf>) -> Result<Self> {
        files::make_folder(path)?;
        OWN_FILES.iter().chain(&TOKENIZER_FILES).for_each(|name| files::sweep(&path.join(name)));
        Ok(Self { path: path.to_owned(), base: base.map(Path::to_owned), label_model })
    }

    /// Whether a training came to its end in `path`.
    pub fn is_trained(path: &Path) -> bool {
        path.join(TRAINING).is_file()
    }

    /// What the training was that came to its end in `path`, by name; none where none did.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn training(path: &Path) -> Result<Option<Map<String, Value>>> {
        let path = path.join(TRAINING);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| Error::io(&path, error))?,
        };
        let damaged = |error| format!("not the record of a training: {error}; --force starts again");
        serde_json::from_slice(&text).map(Some).map_err(|error| Error::model(path, damaged(error)))
    }

    /// Takes away what would make the files of another model look like weights of this one.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn clear(&self) -> Result<()> {
        std::iter::once(TRAINING).chain(FORMS.into_iter().flatten()).try_for_each(|name| {
            let path = self.path.join(name);
            files::remove(&path).map_err(|error| Error::io(path, error))
        })
    }

    /// Writes the whole model: the weights last, so that a folder with weights is complete.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn save(&self, learner: &Learner, recipe: &Recipe) -> Result<()> {
        self.write("config.json", &config(learner.config_text(), recipe)?)?;
        self.write("tokenizer.json", learner.tokenizer_text())?;
        match &self.base {
            Some(base) => copy_all(base, &self.path)?,
            None => self.write("tokenizer_config.json", &tokenizer_config(learner.tokenizer_text()))?,
        }
        if let Some((name, from)) = self.own_label_model(learner) {
            copy_label_model(&from, &self.path.join(name))?;
        }
        let tensors = learner.checkpoint()?.into_iter().map(|(name, tensor)| (name, Numbers::Tensor(tensor)));
        tensors::write(&self.path.join(MODEL), tensors, [("format", "pt".to_owned())])
    }

    /// Writes that `training` has come to its end.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn complete(&self, training: &Map<String, Value>) -> Result<()> {
        self.write(TRAINING, &(serde_json::to_string_pretty(training).expect("a map is JSON; this is a bug") + "\n"))
    }

    /// Writes the model card.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn describe(&self, card: &str) -> Result<()> {
        self.write("README.md", card)
    }

    /// The folder in this one that will hold the tokenizer of the labels; none where it is that of the text, or lies in
    /// a repository of its own.
    pub fn label_model<'a>(&self, learner: &'a Learner) -> Option<&'a str> {
        self.own_label_model(learner).map(|(name, _)| name)
    }

    /// The same, and the folder that it is copied from.
    fn own_label_model<'a>(&self, learner: &'a Learner) -> Option<(&'a str, PathBuf)> {
        let (base, name) = self.base.as_ref().zip(learner.config().label_model())?;
        let from = self.label_model.clone().unwrap_or_else(|| base.join(name));
        from.join("tokenizer.json").is_file().then_some((name, from))
    }

    fn write(&self, name: &str, content: &str) -> Result<()> {
        let path = self.path.join(name);
        files::replace(&path, content.as_bytes()).map_err(|error| Error::io(path, error))
    }
}

/// Copies the tokenizer of a label encoder.
fn copy_label_model(from: &Path, to: &Path) -> Result<()> {
    files::make_folder(to)?;
    copy_all(from, to)?;
    ["tokenizer.json", "config.json"].into_iter().try_for_each(|name| copy(from, to, name))
}

/// Copies what a tokenizer has beside `tokenizer.json`.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    TOKENIZER_FILES.into_iter().try_for_each(|name| copy(from, to, name))
}

fn copy(from: &Path, to: &Path, name: &str) -> Result<()> {
    let (from, to) = (from.join(name), to.join(name));
    if !from.is_file() {
        return Ok(());
    }
    let content = fs::read(&from).map_err(|error| Error::io(from, error))?;
    // Of a training that was killed here.
    files::sweep(&to);
    files::replace(&to, &content).map_err(|error| Error::io(to, error))
}

/// The config of the model it began with, with what the training changed. All else stays as it is.
fn config(base: &str, recipe: &Recipe) -> Result<String> {
    let damaged = |error: serde_json::Error| Error::Usage(format!("config.json: {error}"));
    let mut config: Map<String, Value> = serde_json::from_str(base).map_err(damaged)?;
    let mut set = |name: &str, value: Value| config.insert(name.to_owned(), value);
    set("dtype", "float32".into());
    match recipe.objective.problem {
        Problem::MultiLabel { alpha, gamma } => {
            set("problem_type", "multi_label_classification".into());
            set("focal_loss_alpha", alpha.into());
            set("focal_loss_gamma", gamma.into());
            set("focal_loss_reduction", if recipe.objective.sum { "sum" } else { "mean" }.into());
        }
        Problem::SingleLabel => drop(set("problem_type", "single_label_classification".into())),
    }
    set("contrastive_loss_coef", recipe.contrastive.into());
    // The older name of the type, which would contradict.
    config.shift_remove("torch_dtype");
    Ok(serde_json::to_string_pretty(&config).expect("a map is JSON; this is a bug") + "\n")
}

/// What Python needs beside a `tokenizer.json` that stands alone: which class reads it, and which token pads.
fn tokenizer_config(tokenizer: &str) -> String {
    let tokenizer: Value = serde_json::from_str(tokenizer).unwrap_or_default();
    let added = tokenizer["added_tokens"].as_array().into_iter().flatten();
    let special: Vec<&str> = added.filter_map(|token| token["content"].as_str()).collect();
    let mut config = Map::new();
    config.insert("tokenizer_class".into(), json!("PreTrainedTokenizerFast"));
    for (role, names) in ROLES {
        if let Some(name) = names.into_iter().find(|name| special.contains(name)) {
            config.insert(role.into(), json!(name));
        }
    }
    serde_json::to_string_pretty(&config).expect("a map is JSON; this is a bug") + "\n"
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_training_left_in_the_folder_of_the_labels_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        fs::create_dir(&from).unwrap();
        fs::write(from.join("tokenizer.json"), "{}").unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(to.join("tokenizer.json.12-34.new"), "{").unwrap();
        copy_label_model(&from, &to).unwrap();
        let left = fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["tokenizer.json"]);
    }

    #[test]
    fn a_damaged_record_of_a_training_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Folder::training(folder.path()).unwrap(), None);
        for text in ["", "{\"epochs\": ", "[]"] {
            fs::write(folder.path().join(TRAINING), text).unwrap();
            let error = Folder::training(folder.path()).unwrap_err().to_string();
            assert!(error.contains("training.json: not the record of a training: "), "{error}");
            assert!(error.ends_with("; --force starts again"), "{error}");
        }
    }
}
