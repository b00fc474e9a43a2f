//! `gliclass eval`: what it refuses, and how it says so.

use serde_json::{Value, json};

use crate::harness::{MODEL, Sandbox};

#[test]
fn bad_data_is_refused_by_file_line_and_field() {
    let sandbox = Sandbox::new();
    for (name, contents, message) in [
        ("a.jsonl", "{\"text\": \"x\", \"label\": \"a\"}\n{\"text\": 7}\n", "a.jsonl: line 2, field \"text\": must be"),
        ("b.jsonl", "{\"text\": \"x\", \"label\": \"a\"}\n{\n", "b.jsonl: line 2: not JSON"),
        ("c.json", "[\n{\"text\": \"x\"}]", "c.json: line 2, field \"true_labels\": missing"),
        (
            "d.csv",
            "body,label\nx,a\n",
            "d.csv: line 1, field \"text\": no such column; there are [\"body\", \"label\"]",
        ),
        ("e.tsv", "text\tlabel\nx\n", "e.tsv: line 2: 1 columns where the header has 2"),
        ("f.txt", "__label__a x\nno label\n", "f.txt: line 2: no label"),
        ("g.txt", "prose", "g.txt: cannot tell the form"),
        ("h.jsonl", "", "h.jsonl: no records"),
    ] {
        sandbox.write(name, contents);
        sandbox.gliclass(["eval", name]).run().ends_with(2).says(&[message]);
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused_by_line() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", b"text,label\nx,a\n\xff,b\n");
    sandbox.gliclass(["eval", "d.csv"]).run().ends_with(2).says(&["d.csv: line 3: not UTF-8"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    Sandbox::new().gliclass(["eval", "none.jsonl"]).run().ends_with(2).says(&["none.jsonl: there is no such file in "]);
}

#[test]
fn standard_input_is_read_and_named() {
    let sandbox = Sandbox::new();
    let finished = sandbox.gliclass(["eval", "-"]).input("{\"text\": 7}\n");
    finished.run().ends_with(2).says(&["standard input: line 1, field \"text\": must be a string, found a number"]);
}

#[test]
fn a_true_label_outside_the_candidates_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", "text,label\nx,a\ny,c\n");
    let finished = sandbox.gliclass(["eval", "d.csv", "--labels", "a,b"]);
    finished.run().ends_with(2).says(&["d.csv: line 3, field \"label\": \"c\" is not among the 2 candidate labels"]);
}

#[test]
fn numbers_for_labels_need_names() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", "text,label\nx,0\ny,1\n");
    sandbox
        .gliclass(["eval", "d.csv"])
        .run()
        .ends_with(2)
        .says(&["d.csv: the labels are numbers: name them with --labels"]);
}

#[test]
fn a_minimum_outside_zero_to_one_is_wrong_usage() {
    let sandbox = Sandbox::new();
    for value in ["1.5", "-0.1", "NaN", "high"] {
        let finished = sandbox.gliclass(["eval", "d.csv", &format!("--min-macro-f1={value}")]);
        finished.run().ends_with(2).says(&["--min-macro-f1", "give a number from 0 to 1"]);
    }
}

#[test]
fn predictions_that_cannot_be_written_are_refused_before_any_work() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", "text,label\nx,a\n");
    let finished = sandbox.gliclass(["eval", "d.csv", "--predictions", "none/p.jsonl"]);
    finished.run().ends_with(2).says(&["none/p.jsonl: the folder none does not exist"]);
}

#[test]
fn predictions_replace_nothing_before_there_is_a_model_and_never_the_data() {
    let sandbox = Sandbox::new();
    for (name, content) in [("d.csv", "text,label\nx,a\n"), ("p.jsonl", "precious\n")] {
        sandbox.write(name, content);
        let arguments = ["eval", "d.csv", "--predictions", name, "-m", "./nowhere"];
        let outcome = sandbox.gliclass(arguments).run().ends_with(2);
        assert_eq!(sandbox.read(name), content);
        assert_eq!(outcome.stderr.contains("is also an input"), name == "d.csv", "{}", outcome.stderr);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_written_over_the_file_that_the_figures_go_to() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", "text,label\nx,a\n");
    sandbox.write("all.txt", "precious\n");
    for (option, name) in [("--predictions", "/dev/stdout"), ("--html", "./all.txt"), ("--fit", "/dev/fd/1")] {
        let outcome = sandbox.gliclass(["eval", "d.csv", option, name]).under("exec >> all.txt").run().ends_with(2);
        outcome.says(&[&format!("{option} {name}: is standard output, where the figures go: name another file")]);
        assert_eq!(sandbox.read("all.txt"), "precious\n");
    }
}

#[cfg(feature = "builtin")]
const TOPICS: &str = "text,label\nThe striker scored twice in the final.,sport\nHeavy rain and wind all day.,weather\n";

#[cfg(feature = "builtin")]
#[test]
fn figures_go_to_standard_output_and_the_form_to_standard_error() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", TOPICS);
    let finished = sandbox.gliclass(["eval", "d.csv", "--single-label"]).run().ends_with(0);
    let finished = finished.says(&["read 2 records as CSV, true labels from \"label\"; 2 labels"]);
    let headings: Vec<&str> =
        finished.stdout.lines().filter_map(|line| line.split("  ").find(|s| !s.is_empty())).collect();
    assert_eq!(headings[0], "records: 2");
    for heading in ["sport", "weather", "accuracy", "macro avg", "weighted avg"] {
        assert!(headings.iter().any(|found| found.trim() == heading), "{heading} is not in {headings:?}");
    }
}

