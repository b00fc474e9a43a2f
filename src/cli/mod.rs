//! The command line: one file a command, what they share in [`args`].

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::STANDARD_OUTPUT;

pub mod args;
pub mod batch;
pub mod bench;
mod cells;
pub mod classify;
pub mod completions;
pub mod download;
pub mod embed;
pub mod eval;
mod facts;
mod format;
mod own_examples;
mod retrieval;
pub mod terminal;
pub mod train;
mod transfer;

/// Classifies text by labels you make up on the spot, with GLiClass models
///
/// Give it texts and any labels; it says which labels apply. No training is needed, and no text leaves
/// this machine: models of the Hugging Face Hub are fetched to it.
#[derive(Debug, Parser)]
#[command(name = "gliclass", version, propagate_version = true, args_override_self = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  gliclass classify --labels travel,dreams,sport \"One day I will see the world!\"
  gliclass batch reviews.jsonl -o labelled.jsonl --labels praise,complaint,question
  gliclass eval labelled.jsonl --single-label

Environment:
  GLICLASS_MODEL, GLICLASS_DEVICE, GLICLASS_SHARD  as --model, --device and --shard
  GLICLASS_KERNEL         kernels: portable, avx2, avx512, amx or neon; candle: none
  HF_HUB_OFFLINE          1: as --offline
  HF_HOME, HF_HUB_CACHE   where fetched models are kept
  HF_TOKEN                for repositories that need a token; HF_TOKEN_PATH: a file with it
  HF_ENDPOINT             the address of another Hub
  HTTPS_PROXY, NO_PROXY   the way to the Hub
  NO_COLOR, TERM=dumb     no colour, no progress bar

`gliclass help COMMAND` has the options and more examples.";

#[derive(Debug, Subcommand)]
enum Command {
    Classify(classify::Args),
    Batch(batch::Args),
    Eval(Box<eval::Args>),
    Train(Box<train::Args>),
    Embed(embed::Args),
    Bench(bench::Args),
    Download(download::Args),
    Completions(completions::Args),
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let cli = match parse(command(None)) {
        Ok(cli) => cli,
        Err(error) => return misused(&with_culprit(error)),
    };
    run(cli).unwrap_or_else(|error| {
        if is_closed_output(&error) {
            return ExitCode::SUCCESS;
        }
        terminal::say(&format!("error: {}", message(&error)));
        ExitCode::from(2)
    })
}

fn parse(command: clap::Command) -> Result<Cli, clap::Error> {
    command.try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches))
}

/// What stands for a number in the help of an option.
const NUMBERS: [&str; 4] = ["F", "K", "N", "RANK"];

/// The definition of the command line, which does not read the variable `ignored`.
///
/// A variable that is set but empty is not set: tools that start containers often set all that they know of. A number
/// below 0 is one that an option refuses, and no option itself.
fn command(ignored: Option<&OsStr>) -> clap::Command {
    let without_empty = |arg: Arg| {
        let is_empty = |name| std::env::var_os(name).is_some_and(|value| value.is_empty());
        let is_unread = arg.get_env().is_some_and(|name| is_empty(name) || ignored.is_some_and(|other| other == name));
        if is_unread { arg.env(Resettable::Reset) } else { arg }
    };
    let with_negative = |arg: Arg| {
        let is_number =
            arg.get_value_names().is_some_and(|names| names.iter().any(|name| NUMBERS.contains(&name.as_str())));
        if is_number { arg.allow_negative_numbers(true) } else { arg }
    };
    Cli::command().mut_subcommands(|command| command.mut_args(|arg| with_negative(without_empty(arg))))
}

/// What is wrong with the command line, with the name of what is to blame: clap names the option whose value a variable
/// is, and of what is not UTF-8 nothing. Who pipes records into a command that wants a file is told how to say so.
fn with_culprit(mut error: clap::Error) -> clap::Error {
    match error.kind() {
        kind @ ErrorKind::InvalidUtf8 => {
            let is_culprit = |name: &OsString| std::env::var_os(name).is_some_and(|value| value.to_str().is_none());
            let variables = variables().into_iter().filter(is_culprit).map(|name| name.to_string_lossy().into_owned());
            let arguments = std::env::args_os().skip(1).filter(|argument| argument.to_str().is_none());
            let culprits: Vec<String> = variables.chain(arguments.map(|argument| format!("{argument:?}"))).collect();
            clap::Error::raw(kind, format!("{}: not UTF-8: give UTF-8\n", culprits.join(", ")))
        }
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            if let Some(name) = variable_of(&error) {
                error.insert(ContextKind::InvalidArg, ContextValue::String(name));
            }
            error
        }
        ErrorKind::MissingRequiredArgument if lacks_data(&error) => {
            let tip = "`-` reads the records from standard input";
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
            error
        }
        _ => error,
    }
}

