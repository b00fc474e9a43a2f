//! Runs that are killed, interrupted or out of disk, and go on as if nothing had been.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use gliclass::records::input::Input;

use crate::harness::{MODEL, Running, Sandbox, fixture, gzip};

fn text(number: usize) -> String {
    let words = ["the", "world", "football", "politics and science", "a much longer \"sentence\", about hôtels"];
    (0..=number % 12).map(|place| words[(number * 7 + place) % 5]).collect::<Vec<_>>().join(" ")
}

fn jsonl(records: usize) -> Vec<u8> {
    let record = |number| serde_json::json!({ "id": number, "text": text(number) }).to_string() + "\n";
    (0..records).map(record).collect::<String>().into_bytes()
}

fn csv(records: usize) -> Vec<u8> {
    let row = |number| format!("{number},\"{}\n\"\r\n", text(number).replace('"', "\"\""));
    ("id,text\r\n".to_owned() + &(0..records).map(row).collect::<String>()).into_bytes()
}

/// What an output holds, packed or not.
fn unpacked(sandbox: &Sandbox, output: &str) -> String {
    let mut text = String::new();
    Input::open(Some(&sandbox.path(output))).unwrap().stream.read_to_string(&mut text).unwrap();
    text
}

/// How often each form is killed: a few times, or as often as the environment says.
fn kills() -> u32 {
    std::env::var("GLICLASS_TEST_KILLS").map_or(2, |kills| kills.parse().unwrap())
}

/// Numbers that look random, other ones in every run.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Self(now.as_nanos() as u64 | 1)
    }

    fn below(&mut self, limit: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        limit.mul_f64((self.0 % 10_000) as f64 / 10_000.0)
    }
}

/// For those who count, with `--nocapture`.
#[allow(clippy::print_stdout)]
fn say(line: &str) {
    println!("{line}");
}

/// Kills a run at a random instant of its time, resumes it, and compares; again and again.
fn survives(input: (&str, &[u8]), output: &str) {
    let sandbox = Sandbox::new();
    sandbox.write(input.0, input.1);
    let start = Instant::now();
    let whole = output.replacen("out", "whole", 1);
    sandbox.batch(&[input.0, "-o", &whole]).run().ends_with(0);
    let duration = start.elapsed();
    let expected = fs::read(sandbox.path(&whole)).unwrap();
    let (mut dice, mut midway) = (Dice::new(), 0);
    for round in 0..kills() {
        let arguments = [input.0, "-o", output, "--resume"];
        let mut running = sandbox.batch(&arguments).start();
        // Once surely in the middle, then anywhere.
        if round == 0 {
            wait_for_state(&mut running, &sandbox, output);
        } else {
            std::thread::sleep(dice.below(duration));
        }
        let ended = running.has_ended();
        running.kill();
        midway += u32::from(!ended);
        sandbox.batch(&arguments).run().ends_with(0);
        assert!(fs::read(sandbox.path(output)).unwrap() == expected, "{output} differs after kill {round}");
        fs::remove_file(sandbox.path(output)).unwrap();
        fs::remove_file(sandbox.path(&format!("{output}.resume"))).unwrap();
    }
    say(&format!("{output}: {} of {} equal, {midway} were killed before their end", kills(), kills()));
}

#[test]
fn the_state_of_a_run_does_not_outlive_its_output() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", jsonl(20));
    let arguments = ["in.jsonl", "-o", "out.jsonl"];
    let resumed = ["in.jsonl", "-o", "out.jsonl", "--resume"];
    sandbox.batch(&resumed).run().ends_with(0);
    fs::remove_file(sandbox.path("out.jsonl")).unwrap();
    sandbox.batch(&arguments).run().ends_with(0);
    let whole = fs::read(sandbox.path("out.jsonl")).unwrap();
    sandbox.batch(&resumed).run().ends_with(2).says(&["was not started with --resume"]);
    assert_eq!(fs::read(sandbox.path("out.jsonl")).unwrap(), whole);
}

