//! `gliclass bench` on a small checkpoint: its figures hold together, whatever they are.

use serde_json::Value;

use crate::harness::{MODEL, Program, Sandbox};

fn bench(sandbox: &Sandbox, more: &[&str]) -> Program {
    let arguments = ["bench", "-q", "-m", MODEL, "-n", "4", "--device", "cpu"];
    sandbox.gliclass(arguments.iter().chain(more))
}

fn positive(report: &Value, path: &str) -> f64 {
    let value = report.pointer(path).and_then(Value::as_f64).unwrap_or_default();
    assert!(value > 0.0, "{path} in {report:#}");
    value
}

#[test]
fn every_figure_is_positive_and_the_parts_are_no_more_than_the_whole() {
    let sandbox = Sandbox::new();
    let report = bench(&sandbox, &["--format", "json"]).run().ends_with(0).json();
    for path in [
        "/load_seconds",
        "/throughput/texts_per_second",
        "/throughput/tokens_per_second",
        "/by_labels/0/texts_per_second",
        "/dense/gflop_per_text",
        "/dense/gflops_one_thread",
        "/dense/gflops_all_threads",
        "/dense/share",
    ] {
        positive(&report, path);
    }
    assert!(positive(&report, "/latency/median_seconds") <= positive(&report, "/latency/p90_seconds"));
    let parts = report["parts"].as_array().unwrap();
    let names: Vec<_> = parts.iter().map(|part| part["name"].as_str().unwrap()).collect();
    for name in ["tokenizing", "dense layers", "attention", "norms and gates", "heads", "rest"] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    let sum: f64 = parts.iter().map(|part| part["seconds"].as_f64().unwrap()).sum();
    let busy = positive(&report, "/busy_seconds");
    assert!(sum <= busy * (1.0 + 1e-9), "{sum} {busy}");
    assert!(busy <= positive(&report, "/throughput/seconds") * positive(&report, "/threads"));
}

#[test]
fn texts_of_a_file_are_repeated_and_the_table_names_its_rows() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", "{\"text\": \"one\"}\n\n{\"text\": \"two\", \"labels\": [\"its own\"]}\n");
    let table = bench(&sandbox, &["--input", "in.jsonl", "--labels-count", "3"]).run().ends_with(0).stdout;
    for words in ["4 texts", "3 labels", "texts/s", "labels: 128", "90th percentile", "matrix rate", "attention"] {
        assert!(table.contains(words), "{words:?} is not in\n{table}");
    }
}

#[test]
fn a_model_beside_the_kernels_has_no_matrix_rate() {
    let sandbox = Sandbox::new();
    let program = bench(&sandbox, &["--format", "json"]).env("GLICLASS_KERNEL", "candle");
    let report = program.run().ends_with(0).json();
    assert!(report["dense"].is_null());
    positive(&report, "/throughput/texts_per_second");
}

#[test]
fn a_file_without_a_text_is_refused_by_name() {
    let sandbox = Sandbox::new();
    sandbox.write("empty.jsonl", "\n");
    bench(&sandbox, &["--input", "empty.jsonl"]).run().ends_with(2).says(&["empty.jsonl", "no text"]);
    sandbox.write("bad.jsonl", "{\"text\": \"one\"}\n{\"text\": 1}\n");
    bench(&sandbox, &["--input", "bad.jsonl"]).run().ends_with(2).says(&["bad.jsonl: line 2", "text"]);
}

#[test]
fn texts_are_read_from_the_field_that_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", "{\"body\": \"one\"}\n");
    bench(&sandbox, &["--input", "in.jsonl"]).run().ends_with(2).says(&["(body): give --text-field NAME"]);
    bench(&sandbox, &["--input", "in.jsonl", "--text-field", "body"]).run().ends_with(0);
    bench(&sandbox, &["--text-field", "body"]).run().ends_with(2).says(&["--input"]);
}
