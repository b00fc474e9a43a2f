//! What was typed: help, version, wrong usage, and what is refused before any work.

use crate::harness::{MODEL, Sandbox};

#[test]
fn help_and_version_go_to_standard_output() {
    let sandbox = Sandbox::new();
    for arguments in [&["--help"][..], &["batch", "--help"], &["classify", "-h"], &["completions", "--help"]] {
        let outcome = sandbox.gliclass(arguments).run().ends_with(0);
        assert!(outcome.stdout.contains("Usage:") && outcome.stdout.contains("Examples:"), "{arguments:?}");
    }
    let outcome = sandbox.gliclass(["--version"]).run().ends_with(0);
    assert_eq!(outcome.stdout, format!("gliclass {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn exit_statuses_are_not_wrapped_twice() {
    let sandbox = Sandbox::new();
    for command in ["classify", "batch", "eval", "train", "embed", "bench", "download", "completions"] {
        let help = sandbox.gliclass([command, "--help"]).run().ends_with(0).stdout;
        // What is wrapped by hand and then by the program has lines of a word or two in the middle.
        let status = help.split("Exit status:").nth(1).unwrap();
        let short = status.lines().rev().skip(1).find(|line| line.len() < 60);
        assert_eq!(short, None, "{command}");
    }
}

#[test]
fn batch_refuses_what_would_destroy_data() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", "{\"text\":\"a\"}\n");
    sandbox
        .gliclass(["batch", "in.jsonl", "-o", "in.jsonl", "-l", "a"])
        .run()
        .ends_with(2)
        .says(&["is also the input"]);
    assert_eq!(sandbox.read("in.jsonl"), "{\"text\":\"a\"}\n");
    for field in ["text", "labels", "prompt", "error"] {
        let taken = ["batch", "in.jsonl", "-l", "a", "--output-field", field];
        sandbox.gliclass(taken).run().ends_with(2).says(&["--output-field", field]);
    }
}

#[test]
fn an_output_stays_where_the_model_cannot_be_loaded() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", "{\"text\":\"a\"}\n");
    sandbox.write("out.jsonl", "precious\n");
    let arguments = ["batch", "in.jsonl", "-o", "out.jsonl", "--force", "-l", "a", "--model", "./nothing"];
    sandbox.gliclass(arguments).run().ends_with(2).says(&["./nothing"]);
    assert_eq!(sandbox.read("out.jsonl"), "precious\n");
}

#[test]
fn an_output_that_was_never_begun_is_not_left_behind() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", "{\"text\":\"a\"}\n");
    sandbox.write("d.csv", "text,label\nx,a\n");
    for arguments in [
        &["batch", "in.jsonl", "-o", "out.jsonl", "-l", "a"][..],
        &["batch", "in.jsonl", "-o", "out.jsonl", "-l", "a", "--resume"],
        &["embed", "in.jsonl", "-o", "out.jsonl", "-l", "a"],
        &["eval", "d.csv", "--predictions", "out.jsonl"],
    ] {
        let arguments = arguments.iter().chain(&["--model", "./nothing"]);
        sandbox.gliclass(arguments).run().ends_with(2).says(&["./nothing"]);
        let left = ["out.jsonl", "out.jsonl.resume"].map(|name| sandbox.path(name).exists());
        assert_eq!(left, [false, false]);
    }
}

#[test]
fn an_empty_variable_is_as_none() {
    let sandbox = Sandbox::new();
    let variables = ["GLICLASS_SHARD", "GLICLASS_DEVICE", "GLICLASS_MODEL", "GLICLASS_KERNEL", "HF_HUB_OFFLINE"];
    let batch = |value: &str| {
        let program = sandbox.gliclass(["batch", "-l", "a"]).input("");
        variables.iter().fold(program, |program, name| program.env(name, value)).run()
    };
    batch("").ends_with(0);
    batch("x").ends_with(2);
}