#[cfg(feature = "builtin")]
#[test]
fn a_figure_below_its_minimum_exits_1_after_the_report() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", TOPICS);
    // Above every score: nothing is predicted, every figure is 0.
    let arguments = ["eval", "d.csv", "--threshold", "1", "--min-macro-f1", "0.5", "--report", "json", "--quiet"];
    let finished = sandbox.gliclass(arguments).run().ends_with(1);
    let report = finished.json();
    assert_eq!((&report["records"], &report["macro_average"]["f1"]), (&2.into(), &0.0.into()));
    assert_eq!(finished.stderr, "error: macro F1 is 0, below the minimum 0.5 of --min-macro-f1\n");
}

#[cfg(feature = "builtin")]
#[test]
fn predictions_are_written_a_line_a_record_in_order() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", TOPICS);
    sandbox.gliclass(["eval", "d.csv", "--all-scores", "--predictions", "p.jsonl"]).run().ends_with(0);
    let lines = sandbox.read("p.jsonl");
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["label"], "weather");
    assert_eq!(records[1]["true_labels"], json!(["weather"]));
    assert_eq!(records[1]["predictions"].as_array().map(Vec::len), Some(2));
    sandbox.gliclass(["eval", "d.csv", "--all-scores", "--predictions", "p.jsonl.gz"]).run().ends_with(0);
    assert!(std::fs::read(sandbox.path("p.jsonl.gz")).unwrap().starts_with(&[0x1f, 0x8b]), "not packed");
}

/// Ready predictions with all scores: `right` records of ten say what is true.
fn ready(right: usize) -> String {
    let line = |record: usize| {
        let truth = ["a", "b"][record % 2];
        let score = if record < right { 0.9 - record as f64 / 100.0 } else { 0.4 - record as f64 / 100.0 };
        let (a, b) = if truth == "a" { (score, 1.0 - score) } else { (1.0 - score, score) };
        format!(
            r#"{{"text": "text {record}", "label": "{truth}", "predictions": [{{"label": "a", "score": {a}}}, {{"label": "b", "score": {b}}}]}}"#
        ) + "\n"
    };
    (0..10).map(line).collect()
}

#[test]
fn ready_predictions_are_judged_without_a_model_whatever_their_order() {
    let sandbox = Sandbox::new();
    let lines = ready(7);
    let (even, odd): (Vec<_>, Vec<_>) = lines.lines().enumerate().partition(|(place, _)| place % 2 == 0);
    for (name, shard) in [("0.jsonl", even), ("1.jsonl", odd)] {
        sandbox.write(name, shard.iter().map(|(_, line)| format!("{line}\n")).collect::<String>());
    }
    sandbox.write("all.jsonl", &lines);
    let judge = |files: &[&str]| {
        let mut arguments = vec!["eval", "--single-label", "--report", "json", "--predictions-from"];
        arguments.extend(files);
        let elsewhere = sandbox.gliclass(arguments).env("GLICLASS_MODEL", "none/there");
        let mut report = elsewhere.run().ends_with(0).json();
        // In another order sums have other last bits, and other records are drawn.
        let follows_order = ["log_loss", "brier_score", "calibration", "intervals"];
        report.as_object_mut().unwrap().retain(|name, _| !follows_order.contains(&name.as_str()));
        report
    };
    let report = judge(&["all.jsonl"]);
    assert_eq!((&report["accuracy"], &report["records"]), (&0.7.into(), &10.into()));
    assert_eq!(judge(&["0.jsonl", "1.jsonl"]), report);
}

#[test]
fn options_of_a_model_are_refused_where_none_is_asked() {
    let sandbox = Sandbox::new();
    sandbox.write("all.jsonl", ready(7));
    for (option, value) in [("--model", "builtin"), ("--device", "cpu"), ("--dtype", "f32"), ("--rac-examples", "r")] {
        let arguments = ["eval", "--predictions-from", "all.jsonl", option, value];
        let left_out = format!("leave {option} out");
        sandbox.gliclass(arguments).run().ends_with(2).says(&["without a model", &left_out]);
    }
}

