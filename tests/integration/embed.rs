//! The vectors of `gliclass embed`, on small checkpoints with recorded answers.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{MODEL, Outcome, Sandbox, fixture, gunzip, gzip};

fn embed(model: &str, input: &str, more: &[&str]) -> Outcome {
    let folder = fixture(model).display().to_string();
    let arguments = ["embed", "-q", "-m", &folder];
    Sandbox::new().gliclass(arguments.iter().chain(more)).input(input).run()
}

fn assert_near(found: &Value, expected: &Value, what: &str) {
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{what}");
            found.iter().zip(expected).for_each(|(found, expected)| assert_near(found, expected, what));
        }
        _ => {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            assert!((found - expected).abs() <= 1e-4 + 1e-4 * expected.abs(), "{what}: {found} {expected}");
        }
    }
}

#[test]
fn vectors_are_those_of_the_reference() {
    let cases: Value = serde_json::from_slice(&fs::read(fixture("embeddings.json")).unwrap()).unwrap();
    for case in cases.as_array().unwrap() {
        let model = case["checkpoint"].as_str().unwrap();
        let record = json!({"id": 7, "text": case["text"], "labels": case["labels"]}).to_string();
        let answer = embed(model, &record, &[]).ends_with(0).json();
        assert_eq!(answer["id"], 7);
        assert_near(&answer["text_embedding"], &case["text_embedding"], model);
        let labels = case["labels"].as_array().unwrap();
        assert_eq!(answer["class_embeddings"].as_object().unwrap().len(), labels.len());
        for (label, expected) in labels.iter().zip(case["class_embeddings"].as_array().unwrap()) {
            assert_near(&answer["class_embeddings"][label.as_str().unwrap()], expected, model);
        }
    }
}

#[test]
fn a_bad_record_keeps_its_place_and_a_record_has_no_pieces() {
    let lines = "{\"text\": \"one\"}\n{\"text\": 1}\n{\"text\": \"two\"}\n";
    let outcome = embed("uni-electra", lines, &["-l", "a,b"]).ends_with(1);
    let fields = outcome.json_lines();
    assert!(fields[1]["error"].is_string() && fields[2]["text_embedding"].is_array());
    outcome.says(&["error: 1 record failed: standard input:2: field \"text\": "]);
    embed("uni-electra", lines, &["-l", "a", "--on-overflow", "chunk"]).ends_with(2).says(&["one vector"]);
}

#[test]
fn only_what_can_be_asked_is_in_the_help_and_in_messages() {
    let sandbox = Sandbox::new();
    let help = sandbox.gliclass(["embed", "--help"]).run().ends_with(0).stdout;
    assert!(help.contains("--on-overflow") && help.contains("--rac-examples"), "{help}");
    for refused in ["--wordings", "--rac-retrieve", "--chunk-overlap", "--labels-chunk-size", "chunk:"] {
        assert!(!help.contains(refused), "{refused}\n{help}");
    }
    sandbox.write("out.jsonl", "precious\n");
    let arguments = ["embed", "-l", "a", "-o", "out.jsonl"];
    let outcome = sandbox.gliclass(arguments).input("{\"text\": \"a\"}\n").run().ends_with(2);
    assert!(!outcome.says(&["already exists: --force"]).stderr.contains("--resume"));
}

#[test]
fn a_text_that_does_not_fit_is_an_error_where_that_is_wanted() {
    let lines = format!("{}\n{}\n", json!({"text": "short"}), json!({"text": "long ".repeat(99)}));
    let more = ["-l", "a", "--max-length", "24", "--on-overflow", "error"];
    let fields = embed("uni-electra", &lines, &more).ends_with(1).json_lines();
    assert!(fields[0]["text_embedding"].is_array());
    assert!(fields[1]["error"].as_str().is_some_and(|error| error.contains("do not fit in 24 tokens")), "{fields:?}");
}

#[test]
fn records_before_an_input_that_breaks_off_are_in_a_packed_output() {
    let sandbox = Sandbox::new();
    let mut packed = gzip("{\"text\": \"one\"}\n");
    packed.extend_from_within(..12);
    sandbox.write("broken.jsonl.gz", packed);
    let arguments = ["embed", "broken.jsonl.gz", "-m", MODEL, "-l", "a", "-o", "out.jsonl.gz"];
    sandbox.gliclass(arguments).run().ends_with(2).says(&["broken.jsonl.gz"]);
    let text = gunzip(&fs::read(sandbox.path("out.jsonl.gz")).unwrap());
    assert!(text.contains("text_embedding"), "{text:?}");
}
