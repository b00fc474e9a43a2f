//! `gliclass eval`: what it refuses, and how it says so.

use crate::harness::Sandbox;

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
    Sandbox::new().gliclass(["eval", "none.jsonl"]).run().ends_with(2).says(&["none.jsonl: No such file"]);
}

#[test]
fn standard_input_is_read_and_named() {
    let sandbox = Sandbox::new();
    let finished = sandbox.gliclass(["eval", "-"]).input("{\"text\": null}\n");
    finished.run().ends_with(2).says(&["standard input: line 1, field \"text\": must be a string, found null"]);
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
    finished.run().ends_with(2).says(&["none/p.jsonl: No such file"]);
}

#[cfg(feature = "builtin")]
const TOPICS: &str = "text,label\nThe striker scored twice in the final.,sport\nHeavy rain and wind all day.,weather\n";

#[cfg(feature = "builtin")]
#[test]
fn figures_go_to_standard_output_and_the_form_to_standard_error() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", TOPICS);
    let finished = sandbox.gliclass(["eval", "d.csv", "--single-label"]).run().ends_with(0);
    let finished = finished.says(&["read 2 records as CSV; 2 labels"]);
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
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((&report["records"], &report["macro_average"]["f1"]), (&2.into(), &0.0.into()));
    assert_eq!(finished.stderr, "error: macro F1 is 0, below the minimum 0.5 of --min-macro-f1\n");
}

#[cfg(feature = "builtin")]
#[test]
fn predictions_are_written_a_line_a_record_in_order() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", TOPICS);
    sandbox.gliclass(["eval", "d.csv", "--all-scores", "--predictions", "p.jsonl"]).run().ends_with(0);
    let lines = std::fs::read_to_string(sandbox.path("p.jsonl")).unwrap();
    let records: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["true_labels"], serde_json::json!(["weather"]));
    assert_eq!(records[1]["predictions"].as_array().map(Vec::len), Some(2));
}
