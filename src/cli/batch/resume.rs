//! The state of a run beside its output, so that the run can go on after a crash at any instant.
//!
//! `OUTPUT.resume` says what the run is and how far it came. It is replaced in one step, and only after
//! the output it speaks of has reached the disk: what it says is always true, and the output may only
//! have more. Going on means to cut that off.

use std::fs;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::Sha256;

use super::forms::Form;
use crate::cli::facts;
use crate::digest::{self, hex};
use crate::error::{Error, Result};
use crate::files::{self, Pace};
use crate::records::{Place, Raw, Source};

/// Bytes at the end of an output by which it is known again.
const TAIL: u64 = 1 << 16;

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    /// What the run is: everything that the output depends on, by name.
    run: Map<String, Value>,
    /// What the scores may depend on in their last digits.
    kernels: String,
    done: Done,
}

/// How far a run came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Done {
    /// Places of the input that were passed, records or not.
    pub(super) records: u64,
    /// Those of them that could not be classified.
    pub(super) errors: u64,
    /// Where the next one begins.
    pub(super) input: Place,
    /// The fingerprint of what was read, where it must be read again to go on.
    read: Option<String>,
    /// The size of the output that holds them.
    pub(super) output: u64,
    /// The fingerprint of what the output ends in there, if that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tail: Option<String>,
    /// Whether that was all.
    pub(super) complete: bool,
    /// What would end the output there, if its form needs an end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) footer: Vec<u8>,
}

impl Done {
    /// Whether a run can have come so far: every record, and every line before the next one, took a byte.
    fn is_possible(&self) -> bool {
        let Place { line, byte } = self.input;
        self.errors <= self.records && self.records <= byte && line.saturating_sub(1) <= byte && byte <= i64::MAX as u64
    }
}

/// Keeps the state.
pub(super) struct Keeper {
    path: PathBuf,
    output: PathBuf,
    /// Whether the run was begun before.
    is_begun: bool,
    state: State,
    /// Of what was read, where the input cannot be gone back in.
    hash: Option<Sha256>,
    pace: Pace,
    /// Records of the state on the disk.
    saved_records: u64,
    /// How far the run came where the output was last at a point where it can be gone on with.
    whole: Option<Whole>,
}

/// A point where the output holds every record that was passed, and nothing else.
struct Whole {
    records: u64,
    errors: u64,
    input: Place,
    hash: Option<Sha256>,
    output: u64,
}

impl Keeper {
    /// Begins the state of `run` beside `output`.
    pub(super) fn begin(output: &Path, run: Map<String, Value>, kernels: String) -> Self {
        let input = Place::START;
        let (records, errors, read, tail, footer) = (0, 0, None, None, Vec::new());
        let done = Done { records, errors, input, read, output: 0, tail, complete: false, footer };
        Self::with(output, State { run, kernels, done })
    }

    fn with(output: &Path, state: State) -> Self {
        let path = files::state_of(output);
        files::sweep(&path);
        let (output, saved_records) = (output.to_owned(), state.done.records);
        Self { path, output, is_begun: false, state, hash: None, pace: Pace::begin(), saved_records, whole: None }
    }

    /// Reads the state of `run` beside `output`, or begins one.
    ///
    /// # Errors
    /// The state is of another run, or does not fit the output, which is `size` bytes long.
    pub(super) fn open(output: &Path, size: u64, run: Map<String, Value>, kernels: String) -> anyhow::Result<Self> {
        let path = files::state_of(output);
        let name = output.display();
        let state = match fs::read(&path) {
            Ok(bytes) => {
                let no_state = || format!("{}: not the state of a run: --force starts again", path.display());
                let state: State = serde_json::from_slice(&bytes).with_context(no_state)?;
                if !state.done.is_possible() {
                    bail!(no_state());
                }
                facts::check_same(output, &state.run, &run)?;
                if size < state.done.output || state.done.complete && size != state.done.output {
                    let expected = state.done.output;
                    bail!("{name}: {size} bytes where its state knows {expected}: --force starts again");
                }
                let tails = state.done.tail.as_ref().zip(tail(output, state.done.output).ok());
                if tails.is_some_and(|(was, is)| *was != is) {
                    bail!("{name}: not what the run wrote, it was changed or replaced since: --force starts again");
                }
                state
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if size > 0 {
                    bail!("{name}: was not started with --resume, so how far it got is unknown: --force starts again");
                }
                return Ok(Self::begin(output, run, kernels));
            }
            Err(error) => return Err(Error::io(path, error).into()),
        };
        Ok(Self { is_begun: true, ..Self::with(output, state) })
    }

    /// How far the run came.
    pub(super) fn done(&self) -> &Done {
        &self.state.done
    }

    /// Whether the run was begun before.
    pub(super) fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// What the scores were computed with when the run was begun.
    pub(super) fn kernels(&self) -> &str {
        &self.state.kernels
    }

