//! `--rac-retrieve`: the nearest examples, found by the model itself, and the vectors that are kept of them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{MODEL, Outcome, Sandbox, fixture};

const TEXTS: [&str; 4] = [
    "The match ended two to one after a late goal.",
    "Parliament votes on the new budget, and nobody knows how it will end.",
    "One day I will see the world!",
    "A telescope found water on a distant planet.",
];

fn example(text: &str) -> Value {
    json!({"text": text, "all_labels": ["travel", "sport", "science"], "true_labels": [&text[..1], "sport"]})
}

/// The texts as examples, behind one without a true label, which cannot be written.
fn examples(texts: &[&str]) -> String {
    let useless = json!({"text": "goal", "all_labels": ["sport"], "true_labels": []});
    std::iter::once(useless).chain(texts.iter().map(|text| example(text))).map(|one| format!("{one}\n")).collect()
}

fn queries() -> Vec<String> {
    let more = ["A goal decided the match.", "Rockets fly to the planets.", "short", "I will vote."];
    more.iter().chain(&TEXTS).map(|text| (*text).to_owned()).collect()
}

fn lines(records: impl IntoIterator<Item = Value>) -> String {
    records.into_iter().map(|record| format!("{record}\n")).collect()
}

fn batch(sandbox: &Sandbox, model: &Path, input: &str, more: &[&str]) -> Outcome {
    let model = model.display().to_string();
    let arguments = ["batch", "-m", &model, "-l", "travel,sport,science", "--all-scores", "--logits"];
    sandbox.gliclass(arguments.iter().chain(more)).input(input).run()
}

fn retrieve(sandbox: &Sandbox, model: &Path, input: &str, more: &[&str]) -> Outcome {
    let arguments = ["--rac-examples", "examples.jsonl", "--rac-retrieve"];
    batch(sandbox, model, input, &[&arguments[..], more].concat())
}

fn fields(outcome: Outcome, field: &str) -> Vec<Value> {
    outcome.ends_with(0).json_lines().iter().map(|line| line[field].clone()).collect()
}

