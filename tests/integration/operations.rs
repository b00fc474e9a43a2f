//! The program without its kernels: every model by candle's operations, as on a GPU; and on a GPU, where there is one:
//! `cargo test --release --features cuda -- --ignored on_a_gpu`.

use serde_json::Value;

use crate::harness::Sandbox;
use crate::parity::{cases, folders, share_of_tolerance};

fn logits(line: &Value, labels: &Value) -> Vec<f32> {
    let predictions = line["predictions"].as_array().unwrap_or_else(|| panic!("no predictions: {line}"));
    let logit = |label: &Value| predictions.iter().find(|found| found["label"] == *label).unwrap()["logit"].as_f64();
    labels.as_array().unwrap().iter().map(|label| logit(label).unwrap() as f32).collect()
}

/// What a GPU takes to be used.
const ON_A_GPU: (&str, &str) = ("GLICLASS_DEVICE", "cuda");

const WITHOUT_KERNELS: (&str, &str) = ("GLICLASS_KERNEL", "candle");

#[test]
fn all_checkpoints_give_the_logits_of_the_reference() {
    check_logits(WITHOUT_KERNELS);
}

#[test]
#[ignore = "needs a GPU and the feature cuda"]
fn all_checkpoints_give_the_logits_of_the_reference_on_a_gpu() {
    check_logits(ON_A_GPU);
}

/// With a variable of the environment.
fn check_logits((name, value): (&str, &str)) {
    let sandbox = Sandbox::new();
    for folder in folders() {
        let cases = cases(&folder);
        let records: Vec<String> = cases.iter().map(Value::to_string).collect();
        let model = folder.to_str().unwrap();
        let run = sandbox
            .gliclass(["batch", "--all-scores", "--logits", "-m", model])
            .env(name, value)
            .input(records.join("\n"))
            .run()
            .ends_with(0);
        let lines = run.json_lines();
        assert_eq!(lines.len(), cases.len(), "{}", folder.display());
        for (case, line) in cases.iter().zip(&lines) {
            let labels = case.get("flat_labels").unwrap_or(&case["labels"]);
            let share = share_of_tolerance(case, &logits(line, labels));
            assert!(share <= 1.0, "{}: {share:.2} times the tolerance", folder.display());
        }
    }
}

/// The scores of the built-in model on three texts, in the order of the four labels.
#[cfg(feature = "builtin")]
fn scores(dtype: &str, (name, value): (&str, &str), arithmetic: &str) -> Vec<f64> {
    let records: Vec<String> = [
        "The match ended two to one after extra time.",
        "We flew to Lisbon and walked along the coast.",
        "The telescope found a planet around a distant star, and the minister was glad to hear of it.",
    ]
    .map(|text| serde_json::json!({"text": text, "labels": ["travel", "sport", "politics", "science"]}).to_string())
    .into();
    let run = Sandbox::new()
        .gliclass(["batch", "--all-scores", "--hierarchical", "-v", "--dtype", dtype])
        .env(name, value)
        .input(records.join("\n"))
        .run()
        .ends_with(0)
        .says(&[&format!("arithmetic: {arithmetic}")]);
    let scores = run.json_lines().into_iter().flat_map(|line| {
        let scores = line["predictions"].as_object().unwrap().clone();
        scores.into_iter().map(|(_, score)| score.as_f64().unwrap())
    });
    let scores: Vec<f64> = scores.collect();
    assert_eq!(scores.len(), 12);
    scores
}

#[cfg(feature = "builtin")]
#[test]
fn sixteen_bits_keep_the_scores_within_two_hundredths() {
    check_sixteen_bits(WITHOUT_KERNELS);
}

#[cfg(feature = "builtin")]
#[test]
#[ignore = "needs a GPU and the feature cuda"]
fn sixteen_bits_keep_the_scores_within_two_hundredths_on_a_gpu() {
    check_sixteen_bits(ON_A_GPU);
}

#[cfg(feature = "builtin")]
fn check_sixteen_bits(variable: (&str, &str)) {
    let exact = scores("f32", variable, "f32");
    for (dtype, arithmetic) in [("bf16", "bf16"), ("f16", "f16"), ("int8", "bf16")] {
        for (exact, found) in exact.iter().zip(scores(dtype, variable, arithmetic)) {
            assert!((exact - found).abs() < 0.02, "{dtype}: {found}, in 32 bits {exact}");
        }
    }
}

#[cfg(feature = "builtin")]
#[test]
fn eight_bits_keep_the_scores_within_three_hundredths_on_any_machine() {
    let [kernels, portable] = ["", "portable"].map(|kernels| ("GLICLASS_KERNEL", kernels));
    let exact = scores("f32", kernels, "");
    for (exact, found) in exact.iter().zip(scores("int8", kernels, "")) {
        assert!((exact - found).abs() < 0.03, "{found}, in 32 bits {exact}");
    }
    // Where there are no products of bytes.
    assert_eq!(scores("f32", portable, "f32"), scores("int8", portable, "f32"));
}

#[test]
fn a_device_that_this_build_cannot_use_is_an_error() {
    let device = if cfg!(feature = "cuda") { "metal" } else { "cuda:1" };
    let run = Sandbox::new().gliclass(["classify", "-l", "a,b", "--device", device, "text"]).run();
    run.ends_with(2).says(&["this build cannot compute on", "--device cpu"]);
}

#[test]
#[cfg(unix)]
fn a_kernel_that_is_not_utf8_is_unknown() {
    use std::os::unix::ffi::OsStrExt;
    let kernel = std::ffi::OsStr::from_bytes(b"candle\xff");
    let run = Sandbox::new().gliclass(["classify", "-l", "a,b", "text"]).env("GLICLASS_KERNEL", kernel).run();
    run.ends_with(2).says(&["GLICLASS_KERNEL=candle", "use one of: candle, portable"]);
}

#[test]
fn an_unknown_kernel_is_an_error_that_lists_the_known_ones() {
    let run = Sandbox::new().gliclass(["classify", "-l", "a,b", "text"]).env("GLICLASS_KERNEL", "abacus").run();
    run.ends_with(2).says(&["abacus", "candle", "portable"]);
}
