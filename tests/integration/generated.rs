//! Files made from the definition of the command line: they must not be stale.

use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::builder::Resettable;
use clap::{Command, CommandFactory};
use clap_complete::{Generator, Shell};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use gliclass::cli::{Cli, completions};

/// Fails where a committed file differs from what would be generated, or writes it on request.
#[track_caller]
fn is_fresh(path: &Path, content: &[u8]) {
    if env::var_os("GLICLASS_UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let fresh = fs::read(path).is_ok_and(|found| found == content);
    assert!(fresh, "{} is stale: run GLICLASS_UPDATE=1 cargo test --test integration generated", path.display());
}

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn completion_scripts_are_fresh() {
    for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
        is_fresh(&root("completions").join(shell.file_name("gliclass")), &completions::script(shell));
    }
}

/// The manual page of a command.
fn page(mut command: Command) -> String {
    let usage = command.render_usage().to_string();
    let more = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let command = command.override_usage(usage.trim_start_matches("Usage: ").to_owned()).after_help(Resettable::Reset);
    let mut page = Vec::new();
    Man::new(command).render(&mut page).unwrap();
    let version = ".SH VERSION\n";
    String::from_utf8(page).unwrap().replace(version, &(sections(&more) + version))
}

/// What stands below the options in the help, in sections of its own: examples and variables line by line.
fn sections(more: &str) -> String {
    let mut roff = Roff::new();
    for part in more.split("\n\n") {
        let listed = part.split_once(":\n").filter(|(heading, _)| ["Examples", "Environment"].contains(heading));
        if let Some((heading, lines)) = listed {
            roff.control("SH", [&*heading.to_uppercase()]).control("nf", []);
            for line in lines.lines() {
                roff.text([roman(line.trim_start())]);
            }
            roff.control("fi", []);
        } else if let Some(status) = part.strip_prefix("Exit status: ") {
            roff.control("SH", ["EXIT STATUS"]).text([roman(status)]);
        } else {
            roff.control("PP", []).text([roman(part)]);
        }
    }
    // The page begins with these lines already.
    roff.render().replacen(&Roff::new().render(), "", 1)
}

#[test]
fn manual_pages_are_fresh() {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let subcommands = command.get_subcommands().cloned();
    for command in std::iter::once(command.clone()).chain(subcommands) {
        let name = command.get_display_name().unwrap_or("gliclass").to_owned();
        is_fresh(&root("man").join(format!("{name}.1")), page(command).as_bytes());
    }
}

#[test]
fn manual_pages_have_examples_as_they_are_typed_and_name_variables() {
    let mut command = Cli::command();
    command.build();
    let page = page(command.find_subcommand("classify").unwrap().clone());
    for part in [
        "\\fBgliclass classify\\fR [OPTIONS] [TEXTS]...\n",
        "\n.SH EXAMPLES\n.nf\ngliclass classify ",
        "\n.fi\n.SH \"EXIT STATUS\"\n0 done;",
        "\\fBGLICLASS_MODEL\\fR",
    ] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
}