#[test]
fn the_state_of_a_run_does_not_take_the_place_of_its_input() {
    let sandbox = Sandbox::new();
    sandbox.write("out.jsonl.resume", jsonl(2));
    sandbox
        .batch(&["out.jsonl.resume", "-o", "out.jsonl", "--resume", "--force"])
        .run()
        .ends_with(2)
        .says(&["the state of"]);
    assert_eq!(fs::read(sandbox.path("out.jsonl.resume")).unwrap(), jsonl(2));
}

#[test]
fn an_archive_of_nothing_is_one_when_it_was_begun_with_resume() {
    let sandbox = Sandbox::new();
    for (input, output) in [("in.jsonl", "out.jsonl.gz"), ("in.csv", "out.csv.gz")] {
        sandbox.write(input, "");
        for _ in 0..2 {
            sandbox.batch(&[input, "-o", output, "--resume"]).run().ends_with(0);
        }
        let packed = fs::File::open(sandbox.path(output)).unwrap();
        assert_eq!(flate2::read::GzDecoder::new(packed).read_to_end(&mut Vec::new()).unwrap(), 0);
    }
}

#[test]
fn a_run_that_fails_within_a_packed_block_is_gone_on_with_behind_the_last_one() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", [jsonl(3000), b"no JSON\n".to_vec()].concat());
    let arguments = ["in.jsonl", "-o", "out.jsonl.gz", "--on-error", "fail", "--resume"];
    sandbox.batch(&arguments).run().ends_with(1);
    let state: serde_json::Value = serde_json::from_str(&sandbox.read("out.jsonl.gz.resume")).unwrap();
    let records = state["done"]["records"].as_u64().unwrap();
    assert!(records > 0 && records < 3000, "{records}");
    let first = unpacked(&sandbox, "out.jsonl.gz");
    assert_eq!(first.lines().count(), 3000);
    sandbox.batch(&arguments).run().ends_with(1);
    assert_eq!(unpacked(&sandbox, "out.jsonl.gz"), first);
}

#[test]
fn jsonl_survives_being_killed_at_any_instant() {
    survives(("in.jsonl", &jsonl(4000)), "out.jsonl");
}

#[test]
fn csv_survives_being_killed_at_any_instant() {
    survives(("in.csv", &csv(4000)), "out.csv");
}

#[test]
fn gzip_survives_being_killed_at_any_instant() {
    survives(("in.jsonl.gz", &gzip(jsonl(4000))), "out.jsonl.gz");
}

#[test]
fn zstandard_survives_being_killed_at_any_instant() {
    survives(("in.csv.zst", &zstd::bulk::compress(&csv(4000), 1).unwrap()), "out.csv.zst");
}

#[test]
#[cfg(feature = "parquet")]
fn parquet_survives_being_killed_at_any_instant() {
    let texts: Vec<String> = (0..4000).map(text).collect();
    survives(("in.parquet", &crate::parquet::table(texts.iter().map(String::as_str), 90)), "out.parquet");
}

/// Waits until the run has written and saved something.
pub fn wait_for_state(running: &mut Running, sandbox: &Sandbox, output: &str) {
    let state = sandbox.path(&format!("{output}.resume"));
    running.wait_until(|| fs::read_to_string(&state).is_ok_and(|state| !state.contains("\"records\":0,")));
}

#[test]
#[cfg(unix)]
fn a_signal_ends_a_run_with_whole_records_and_it_can_be_gone_on_with() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", jsonl(15_000));
    for (output, signal) in [("out.jsonl", "INT"), ("out.jsonl.gz", "TERM")] {
        sandbox.batch(&["in.jsonl", "-o", output]).run().ends_with(0);
        let expected = fs::read(sandbox.path(output)).unwrap();
        fs::remove_file(sandbox.path(output)).unwrap();
        let mut running = sandbox.batch(&["in.jsonl", "-o", output, "--resume"]).start();
        wait_for_state(&mut running, &sandbox, output);
        running.signal(signal);
        assert_eq!(running.code(true), Some(130));
        let written = unpacked(&sandbox, output);
        assert!(written.lines().count() > 0 && written.ends_with("}\n"), "{output} holds a part of a record");
        sandbox.batch(&["in.jsonl", "-o", output, "--resume"]).run().ends_with(0);
        assert!(fs::read(sandbox.path(output)).unwrap() == expected, "{output} after SIG{signal}");
    }
}

