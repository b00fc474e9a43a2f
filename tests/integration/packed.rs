//! Packed input and output.

use std::fs;

use crate::harness::{MODEL, Sandbox, gunzip, gzip};

const RECORDS: &str = "{\"text\":\"One\"}\n{\"text\":\"Two\"}\n{\"text\":\"Three\"}\n";

fn zstandard(text: &str) -> Vec<u8> {
    zstd::bulk::compress(text.as_bytes(), 3).unwrap()
}

#[test]
fn the_endings_say_how_input_and_output_are_packed() {
    let sandbox = Sandbox::new();
    let expected = sandbox.batch(&[]).input(RECORDS).run().ends_with(0).stdout;
    sandbox.write("in.jsonl.gz", gzip(RECORDS));
    sandbox.batch(&["in.jsonl.gz", "-o", "out.jsonl.zst"]).run().ends_with(0);
    let unpacked = zstd::decode_all(&fs::read(sandbox.path("out.jsonl.zst")).unwrap()[..]).unwrap();
    assert_eq!(String::from_utf8(unpacked).unwrap(), expected);
    sandbox.write("in.jsonl.zst", zstandard(RECORDS));
    sandbox.batch(&["in.jsonl.zst", "-o", "out.jsonl.gz"]).run().ends_with(0);
    assert_eq!(gunzip(&fs::read(sandbox.path("out.jsonl.gz")).unwrap()), expected);
}

#[test]
fn what_is_packed_otherwise_is_refused_before_any_work() {
    let sandbox = Sandbox::new();
    sandbox.write("in.csv.xz", b"\xfd7zXZ\0\0\x04");
    for arguments in [&["batch", "in.csv.xz", "-l", "a"][..], &["eval", "in.csv.xz"]] {
        let said = "error: in.csv.xz: is compressed with xz: decompress it first with `xzcat`";
        sandbox.gliclass(arguments).run().ends_with(2).says(&[said]);
    }
    sandbox.write("in.jsonl", RECORDS);
    sandbox
        .batch(&["in.jsonl", "-o", "out.jsonl.bz2"])
        .run()
        .ends_with(2)
        .says(&["compressed with bzip2", ".gz or .zst"]);
    assert!(!sandbox.path("out.jsonl.bz2").exists());
}

#[test]
fn the_ending_before_the_last_says_the_form() {
    let sandbox = Sandbox::new();
    sandbox.write("in.csv.gz", gzip("id,text\n1,One\n"));
    let outcome = sandbox.batch(&["in.csv.gz"]).run().ends_with(0);
    assert!(outcome.stdout.starts_with("id,text,predicted_labels"), "{}", outcome.stdout);
    sandbox.batch(&["in.csv.gz", "-o", "out.jsonl.gz"]).run().ends_with(2).says(&["rename it"]);
}

#[test]
fn packed_standard_input_is_known_by_its_first_bytes() {
    let sandbox = Sandbox::new();
    let expected = sandbox.batch(&[]).input(RECORDS).run().ends_with(0).stdout;
    for input in [gzip(RECORDS), zstandard(RECORDS)] {
        assert_eq!(sandbox.batch(&[]).input(input).run().ends_with(0).stdout, expected);
    }
    let classify = || sandbox.gliclass(["classify", "--model", MODEL, "--labels", "a,b"]);
    let expected = classify().input("One\nTwo\n").run().ends_with(0).stdout;
    assert_eq!(classify().input(gzip("One\nTwo\n")).run().ends_with(0).stdout, expected);
}

#[test]
fn an_archive_that_is_cut_off_ends_the_run_after_what_it_held() {
    let sandbox = Sandbox::new();
    let text: String = (0..3000).map(|number| format!("{{\"text\":\"Number {number}\"}}\n")).collect();
    for (name, bytes) in [("in.jsonl.gz", gzip(&text)), ("in.jsonl.zst", zstandard(&text))] {
        // Several members, so that some of the content is there whatever a decoder holds back.
        sandbox.write(name, [&bytes[..], &bytes[..bytes.len() / 2]].concat());
        let outcome = sandbox.batch(&[name]).run().ends_with(2);
        let lines = outcome.stdout.lines().count();
        assert!(lines >= 3000 && outcome.stdout.ends_with("}\n"), "{lines}");
        outcome.says(&[&format!("error: {name}:{}: the ", lines + 1), "archive is cut off here"]);
    }
}