    /// Brings `source`, which stands at the first record of the run, and `form` to where the run came; says how far
    /// that is, where it is not the beginning. A run over all of a stream is not complete where more comes: what wrote
    /// the stream may have been cut off the last time.
    ///
    /// # Errors
    /// The input cannot be read, or is another; or the state is not of an output of this form.
    pub(super) fn resume(
        &mut self,
        source: &mut impl Source,
        is_whole: bool,
        form: &mut impl Form,
    ) -> anyhow::Result<Option<Done>> {
        self.take_up(source)?;
        if self.state.done.complete && is_whole && !source.is_seekable() {
            self.state.done.complete = source.is_at_end()?;
            // What was written for nothing has no header.
            if self.state.done.records == 0 && !self.state.done.complete {
                self.state.done.output = 0;
            }
        }
        let done = self.done().clone();
        if done.output > 0 && !done.complete {
            self.go_on(form)?;
        }
        Ok((done.records > 0 || done.complete).then_some(done))
    }

    /// Brings `source`, which stands at the first record of the run, to where the run came.
    ///
    /// A file is gone on with at its byte; of anything else every record is read again, and must be the same.
    ///
    /// # Errors
    /// The input cannot be read, or is another.
    fn take_up(&mut self, source: &mut impl Source) -> Result<()> {
        let done = &self.state.done;
        if source.is_seekable() {
            return if done.records > 0 { source.seek(done.input) } else { Ok(()) };
        }
        let mut hash = Sha256::default();
        for _ in 0..done.records {
            let Some(raw) = source.pass_over()? else { break };
            raw.fingerprint(&mut hash);
        }
        if done.read.as_ref().is_some_and(|read| *read != hex(hash.clone())) {
            let (name, records) = (source.name().display(), done.records);
            return Err(Error::Usage(format!(
                "{name}: not the input that the run was started with, its first {records} records differ: \
                 --force starts again"
            )));
        }
        self.hash = Some(hash);
        Ok(())
    }

    /// Brings `form` to where the run came.
    ///
    /// # Errors
    /// The state is not of an output of this form.
    fn go_on(&self, form: &mut impl Form) -> anyhow::Result<()> {
        let damaged = || format!("{}: not the state of this output: --force starts again", self.path.display());
        form.go_on(&self.state.done.footer, self.state.done.output).with_context(damaged)
    }

    /// One more place of the input is in the output.
    pub(super) fn pass(&mut self, raw: &impl Raw, failed: bool) {
        let done = &mut self.state.done;
        done.records += 1;
        done.errors += u64::from(failed);
        done.input = raw.end();
        if let Some(hash) = &mut self.hash {
            raw.fingerprint(hash);
        }
    }

    /// All that was passed is in the first `output` bytes.
    pub(super) fn mark(&mut self, output: u64) {
        let Done { records, errors, input, .. } = self.state.done;
        self.whole = Some(Whole { records, errors, input, hash: self.hash.clone(), output });
    }

    /// Saves how far the run came at the last [`Keeper::mark`], unless what is saved is farther; nothing can be passed
    /// after that.
    ///
    /// # Errors
    /// As [`Keeper::save`].
    pub(super) fn save_marked(&mut self, sync: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
        let Some(whole) = self.whole.take().filter(|whole| whole.records > self.saved_records) else { return Ok(()) };
        let Whole { records, errors, input, hash, output } = whole;
        let done = &mut self.state.done;
        (done.records, done.errors, done.input, self.hash) = (records, errors, input, hash);
        self.save(output, sync)
    }

    /// Whether there is something to save, and it is time to.
    pub(super) fn is_due(&self) -> bool {
        self.state.done.records > self.saved_records && self.pace.is_due()
    }

    /// Saves that all which was passed is in the first `output` bytes, once `sync` has brought them to the disk and
    /// said what would end them.
    ///
    /// # Errors
    /// The state, or the output, cannot be written.
    pub(super) fn save(&mut self, output: u64, sync: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
        let start = Instant::now();
        self.state.done.footer = sync()?;
        self.state.done.output = output;
        // One that may only be written is gone on with all the same.
        self.state.done.tail = tail(&self.output, output).ok();
        self.state.done.read = self.hash.clone().map(hex);
        let text = serde_json::to_vec(&self.state).expect("a state is JSON; this is a bug");
        files::replace(&self.path, &text).map_err(|error| Error::io(&self.path, error))?;
        self.saved_records = self.state.done.records;
        self.pace.saved(start);
        Ok(())
    }

    /// Saves that the run has come to its end.
    ///
    /// # Errors
    /// As [`Keeper::save`].
    pub(super) fn complete(&mut self, output: u64, sync: impl FnOnce() -> Result<()>) -> Result<()> {
        self.state.done.complete = true;
        self.save(output, || sync().map(|()| Vec::new()))
    }
}

/// The fingerprint of what ends the first `size` bytes of the output.
fn tail(output: &Path, size: u64) -> io::Result<String> {
    let start = size.saturating_sub(TAIL);
    let mut file = fs::File::open(output)?;
    file.seek(SeekFrom::Start(start))?;
    let mut hash = Sha256::default();
    digest::add_all(file.take(size - start), &mut hash)?;
    Ok(hex(hash))
}