#[test]
fn a_wrong_value_of_a_variable_is_told_with_the_name_of_the_variable() {
    let sandbox = Sandbox::new();
    for (variable, value, words) in [
        ("GLICLASS_DEVICE", "tpu", &["invalid value 'tpu' for 'GLICLASS_DEVICE': give auto"][..]),
        ("GLICLASS_SHARD", "bad", &["invalid value 'bad' for 'GLICLASS_SHARD': give I/N"]),
        ("GLICLASS_MODEL", "typo", &["model \"typo\" of GLICLASS_MODEL: there is no such folder"]),
        ("GLICLASS_MODEL", "./missing", &["model \"./missing\" of GLICLASS_MODEL: there is no such folder"]),
    ] {
        let batch = |arguments: &[&str]| {
            let typed = ["batch", "-l", "a"].iter().chain(arguments);
            sandbox.gliclass(typed).env(variable, value).input("{\"text\": \"x\"}\n").run().ends_with(2)
        };
        batch(&[]).says(words);
        // What is typed is to blame itself.
        let outcome = batch(&["--device", "none", "--shard", "0/1", "-m", "./other"]);
        assert!(
            outcome.stderr.contains("--device <DEVICE>") && !outcome.stderr.contains("GLICLASS_"),
            "{}",
            outcome.stderr
        );
    }
}

#[test]
#[cfg(unix)]
fn what_is_not_utf8_is_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    let broken = OsStr::from_bytes(b"a\xff");
    for name in ["GLICLASS_MODEL", "GLICLASS_DEVICE", "GLICLASS_SHARD", "HF_HUB_OFFLINE"] {
        let outcome = sandbox.gliclass(["batch", "-l", "a"]).env(name, broken).run().ends_with(2);
        outcome.says(&["error: ", name, ": not UTF-8"]);
    }
    let typed = [OsStr::new("classify"), OsStr::new("-l"), broken, OsStr::new("x")];
    sandbox.gliclass(typed).run().ends_with(2).says(&["error: \"a\\xFF\": not UTF-8"]);
}

#[test]
fn the_last_of_several_values_counts_and_lists_grow() {
    let sandbox = Sandbox::new();
    let typed = ["classify", "-q", "-q", "-m", "./nothing", "-m", MODEL, "-l", "a", "-l", "b,c", "--all-scores"];
    let formats = ["--format", "json", "--format=csv", "One", "Two"];
    let outcome = sandbox.gliclass(typed.iter().chain(&formats)).run().ends_with(0);
    assert_eq!(outcome.stdout.lines().next(), Some("text,score:a,score:b,score:c"));
    assert_eq!(outcome.stdout.lines().count(), 3);
    let first = "{\"text\": \"x\", \"label\": \"a\", \"predictions\": [{\"label\": \"a\", \"score\": 0.9}]}\n";
    sandbox.write("first.jsonl", first);
    sandbox.write("second.jsonl", first.replace("\"x\"", "\"y\""));
    let files = ["eval", "--predictions-from", "first.jsonl", "--predictions-from", "second.jsonl"];
    let outcome = sandbox.gliclass(files).run().ends_with(0);
    assert!(outcome.stdout.contains("records: 2"), "{}", outcome.stdout);
}

#[test]
#[cfg(target_os = "linux")]
fn help_that_cannot_be_written_is_an_error() {
    let sandbox = Sandbox::new();
    for arguments in [&["--help"][..], &["batch", "-h"], &["--version"]] {
        sandbox
            .gliclass(arguments)
            .under("exec >/dev/full")
            .run()
            .ends_with(2)
            .says(&["standard output: No space left"]);
    }
}

#[test]
#[cfg(feature = "builtin")]
fn an_empty_variable_names_no_model() {
    let outcome = Sandbox::new().gliclass(["classify", "-l", "a", "One"]).env("GLICLASS_MODEL", "").run();
    outcome.ends_with(0);
}

#[test]
#[cfg(all(feature = "builtin", target_os = "linux"))]
fn who_names_the_built_in_model_is_told_of_no_other() {
    let shown = |arguments: &[&str]| {
        let typed = ["classify", "-l", "a", "One"].iter().chain(arguments);
        Sandbox::new().gliclass(typed).on_a_terminal().run().ends_with(0).stdout
    };
    assert!(shown(&[]).contains("a larger one labels better"));
    assert!(!shown(&["-m", "builtin"]).contains("a larger one labels better"));
}