/// Whether the labelled records are missing.
fn lacks_data(error: &clap::Error) -> bool {
    let missing = error.get(ContextKind::InvalidArg);
    matches!(missing, Some(ContextValue::Strings(names)) if names.iter().any(|name| name.contains("<DATA>")))
}

/// The variable that an error is about: without it all is well, or something else is wrong.
fn variable_of(error: &clap::Error) -> Option<String> {
    let is_culprit =
        |name: &OsString| parse(command(Some(name))).err().is_none_or(|other| other.to_string() != error.to_string());
    variables().into_iter().find(is_culprit).map(|name| name.to_string_lossy().into_owned())
}

/// The variables that are set and that a command reads.
fn variables() -> BTreeSet<OsString> {
    let definition = Cli::command();
    let arguments = definition.get_subcommands().flat_map(clap::Command::get_arguments);
    arguments.filter_map(Arg::get_env).filter(|name| std::env::var_os(name).is_some()).map(OsStr::to_owned).collect()
}

/// Prints help, or what is wrong with the command line: without colours where that repeats a control character.
fn misused(error: &clap::Error) -> ExitCode {
    let typed = std::env::args_os().chain(std::env::vars_os().map(|(_, value)| value));
    let is_harmless = |text: OsString| terminal::escaped(&text.to_string_lossy()) == text.to_string_lossy();
    if !error.use_stderr() || typed.skip(1).all(is_harmless) {
        return match error.print() {
            Err(failed) if failed.kind() != std::io::ErrorKind::BrokenPipe => {
                terminal::say(&format!("error: {}", crate::Error::io(STANDARD_OUTPUT, failed)));
                ExitCode::from(2)
            }
            _ => ExitCode::from(if error.use_stderr() { 2 } else { 0 }),
        };
    }
    let lines = error.render().to_string();
    lines.lines().for_each(|line| terminal::say(&terminal::escaped(line)));
    ExitCode::from(2)
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    terminal::end_on_interrupt()?;
    match cli.command {
        Command::Classify(args) => classify::run(args),
        Command::Batch(args) => batch::run(args),
        Command::Eval(args) => eval::run(*args),
        Command::Train(args) => train::run(*args),
        Command::Embed(args) => embed::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Download(args) => download::run(args),
        Command::Completions(args) => completions::run(args),
    }
}

/// Whether the reader of standard output has gone, as `head` does: then there is nothing left to do. Of another output
/// that is an error.
fn is_closed_output(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<crate::Error>());
    causes.any(|cause| matches!(cause, crate::Error::ClosedOutput { .. }))
}

/// The chain of causes on one line; a cause that the message before it already ends with is not said again.
fn message(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if message.is_empty() {
            message = cause;
        } else if !message.ends_with(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    terminal::escaped(&message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let source = std::io::Error::other("no space");
        let error = anyhow::Error::from(crate::Error::io("out.jsonl", source)).context("cannot write");
        assert_eq!(message(&error), "cannot write: out.jsonl: no space");
    }

    #[test]
    fn only_a_standard_output_that_is_closed_ends_quietly() {
        let is_closed = |error: crate::Error| is_closed_output(&anyhow::Error::from(error).context("cannot write"));
        let broken = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(is_closed(crate::Error::output(broken())));
        assert!(!is_closed(crate::Error::output(std::io::ErrorKind::StorageFull.into())));
        // A file may have any name.
        assert!(!is_closed(crate::Error::io(STANDARD_OUTPUT, broken())));
    }

    #[test]
    fn the_help_names_each_variable_that_an_option_reads() {
        let definition = Cli::command();
        let options = definition.get_subcommands().flat_map(clap::Command::get_arguments);
        for name in options.filter_map(Arg::get_env) {
            assert!(EXAMPLES.contains(&*name.to_string_lossy()), "{name:?}");
        }
    }

    #[test]
    fn the_definition_of_the_command_line_holds_together() {
        Cli::command().debug_assert();
    }
}
