//! Options that several commands share. What was typed is here; what it means is built once, before any work.

use std::collections::HashSet;
use std::path::Path;

use anyhow::bail;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

pub use self::decision::{DecisionArgs, ShapeArgs};
pub use self::labels::{CandidateArgs, FieldArgs, LabelArgs};
pub use self::model::{BUILTIN, BaseArgs, ModelArgs, available_threads, model_name};
pub use self::values::{from_one, from_zero, is_true, name_of, share, up_to};
use super::terminal;
use crate::files;

mod decision;
mod labels;
mod model;
mod values;

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Messages")]
pub struct Verbosity {
    /// Print only errors: no progress, no summary, no hints
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more: what was loaded, how large it is, how it runs
    #[arg(short, long)]
    pub verbose: bool,
}

impl Verbosity {
    /// Says a line, unless nothing but errors is said.
    pub fn say(self, line: &str) {
        if !self.quiet {
            terminal::say(&terminal::escaped(line));
        }
    }

    /// Says a line where more is said.
    pub fn detail(self, line: &str) {
        if self.verbose {
            terminal::say(&terminal::escaped(line));
        }
    }

    /// Says so to somebody at a terminal who is to type the input, so that nobody waits for a program that waits.
    pub fn invite(self, input: Option<&Path>) {
        if terminal::is_awaited(input) {
            self.say("Reading records from the terminal; Ctrl-D ends.");
        }
    }
}

/// The options that were typed: those with a default, or from the environment, are not.
///
/// Stands before the options that it is to know, which take themselves out of what was parsed.
#[derive(Debug, Clone, Default)]
pub struct Typed(HashSet<String>);

impl Typed {
    /// Whether this option was typed: its long name, without the dashes.
    pub fn has(&self, option: &str) -> bool {
        self.0.contains(&option.replace('-', "_"))
    }
}

impl FromArgMatches for Typed {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let names = matches.ids().map(clap::Id::as_str);
        let typed = names.filter(|name| matches.value_source(name) == Some(ValueSource::CommandLine));
        Ok(Self(typed.map(str::to_owned).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Typed {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

/// Checks that the file of `option` is none of those that are `taken`.
///
/// # Errors
/// It is one of them.
pub fn check_free<'a>(option: &str, path: &Path, mut taken: impl Iterator<Item = &'a Path>) -> anyhow::Result<()> {
    if taken.any(|other| files::is_same(path, other)) {
        bail!("{option} {} is also an input or another output: name another file", path.display());
    }
    Ok(())
}

/// Checks that the field of the text is none of those that are `written`.
///
/// # Errors
/// It is one of them, and would be replaced.
pub fn check_text_field(text_field: &str, written: &[impl AsRef<str>]) -> anyhow::Result<()> {
    if written.iter().any(|name| name.as_ref() == text_field) {
        bail!("--text-field {text_field:?}: a field of this name is written and would replace it: rename it");
    }
    Ok(())
}