#[test]
fn fitted_thresholds_decide_and_are_told_where_they_were_fitted() {
    let sandbox = Sandbox::new();
    sandbox.write("p.jsonl", ready(10));
    let fitted = sandbox.gliclass(["eval", "--predictions-from", "p.jsonl", "--fit", "t.json"]).run().ends_with(0);
    let fitted =
        fitted.says(&["warning: thresholds are fitted and judged on the same records", "do no better on unseen"]);
    assert!(fitted.stdout.contains("\nthe file uses one threshold for all, 0.500\n"), "{}", fitted.stdout);
    assert!(fitted.stdout.contains("fitted for f1 on these records; \"unseen\" is 5-fold"), "{}", fitted.stdout);
    let written = |name: &str| serde_json::from_str::<Value>(&sandbox.read(name)).unwrap();
    let thresholds = written("t.json");
    assert_eq!(thresholds["fitted"]["records"], 10);
    for label in ["a", "b"] {
        let threshold = thresholds["labels"][label].as_f64().unwrap();
        assert!(threshold > 0.0 && threshold < 1.0, "{thresholds}");
    }
    assert!(thresholds["use"].is_string(), "{thresholds}");
    let arguments = ["eval", "--predictions-from", "p.jsonl", "--single-label", "--fit", "single.json"];
    sandbox.gliclass(arguments).run().ends_with(0);
    let single = written("single.json");
    assert!(single.get("use").is_none() && single.get("labels").is_none(), "{single}");
    let arguments = ["eval", "--predictions-from", "p.jsonl", "--single-label", "--thresholds", "single.json"];
    sandbox.gliclass(arguments).run().ends_with(0);
    let seen = ["eval", "--predictions-from", "p.jsonl", "--thresholds", "t.json"];
    sandbox.gliclass(seen).run().ends_with(0).says(&["the thresholds were fitted on these very records"]);
    let others = sandbox.read("p.jsonl").replace("text ", "other ");
    sandbox.write("o.jsonl", others);
    let unseen =
        sandbox.gliclass(["eval", "--predictions-from", "o.jsonl", "--thresholds", "t.json"]).run().ends_with(0);
    assert!(!unseen.stderr.contains("these very records"), "{}", unseen.stderr);
}

