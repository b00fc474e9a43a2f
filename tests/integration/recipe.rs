//! The recipe of `examples/fine-tuning`: its commands, run as they are written.

use std::fs;
use std::path::Path;

use crate::harness::Sandbox;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/fine-tuning");

/// The commands of the blocks marked `sh`, in order: the words of each, without `gliclass`.
fn commands(recipe: &str) -> Vec<Vec<String>> {
    let blocks = recipe.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<String>>());
    lines.filter_map(|line| Some(words(line.strip_prefix("gliclass ")?))).collect()
}

/// The words of a line: blanks part them, but for those between double quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (number, part) in line.split('"').enumerate() {
        for (place, word) in part.split(if number % 2 == 0 { " " } else { "\n" }).enumerate() {
            if place > 0 {
                words.push(String::new());
            }
            words.last_mut().unwrap().push_str(word);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn the_recipe_runs_as_it_is_written_and_makes_a_better_model() {
    let sandbox = Sandbox::new();
    for entry in fs::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap();
        sandbox.write(name, fs::read(&path).unwrap());
    }
    let recipe = fs::read_to_string(Path::new(FOLDER).join("README.md")).unwrap();
    let commands = commands(&recipe);
    let count = |name: &str| commands.iter().filter(|words| words[0] == name).count();
    assert!(count("train") > 0 && count("eval") > 1, "{commands:?}");
    let run = |words: &Vec<String>| (words[0] == "eval", sandbox.gliclass(words).run().ends_with(0).stdout);
    let tables: Vec<String> =
        commands.iter().map(run).filter_map(|(is_eval, shown)| is_eval.then_some(shown)).collect();
    let macro_f1 = |table: &String| {
        let row = table.lines().find(|line| line.trim_start().starts_with("macro avg")).unwrap();
        row.split_whitespace().nth(4).unwrap().parse::<f64>().unwrap()
    };
    let (before, after) = (macro_f1(&tables[0]), macro_f1(&tables[tables.len() - 1]));
    assert!(after > before + 0.05, "{before} before, {after} after");
}

#[test]
fn a_line_is_parted_into_words_as_by_a_shell() {
    assert_eq!(words(r#"classify --labels a,b "two words" c"#), ["classify", "--labels", "a,b", "two words", "c"]);
}