#[test]
#[cfg(unix)]
fn a_signal_ends_a_run_whose_input_stalls() {
    let sandbox = Sandbox::new();
    let mut running = sandbox.batch(&[]).start();
    running.send(b"{\"text\":\"One\"}\n{\"text\":\"Tw");
    let mut output = BufReader::new(running.output());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.contains("predictions"), "{line}");
    running.signal("TERM");
    assert_eq!(running.code(false), Some(130));
    line.clear();
    assert_eq!(output.read_line(&mut line).unwrap(), 0, "{line}");
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_run_quietly() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", jsonl(4000));
    let mut running = sandbox.batch(&["in.jsonl"]).start();
    let mut line = String::new();
    BufReader::new(running.output()).read_line(&mut line).unwrap();
    assert!(line.ends_with("}\n"), "{line}");
    assert_eq!((running.code(false), running.said()), (Some(0), String::new()));
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_that_is_a_pipe_without_a_reader_is_an_error() {
    let sandbox = Sandbox::new();
    let pipe = sandbox.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut running = sandbox.batch(&["-o", "pipe"]).start();
    // The input comes first: the program looks at it before it opens its output.
    running.send(b"{\"text\":\"One\"}\n");
    drop(fs::File::open(&pipe).unwrap());
    assert_eq!(running.code(true), Some(2));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_whole_records_and_the_run_can_be_gone_on_with() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", jsonl(4000));
    let arguments = ["in.jsonl", "-o", "out.jsonl", "--resume"];
    // A limit on the size of files is as good as a disk that is full: 64 blocks of 1 or 0.5 KiB.
    let outcome = sandbox.batch(&arguments).under("ulimit -f 64").run().ends_with(2);
    outcome.says(&["error: out.jsonl: "]);
    let written = fs::read(sandbox.path("out.jsonl")).unwrap();
    assert!(written.is_empty() || written.ends_with(b"}\n"));
    sandbox.batch(&arguments).run().ends_with(0);
    let resumed = fs::read(sandbox.path("out.jsonl")).unwrap();
    sandbox.batch(&["in.jsonl", "-o", "whole.jsonl"]).run().ends_with(0);
    assert!(resumed == fs::read(sandbox.path("whole.jsonl")).unwrap());
    sandbox.batch(&["in.jsonl", "-o", "/dev/full"]).run().ends_with(2).says(&["error: /dev/full: No space left"]);
}

#[test]
fn an_output_that_is_there_is_not_touched_unless_it_is_given_up() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", jsonl(3));
    sandbox.write("out.jsonl", "precious\n");
    sandbox.batch(&["in.jsonl", "-o", "out.jsonl"]).run().ends_with(2).says(&["--force", "--resume"]);
    sandbox.batch(&["in.jsonl", "-o", "out.jsonl", "--resume"]).run().ends_with(2).says(&["not started with --resume"]);
    assert_eq!(fs::read(sandbox.path("out.jsonl")).unwrap(), b"precious\n");
    sandbox.batch(&["in.jsonl", "-o", "out.jsonl", "--force"]).run().ends_with(0);
    assert_eq!(sandbox.read("out.jsonl").lines().count(), 3);
}

#[test]
#[cfg(target_os = "linux")]
fn an_input_is_not_overwritten_by_whatever_name() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", jsonl(3));
    fs::hard_link(sandbox.path("in.jsonl"), sandbox.path("same.jsonl")).unwrap();
    sandbox.batch(&["in.jsonl", "-o", "same.jsonl", "--force"]).run().ends_with(2).says(&["is also the input"]);
    let redirected = sandbox.batch(&["-o", "in.jsonl", "--force"]).under("exec < in.jsonl");
    redirected.run().ends_with(2).says(&["is also the input"]);
    for (arguments, streams) in [(&["in.jsonl"][..], "exec >> in.jsonl"), (&[], "exec < in.jsonl >> same.jsonl")] {
        sandbox.batch(arguments).under(streams).run().ends_with(2).says(&["standard output: is also the input"]);
    }
    assert_eq!(fs::read(sandbox.path("in.jsonl")).unwrap(), jsonl(3));
}

