//! The state of a training beside its output, so that it goes on after a crash at any instant as if there had been
//! none.
//!
//! All that is drawn by chance follows from the seed and from how many batches came before: the state needs no
//! generator. It is replaced in one step; what it says is always true.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::Tensor;
use memmap2::Mmap;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::figures::EpochFigures;
use super::optimizer::AdamW;
use super::tensors::{self, Numbers};
use crate::error::{Error, Result};
use crate::files::{self, Pace};

/// Where the header of the file holds what is no tensor.
const HEADER: &str = "gliclass";

/// How far a training came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Epochs that are done and judged.
    pub epoch: usize,
    /// Batches of the epoch after them that are learned.
    pub batches: usize,
    /// The sum of their losses.
    pub loss: f64,
    /// Steps of the optimizer.
    pub steps: usize,
    /// Seconds that it took.
    pub seconds: f64,
    /// The figures of each epoch that is done.
    pub epochs: Vec<EpochFigures>,
    /// Which of them is the best.
    pub best: Option<usize>,
}

/// What the header of the file says.
#[derive(Serialize, Deserialize)]
struct Header {
    /// What the training is: everything that the result depends on, by name.
    run: Map<String, Value>,
    position: Position,
}

/// A state that was read.
pub struct Kept {
    /// What the training is, by name.
    pub run: Map<String, Value>,
    /// How far it came.
    pub position: Position,
    map: Mmap,
    path: PathBuf,
}

impl Kept {
    /// The state at `path`; none where there is no file.
    ///
    /// # Errors
    /// It cannot be read, or is no state.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| Error::io(path, error))?,
        };
        // SAFETY: the map is read only, and the file is only ever replaced as a whole, never written to.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| Error::io(path, error))?;
        let (_, metadata) = SafeTensors::read_metadata(&map).map_err(|error| damaged(path, &error))?;
        let text = metadata.metadata().as_ref().and_then(|facts| facts.get(HEADER));
        let text = text.ok_or_else(|| damaged(path, &"it says nothing of a training"))?;
        let Header { run, position } = serde_json::from_str(text).map_err(|error| damaged(path, &error))?;
        if position.best.is_some_and(|best| best >= position.epochs.len()) {
            return Err(damaged(path, &"its best epoch is none of its epochs"));
        }
        Ok(Some(Self { run, position, map, path: path.to_owned() }))
    }

    /// Brings the variables and the optimizer to where they were; before the first step, where they are.
    ///
    /// # Errors
    /// They are not those of the state.
    pub fn restore(&self, optimizer: &mut AdamW) -> Result<()> {
        if self.position.steps == 0 {
            return Ok(());
        }
        let tensors = SafeTensors::deserialize(&self.map).map_err(|error| damaged(&self.path, &error))?;
        let numbers = |name: String| -> Option<Vec<f32>> {
            let (numbers, _) = tensors.tensor(&name).ok()?.data().as_chunks::<4>();
            Some(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
        };
        for (name, variable) in optimizer.variables() {
            let found = numbers(variable_name(name)).filter(|found| found.len() == variable.elem_count());
            let found = found.ok_or_else(|| damaged(&self.path, &format!("no tensor {name}")))?;
            variable.set(&Tensor::from_vec(found, variable.shape(), variable.device())?)?;
        }
        optimizer.go_on(self.position.steps, |name| {
            let [mean, square] = moment_names(name);
            Some([numbers(mean)?, numbers(square)?])
        })
    }
}

fn variable_name(name: &str) -> String {
    format!("variable {name}")
}

fn moment_names(name: &str) -> [String; 2] {
    [format!("mean {name}"), format!("square {name}")]
}

fn damaged(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::model(path, format!("not the state of a training: {reason}; --force starts again"))
}

/// Keeps the state of a training.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    run: Map<String, Value>,
    pace: Pace,
}

impl Keeper {
    /// The file beside an output.
    pub fn path(output: &Path) -> PathBuf {
        files::state_of(output)
    }

    /// Keeps the state of `run` beside `output`, which nobody else writes to.
    pub fn new(output: &Path, run: Map<String, Value>) -> Self {
        let path = Self::path(output);
        files::sweep(&path);
        Self { path, run, pace: Pace::begin() }
    }

    /// Whether it is time to save.
    pub fn is_due(&self) -> bool {
        self.pace.is_due()
    }

    /// Saves what the training is, before its first step. What was there of another is given up.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin(&self) -> Result<()> {
        self.write(&Position::default(), [])
    }

    /// Saves how far it came.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&mut self, position: &Position, optimizer: &AdamW) -> Result<()> {
        let start = Instant::now();
        let variables = optimizer.variables();
        let variables = variables.map(|(name, variable)| (variable_name(name), Numbers::Tensor(variable.detach())));
        let moments = optimizer
            .moments()?
            .into_iter()
            .flat_map(|(name, moments)| moment_names(name).into_iter().zip(moments.map(Numbers::Slice)));
        self.write(position, variables.chain(moments))?;
        self.pace.saved(start);
        Ok(())
    }

    fn write<'a>(&self, position: &Position, tensors: impl IntoIterator<Item = (String, Numbers<'a>)>) -> Result<()> {
        let header = Header { run: self.run.clone(), position: position.clone() };
        let text = serde_json::to_string(&header).expect("a state is JSON; this is a bug");
        tensors::write(&self.path, tensors, [(HEADER, text)])
    }

    /// What the training is, by name.
    pub fn run(&self) -> &Map<String, Value> {
        &self.run
    }

    /// Takes the state away: the training is done.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub fn forget(self) -> Result<()> {
        files::remove(&self.path).map_err(|error| Error::io(self.path, error))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_state_without_a_step_says_what_the_training_is() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out");
        let run = Map::from_iter([("--epochs".to_owned(), Value::from(3))]);
        let keeper = Keeper::new(&output, run.clone());
        keeper.begin().unwrap();
        let kept = Kept::read(&Keeper::path(&output)).unwrap().unwrap();
        assert_eq!((kept.run, kept.position), (run, Position::default()));
        keeper.forget().unwrap();
        assert!(Kept::read(&Keeper::path(&output)).unwrap().is_none());
    }

    #[test]
    fn a_state_whose_best_epoch_never_was_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out");
        let position = Position { best: Some(0), ..Position::default() };
        Keeper::new(&output, Map::new()).write(&position, []).unwrap();
        let error = Kept::read(&Keeper::path(&output)).err().unwrap().to_string();
        assert!(error.contains("none of its epochs") && error.contains("--force"), "{error}");
    }
}
