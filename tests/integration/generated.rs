//! Files made from the definition of the command line: they must not be stale.

use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::CommandFactory;
use clap_complete::{Generator, Shell};
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

#[test]
fn manual_pages_are_fresh() {
    let mut command = Cli::command();
    command.build();
    let subcommands = command.get_subcommands().filter(|command| command.get_name() != "help").cloned();
    for page in std::iter::once(command.clone()).chain(subcommands) {
        let name = page.get_display_name().unwrap_or("gliclass").to_owned();
        let mut content = Vec::new();
        clap_mangen::Man::new(page).render(&mut content).unwrap();
        is_fresh(&root("man").join(format!("{name}.1")), &content);
    }
}