#[test]
fn giving_up_a_run_for_one_that_cannot_begin_leaves_it_as_it_was() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", jsonl(3));
    sandbox.batch(&["in.jsonl", "-o", "out.jsonl", "--resume"]).run().ends_with(0);
    let wrong = ["batch", "in.jsonl", "-o", "out.jsonl", "--force", "-l", "a", "-m", "nowhere/", "--offline"];
    sandbox.gliclass(wrong).run().ends_with(2);
    sandbox.batch(&["in.jsonl", "-o", "out.jsonl", "--resume"]).run().ends_with(0);
    // Begun again, it can be gone on with again.
    fs::remove_file(sandbox.path("out.jsonl")).unwrap();
    sandbox.batch(&["in.jsonl", "-o", "out.jsonl", "--resume"]).run().ends_with(2).says(&["--force starts again"]);
    sandbox.batch(&["in.jsonl", "-o", "out.jsonl", "--resume", "--force"]).run().ends_with(0);
    sandbox.batch(&["in.jsonl", "-o", "out.jsonl", "--resume"]).run().ends_with(0);
    assert_eq!(sandbox.read("out.jsonl").lines().count(), 3);
}

#[test]
fn two_runs_do_not_write_to_one_output() {
    let sandbox = Sandbox::new();
    let mut first = sandbox.batch(&["-o", "out.jsonl"]).start();
    first.send(b"{\"text\":\"One\"}\n");
    first.wait_until(|| fs::metadata(sandbox.path("out.jsonl")).is_ok_and(|file| file.len() > 0));
    for mode in ["--force", "--resume"] {
        let second = sandbox.batch(&["-o", "out.jsonl", mode]).input("{\"text\":\"Two\"}\n").run().ends_with(2);
        second.says(&["another run is writing to it"]);
    }
    assert_eq!(first.code(true), Some(0));
    assert!(sandbox.read("out.jsonl").contains("One"));
}

#[test]
fn a_run_goes_on_only_as_it_was_begun() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", jsonl(3));
    let run = |more: &[&str]| sandbox.batch(&[&["in.jsonl", "-o", "out.jsonl", "--resume"], more].concat()).run();
    run(&[]).ends_with(0);
    run(&["-j", "1"]).ends_with(0);
    run(&["--threshold", "0.25"]).ends_with(2).says(&["--threshold was \"0.5\" and is \"0.25\""]);
    run(&["--labels", "c"]).ends_with(2).says(&["--labels was [\"a\",\"b\"] and is [\"a\",\"b\",\"c\"]"]);
    run(&["--max-length", "64", "--on-error", "skip"]).ends_with(2).says(&["--max-length was", "--on-error was"]);
    let other = fixture("uni-deberta-lstm");
    run(&["--model", other.to_str().unwrap()]).ends_with(2).says(&["the model differs"]);
    sandbox.write("in.jsonl", jsonl(4));
    run(&[]).ends_with(2).says(&["the input differs"]);
    assert_eq!(sandbox.read("out.jsonl").lines().count(), 3);
    sandbox.write("in.jsonl", jsonl(3));
    sandbox.write("out.jsonl", "");
    run(&[]).ends_with(2).says(&["its state knows"]);
}

#[test]
fn a_stream_is_gone_on_with_if_it_brings_the_same_again() {
    let sandbox = Sandbox::new();
    let (input, arguments) = (jsonl(3000), ["-o", "out.jsonl", "--resume"]);
    let mut running = sandbox.batch(&arguments).start();
    running.send(&input[..input.len() / 2]);
    wait_for_state(&mut running, &sandbox, "out.jsonl");
    running.kill();
    let mut other = input.clone();
    other[20] ^= 1;
    sandbox.batch(&arguments).input(other).run().ends_with(2).says(&["standard input: not the input"]);
    sandbox.batch(&arguments).input(input.clone()).run().ends_with(0);
    let resumed = sandbox.read("out.jsonl");
    assert!(sandbox.batch(&[]).input(input).run().ends_with(0).stdout == resumed);
}