#[test]
fn a_model_that_is_not_there_is_told_by_what_its_name_could_mean() {
    let sandbox = Sandbox::new();
    sandbox.write("folder/config.json", "{}");
    for (model, words) in [
        ("typo", &["\"typo\": there is no such folder", "OWNER/NAME", "`builtin`"][..]),
        ("a/b/c", &["there is no such folder", "OWNER/NAME"]),
        ("", &["there is no such folder", "OWNER/NAME"]),
        ("https://huggingface.co/a/b/tree/main", &["for a repository of the Hub give a/b;"]),
        ("./missing", &["model \"./missing\": there is no such folder"]),
        ("folder/config.json", &["\"folder/config.json\": is a file"]),
        ("a b/c", &["is not the name of a repository of the Hub"]),
    ] {
        sandbox.gliclass(["classify", "-l", "a", "x", "--model", model]).run().ends_with(2).says(words);
    }
    for (repository, words) in [("builtin", "inside the program"), ("./folder", "a folder needs no download")] {
        sandbox.gliclass(["download", repository]).run().ends_with(2).says(&[words]);
    }
}

#[test]
#[cfg(feature = "builtin")]
fn a_name_that_may_be_meant_as_a_file_and_a_line_that_may_be_meant_as_a_list_are_told() {
    let sandbox = Sandbox::new();
    sandbox.write("notes.txt", "One\nTwo\n");
    sandbox.write("list.txt", "a,b,c\n");
    let label = "note: --labels list.txt: one label, though there is a file of this name";
    let text = "note: notes.txt: one text, though there is a file of this name: `gliclass classify ... < notes.txt`";
    let list =
        "warning: --labels-file list.txt: one label, with commas in it: if these are several, write one per line";
    for (arguments, said) in [
        (&["One", "-l", "list.txt"][..], label),
        (&["notes.txt", "-l", "a,b"], text),
        (&["One", "--labels-file", "list.txt"], list),
    ] {
        let run = |option| sandbox.gliclass(["classify", option].iter().chain(arguments)).run().ends_with(0);
        let outcome = run("--all-scores");
        assert_eq!(outcome.says(&[said]).stdout.lines().count(), 1);
        assert_eq!(run("-q").stderr, "");
    }
    for arguments in [&["One", "-l", "a,b"][..], &["notes.txt", "list.txt", "-l", "a,b"], &["-", "-l", "\"a,b\""]] {
        let outcome = sandbox.gliclass(["classify"].iter().chain(arguments)).input("notes.txt\n").run().ends_with(0);
        assert_eq!(outcome.stderr, "");
    }
}

#[test]
fn a_revision_of_what_is_no_repository_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("folder/config.json", "{}");
    sandbox.write("d.csv", "text,label\nx,a\n");
    for arguments in [
        &["classify", "-l", "a", "x"][..],
        &["classify", "-l", "a", "x", "-m", "folder"],
        &["train", "d.csv", "-o", "out", "--backbone", "./folder"],
    ] {
        let arguments = arguments.iter().chain(&["--revision", "main"]);
        sandbox.gliclass(arguments).run().ends_with(2).says(&["--revision main: ", "is not a repository of the Hub"]);
    }
}

#[test]
fn an_array_given_as_lines_is_refused_as_a_whole() {
    let sandbox = Sandbox::new();
    let array = "[\n  {\"text\": \"a\"},\n  {\"text\": \"b\"}\n]\n";
    sandbox.write("in.json", array);
    sandbox.write("out.jsonl", "precious\n");
    for arguments in [
        &["batch", "in.json", "-l", "a", "-o", "out.jsonl", "--force"][..],
        &["batch", "-l", "a", "-m", "./nothing"],
        &["embed", "-l", "a"],
        &["bench", "--input", "in.json"],
    ] {
        let outcome = sandbox.gliclass(arguments).input(array).run().ends_with(2);
        assert_eq!(outcome.says(&["is one JSON array", "jq -c '.[]'"]).stdout, "");
    }
    assert_eq!(sandbox.read("out.jsonl"), "precious\n");
}

