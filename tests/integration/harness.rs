//! What every test needs: a folder of its own, the program, and what the program said when a test fails.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;

/// A small checkpoint of random weights, for tests that any model will do for.
pub const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reference/uni-electra");

/// What has this name below `tests/fixtures/reference`: a checkpoint, or answers of the reference.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(name)
}

pub fn gzip(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// The text in an archive, which must be whole.
pub fn gunzip(archive: &[u8]) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(archive).read_to_string(&mut text).unwrap();
    text
}

/// A folder that is gone after the test, and the program with a clean environment inside it.
pub struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders it lies in.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The text in a file.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A copy of a checkpoint that a test may change, without the folders below it.
    pub fn copy(&self, checkpoint: &str, folder: &str) -> PathBuf {
        for entry in fs::read_dir(fixture(checkpoint)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                self.write(&format!("{folder}/{}", path.file_name().unwrap().display()), fs::read(&path).unwrap());
            }
        }
        self.path(folder)
    }

    /// A copy of a checkpoint with two encoders, whose label model has this name and did not come along.
    pub fn bi_encoder(&self, folder: &str, label_model: &str) -> PathBuf {
        let copy = self.copy("bi-bert-bert-avg-norm-mlp", folder);
        let file = format!("{folder}/config.json");
        let (config, named) = (self.read(&file), "\"label_model_name\": \"label_model\"");
        assert!(config.contains(named));
        self.write(&file, config.replace(named, &format!("\"label_model_name\": \"{label_model}\"")));
        copy
    }

    /// The program with these arguments; it sees no settings of the user and reaches no network.
    pub fn gliclass<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gliclass"));
        let foreign = |name: &str| ["HF_", "HUGGING", "GLICLASS_"].iter().any(|prefix| name.starts_with(prefix));
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(foreign)) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("HF_HOME", self.path("hf"))
            .env("HF_ENDPOINT", "http://127.0.0.1:9")
            .env("NO_PROXY", "127.0.0.1");
        Program { command, input: Vec::new() }
    }

    /// `batch` with [`MODEL`] and two labels; it says nothing but errors.
    pub fn batch(&self, arguments: &[&str]) -> Program {
        self.gliclass(["batch", "-q", "--model", MODEL, "--labels", "a,b"].iter().chain(arguments))
    }
}

/// The program, about to run.
pub struct Program {
    command: Command,
    input: Vec<u8>,
}

impl Program {
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What standard input brings.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Nothing of the environment reaches the program.
    pub fn without_environment(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// Runs it from a shell that has done `preparation`.
    #[cfg(target_os = "linux")]
    pub fn under(self, preparation: &str) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{preparation}; exec \"$0\" \"$@\""));
        command.arg(self.command.get_program()).args(self.command.get_args());
        self.within(command)
    }

    /// Runs it on a terminal, which shows standard output and standard error alike; no argument may hold a quote.
    #[cfg(target_os = "linux")]
    pub fn on_a_terminal(self) -> Self {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        let words: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
        self.within(command).env("TERM", "xterm").env("NO_COLOR", "")
    }

    /// Has it run by `command`, in its folder and with its environment.
    #[cfg(target_os = "linux")]
    fn within(self, mut command: Command) -> Self {
        command.current_dir(self.command.get_current_dir().unwrap());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Self { command, input: self.input }
    }

    /// Runs to the end.
    pub fn run(mut self) -> Outcome {
        let streams = self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = streams.spawn().unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), self.input);
        // The program may end before it has read everything.
        let feeder = std::thread::spawn(move || stdin.write_all(&input).is_ok());
        let output = child.wait_with_output().unwrap();
        feeder.join().unwrap();
        Outcome::new(format!("{:?}", self.command), &output)
    }

    /// Starts without waiting; standard input brings nothing until it is written to.
    pub fn start(mut self) -> Running {
        // A pipe that nobody empties would stop the program when it is full.
        let said = tempfile::tempfile().unwrap();
        let streams = self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said.try_clone().unwrap());
        Running { child: streams.spawn().unwrap(), said }
    }
}

/// The program as it runs; killed when the test is done with it.
pub struct Running {
    child: Child,
    /// Its standard error.
    said: File,
}

impl Running {
    /// Writes to its standard input.
    pub fn send(&mut self, input: &[u8]) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(input).and_then(|()| stdin.flush()).unwrap();
    }

    /// Its standard output; whoever drops it closes it.
    pub fn output(&mut self) -> ChildStdout {
        self.child.stdout.take().unwrap()
    }

    /// Sends it a signal by name, such as `TERM`.
    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Where the system lists its threads.
    #[cfg(target_os = "linux")]
    pub fn tasks(&self) -> PathBuf {
        format!("/proc/{}/task", self.child.id()).into()
    }

    /// Kills it: no handler runs.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end, and closes its input if `ends_input`.
    pub fn code(&mut self, ends_input: bool) -> Option<i32> {
        if ends_input {
            drop(self.child.stdin.take());
        }
        let input = self.child.stdin.take();
        let code = self.child.wait().unwrap().code();
        drop(input);
        code
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until something `is_there`; fails where the program ends before, or a minute is over.
    #[track_caller]
    pub fn wait_until(&mut self, is_there: impl Fn() -> bool) {
        const LIMIT: Duration = Duration::from_secs(60);
        let begun = Instant::now();
        while !is_there() {
            let goes_on = !self.has_ended() && begun.elapsed() < LIMIT;
            // It may have come just before the end.
            assert!(goes_on || is_there(), "what was waited for never came\n--- standard error\n{}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it has said on standard error so far.
    pub fn said(&mut self) -> String {
        let mut said = Vec::new();
        self.said.rewind().and_then(|()| self.said.read_to_end(&mut said)).unwrap();
        String::from_utf8_lossy(&said).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a run left behind.
#[derive(Debug)]
pub struct Outcome {
    command: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    fn new(command: String, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { command, code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Fails unless the program ended with this code.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.story());
        self
    }

    /// Fails unless standard error holds each of these.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not said\n{}", self.story());
        }
        self
    }

    /// Standard output, which is JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        self.parsed(&self.stdout)
    }

    /// The lines of standard output, each of which is JSON.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let mut values = Vec::new();
        for line in self.stdout.lines() {
            values.push(self.parsed(line));
        }
        values
    }

    #[track_caller]
    fn parsed(&self, json: &str) -> Value {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}\n{}", self.story()))
    }

    /// The last line of standard output, as a path.
    #[track_caller]
    pub fn last_path(&self) -> PathBuf {
        let line = self.stdout.lines().next_back();
        Path::new(line.unwrap_or_else(|| panic!("no output\n{}", self.story()))).to_owned()
    }

    fn story(&self) -> String {
        let Self { command, code, stdout, stderr } = self;
        format!("{command}\nstatus {code:?}\n--- standard output\n{stdout}\n--- standard error\n{stderr}")
    }
}
