//! Records through the whole program, with a small random checkpoint.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use crate::harness::{MODEL, Program, Sandbox};

const MIXED: &[u8] =
    b"{\"text\":\"One\", \"n\": 1.0e5 }\n\nnot json\n{\"text\":5}\r\n{\"text\":\"Two\",\"labels\":[\"z\"]}";

fn batch(sandbox: &Sandbox, arguments: &[&str]) -> Program {
    sandbox.gliclass(["batch", "--model", MODEL, "--labels", "a,b"].iter().chain(arguments))
}

fn classify(sandbox: &Sandbox, arguments: &[&str]) -> Program {
    sandbox.gliclass(["classify", "--model", MODEL, "--labels", "a,b"].iter().chain(arguments))
}

/// Replaces numbers that depend on the checkpoint.
fn without_scores(text: &str) -> String {
    let mut parts = text.split("\"score\":");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + "\"score\":S" + part.trim_start_matches(|c: char| "0123456789.e-".contains(c)))
}

#[test]
fn bad_records_are_kept_with_their_error() {
    let outcome = batch(&Sandbox::new(), &["--single-label"]).input(MIXED).run().ends_with(1);
    let lines: Vec<String> = without_scores(&outcome.stdout).split('\n').map(str::to_owned).collect();
    let label = if lines[0].contains("\"a\"") { "a" } else { "b" };
    assert_eq!(lines[0], format!(r#"{{"text":"One", "n": 1.0e5,"predictions":[{{"label":"{label}","score":S}}] }}"#));
    assert_eq!(lines[1], "");
    assert!(lines[2].starts_with(r#"{"input":"not json","error":"#), "{}", lines[2]);
    assert!(lines[3].starts_with(r#"{"text":5,"error":"field \"text\""#) && lines[3].ends_with("}\r"), "{}", lines[3]);
    assert_eq!(lines[4], r#"{"text":"Two","labels":["z"],"predictions":[{"label":"z","score":S}]}"#);
    assert_eq!(lines[5], "");
    outcome.says(&[
        "error: 2 records failed, the first: standard input:3: not a JSON object: ",
        "\n4 records, 2 errors, 0 truncated",
    ]);
}

#[test]
fn where_the_reader_of_the_output_has_gone_nothing_is_said() {
    let sandbox = Sandbox::new();
    for command in ["batch", "embed"] {
        let mut running = sandbox.gliclass([command, "--model", MODEL, "--labels", "a,b"]).start();
        running.send(b"not json\n");
        let mut output = BufReader::new(running.output());
        output.read_line(&mut String::new()).unwrap();
        drop(output);
        running.send(b"{\"text\": \"One\"}\n");
        assert_eq!((running.code(true), running.said()), (Some(0), String::new()), "{command}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn no_time_is_left_to_show_before_the_first_record() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", "{\"text\": \"One\"}\n{\"text\": \"Two\"}\n");
    let shown = batch(&sandbox, &["in.jsonl", "-o", "out.jsonl"]).on_a_terminal().run().ends_with(0).stdout;
    assert!(!shown.contains("no record yet,"), "{shown}");
}

#[test]
fn why_the_first_record_failed_is_said_whatever_becomes_of_it() {
    let input = "{\"text\":\"One\"}\n{\"review\":\"good\"}\n";
    let said =
        "error: 1 record failed: standard input:2: no field \"text\" in the record (review): give --text-field NAME";
    for (mode, end) in [("keep", "\n"), ("skip", ": left out\n")] {
        let outcome = batch(&Sandbox::new(), &["-q", "--on-error", mode]).input(input).run().ends_with(1);
        assert_eq!(outcome.stderr, format!("{said}{end}"));
    }
}

#[test]
fn lines_of_another_form_are_told_where_the_first_is_one() {
    let hint = "at column 1; CSV needs --input-format csv, lines of text `gliclass classify`";
    for mode in ["keep", "skip", "fail"] {
        let run = |input: &str| batch(&Sandbox::new(), &["--on-error", mode]).input(input).run().ends_with(1);
        let outcome = run("\u{feff}some,text\n1,One\n").says(&[hint]);
        assert!(!outcome.stdout.contains("--input-format"), "{}", outcome.stdout);
        for input in ["{\"text\":\n\"One\"}\n", "{\"text\":\"One\"}\nTwo\n"] {
            let stderr = run(input).says(&["not a JSON object"]).stderr;
            assert!(!stderr.contains("--input-format"), "{stderr}");
        }
    }
}

#[test]
fn bad_records_are_left_out_on_request() {
    let outcome = batch(&Sandbox::new(), &["--on-error", "skip"]).input(MIXED).run().ends_with(1);
    assert_eq!(outcome.stdout.lines().count(), 3);
    outcome.says(&["warning: standard input:3: not a JSON object", "standard input:4: field \"text\""]);
}

#[test]
fn a_bad_record_ends_the_run_on_request_and_what_came_before_is_written() {
    let outcome = batch(&Sandbox::new(), &["--on-error", "fail"]).input(MIXED).run().ends_with(1);
    assert_eq!(outcome.stdout.lines().count(), 2);
    outcome.says(&["error: standard input:3: not a JSON object", "2 records, 1 errors, "]);
}

#[test]
fn the_output_is_the_same_whatever_the_threads() {
    let sandbox = Sandbox::new();
    let words = ["the", "world", "football", "politics and science", "a much longer sentence about hotels"];
    let texts: Vec<String> = (0..200).map(|i| words[i % 5].repeat(1 + i % 7)).collect();
    let input: String = texts.iter().map(|text| json!({"text": text}).to_string() + "\n").collect();
    let run = |threads| batch(&sandbox, &["--all-scores", "-q", "-j", threads]).input(input.clone()).run().ends_with(0);
    let (one, three) = (run("1"), run("3"));
    assert_eq!(one.stdout, three.stdout);
    assert_eq!(one.stderr, "");
    let read = one.json_lines().into_iter().map(|line| line["text"].clone());
    assert!(read.eq(texts));
}

#[test]
#[cfg(target_os = "linux")]
fn messages_that_nobody_can_hear_end_no_run() {
    let outcome = batch(&Sandbox::new(), &["--on-error", "skip"]).input(MIXED).under("exec 2>/dev/full").run();
    assert_eq!(outcome.ends_with(1).stdout.lines().count(), 3);
    Sandbox::new().gliclass(["batch", "nothing.jsonl", "-l", "a"]).under("exec 2>/dev/full").run().ends_with(2);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_text() {
    let answer = |input: &str| classify(&Sandbox::new(), &["--all-scores"]).input(input).run().ends_with(0).stdout;
    assert_eq!(answer("\u{feff}One\nTwo\n"), answer("One\nTwo\n"));
}

#[test]
fn labels_of_a_record_are_not_dropped_for_a_key_given_twice() {
    let input = "{\"text\":\"One\",\"labels\":{\"a\":[\"x\"],\"a\":[\"y\"]}}\n";
    let outcome = batch(&Sandbox::new(), &[]).input(input).run().ends_with(1);
    assert!(outcome.stdout.contains(r#""error":"field \"labels\": key \"a\" is given twice"#), "{}", outcome.stdout);
}

#[test]
fn a_text_that_is_cut_says_so() {
    let input = json!({"text": "word ".repeat(500)}).to_string();
    let outcome = batch(&Sandbox::new(), &["--max-length", "32"]).input(input).run().ends_with(0);
    assert!(outcome.stdout.ends_with("\"truncated\":true}\n"), "{}", outcome.stdout);
}

#[test]
fn nothing_but_errors_is_said_where_that_is_wanted() {
    let text = "word ".repeat(500);
    let classify = |more: &[&str]| {
        let arguments = ["classify", "--model", MODEL, "-l", "a,b", "--max-length", "32", "--format", "csv", &text];
        Sandbox::new().gliclass(arguments.iter().chain(more)).run().ends_with(0)
    };
    classify(&[]).says(&["warning: text 1 was cut to fit"]);
    assert_eq!(classify(&["--quiet"]).stderr, "");
}

#[test]
fn a_text_of_any_size_has_the_answer_of_what_is_read_of_it() {
    let sandbox = Sandbox::new();
    let words = "football and politics, ".repeat(5_000_000 / 23);
    let scores = |text: &str| {
        let input = json!({ "text": text }).to_string();
        let answer = batch(&sandbox, &["--all-scores", "--logits"]).input(input).run().ends_with(0).json();
        answer["predictions"].clone()
    };
    let whole = scores(&words);
    assert_eq!(scores(&words[..60_000]), whole);
    // Nowhere to part it: it is one word of no meaning.
    let endless = scores(&"x".repeat(200_000));
    assert_ne!(endless, whole);
}

#[test]
fn odd_lines_of_every_kind_pass() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let good = [
        format!("{{\"text\":\"a\",\"x\":{}}}", nested(100_000)),
        format!("{{\"text\":\"a\",\"x\":\"{}\"}}", "x".repeat(100_000_000)),
        "{\"text\":\"a\",\"n\":1e999,\"m\":-1e-999,\"k\":123456789012345678901234567890}".to_owned(),
        "{\"text\":\"a\",\"text\":\"b\"}".to_owned(),
        "{\"text\":\"a\\u0000b\"}\r".to_owned(),
    ];
    let bad =
        ["\0".to_owned(), format!("{{\"text\":\"a\",\"labels\":{}}}", nested(100_000)), "{\"text\":\"\0\"}".into()];
    let input = "\u{feff}".to_owned() + &good.join("\n") + "\n" + &bad.join("\n");
    let outcome = batch(&Sandbox::new(), &["-q"]).input(input).run().ends_with(1);
    let lines: Vec<&str> = outcome.stdout.split('\n').collect();
    assert_eq!(lines.len(), good.len() + bad.len() + 1);
    for (line, good) in lines.iter().zip(&good) {
        let good = good.trim_end_matches('\r').trim_end_matches('}');
        assert!(line.trim_start_matches('\u{feff}').starts_with(good) && line.contains("\"predictions\":["));
    }
    assert!(lines[good.len()..].iter().take(bad.len()).all(|line| line.contains("\"error\":")));
}

#[test]
fn csv_comes_back_with_columns_behind() {
    let sandbox = Sandbox::new();
    sandbox.write("in.csv", "id,body\r\n007,\"One, two\"\r\n8\r\n");
    let arguments = ["in.csv", "-o", "out.csv", "--text-field", "body", "--single-label"];
    batch(&sandbox, &arguments).run().ends_with(1);
    let output = sandbox.read("out.csv");
    let lines: Vec<&str> = output.split("\r\n").collect();
    assert_eq!(lines[0], "id,body,predicted_labels,predicted_scores,error");
    assert!(lines[1].starts_with("007,\"One, two\",") && lines[1].ends_with(','), "{output}");
    assert_eq!(lines[2], "8,,,,1 columns where the header has 2");
}

#[test]
fn tsv_has_a_column_for_every_score() {
    let input = "text\nOne\n";
    let arguments = ["--input-format", "tsv", "--all-scores", "--on-error", "fail"];
    let outcome = batch(&Sandbox::new(), &arguments).input(input).run().ends_with(0);
    assert!(outcome.stdout.starts_with("text\tscore:a\tscore:b\nOne\t0."), "{}", outcome.stdout);
}

#[test]
fn a_quote_in_tsv_takes_no_rows() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tsv", "id\ttext\n1\t\"One\n2\ttwo\"\n3\t\"a \"\"quoted\"\" text\"\n");
    batch(&sandbox, &["in.tsv", "-o", "out.tsv", "--single-label"]).run().ends_with(0).says(&["3 records, 0 errors"]);
    let output = sandbox.read("out.tsv");
    let begins: Vec<String> =
        output.lines().map(|line| line.split('\t').take(2).collect::<Vec<_>>().join("\t")).collect();
    assert_eq!(begins, ["id\ttext", "1\t\"One", "2\ttwo\"", "3\t\"a \"\"quoted\"\" text\""]);
    sandbox.write("labels.json", r#"["a\tb", "c"]"#);
    for arguments in [&["batch", "in.tsv"][..], &["classify", "x", "--format", "tsv"]] {
        let arguments = arguments.iter().chain(&["--labels-file", "labels.json"]);
        sandbox.gliclass(arguments).run().ends_with(2).says(&["\"a\\tb\" holds a tab"]);
    }
}

#[test]
fn quotes_around_the_names_of_tsv_change_nothing() {
    let run = |input: &str, more: &[&str]| {
        let arguments = [&["-q", "--input-format", "tsv"][..], more].concat();
        batch(&Sandbox::new(), &arguments).input(input).run().ends_with(0).stdout
    };
    let output = run("\"text\"\t\"error\"\nOne\tE42\n", &[]);
    assert!(output.starts_with("\"text\"\t\"error\"\tpredicted_labels\t"), "{output}");
    assert!(output.contains("\nOne\tE42\t"), "{output}");
    // Of an earlier run, it is out of date.
    let earlier = "\"text\"\t\"predicted_labels\"\t\"predicted_scores\"\t\"error\"\nOne\t\t\told\n";
    let output = run(earlier, &["--on-error", "fail"]);
    assert!(!output.contains("old"), "{output}");
}

#[test]
fn a_line_of_tsv_is_a_row_whatever_is_in_it() {
    let first_cells = |output: &str| -> Vec<String> {
        output.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
    };
    let run = |input: &str| batch(&Sandbox::new(), &["--input-format", "tsv"]).input(input).run();
    let outcome = run("text\nfirst\n\nhello\rworld\n\n").ends_with(0).says(&["4 records, 0 errors"]);
    assert_eq!(first_cells(&outcome.stdout), ["text", "first", "", "hello\rworld", ""]);
    // Of several columns a blank line is no record, and comes out as it went in.
    let outcome = run("id\ttext\n1\tOne\n\n2\tTwo\n").ends_with(0).says(&["2 records, 0 errors"]);
    assert_eq!(first_cells(&outcome.stdout), ["id", "1", "", "2"]);
    assert_eq!(outcome.stdout.lines().nth(2), Some(""));
}

#[test]
fn a_byte_order_mark_stays_before_the_header() {
    for (format, separator) in [("csv", ","), ("tsv", "\t")] {
        let input = format!("\u{feff}id{separator}text\r\n1{separator}One\r\n");
        let outcome = batch(&Sandbox::new(), &["--input-format", format]).input(input).run().ends_with(0);
        let header = format!("\u{feff}id{separator}text{separator}predicted_labels{separator}");
        assert!(outcome.stdout.starts_with(&header), "{}", outcome.stdout);
    }
}

#[test]
fn scores_take_the_shape_of_the_labels() {
    let sandbox = Sandbox::new();
    sandbox.write("labels.json", r#"{"x": ["y", "z"], "w": "v"}"#);
    let arguments =
        ["classify", "--model", MODEL, "--labels-file", "labels.json", "--hierarchical", "--threshold", "1", "One"];
    let answer = sandbox.gliclass(arguments).run().ends_with(0).json();
    assert!(answer["predictions"]["x"]["z"].is_number() && answer["predictions"]["w"]["v"].is_number(), "{answer}");
    for (option, value) in [("--top-k", "1"), ("--abstain-below", "0.9")] {
        let shaped = ["--labels-file", "labels.json", "--hierarchical", option, value];
        for command in ["classify", "batch"] {
            let outcome = sandbox.gliclass([command].iter().chain(&shaped)).run().ends_with(2);
            outcome.says(&[&format!("{option} with --hierarchical")]);
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_no_table_can_hold_is_json_on_a_terminal_too() {
    for (option, expected) in [("--logits", r#""logit":"#), ("--hierarchical", r#""predictions":{"#)] {
        let shown = classify(&Sandbox::new(), &[option, "-t", "0", "One"]).on_a_terminal().run().ends_with(0).stdout;
        assert!(shown.starts_with(r#"{"text":"One","predictions":"#) && shown.contains(expected), "{shown}");
        classify(&Sandbox::new(), &[option, "--format", "csv", "One"]).run().ends_with(2).says(&["need JSON"]);
    }
}

#[test]
fn classify_writes_one_answer_for_each_text() {
    let sandbox = Sandbox::new();
    let texts = |answers: &[Value]| answers.iter().map(|one| one["text"].clone()).collect::<Vec<_>>();
    let array = classify(&sandbox, &["--format", "json", "One", "Two"]).run().ends_with(0).json();
    assert_eq!(texts(array.as_array().unwrap()), ["One", "Two"]);
    let lines = classify(&sandbox, &[]).input("\u{feff}One\r\nTwo").run().ends_with(0).json_lines();
    assert_eq!(texts(&lines), ["One", "Two"]);
    let csv = classify(&sandbox, &["--format", "csv", "-k", "1", "--all-scores", "One"]).run().ends_with(0).stdout;
    assert!(csv.starts_with("text,score:a,score:b\nOne,"), "{csv}");
}

#[test]
#[cfg(target_os = "linux")]
fn answers_are_not_appended_to_the_texts() {
    let sandbox = Sandbox::new();
    sandbox.write("texts.txt", "One\nTwo\n");
    let same = "exec < texts.txt >> texts.txt";
    for arguments in [&["--format", "csv"][..], &["--format", "json", "One", "-"]] {
        let outcome = classify(&sandbox, arguments).under(same).run().ends_with(2);
        outcome.says(&["standard output: is also the input: write to another file"]);
        assert_eq!(sandbox.read("texts.txt"), "One\nTwo\n");
    }
    // What is not read may be added to.
    classify(&sandbox, &["Three"]).under(same).run().ends_with(0);
    assert_eq!(sandbox.read("texts.txt").lines().count(), 3);
}

#[test]
fn a_text_that_fails_is_named_and_keeps_its_place() {
    let sandbox = Sandbox::new();
    let long = "word ".repeat(3000);
    let run = |format: &str, input: &[u8]| {
        let arguments = ["--on-overflow", "error", "--all-scores", "--format", format];
        let outcome = classify(&sandbox, &arguments).input(input).run().ends_with(1);
        outcome.says(&["error: text 2: "])
    };
    let input = format!("One\n{long}\nTwo\n");
    let lines = run("jsonl", input.as_bytes()).json_lines();
    assert!(lines[0]["error"].is_null() && lines[2]["predictions"].is_array(), "{lines:?}");
    assert!(lines[1]["text"] == long && lines[1]["error"].as_str().unwrap().contains("do not fit"), "{}", lines[1]);
    assert_eq!(run("json", input.as_bytes()).json(), Value::Array(lines));
    assert_eq!(run("csv", input.as_bytes()).stdout.lines().nth(2), Some(&*format!("{long},,")));
    assert_eq!(run("text", input.as_bytes()).stdout.lines().nth(1), Some(""));
    let broken = run("jsonl", b"One\nT\xffwo\n").stdout;
    assert!(broken.contains("{\"text\":\"T\u{fffd}wo\",\"error\":\"invalid UTF-8"), "{broken}");
}

#[test]
fn sizes_that_no_tensor_has_are_an_error_of_the_model() {
    let sandbox = Sandbox::new();
    sandbox.copy("uni-electra", "model");
    let mut config: Value = serde_json::from_str(&sandbox.read("model/config.json")).unwrap();
    for field in ["hidden_size", "intermediate_size"] {
        let found = config["encoder_config"][field].clone();
        for (size, file) in [(1_000_000_u64, "model.safetensors"), (1_000_000_000_000, "config.json")] {
            config["encoder_config"][field] = size.into();
            sandbox.write("model/config.json", config.to_string());
            let arguments = ["classify", "-m", "./model", "-l", "a", "One"];
            sandbox.gliclass(arguments).run().ends_with(2).says(&[file, &size.to_string()]);
        }
        config["encoder_config"][field] = found;
    }
    config["encoder_config"]["model_type"] = "abacus".into();
    sandbox.write("model/config.json", config.to_string());
    sandbox
        .gliclass(["classify", "-m", "./model", "-l", "a", "One"])
        .run()
        .ends_with(2)
        .says(&["model/config.json: ", "\"abacus\""]);
}

#[test]
fn control_characters_of_a_label_do_not_reach_plain_text() {
    let arguments = ["classify", "-m", MODEL, "-l", "\u{1b}[31mred", "--all-scores", "--format", "text", "One"];
    let outcome = Sandbox::new().gliclass(arguments).run().ends_with(0);
    assert!(outcome.stdout.starts_with("\\u001b[31mred\t"), "{}", outcome.stdout);
}

#[test]
fn what_an_earlier_run_said_does_not_stand_beside_an_error() {
    let sandbox = Sandbox::new();
    let line = "{\"text\": 7, \"predictions\": [{\"label\": \"a\", \"score\": 1}], \"id\": 1}\n";
    let answer = batch(&sandbox, &["-q"]).input(line).run().ends_with(1).json();
    assert!(answer["predictions"].is_null() && answer["error"].is_string() && answer["id"] == 1, "{answer}");
    let line = "{\"text\": \"x\", \"error\": \"old\", \"truncated\": true, \"predictions\": null, \"id\": 1}\n";
    let answer = batch(&sandbox, &["-q"]).input(line).run().ends_with(0).json();
    assert!(answer["error"].is_null() && answer["truncated"].is_null() && answer["predictions"].is_array(), "{answer}");
    let run = sandbox.gliclass(["batch", "--text-field", "error", "-l", "a"]).input(line).run().ends_with(2);
    run.says(&["--text-field \"error\"", "would replace it"]);
}

#[test]
fn that_an_error_stays_which_may_be_out_of_date_is_told_once() {
    let line = "{\"text\": \"x\", \"error\": \"old\", \"truncated\": true}\n";
    let outcome = batch(&Sandbox::new(), &[]).input("{\"text\": \"x\"}\n".to_owned() + line + line).run().ends_with(0);
    assert_eq!(outcome.stderr.matches("warning: ").count(), 1, "{}", outcome.stderr);
    outcome.says(&["warning: standard input:2: a field \"error\" of the record's own stays", "jq -c 'del(.error)'"]);
    let renewed = "{\"text\": \"x\", \"error\": \"old\", \"predictions\": null}\n";
    let outcome = batch(&Sandbox::new(), &[]).input(renewed).run().ends_with(0);
    assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
}

#[test]
fn what_the_user_calls_an_error_stays() {
    let sandbox = Sandbox::new();
    let run = batch(&sandbox, &["-q"]).input("{\"text\": \"x\", \"error\": \"E42\"}\n").run().ends_with(0);
    assert!(run.stdout.starts_with("{\"text\": \"x\", \"error\": \"E42\",\"predictions\":"), "{}", run.stdout);
    sandbox.write("in.csv", "text,error\nOne,E42\nTwo\n");
    batch(&sandbox, &["in.csv", "-o", "out.csv", "--all-scores"]).run().ends_with(1);
    let output = sandbox.read("out.csv");
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines[1].starts_with("One,E42,0.") && lines[2].starts_with("Two,1 columns"), "{output}");
    // Of an earlier run, it is out of date.
    sandbox.write("again.csv", "text,predicted_labels,predicted_scores,error\nOne,,,old\n");
    let run = batch(&sandbox, &["again.csv"]).run().ends_with(0);
    assert!(!run.stdout.contains("old"), "{}", run.stdout);
}

#[test]
fn the_form_of_the_input_may_be_given_as_format_too() {
    let run = batch(&Sandbox::new(), &["--format", "csv"]).input("text\nOne\n").run().ends_with(0);
    assert!(run.stdout.starts_with("text,predicted_labels"), "{}", run.stdout);
}

#[test]
fn columns_of_an_earlier_run_in_another_form_are_told_of() {
    let sandbox = Sandbox::new();
    let input = "text,predicted_labels,predicted_scores,score:x\nOne,a,0.5,0.5\n";
    sandbox.write("in.csv", input);
    let run = batch(&sandbox, &["in.csv"]).run().ends_with(0);
    run.says(&["columns named like predictions stay beside the new ones (\"score:x\"):"]);
    let run = batch(&sandbox, &["in.csv", "--all-scores"]).run().ends_with(0);
    run.says(&["(\"predicted_labels\" and 2 more)"]);
    sandbox.write("in.csv", input.replace(",score:x", ",more"));
    let run = batch(&sandbox, &["in.csv"]).run().ends_with(0);
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
}

#[test]
fn an_empty_input_costs_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("empty.csv", "");
    // The model is not even fetched.
    for arguments in [&["batch", "-l", "a"][..], &["batch", "empty.csv", "-l", "a", "-o", "out.csv", "--resume"]] {
        let outcome = sandbox.gliclass(arguments.iter().chain(&["--model", "not/there"])).run().ends_with(0);
        assert_eq!(outcome.says(&["0 records, 0 errors"]).stdout, "");
    }
}

#[test]
#[cfg(unix)]
fn the_program_needs_nothing_of_its_environment() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.batch(&[]).without_environment().input("{\"text\":\"One\"}\n").run().ends_with(0);
    assert!(outcome.stdout.contains("predictions"));
}