/// Takes the state of a run beside `output` away, which is given up or written anew; a file of that name that holds
/// none stays.
///
/// # Errors
/// It cannot be taken away.
pub(super) fn forget(output: &Path) -> Result<()> {
    let path = files::state_of(output);
    let is_state = |bytes: Vec<u8>| serde_json::from_slice::<State>(&bytes).is_ok();
    if fs::read(&path).is_ok_and(is_state) {
        files::remove(&path).map_err(|error| Error::io(&path, error))?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A record of one byte on a line of its own.
    struct Byte(u64);

    impl Raw for Byte {
        fn begin(&self) -> Place {
            Place { line: self.0 + 1, byte: self.0 }
        }

        fn end(&self) -> Place {
            Self(self.0 + 1).begin()
        }

        fn fingerprint(&self, _hash: &mut Sha256) {}
    }

    fn run(threshold: f32) -> Map<String, Value> {
        let Value::Object(run) = json!({ "--threshold": threshold, "model": "0".repeat(64) }) else { unreachable!() };
        run
    }

    fn open(folder: &Path, size: u64, threshold: f32) -> anyhow::Result<Keeper> {
        Keeper::open(&folder.join("out"), size, run(threshold), "portable".into())
    }

    #[test]
    fn what_was_saved_is_there_again_and_only_for_the_same_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut keeper = open(folder.path(), 0, 0.5).unwrap();
        keeper.save(7, || Ok(Vec::new())).unwrap();
        let mut again = open(folder.path(), 9, 0.5).unwrap();
        assert_eq!(again.done(), keeper.done());
        let error = open(folder.path(), 9, 0.25).err().unwrap().to_string();
        assert!(error.contains("--threshold was 0.5 and is 0.25. "), "{error}");
        assert!(open(folder.path(), 6, 0.5).err().unwrap().to_string().contains("6 bytes where its state knows 7"));
        again.complete(7, || Ok(())).unwrap();
        assert!(open(folder.path(), 7, 0.5).unwrap().done().complete);
        assert!(open(folder.path(), 8, 0.5).err().unwrap().to_string().contains("8 bytes where its state knows 7"));
        forget(&folder.path().join("out")).unwrap();
        assert!(open(folder.path(), 7, 0.5).err().unwrap().to_string().contains("not started with --resume"));
    }

    #[test]
    fn an_output_that_another_run_wrote_since_is_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out");
        let mut keeper = open(folder.path(), 0, 0.5).unwrap();
        fs::write(&output, "written and more").unwrap();
        keeper.save(7, || Ok(Vec::new())).unwrap();
        for (content, is_same) in
            [("written, then cut", true), ("another's output", false), ("writteN and more", false)]
        {
            fs::write(&output, content).unwrap();
            let error = open(folder.path(), 16, 0.5).err().map(|error| error.to_string());
            assert_eq!(error.is_none(), is_same, "{error:?}");
            assert!(error.is_none_or(|error| error.contains("out: not what the run wrote")));
        }
        // Those that were written before know nothing of it.
        let state = fs::read_to_string(files::state_of(&output)).unwrap();
        let mut state: Value = serde_json::from_str(&state).unwrap();
        state["done"].as_object_mut().unwrap().remove("tail").unwrap();
        fs::write(files::state_of(&output), state.to_string()).unwrap();
        assert!(open(folder.path(), 16, 0.5).is_ok());
    }

    #[test]
    fn a_run_that_ends_between_two_points_is_saved_at_the_last_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut keeper = open(folder.path(), 0, 0.5).unwrap();
        keeper.pass(&Byte(0), true);
        keeper.pass(&Byte(1), false);
        keeper.mark(7);
        keeper.pass(&Byte(2), true);
        keeper.save_marked(|| Ok(vec![1])).unwrap();
        let again = open(folder.path(), 9, 0.5).unwrap();
        let Done { records, errors, input, output, footer, .. } = again.done().clone();
        assert_eq!((records, errors, input, output), (2, 1, Byte(2).begin(), 7));
        assert_eq!(footer, [1]);
    }

    #[test]
    fn a_state_of_more_records_than_bytes_is_none() {
        let input = Place { line: 3, byte: 9 };
        let possible = Done {
            records: 2,
            errors: 1,
            input,
            read: None,
            output: 9,
            tail: None,
            complete: false,
            footer: Vec::new(),
        };
        assert!(possible.is_possible());
        for input in [Place { line: u64::MAX, byte: 9 }, Place { line: 3, byte: u64::MAX }, Place::START] {
            assert!(!Done { input, ..possible.clone() }.is_possible(), "{input:?}");
        }
    }

    #[test]
    fn what_is_no_state_is_not_taken_away_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out");
        fs::write(files::state_of(&output), "{\"text\": \"a record\"}\n").unwrap();
        forget(&output).unwrap();
        assert!(files::state_of(&output).exists());
    }

    #[test]
    fn nothing_is_saved_of_an_output_that_did_not_reach_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut keeper = open(folder.path(), 0, 0.5).unwrap();
        assert!(keeper.save(7, || Err(Error::Usage("no disk".into()))).is_err());
        assert!(!files::state_of(&folder.path().join("out")).exists());
    }
}
