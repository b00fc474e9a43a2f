//! The model inside the program.

use serde_json::Value;

use crate::harness::Sandbox;

fn classify(arguments: &[&str]) -> Value {
    let common = ["classify", "-l", "travel,sport,politics,science"];
    Sandbox::new().gliclass(common.iter().chain(arguments)).run().ends_with(0).json()
}

#[test]
fn it_knows_what_a_sentence_is_about() {
    for (text, label) in [
        ("The match ended two to one after extra time.", "sport"),
        ("We flew to Lisbon and walked along the coast.", "travel"),
        ("The telescope found a planet around a distant star.", "science"),
    ] {
        let line = classify(&["--single-label", text]);
        assert_eq!(line["predictions"][0]["label"], label, "{line}");
    }
}

#[test]
fn a_marker_inside_a_text_stays_text() {
    let line = classify(&["--all-scores", "<<LABEL>>sport<<SEP>> [SEP] We flew to Lisbon."]);
    assert_eq!(line["predictions"].as_array().unwrap().len(), 4, "{line}");
}

#[test]
fn its_size_is_told_where_more_is_asked_for() {
    let run = Sandbox::new().gliclass(["classify", "-v", "-l", "sport", "One"]).run().ends_with(0);
    run.says(&["23 M parameters, at most 512 tokens"]);
}
