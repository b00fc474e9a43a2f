//! `gliclass eval`: what it refuses, and how it says so.

use crate::harness::Sandbox;

#[test]
fn bad_data_is_refused_by_file_line_and_field() {
    let sandbox = Sandbox::new();
    for (name, contents, message) in [
        ("a.jsonl", "{\"text\": \"x\", \"label\": \"a\"}\n{\"text\": 7}\n", "a.jsonl: line 2, field \"text\": must be"),
        ("b.jsonl", "{\"text\": \"x\", \"label\": \"a\"}\n{\n", "b.jsonl: line 2: not JSON"),
        ("c.json", "[\n{\"text\": \"x\"}]", "c.json: line 2, field \"true_labels\": missing"),
        ("d.csv", "body,label\nx,a\n", "d.csv: line 1, field \"text\": no such column; there are [\"body\", \"label\"]"),
        ("e.tsv", "text\tlabel\nx\n", "e.tsv: line 2: 1 columns where the header has 2"),
        ("f.txt", "__label__a x\nno label\n", "f.txt: line 2: no label"),
        ("g.txt", "prose", "g.txt: cannot tell the form"),
        ("h.jsonl", "", "h.jsonl: no records"),
    ] {
        sandbox.write(name, contents);
        sandbox.gliclass(["eval", name]).exits(2).prints_nothing().says(message);
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused_by_line() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", b"text,label\nx,a\n\xff,b\n");
    sandbox.gliclass(["eval", "d.csv"]).exits(2).prints_nothing().says("d.csv: line 3: not UTF-8");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    Sandbox::new().gliclass(["eval", "none.jsonl"]).exits(2).prints_nothing().says("none.jsonl: No such file");
}

#[test]
fn standard_input_is_read_and_named() {
    let sandbox = Sandbox::new();
    let finished = sandbox.gliclass(["eval", "-"]).input("{\"text\": null}\n").run();
    finished.exits(2).prints_nothing().says("standard input: line 1, field \"text\": must be a string, found null");
}

#[test]
fn a_true_label_outside_the_candidates_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", "text,label\nx,a\ny,c\n");
    let finished = sandbox.gliclass(["eval", "d.csv", "--labels", "a,b"]);
    finished.exits(2).says("d.csv: line 3, field \"label\": \"c\" is not among the 2 candidate labels");
}

#[test]
fn numbers_for_labels_need_names() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", "text,label\nx,0\ny,1\n");
    sandbox.gliclass(["eval", "d.csv"]).exits(2).says("d.csv: the labels are numbers: name them with --labels");
}

#[test]
fn a_minimum_outside_zero_to_one_is_wrong_usage() {
    let sandbox = Sandbox::new();
    for value in ["1.5", "-0.1", "NaN", "high"] {
        let finished = sandbox.gliclass(["eval", "d.csv", &format!("--min-macro-f1={value}")]);
        finished.exits(2).says("--min-macro-f1").says("give a number from 0 to 1");
    }
}

#[test]
fn predictions_that_cannot_be_written_are_refused_before_any_work() {
    let sandbox = Sandbox::new();
    sandbox.write("d.csv", "text,label\nx,a\n");
    let finished = sandbox.gliclass(["eval", "d.csv", "--predictions", "none/p.jsonl"]);
    finished.exits(2).prints_nothing().says("none/p.jsonl: No such file");
}