#[test]
fn utf16_is_told_before_any_work() {
    let sandbox = Sandbox::new();
    let utf16: Vec<u8> = "\u{feff}{\"text\": \"a\"}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    sandbox.write("in.csv", &utf16);
    for arguments in [
        &["batch", "-l", "a", "-m", "./nothing"][..],
        &["batch", "in.csv", "-l", "a", "-m", "./nothing"],
        &["embed", "-l", "a", "-m", "./nothing"],
        &["eval", "in.csv", "-m", "./nothing"],
        &["classify", "x", "--labels-file", "in.csv", "-m", "./nothing"],
        &["classify", "x", "-l", "a", "--thresholds", "in.csv", "-m", "./nothing"],
    ] {
        let outcome = sandbox.gliclass(arguments).input(&utf16[..]).run().ends_with(2);
        assert_eq!(outcome.says(&["is UTF-16: make it UTF-8"]).stdout, "");
    }
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", "text,label\nx,a\n");
    for arguments in [
        &["batch", "-l", "a", "-o", "none/out"][..],
        &["embed", "-l", "a", "-o", "none/out"],
        &["eval", "d.csv", "--html", "none/out"],
        &["eval", "d.csv", "--fit", "none/out"],
    ] {
        let outcome = sandbox.gliclass(arguments).input("{\"text\": \"a\"}\n").run().ends_with(2);
        outcome.says(&["none/out: the folder none does not exist: make it first"]);
    }
}