/// What `embed` says of the texts; of one with a vector for each token the mean.
fn vectors(sandbox: &Sandbox, model: &Path, texts: &[String]) -> Vec<Vec<f64>> {
    let input = lines(texts.iter().map(|text| json!({ "text": text })));
    let model = model.display().to_string();
    let arguments = ["embed", "-q", "-m", &model, "-l", "travel,sport,science"];
    let found = fields(sandbox.gliclass(arguments).input(input).run(), "text_embedding");
    let mean = |value: Value| match serde_json::from_value::<Vec<Vec<f64>>>(value.clone()) {
        Ok(all) => (0..all[0].len()).map(|column| all.iter().map(|row| row[column]).sum()).collect(),
        Err(_) => serde_json::from_value(value).unwrap(),
    };
    found.into_iter().map(mean).collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

#[test]
fn the_nearest_examples_are_written_as_if_they_were_given_by_hand() {
    for model in ["uni-electra", "uni-modernbert-avg-mlp-tanh", "bi-bert-bert-avg-norm-mlp", "uni-deberta-crossattn"] {
        let (sandbox, model) = (Sandbox::new(), fixture(model));
        sandbox.write("examples.jsonl", examples(&TEXTS));
        let (texts, known) = (queries(), TEXTS.map(str::to_owned));
        let (near, far) = (vectors(&sandbox, &model, &known), vectors(&sandbox, &model, &texts));
        let by_hand = texts.iter().zip(&far).map(|(text, vector)| {
            let mut order: Vec<usize> = (0..TEXTS.len()).collect();
            order.sort_by(|&a, &b| cosine(vector, &near[b]).total_cmp(&cosine(vector, &near[a])));
            json!({"text": text, "rac_examples": [example(TEXTS[order[0]]), example(TEXTS[order[1]])]})
        });
        let expected = fields(batch(&sandbox, &model, &lines(by_hand), &["-q"]), "predictions");
        let input = lines(texts.iter().map(|text| json!({ "text": text })));
        assert_eq!(fields(retrieve(&sandbox, &model, &input, &["2", "-q"]), "predictions"), expected, "{model:?}");
        let without = fields(batch(&sandbox, &model, &input, &["-q"]), "predictions");
        assert!(without.iter().zip(&expected).all(|(without, with)| without != with), "{model:?}");
    }
}

#[test]
fn order_and_threads_change_nothing_and_all_are_written_where_there_are_no_more() {
    let (sandbox, model) = (Sandbox::new(), fixture("uni-electra"));
    sandbox.write("examples.jsonl", examples(&TEXTS));
    let records: Vec<Value> = queries().into_iter().cycle().take(60).map(|text| json!({ "text": text })).collect();
    let forth = fields(retrieve(&sandbox, &model, &lines(records.clone()), &["1", "-q", "-j", "1"]), "predictions");
    let reversed = lines(records.into_iter().rev());
    let mut back = fields(retrieve(&sandbox, &model, &reversed, &["1", "-q", "-j", "3"]), "predictions");
    back.reverse();
    assert_eq!(forth, back);
    let one = "{\"text\": \"goal\"}";
    sandbox.write("examples.jsonl", examples(&TEXTS[..1]));
    let every = batch(&sandbox, &model, one, &["-q", "--rac-examples", "examples.jsonl"]);
    assert_eq!(retrieve(&sandbox, &model, one, &["9", "-q"]).ends_with(0).stdout, every.ends_with(0).stdout);
}

#[test]
fn a_record_keeps_its_own_examples_even_if_they_are_none() {
    let (sandbox, model) = (Sandbox::new(), fixture("uni-electra"));
    sandbox.write("examples.jsonl", examples(&TEXTS));
    let input = lines([json!({"text": "a", "rac_examples": []}), json!({"text": "a", "rac_examples": [example("b")]})]);
    let plain = batch(&sandbox, &model, &input, &["-q"]).ends_with(0).stdout;
    assert_eq!(retrieve(&sandbox, &model, &input, &["2", "-q"]).ends_with(0).stdout, plain);
}

#[test]
fn examples_of_a_records_own_without_a_true_label_are_counted() {
    let sandbox = Sandbox::new();
    let useless = json!({"text": "goal", "all_labels": ["sport"], "true_labels": []});
    let own = json!([useless, example("b"), useless]);
    let records =
        [json!({"text": "a", "true_labels": [], "rac_examples": own}), json!({"text": "a", "true_labels": ["sport"]})];
    sandbox.write("in.jsonl", lines(records));
    sandbox.write("examples.jsonl", examples(&[]));
    for command in ["batch", "embed", "eval"] {
        let arguments = [command, "in.jsonl", "-l", "sport", "--rac-examples", "examples.jsonl"];
        let said = [
            "examples.jsonl: 1 of 1 examples",
            "2 examples without a true label in \"rac_examples\" of records: left out\n",
        ];
        sandbox.gliclass(arguments).run().ends_with(0).says(&said);
    }
}

#[test]
fn vectors_are_kept_and_used_again_only_for_the_same_model_labels_and_examples() {
    let sandbox = Sandbox::new();
    let model = sandbox.copy("uni-electra", "model");
    sandbox.write("examples.jsonl", examples(&TEXTS));
    let input = lines(queries().iter().map(|text| json!({ "text": text })));
    let run = |said: &str| retrieve(&sandbox, &model, &input, &["1", "-v"]).ends_with(0).says(&[said]).stdout;
    let first = run("vectors of 4 solved cases: computing them");
    assert_eq!(run("vectors of 4 solved cases: from examples.jsonl.vectors"), first);
    // The rows in the other order: what is in the file is believed, so that others are the nearest.
    let kept = fs::read(sandbox.path("examples.jsonl.vectors")).unwrap();
    let header = 8 + usize::try_from(u64::from_le_bytes(kept[..8].try_into().unwrap())).unwrap();
    let width = (kept.len() - header) / TEXTS.len();
    let turned = kept[header..].chunks(width).rev().flatten().copied();
    sandbox.write("examples.jsonl.vectors", kept[..header].iter().copied().chain(turned).collect::<Vec<u8>>());
    assert_ne!(run("from examples.jsonl.vectors"), first);
    for damage in [&kept[..kept.len() - 1], b"", b"{}"] {
        sandbox.write("examples.jsonl.vectors", damage);
        assert_eq!(run("computing them"), first);
    }
    let other = retrieve(&sandbox, &model, &input, &["1", "-v", "-l", "weather"]);
    other.ends_with(0).says(&["computing them"]);
    assert_eq!(run("computing them"), first);
    sandbox.write("model/note.json", "{}");
    assert_eq!(run("from examples.jsonl.vectors"), first);
    sandbox.write("model/added_tokens.json", "{}");
    assert_eq!(run("computing them"), first);
    sandbox.write("examples.jsonl", examples(&[TEXTS[0], TEXTS[1], TEXTS[3], TEXTS[2]]));
    run("computing them");
    let mut names = fs::read_dir(sandbox.path("")).unwrap().map(|file| file.unwrap().file_name());
    assert!(names.all(|name| !name.display().to_string().ends_with(".new")));
}

#[test]
fn a_run_goes_on_where_the_vectors_cannot_be_kept() {
    let (sandbox, model) = (Sandbox::new(), fixture("uni-electra"));
    sandbox.write("examples.jsonl", examples(&TEXTS));
    let kept = retrieve(&sandbox, &model, "{\"text\": \"goal\"}", &["1", "-q"]).ends_with(0).stdout;
    fs::remove_file(sandbox.path("examples.jsonl.vectors")).unwrap();
    sandbox.write("examples.jsonl.vectors/taken", "");
    let outcome = retrieve(&sandbox, &model, "{\"text\": \"goal\"}", &["1", "-v"]).ends_with(0).says(&["not kept"]);
    assert_eq!(outcome.stdout, kept);
    let quiet = retrieve(&sandbox, &model, "{\"text\": \"goal\"}", &["1", "-q"]).ends_with(0);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn what_cannot_be_retrieved_is_said_and_a_run_is_gone_on_with_only_as_it_was_begun() {
    let sandbox = Sandbox::new();
    sandbox.write("examples.jsonl", examples(&TEXTS));
    sandbox.write("none.jsonl", examples(&[]));
    sandbox.write("in.jsonl", "{\"text\": \"goal\", \"labels\": [\"a\"]}\n");
    let run = |arguments: &[&str]| {
        let all = ["batch", "in.jsonl", "-q", "-m", MODEL].into_iter().chain(arguments.iter().copied());
        sandbox.gliclass(all.collect::<Vec<_>>()).run()
    };
    run(&["--rac-retrieve", "2", "-l", "a"]).ends_with(2).says(&["--rac-examples"]);
    run(&["--rac-examples", "examples.jsonl", "--rac-retrieve", "2"]).ends_with(2).says(&["needs --labels"]);
    run(&["--rac-examples", "none.jsonl", "--rac-retrieve", "2", "-l", "a"]).ends_with(2).says(&["true_labels"]);
    let resumed = ["-l", "a", "-o", "out.jsonl", "--resume", "--rac-examples", "examples.jsonl", "--rac-retrieve"];
    run(&[&resumed[..], &["1"]].concat()).ends_with(0);
    run(&[&resumed[..], &["2"]].concat()).ends_with(2).says(&["--rac-retrieve was 1 and is 2"]);
    let embed = ["embed", "-q", "-m", MODEL, "-l", "a", "--rac-examples", "examples.jsonl", "--rac-retrieve", "1"];
    sandbox.gliclass(embed).run().ends_with(2).says(&["--rac-retrieve"]);
}

#[test]
fn examples_that_cannot_be_written_are_counted() {
    let sandbox = Sandbox::new();
    sandbox.write("solved.jsonl", examples(&TEXTS));
    let input = lines([json!({"text": "short"})]);
    let model = fixture("uni-electra");
    let outcome = batch(&sandbox, &model, &input, &["--rac-examples", "solved.jsonl"]);
    outcome.says(&["warning: solved.jsonl: 1 of 5 examples have no true label: left out"]);
    let outcome = batch(&sandbox, &model, &input, &["--rac-examples", "solved.jsonl", "--quiet"]);
    assert_eq!(outcome.stderr, "");
}