#[test]
fn a_packed_output_without_a_whole_block_is_begun_again_and_that_is_said() {
    let sandbox = Sandbox::new();
    let arguments = ["batch", "--model", MODEL, "--labels", "a,b", "--resume", "-o", "out.jsonl.gz"];
    let mut running = sandbox.gliclass(arguments).start();
    running.send(&jsonl(3));
    let state = sandbox.path("out.jsonl.gz.resume");
    running.wait_until(|| state.exists());
    running.kill();
    let again = sandbox.gliclass(arguments).input(jsonl(3)).run().ends_with(0);
    again.says(&["starting again: nothing whole was written yet", "3 records"]);
}

#[test]
fn a_stream_that_was_cut_off_is_gone_on_with_when_it_comes_whole() {
    let sandbox = Sandbox::new();
    let run = |output: &str, input: &[u8]| {
        let arguments = ["batch", "--model", MODEL, "--labels", "a,b", "--resume", "-o", output];
        sandbox.gliclass(arguments).input(input).run().ends_with(0)
    };
    for (output, input) in [("out.jsonl", jsonl(60)), ("out.jsonl.gz", jsonl(60))] {
        let lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
        let first = lines[..20].concat();
        run(output, first.trim_ascii_end());
        run(output, &first).says(&["already finished"]);
        run(output, &input).says(&["continuing after 20 records", "40 records"]);
        assert!(
            unpacked(&sandbox, output) == sandbox.batch(&[]).input(input.clone()).run().ends_with(0).stdout,
            "{output}"
        );
        run(output, &input).says(&["already finished"]);
    }
}

#[test]
fn a_stream_of_nothing_that_now_brings_something_has_its_header() {
    let sandbox = Sandbox::new();
    let run = |input: &str| {
        let arguments = ["-o", "out.csv.gz", "--input-format", "csv", "--resume"];
        sandbox.batch(&arguments).input(input).run().ends_with(0)
    };
    run("");
    run("");
    run("text\nOne\n");
    let written = unpacked(&sandbox, "out.csv.gz");
    assert!(written.starts_with("text,predicted_labels,predicted_scores,error\nOne,"), "{written}");
}

#[test]
fn a_run_that_is_done_does_nothing_and_says_again_how_it_ended() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", "{\"text\":\"One\"}\nnot json\n");
    let arguments = ["in.jsonl", "-o", "out.jsonl", "--resume"];
    sandbox.batch(&arguments).run().ends_with(1);
    let first = fs::read(sandbox.path("out.jsonl")).unwrap();
    sandbox.batch(&arguments).run().ends_with(1).says(&["error: 1 record failed before\n"]);
    assert_eq!(fs::read(sandbox.path("out.jsonl")).unwrap(), first);
}

#[test]
fn resume_needs_a_file() {
    let sandbox = Sandbox::new();
    sandbox.batch(&["--resume"]).run().ends_with(2).says(&["--output"]);
    sandbox.batch(&["--resume", "-o", "-"]).input("{}").run().ends_with(2).says(&["--resume needs a file"]);
    let nowhere = ["--resume", "-o", "nowhere/out.jsonl"];
    sandbox.batch(&nowhere).input("{}").run().ends_with(2).says(&["nowhere/out.jsonl"]);
}

#[test]
#[cfg(unix)]
fn a_folder_that_cannot_be_written_to_is_refused_before_any_work() {
    use std::os::unix::fs::PermissionsExt;

    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", jsonl(3));
    sandbox.write("closed/note", "");
    fs::set_permissions(sandbox.path("closed"), fs::Permissions::from_mode(0o555)).unwrap();
    // Nothing is closed to the superuser but what the kernel holds itself.
    let is_closed = fs::write(sandbox.path("closed/probe"), "").is_err();
    let output = if is_closed { "closed/out.jsonl" } else { "/proc/out.jsonl" };
    let arguments = ["batch", "in.jsonl", "-o", output, "--labels", "a", "--model", "./nothing"];
    sandbox.gliclass(arguments).run().ends_with(2).says(&[output]);
}