#[test]
fn what_is_wrong_or_would_be_misread_or_ignored_is_refused_with_the_way_out() {
    let sandbox = Sandbox::new();
    sandbox.write("in.csv", "text\nx\n");
    sandbox.write("in.tsv", "text\nx\n");
    sandbox.write("none.json", "[]");
    sandbox.write("tags.txt", "[a] tag\nother\n");
    sandbox.write("latin.txt", b"one\n\xe9\n");
    sandbox.write("empty.jsonl", "");
    sandbox.write("twice.json", "{\"a\": [\"x\"], \"a\": [\"y\"]}");
    for (arguments, words) in [
        (&["sort"][..], &["sort"][..]),
        (&["classify", "x"], &["no labels"]),
        (&["classify", "x", "-l", "a,a"], &["label \"a\" is given twice"]),
        (&["classify", "x", "-l", "a,,b"], &["a label is empty"]),
        (&["classify", "x", "-l", ""], &["a label is empty"]),
        (&["classify", "x", "-l", "a", "--device", "tpu"], &["cuda:0"]),
        (&["classify", "x", "-l", "a", "--threshold", "2"], &["--threshold"]),
        (&["batch", "nothing.jsonl", "-l", "a"], &["nothing.jsonl"]),
        (&["eval", "-l", "a"], &["tip: `-` reads the records from standard input"]),
        (&["train", "-o", "mine"], &["tip: `-` reads the records from standard input"]),
        (&["classify", "x", "-l", "sport,\"news, politics"], &["a quote is opened and never closed"]),
        (&["classify", "x", "-l", "a|b,c", "--format", "csv"], &["\"a|b\"", "another --format"]),
        (&["classify", "x", "-l", "a", "-k", "0"], &["--top-k", "give a whole number from 1"]),
        (&["classify", "x", "-l", "a", "-j", "1000000"], &["--threads", "from 1 to 1024"]),
        (&["bench", "-n", "10000000000"], &["--texts", "from 1 to 1000000"]),
        (&["eval", "in.csv", "--bootstrap", "4294967295"], &["--bootstrap", "1000000"]),
        (&["train", "in.csv", "-o", "out", "--lora", "10000000000"], &["--lora", "from 1 to 4096"]),
        (&["classify", "x", "-l", "a", "--wordings"], &["--wordings"]),
        (&["eval", "in.csv", "--plots", "in.tsv"], &["in.tsv: is no folder, where one is needed"]),
        (&["train", "in.csv", "-o", "in.tsv/x"], &["in.tsv: is no folder, where one is needed"]),
        (&["classify", "x", "-l", "a", "-m", "./in.csv"], &["\"./in.csv\": is a file"]),
        (&["bench", "--input", "in.csv"], &["--input in.csv: ends like CSV, but must be JSONL"]),
        (&["embed", "in.csv", "-l", "a"], &["the input in.csv: ends like CSV, but must be JSONL"]),
        (&["batch", "in.csv", "-l", "a", "--output-field", "b"], &["--output-field is for JSONL", "predicted_labels"]),
        (&["batch", "in.csv", "-l", "a|b,c"], &["\"a|b\"", "another --list-separator"]),
        (&["batch", "in.csv", "-l", "a", "--list-separator", "."], &["another --list-separator", "inside scores"]),
        (&["batch", "in.tsv", "-l", "a", "--list-separator", "\t"], &["another --list-separator", "no cell of TSV"]),
        (&["batch", "in.tsv", "-l", "a\tb"], &["error: label", "no cell of TSV can hold: give CSV or JSONL"]),
        (&["batch", "in.tsv", "-l", "a\tb", "--all-scores"], &["error: label", "give CSV or JSONL"]),
        (&["classify", "x", "-l", "a", "--chunk-overlap", "3"], &["--chunk-overlap", "add --on-overflow chunk"]),
        (&["classify", "x", "-l", "a", "--examples", "none.json"], &["none.json: holds no example"]),
        (&["classify", "x", "-l", "a", "--rac-examples", "none.json"], &["none.json: holds no example"]),
        (
            &["classify", "x", "--labels-file", "tags.txt"],
            &["tags.txt: not JSON", "begins with [ or { is read as JSON"],
        ),
        (
            &["classify", "x", "-l", "a", "--examples", "tags.txt"],
            &["tags.txt: is not a JSON array or JSONL of such examples"],
        ),
        (&["classify", "x", "--labels-file", "twice.json"], &["twice.json: key \"a\" is given twice"]),
        (&["classify", "x", "--labels-file", "latin.txt"], &["latin.txt: line 2: not UTF-8"]),
        (&["batch", "empty.jsonl", "-l", "a", "-m", "./nothing"], &["./nothing"]),
        (&["classify", "x", "-l", "a", "-m", "."], &["\".\": is not the folder of a model: it needs config.json"]),
        (&["classify", "x", "--labels-file", "nope"], &["--labels-file: nope: "]),
        (&["classify", "x", "--labels-file", "-"], &["--labels-file: -: name a file"]),
        (&["classify", "x", "-l", "a", "--examples", "nope"], &["--examples: nope: "]),
        (&["classify", "x", "-l", "a", "--rac-examples", "nope"], &["--rac-examples: nope: "]),
        (&["classify", "x", "-l", "a", "--thresholds", "nope"], &["--thresholds: nope: "]),
        (&["classify", "x", "-l", "a", "-t", "-0.5"], &["--threshold", "give a number from 0 to 1"]),
        (&["classify", "x", "-l", "a", "-k", "-1"], &["--top-k", "give a whole number from 1"]),
        (&["train", "in.csv", "-o", "out", "--learning-rate", "-1"], &["--learning-rate", "give a number above 0"]),
        (&["train", "in.csv", "-o", "out", "--lora", "-8"], &["--lora", "from 1 to 4096"]),
        (&["train", "in.csv", "-o", "out", "--descriptions", "none.json"], &["--descriptions", "add --augment"]),
        (&["embed", "-l", "a", "--text-field", "text_embedding"], &["--text-field", "would replace it"]),
        (&["classify", "x", "-l", "a", "--chunk-overlap", "x"], &["--chunk-overlap", "give a whole number from 0"]),
        (&["eval", "in.csv", "--errors", "-1"], &["--errors", "give a whole number from 0"]),
        (&["eval", "in.csv", "--bootstrap", "99"], &["--bootstrap", "give 0, or a whole number from 100 to 1000000"]),
        (&["eval", "in.csv", "--bootstrap", "x"], &["--bootstrap", "give 0, or a whole number from 100 to 1000000"]),
        (&["eval", "in.csv", "--label-order-trials", "x"], &["--label-order-trials", "give a whole number from 0"]),
        (&["train", "in.csv", "-o", "out", "--seed", "-1"], &["--seed", "give a whole number from 0"]),
        (&["train", "in.csv", "-o", "out", "-m", "./x", "--labels-file", "nope"], &["--labels-file: nope: "]),
        (
            &["train", "in.csv", "-o", "out", "-m", "./x", "--descriptions", "nope", "--augment"],
            &["--descriptions: nope: "],
        ),
        (
            &["train", "in.csv", "-o", "out", "--backbone", "./x", "--label-backbone", "./x"],
            &["--label-backbone is for --architecture bi-encoder"],
        ),
        (
            &["train", "in.csv", "-o", "out", "--backbone", "./x", "--architecture", "bi-encoder", "--text-first"],
            &["--text-first is for --architecture uni-encoder"],
        ),
        (&["eval", "in.csv", "--all-scores"], &["--all-scores says what --predictions writes"]),
        (&["eval", "in.csv", "--logits"], &["--logits says what --predictions writes"]),
        (
            &["eval", "--predictions-from", "in.csv", "--hierarchical"],
            &["--hierarchical says what --predictions writes"],
        ),
        (
            &["eval", "in.csv", "--predictions", "p.jsonl", "--output-field", "said"],
            &["--output-field is for --predictions-from and --compare"],
        ),
    ] {
        let outcome = sandbox.gliclass(arguments).run().ends_with(2).says(&["error: "]).says(words);
        assert_eq!(outcome.stdout, "", "{arguments:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_in_the_place_of_a_file_and_a_file_in_that_of_a_folder_are_told() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "");
    let file = "is a folder, not a file: name a file in it";
    let folder = "lies in what is a file, not a folder: check the name";
    for (arguments, at, what) in [
        (&["classify"][..], "standard input", file),
        (&["batch"], "standard input", file),
        (&["batch", "."], ".", file),
        (&["batch", "file/in"], "file/in", folder),
        (&["batch", "file", "--input-format", "jsonl", "-o", "file/out"], "file/out", folder),
        (&["classify", "x", "--thresholds", "."], "--thresholds: .", file),
        (&["classify", "x", "--examples", "."], "--examples: .", file),
    ] {
        let program = sandbox.gliclass(arguments.iter().chain(&["-l", "a", "-m", MODEL]));
        program.under("exec <.").run().ends_with(2).says(&[&format!("error: {at}: {what}")]);
    }
}

#[test]
fn a_name_or_a_separator_of_nothing_is_refused() {
    let sandbox = Sandbox::new();
    for (command, options) in [
        ("classify", &["--label-separator"][..]),
        ("batch", &["--text-field", "--output-field", "--list-separator", "--label-separator"]),
        ("embed", &["--text-field", "--label-separator"]),
        ("bench", &["--text-field"]),
        ("eval", &["--text-field", "--label-field", "--list-separator", "--label-separator", "--output-field"]),
        ("train", &["--text-field", "--label-field", "--list-separator", "--label-separator"]),
    ] {
        for option in options {
            sandbox.gliclass([command, option, ""]).run().ends_with(2).says(&["a value is required for", option]);
        }
    }
}

#[test]
fn control_characters_of_a_wrong_command_line_are_escaped() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["batch", "a", "evil\u{1b}[31m\rtext"][..],
        &["classify", "-l", "a", "--device", "\u{1b}]0;x\u{7}\r\u{c}", "x"],
        &["classify", "-l", "a", "--evil\u{9b}1m\r", "x"],
    ] {
        let outcome = sandbox.gliclass(arguments).run().ends_with(2).says(&["error: ", "\\r"]);
        assert!(!outcome.stderr.contains(|one: char| one.is_control() && one != '\n'), "{:?}", outcome.stderr);
    }
}
