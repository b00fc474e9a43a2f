//! Parts of an input, each done by a process of its own.

use crate::harness::{Sandbox, gzip};

fn jsonl() -> String {
    let line = |number: usize| format!("{{\"text\":\"{}\"}}\r\n\n", "word ".repeat(number * number % 17));
    "\u{feff}".to_owned() + &(0..60).map(line).collect::<String>() + "not json\n{\"text\":\"the end\"}"
}

fn csv() -> String {
    "\u{feff}id,text\n".to_owned()
        + &(0..60).map(|number| format!("{number},\"line\nof \"\"{number}\"\"\n\"\r\n\n")).collect::<String>()
}

fn tsv() -> String {
    "id\ttext\n".to_owned() + &(0..60).map(|number| format!("{number}\t\"line {number}\n\n")).collect::<String>()
}

#[test]
fn the_shards_in_order_are_one_run() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", jsonl());
    sandbox.write("in.jsonl.gz", gzip(jsonl()));
    sandbox.write("in.csv", csv());
    sandbox.write("in.tsv", tsv());
    for input in ["in.jsonl", "in.jsonl.gz", "in.csv", "in.tsv"] {
        let whole = sandbox.batch(&[input]).run().stdout;
        assert!(whole.lines().count() > 60, "{input}: {whole}");
        // More parts than lines cost a process each.
        for count in if input == "in.jsonl" { &[1, 2, 7, 130][..] } else { &[1, 2, 7] } {
            let mut together = String::new();
            for index in 0..*count {
                let shard = format!("{index}/{count}");
                together += &sandbox.batch(&[input, "--shard", &shard]).run().stdout;
            }
            assert!(together == whole, "{input} in {count}");
        }
    }
}

#[test]
fn a_shard_can_be_gone_on_with_and_is_not_taken_for_another() {
    let sandbox = Sandbox::new();
    sandbox.write("in.csv", csv());
    let run = |shard: &str| sandbox.batch(&["in.csv", "-o", "out.csv", "--resume", "--shard", shard]).run();
    run("1/3").ends_with(0);
    run("1/3").ends_with(0);
    run("2/3").ends_with(2).says(&["--shard was \"1/3\" and is \"2/3\""]);
}

#[test]
fn the_scheduler_may_say_which_shard() {
    let sandbox = Sandbox::new();
    sandbox.write("in.csv", csv());
    let expected = sandbox.batch(&["in.csv", "--shard", "2/4"]).run().ends_with(0).stdout;
    let said = sandbox.batch(&["in.csv"]).env("GLICLASS_SHARD", "2/4").run().ends_with(0).stdout;
    assert_eq!(said, expected);
    let kubernetes = sandbox.batch(&["in.csv", "--shard", "auto/4"]).env("JOB_COMPLETION_INDEX", "2");
    assert_eq!(kubernetes.run().ends_with(0).stdout, expected);
    sandbox.batch(&["in.csv", "--shard", "4/4"]).run().ends_with(2).says(&["--shard", "0/8"]);
    sandbox.batch(&["--shard", "0/4"]).input("{\"text\":\"a\"}").run().ends_with(2).says(&["needs a file"]);
}