#[test]
fn a_temperature_that_scores_may_have_already_is_told_unless_their_logits_are_there() {
    let sandbox = Sandbox::new();
    let line = |logits: bool| {
        let one = |label: &str, score: f64, logit: f64| match logits {
            true => json!({ "label": label, "score": score, "logit": logit }),
            false => json!({ "label": label, "score": score }),
        };
        let predictions = [one("a", 0.9, 3.0), one("b", 0.2, -2.0)];
        json!({ "text": "x", "label": "a", "predictions": predictions }).to_string()
    };
    sandbox.write("scores.jsonl", line(false));
    sandbox.write("logits.jsonl", line(true));
    for (temperature, file, is_told) in
        [("0.5", "scores.jsonl", true), ("0.5", "logits.jsonl", false), ("1", "scores.jsonl", false)]
    {
        sandbox.write("t.json", format!(r#"{{"temperature": {temperature}, "labels": {{"a": 0.5, "b": 0.5}}}}"#));
        let arguments = ["eval", "--predictions-from", file, "--thresholds", "t.json"];
        let said = sandbox.gliclass(arguments).run().ends_with(0).stderr;
        let warning = format!("warning: {file}: the temperature of --thresholds is applied to the scores");
        assert_eq!(said.contains(&warning), is_told, "{said}");
    }
}

#[test]
fn figures_under_unseen_are_not_told_of_where_there_are_none() {
    let sandbox = Sandbox::new();
    sandbox.write("p.jsonl", ready(10).lines().next().unwrap());
    let fitted = sandbox.gliclass(["eval", "--predictions-from", "p.jsonl", "--fit", "t.json", "--html", "r.html"]);
    let outcome = fitted.run().ends_with(0).says(&["on a single record: that says nothing about others"]);
    let page = sandbox.read("r.html");
    assert!(!(outcome.stdout + &outcome.stderr + &page).contains("unseen"), "{page}");
}

#[test]
fn what_a_table_of_labels_has_no_place_for_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("p.jsonl", ready(9));
    let judge = ["eval", "--predictions-from", "p.jsonl", "--single-label", "--report"];
    for more in [["--compare", "p.jsonl"], ["--fit", "t.json"], ["--errors", "2"]] {
        let csv = judge.iter().chain(&["csv"]).chain(&more);
        sandbox.gliclass(csv.clone()).run().ends_with(2).says(&["--report csv", more[0], "markdown", "--html"]);
        sandbox.gliclass(csv.chain(&["--html", "r.html"])).run().ends_with(0);
        let markdown = sandbox.gliclass(judge.iter().chain(&["markdown"]).chain(&more)).run().ends_with(0).stdout;
        assert!(markdown.contains("\n### "), "{markdown}");
    }
}

#[test]
fn a_label_without_a_fitted_threshold_is_refused_before_any_work() {
    let sandbox = Sandbox::new();
    sandbox.write("t.json", r#"{"labels": {"a": 0.3}}"#);
    for command in [&["classify", "text"][..], &["batch"]] {
        let arguments = command.iter().chain(&["--labels", "a,b", "--thresholds", "t.json", "--model", "./none"]);
        sandbox.gliclass(arguments).run().ends_with(2).says(&["label \"b\" is not in the file of --thresholds"]);
    }
}

#[test]
fn files_that_hold_no_usable_thresholds_are_refused() {
    let sandbox = Sandbox::new();
    for (content, message) in [
        ("", "t.json: not a file of thresholds, as `eval --fit` writes them: EOF"),
        (r#"{"labels": {"a": 1.5}}"#, "t.json: the threshold of \"a\" is 1.5: it must be from 0 to 1"),
        (r#"{"temperature": 0}"#, "t.json: the temperature is 0: it must be above 0"),
        (r#"{"use": "all"}"#, "t.json: \"use\" is \"all\", and there is no \"threshold\""),
        (r#"{"threshhold": 0.5}"#, "unknown field `threshhold`"),
        (r#"{"single_label": true}"#, "t.json: fitted with --single-label: add it"),
    ] {
        sandbox.write("t.json", content);
        let arguments = ["classify", "text", "--labels", "a", "--thresholds", "t.json"];
        sandbox.gliclass(arguments).run().ends_with(2).says(&[message]);
    }
}

#[test]
fn a_file_of_json_lines_is_not_named_like_another_form() {
    let sandbox = Sandbox::new();
    sandbox.write("d.jsonl", "{\"text\": \"x\", \"label\": \"a\"}\n");
    for arguments in
        [&["eval", "d.jsonl", "--predictions", "p.csv"][..], &["embed", "d.jsonl", "-l", "a", "-o", "p.tsv.gz"]]
    {
        sandbox.gliclass(arguments).run().ends_with(2).says(&["ends like", "JSONL", "name another file"]);
    }
}

#[test]
fn two_sets_of_predictions_are_set_side_by_side() {
    let sandbox = Sandbox::new();
    sandbox.write("better.jsonl", ready(9));
    let turned: Vec<String> = ready(4).lines().rev().map(|line| format!("{line}\n")).collect();
    sandbox.write("worse.jsonl", turned.concat());
    let arguments = ["eval", "--predictions-from", "better.jsonl", "--compare", "worse.jsonl", "--single-label"];
    let found = sandbox.gliclass(arguments.into_iter().chain(["--report", "json"])).run().ends_with(0);
    let comparison = found.json()["comparison"].clone();
    assert_eq!(comparison["exactly_right"], json!({ "both": 4, "only_this": 5, "only_other": 0, "neither": 1 }));
    assert_eq!(comparison["mcnemar_p"], 0.0625);
    assert_eq!(comparison["differences"][0]["difference"], 0.5);
    let shown = sandbox.gliclass(arguments).run().ends_with(0);
    assert!(shown.stdout.contains("McNemar's exact test: p = 0.0625"), "{}", shown.stdout);
}

#[test]
fn figures_beside_those_of_several_labels_are_of_the_same_kind() {
    let sandbox = Sandbox::new();
    let line = |record: usize, said: &[&str]| {
        let said: Vec<Value> = said.iter().map(|label| json!({ "label": label, "score": 0.9 })).collect();
        let label = ["a", "a", "a", "b"][record % 4];
        json!({ "text": record.to_string(), "label": label, "predictions": said }).to_string()
    };
    let said = |record: usize| ["a", "a", "b", "b"][record % 4];
    let one: Vec<String> = (0..12).map(|record| line(record, &[said(record)])).collect();
    sandbox.write("one.jsonl", one.join("\n"));
    // The same predictions, but for one record with a label more.
    let several: Vec<String> = one.iter().skip(1).cloned().chain([line(0, &["a", "c"])]).collect();
    sandbox.write("several.jsonl", several.join("\n"));
    let judge = |arguments: &[&str]| {
        let arguments = ["eval", "--labels", "a,b,c", "--predictions-from"].iter().chain(arguments);
        sandbox.gliclass(arguments.chain(&["--bootstrap", "0", "--report", "json"])).run().ends_with(0)
    };
    let figure = |figures: &Value, value: &str| {
        let kappa = figures.as_array().unwrap().iter().find(|one| one["figure"] == "cohen_kappa").unwrap();
        kappa[value].as_f64().unwrap()
    };
    let beside = judge(&["one.jsonl", "--single-label", "--compare", "several.jsonl"]);
    let beside = beside.says(&["warning: several.jsonl: --single-label, but 1 of 12 records have no or several true"]);
    let comparison = &beside.json()["comparison"];
    assert_eq!(comparison["task"], "multi_label", "{comparison}");
    for (value, file) in [("this", "one.jsonl"), ("other", "several.jsonl")] {
        let alone = figure(&judge(&[file]).json()["intervals"], "value");
        assert!((figure(&comparison["differences"], value) - alone).abs() < 1e-9, "{value}: {comparison}");
    }
    let text = ["eval", "--labels", "a,b,c", "--predictions-from", "one.jsonl", "--single-label", "--compare"];
    let text = sandbox.gliclass(text.into_iter().chain(["several.jsonl"])).run().ends_with(0).stdout;
    assert!(
        text.contains("\ncompared over the 3 labels of both, with any number of labels per record: so this"),
        "{text}"
    );
}

#[test]
fn records_without_the_one_label_are_told_and_how_all_are_judged() {
    let sandbox = Sandbox::new();
    let lines = ["[]", "[\"a\"]", "[\"a\", \"b\"]"].map(|truth| {
        format!("{{\"text\": \"x\", \"label\": {truth}, \"predictions\": [{{\"label\": \"a\", \"score\": 0.9}}]}}\n")
    });
    sandbox.write("p.jsonl", lines.concat());
    let judge = ["eval", "--predictions-from", "p.jsonl"];
    let how = "2 of 3 records have no or several true labels, or several that were said: judged with any number of \
               labels per record";
    for layout in ["text", "markdown"] {
        let arguments = judge.into_iter().chain(["--single-label", "--report", layout]);
        let outcome = sandbox.gliclass(arguments).run().ends_with(0).says(&["warning: p.jsonl: --single-label, but 2"]);
        assert!(outcome.stdout.contains(how), "{}", outcome.stdout);
        assert_eq!(outcome.stderr.matches("--single-label").count(), 1, "{}", outcome.stderr);
    }
    let asked = sandbox.gliclass(judge.iter().chain(&["--single-label", "--report", "json"])).run().ends_with(0);
    assert_eq!(asked.json()["not_one_label"], 2);
    let not_asked = sandbox.gliclass(judge).run().ends_with(0);
    assert!(!(not_asked.stdout + &not_asked.stderr).contains("no or several"));
}

#[test]
fn texts_that_occur_twice_are_compared_in_another_order_by_what_is_true_of_them() {
    let sandbox = Sandbox::new();
    let line = |(text, label): (&str, &str)| {
        json!({ "text": text, "label": label, "predictions": [{ "label": "a", "score": 0.9 }] }).to_string()
    };
    let lines = [("ok", "a"), ("ok", "b"), ("z", "b")].map(line);
    sandbox.write("one.jsonl", lines.join("\n"));
    sandbox.write("turned.jsonl", [&*lines[2], &lines[1], &lines[0]].join("\n"));
    let arguments = ["eval", "--predictions-from", "one.jsonl", "--compare", "turned.jsonl", "--report", "json"];
    let right = sandbox.gliclass(arguments).run().ends_with(0).json()["comparison"]["exactly_right"].clone();
    assert_eq!(right, json!({ "both": 1, "only_this": 0, "only_other": 0, "neither": 2 }));
}

#[test]
fn predictions_of_other_records_are_not_compared() {
    let sandbox = Sandbox::new();
    sandbox.write("a.jsonl", ready(9));
    sandbox.write("b.jsonl", ready(9).replace("text 3", "text 33"));
    sandbox.write("c.jsonl", ready(9).replacen("\"label\": \"a\"", "\"label\": \"b\"", 1));
    for (other, message) in [
        ("b.jsonl", "cannot compare with b.jsonl: other records: 1 of 10 are not there"),
        ("c.jsonl", "cannot compare with c.jsonl: other labels are true there of line 1 (text 0)"),
    ] {
        let arguments = ["eval", "--predictions-from", "a.jsonl", "--compare", other];
        sandbox.gliclass(arguments).run().ends_with(2).says(&[message]);
    }
}

#[test]
fn options_that_need_all_scores_say_so() {
    let sandbox = Sandbox::new();
    sandbox.write("p.jsonl", "{\"text\": \"x\", \"label\": \"a\", \"predictions\": []}\n");
    for option in [["--threshold", "0.3"], ["--abstain-below", "0.3"], ["--fit", "t.json"]] {
        let arguments = ["eval", "--predictions-from", "p.jsonl"].into_iter().chain(option);
        sandbox.gliclass(arguments).run().ends_with(2).says(&["--all-scores"]);
    }
    let scored = "{\"text\": \"x\", \"label\": \"a\", \"predictions\": [{\"label\": \"a\", \"score\": 0.9}]}\n";
    sandbox.write("scored.jsonl", scored);
    let compared = ["eval", "--predictions-from", "scored.jsonl", "--compare", "p.jsonl", "--threshold", "0.3"];
    sandbox.gliclass(compared).run().ends_with(2).says(&["p.jsonl: --threshold needs", "--all-scores"]);
    sandbox.gliclass(["eval", "--predictions-from", "p.jsonl"]).run().ends_with(0);
}

#[test]
fn errors_are_shown_by_label_with_their_line() {
    let sandbox = Sandbox::new();
    sandbox.write("p.jsonl", ready(9));
    let arguments = ["eval", "--predictions-from", "p.jsonl", "--single-label", "--errors", "2"];
    let shown = sandbox.gliclass(arguments).run().ends_with(0).stdout;
    assert!(shown.contains("  a\n    0.690  said, true: b (line 10)\n           text 9\n"), "{shown}");
}

#[cfg(feature = "builtin")]
#[test]
fn an_output_of_batch_is_judged_as_eval_judges_the_records() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", TOPICS);
    let lines = "{\"text\": \"The striker scored twice in the final.\", \"label\": \"sport\"}\n\
                 {\"text\": \"Heavy rain and wind all day.\", \"label\": \"weather\"}\n";
    sandbox.write("d.jsonl", lines);
    let columns = "text,weather,sport\nThe striker scored twice in the final.,0,1\nHeavy rain and wind all day.,1,0\n";
    sandbox.write("columns.csv", columns);
    let labels = ["--labels", "sport,weather", "--single-label"];
    let figures = |arguments: &[&str]| {
        let arguments = ["eval", "--report", "json"].iter().chain(arguments).chain(&labels);
        let mut report = sandbox.gliclass(arguments).run().ends_with(0).json();
        report.as_object_mut().unwrap().retain(|name, _| name != "bootstrap");
        report
    };
    for (data, output) in [("d.jsonl", "p.jsonl"), ("d.csv", "p.csv"), ("columns.csv", "c.csv")] {
        let arguments = ["batch", data, "-o", output, "--all-scores"];
        sandbox.gliclass(arguments.iter().chain(&labels)).run().ends_with(0);
        assert_eq!(figures(&["--predictions-from", output]), figures(&[data]), "{output}");
    }
}

#[cfg(feature = "builtin")]
#[test]
fn shuffled_labels_are_asked_again_and_changes_are_counted() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", TOPICS);
    let arguments = ["eval", "d.csv", "--label-order-trials", "2", "--report", "json"];
    let report = sandbox.gliclass(arguments).run().ends_with(0).json();
    assert_eq!(
        (&report["label_order"]["trials"], report["label_order"]["changed"].as_array().unwrap().len()),
        (&2.into(), 2)
    );
}

#[cfg(feature = "builtin")]
#[test]
fn a_label_in_several_wordings_is_one_label() {
    let sandbox = Sandbox::new();
    sandbox.write("w.json", r#"{"sport": ["football", "a sports match"], "weather": "weather"}"#);
    let arguments = ["classify", "The striker scored twice.", "--labels-file", "w.json", "--wordings", "--all-scores"];
    let worded = sandbox.gliclass(arguments).run().ends_with(0).json();
    let mut labels: Vec<&str> =
        worded["predictions"].as_array().unwrap().iter().map(|one| one["label"].as_str().unwrap()).collect();
    labels.sort_unstable();
    assert_eq!(labels, ["sport", "weather"]);
}

#[test]
fn a_perfect_classifier_of_rare_labels_has_a_figure_and_no_interval() {
    let sandbox = Sandbox::new();
    let line = |number: usize| {
        let label = format!("label {number}");
        let line = json!({ "text": "x", "label": label, "predictions": [{ "label": label, "score": 1.0 }] });
        line.to_string()
    };
    sandbox.write("perfect.jsonl", (0..20).map(line).collect::<Vec<_>>().join("\n"));
    let arguments = ["eval", "--predictions-from", "perfect.jsonl", "--report", "json", "-q"];
    let report = sandbox.gliclass(arguments).run().ends_with(0).json();
    let intervals = report["intervals"].as_array().unwrap();
    let macro_f1 = intervals.iter().find(|one| one["figure"] == "macro_f1").unwrap();
    // Were labels that a round leaves out missed ones, rounds would differ.
    assert_eq!((&macro_f1["value"], macro_f1.get("low")), (&json!(1.0), None), "{report}");
    let shown = sandbox.gliclass(["eval", "--predictions-from", "perfect.jsonl", "-q"]).run().ends_with(0).stdout;
    assert!(
        shown.contains("seed 0; no interval where all gave the same value") && !shown.contains("1.000 to"),
        "{shown}"
    );
}

#[test]
fn a_file_that_is_parquet_only_by_its_name_is_said_to_be_none() {
    let sandbox = Sandbox::new();
    for content in [&b"{\"text\": \"x\", \"label\": \"a\"}\n"[..], b"ab\xff", b""] {
        sandbox.write("d.parquet", content);
        for arguments in [&["eval", "d.parquet"][..], &["eval", "--predictions-from", "d.parquet"]] {
            sandbox.gliclass(arguments).run().ends_with(2).says(&["d.parquet: is not a Parquet file"]);
        }
        #[cfg(feature = "parquet")]
        {
            let batch = sandbox.gliclass(["batch", "d.parquet", "-l", "a", "-o", "o.parquet"]);
            batch.run().ends_with(2).says(&["d.parquet: is not a Parquet file"]);
        }
    }
}

#[test]
fn nothing_is_written_over_what_is_read_or_written_otherwise() {
    let sandbox = Sandbox::new();
    let line = "{\"text\": \"x\", \"label\": \"a\", \"predictions\": [{\"label\": \"a\", \"score\": 1.0}]}\n";
    sandbox.write("a.jsonl", line);
    sandbox.write("labels.txt", "a\n");
    sandbox.write("t.json", "{}");
    for arguments in [
        &["--html", "a.jsonl"][..],
        &["--fit", "./a.jsonl"],
        &["--html", "b", "--fit", "./b"],
        &["--labels-file", "labels.txt", "--html", "./labels.txt"],
        &["--thresholds", "t.json", "--html", "t.json"],
    ] {
        let arguments = ["eval", "--predictions-from", "a.jsonl"].iter().chain(arguments);
        sandbox.gliclass(arguments).run().ends_with(2).says(&["name another file"]);
    }
    for command in ["batch", "embed"] {
        let arguments = [command, "a.jsonl", "--labels-file", "labels.txt", "-o", "labels.txt", "--force"];
        sandbox.gliclass(arguments).run().ends_with(2).says(&["name another file"]);
    }
    assert_eq!(sandbox.read("a.jsonl"), line);
    assert_eq!(sandbox.read("labels.txt"), "a\n");
    assert_eq!(sandbox.read("t.json"), "{}");
}

#[test]
fn a_file_that_nothing_was_written_to_is_not_left_behind_and_one_that_was_there_stays() {
    let sandbox = Sandbox::new();
    sandbox.write("p.jsonl", "{\"text\": \"x\", \"label\": \"a\", \"predictions\": []}\n");
    sandbox.write("old.json", "old");
    for file in ["new.json", "old.json"] {
        let arguments = ["eval", "--predictions-from", "p.jsonl", "--fit", file, "--html", "new.html"];
        sandbox.gliclass(arguments).run().ends_with(2).says(&["--all-scores"]);
    }
    assert!(!sandbox.path("new.json").exists() && !sandbox.path("new.html").exists());
    assert_eq!(sandbox.read("old.json"), "old");
    for option in ["--fit", "--html"] {
        let arguments = ["eval", "--predictions-from", "p.jsonl", option, "-"];
        sandbox.gliclass(arguments).run().ends_with(2).says(&["name a file"]);
    }
}

#[test]
fn a_goal_that_makes_no_sense_is_refused_before_the_model_is_looked_for() {
    let sandbox = Sandbox::new();
    sandbox.write("d.jsonl", r#"{"text": "x", "all_labels": ["a", "b"], "true_labels": ["a", "b"]}"#);
    for (goal, message) in [("recall=0.9", "give precision=P"), ("f1", "leave out --single-label")] {
        let arguments = ["eval", "d.jsonl", "--single-label", "--fit", "t.json", "--fit-for", goal, "-m", "./nothing"];
        sandbox.gliclass(arguments).run().ends_with(2).says(&[message]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_page_may_go_to_a_pipe() {
    let sandbox = Sandbox::new();
    sandbox.write("p.jsonl", ready(9));
    let arguments = ["eval", "--predictions-from", "p.jsonl", "--single-label", "--html", "/dev/stdout"];
    let outcome = sandbox.gliclass(arguments).run().ends_with(0);
    assert!(outcome.stdout.contains("<html") && outcome.stdout.contains("accuracy"), "{}", outcome.stdout);
}

#[test]
fn a_minimum_is_not_reached_because_nobody_reads_the_figures() {
    let labelled = "{\"text\": \"x\", \"label\": \"a\"}\n{\"text\": \"y\", \"label\": \"b\"}\n";
    for (arguments, input) in [
        (&["--predictions-from", "-"][..], ready(4)),
        // Above every score: nothing is predicted, every figure is 0.
        (&["-", "--model", MODEL, "--threshold", "1", "--predictions", "-"], labelled.to_owned()),
    ] {
        for (minimum, code) in [("0", 0), ("0.9", 1)] {
            let sandbox = Sandbox::new();
            let minimum = ["--min-macro-f1", minimum];
            let mut running = sandbox.gliclass(["eval"].iter().chain(arguments).chain(&minimum)).start();
            drop(running.output());
            running.send(input.as_bytes());
            assert_eq!(running.code(true), Some(code), "{minimum:?}");
        }
    }
}

#[test]
fn predictions_on_standard_output_are_alone_there() {
    let sandbox = Sandbox::new();
    let labelled = "{\"text\": \"x\", \"label\": \"a\"}\n{\"text\": \"y\", \"label\": \"b\"}\n";
    let arguments = ["eval", "-", "--model", MODEL, "--predictions", "-", "-q"];
    let outcome = sandbox.gliclass(arguments).input(labelled).run().ends_with(0).says(&["macro avg"]);
    let has_predictions = |line: &str| line.starts_with('{') && line.contains("\"predictions\":[");
    assert!(outcome.stdout.lines().count() == 2 && outcome.stdout.lines().all(has_predictions), "{}", outcome.stdout);
}

#[test]
#[cfg(target_os = "linux")]
fn no_bar_is_drawn_over_predictions_on_a_terminal() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", "text,label\nOne,a\nTwo,b\n");
    let shown = |predictions| {
        let arguments = ["eval", "d.csv", "--model", MODEL, "--predictions", predictions];
        sandbox.gliclass(arguments).on_a_terminal().run().ends_with(0).stdout
    };
    assert!(shown("p.jsonl").contains("\u{1b}[2K"));
    assert!(!shown("-").contains("\u{1b}["));
}

#[test]
fn records_that_failed_are_told_and_end_with_one() {
    let sandbox = Sandbox::new();
    sandbox.write("p.jsonl", ready(10) + "{\"text\": \"y\", \"label\": \"a\", \"error\": \"too long\"}\n");
    let arguments = ["eval", "--predictions-from", "p.jsonl", "--single-label", "--min-accuracy", "0.9", "-q"];
    let outcome = sandbox.gliclass(arguments).run().ends_with(1).says(&["error: p.jsonl: 1 record"]);
    assert!(outcome.stdout.contains("records: 10"), "{}", outcome.stdout);
}

#[test]
fn a_file_of_predictions_is_counted_once() {
    let sandbox = Sandbox::new();
    sandbox.write("p.jsonl", ready(9));
    sandbox.write("q.jsonl", ready(9));
    let judge = |more: &[&str]| {
        let arguments = ["eval", "--single-label", "--bootstrap", "0", "--predictions-from", "p.jsonl", "q.jsonl"];
        sandbox.gliclass(arguments.iter().chain(more)).run()
    };
    for name in ["p.jsonl", "./p.jsonl"] {
        let said = format!(
            "--predictions-from {name}: is also given as p.jsonl, and its records would count twice: give it once"
        );
        judge(&[name]).ends_with(2).says(&[&said]);
    }
    judge(&["--compare", "q.jsonl", "q.jsonl"]).ends_with(2).says(&["--compare q.jsonl: is also given as q.jsonl"]);
    let outcome = judge(&["--compare", "p.jsonl", "q.jsonl"]).ends_with(0);
    assert!(outcome.stdout.contains("records: 20"), "{}", outcome.stdout);
}

#[test]
fn without_rounds_there_are_no_intervals() {
    let sandbox = Sandbox::new();
    sandbox.write("better.jsonl", ready(9));
    sandbox.write("worse.jsonl", ready(4));
    let arguments = ["eval", "--predictions-from", "better.jsonl", "--compare", "worse.jsonl", "--single-label"];
    let without = arguments.into_iter().chain(["--bootstrap", "0"]);
    let report = sandbox.gliclass(without.clone().chain(["--report", "json"])).run().ends_with(0).json();
    let both = [&report["intervals"][0], &report["comparison"]["differences"][0]];
    assert!(
        both.iter().all(|one| one.is_object() && one.get("low").is_none() && one.get("high").is_none()),
        "{report}"
    );
    let shown = sandbox.gliclass(without).run().ends_with(0).stdout;
    assert!(!shown.contains("95 %") && !shown.contains("is better"), "{shown}");
}

#[test]
#[cfg(target_os = "linux")]
fn figures_take_no_more_threads_than_they_are_given() {
    let sandbox = Sandbox::new();
    sandbox.write("p.jsonl", ready(8).repeat(500));
    let mut eval =
        sandbox.gliclass(["eval", "--predictions-from", "p.jsonl", "--threads", "1", "--bootstrap", "1000000"]).start();
    let tasks = eval.tasks();
    let running = || std::fs::read_dir(&tasks).map_or(0, Iterator::count);
    eval.wait_until(|| running() > 1);
    // Threads of a pool are started one right behind the other.
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(!eval.has_ended());
    assert_eq!(running(), 2, "one computes, and one waits for it");
}
