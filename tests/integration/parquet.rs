//! Parquet in and out: every column as it was, and what was found beside it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::{Field, Row, RowAccessor};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;
use serde_json::{Value, json};

use crate::harness::{MODEL, Program, Sandbox};
use crate::resume::wait_for_state;

/// 30 rows in groups of 12, as pyarrow wrote them: nested columns, a dictionary, lists, and nothing here and there.
pub const PYARROW: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parquet/pyarrow.parquet");

/// Four labelled rows as Hugging Face's `datasets` writes them: labels are numbers, and the footer has their names.
const DATASETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parquet/datasets.parquet");

/// Five rows in the second and the fifth of six row groups.
const GAPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parquet/gaps.parquet");

const BROTLI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parquet/brotli.parquet");

/// A file of these texts, and their numbers, so many in a row group.
pub fn table<'a>(texts: impl IntoIterator<Item = &'a str>, in_group: usize) -> Vec<u8> {
    let schema = parse_message_type("message table { required int64 id; required binary text (STRING); }").unwrap();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties).unwrap();
    let texts: Vec<ByteArray> = texts.into_iter().map(ByteArray::from).collect();
    for (number, texts) in texts.chunks(in_group).enumerate() {
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let ids: Vec<i64> = (0..texts.len()).map(|row| (number * in_group + row) as i64).collect();
        column.typed::<Int64Type>().write_batch(&ids, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(texts, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn small_table() -> Vec<u8> {
    table(["one", "two words", "three more words", "four", "five", "six", "seven"], 2)
}

fn batch(sandbox: &Sandbox, arguments: &[&str]) -> Program {
    sandbox.gliclass(["batch", "-q", "--model", MODEL].iter().chain(arguments))
}

fn open(path: &Path) -> SerializedFileReader<fs::File> {
    SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap()
}

/// The rows of a file, of the wanted columns only.
fn rows(path: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<Row> {
    let file = open(path);
    let schema = file.metadata().file_metadata().schema();
    let fields = schema.get_fields().iter().filter(|field| is_wanted(field.name())).cloned().collect();
    let projection = Type::group_type_builder(schema.name()).with_fields(fields).build().unwrap();
    file.get_row_iter(Some(projection)).unwrap().map(|row| row.unwrap()).collect()
}

fn names(path: &Path) -> Vec<String> {
    let file = open(path);
    file.metadata().file_metadata().schema().get_fields().iter().map(|field| field.name().to_owned()).collect()
}

fn is_new(name: &str) -> bool {
    ["predicted_labels", "predicted_scores", "error"].contains(&name)
}

/// Labels and scores as JSONL has them; none where there is an error.
fn predictions(row: &Row) -> Option<Value> {
    let [(_, Field::ListInternal(labels)), (_, Field::ListInternal(scores)), _] =
        row.get_column_iter().collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let pairs = labels.elements().iter().zip(scores.elements()).map(|pair| match pair {
        (Field::Str(label), Field::Float(score)) => {
            let score: Value = serde_json::from_str(&score.to_string()).unwrap();
            json!({ "label": label, "score": score })
        }
        other => panic!("{other:?}"),
    });
    Some(pairs.collect())
}

#[test]
fn columns_come_out_as_they_went_in_with_new_ones_behind() {
    let sandbox = Sandbox::new();
    batch(&sandbox, &[PYARROW, "-o", "out.parquet", "-l", "sport,travel"]).run().ends_with(1);
    let out = sandbox.path("out.parquet");
    let kept = ["id", "text", "when", "nested", "kind", "labels"];
    assert_eq!(names(&out), [&kept[..], &["predicted_labels", "predicted_scores", "error"]].concat());
    let is_kept = |name: &str| kept.contains(&name);
    assert_eq!(rows(&out, is_kept), rows(PYARROW.as_ref(), is_kept));
    assert_eq!(open(&out).metadata().num_row_groups(), 3);
    let pairs = open(&out).metadata().file_metadata().key_value_metadata().cloned();
    assert!(pairs.iter().flatten().all(|pair| pair.key != "ARROW:schema"), "{pairs:?}");
}

#[test]
fn predictions_are_those_of_jsonl() {
    let sandbox = Sandbox::new();
    let records = rows(PYARROW.as_ref(), |name| ["text", "labels"].contains(&name));
    let lines: String = records
        .iter()
        .map(|row| {
            let text = row.get_string(0).ok();
            let labels = row.get_list(1).ok().map(|list| {
                let label = |field: &Field| if let Field::Str(label) = field { Some(label.clone()) } else { None };
                list.elements().iter().map(label).collect::<Vec<_>>()
            });
            json!({ "text": text, "labels": labels }).to_string() + "\n"
        })
        .collect();
    sandbox.write("in.jsonl", lines);
    for more in [&["-l", "sport,travel"][..], &["-l", "sport,travel", "--all-scores"]] {
        let options = [&["--force"], more].concat();
        let jsonl = batch(&sandbox, &[&["in.jsonl"], more].concat()).run().ends_with(1).stdout;
        batch(&sandbox, &[&[PYARROW, "-o", "out.parquet"], &options[..]].concat()).run().ends_with(1);
        let found = rows(&sandbox.path("out.parquet"), is_new);
        assert_eq!(found.len(), jsonl.lines().count());
        for (line, row) in jsonl.lines().zip(&found) {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(predictions(row).as_ref(), line.get("predictions"), "{line}");
            assert_eq!(line.get("error").is_some(), row.get_string(2).is_ok(), "{line}");
        }
        assert!(found.iter().filter(|row| predictions(row).is_some()).count() >= 12);
    }
}

/// A row whose cells are the names of their columns.
fn row_of(columns: &[&str]) -> Vec<u8> {
    let fields: String = columns.iter().map(|column| format!("required binary {column} (STRING); ")).collect();
    let schema = parse_message_type(&format!("message table {{ {fields}}}")).unwrap();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for &name in columns {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&[ByteArray::from(name)], None, None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn a_column_error_of_the_users_own_is_not_replaced() {
    let sandbox = Sandbox::new();
    sandbox.write("own.parquet", row_of(&["text", "error"]));
    sandbox.write("earlier.parquet", row_of(&["text", "predicted_labels", "predicted_scores", "error"]));
    let run =
        |arguments: &[&str]| batch(&sandbox, &[arguments, &["-o", "out.parquet", "-l", "a", "--force"]].concat()).run();
    run(&["own.parquet"])
        .ends_with(2)
        .says(&["own.parquet: its column \"error\" would be replaced", "--on-error fail"]);
    run(&["own.parquet", "--on-error", "fail"]).ends_with(0);
    assert_eq!(names(&sandbox.path("out.parquet")), ["text", "error", "predicted_labels", "predicted_scores"]);
    run(&["earlier.parquet"]).ends_with(0);
}

#[test]
fn a_text_may_stand_inside_a_structure() {
    let sandbox = Sandbox::new();
    let options = ["--text-field", "nested.body", "--on-error", "fail", "-l", "sport,travel"];
    let outcome = batch(&sandbox, &[&[PYARROW, "-o", "out.parquet"], &options[..]].concat()).run().ends_with(1);
    outcome.says(&["pyarrow.parquet:4: no text in column \"nested.body\""]);
    // Nothing of a row group that is not complete is left, and the file can be read.
    assert_eq!(rows(&sandbox.path("out.parquet"), |_| true).len(), 0);
}

#[test]
fn shards_are_row_groups_and_make_up_one_run() {
    let sandbox = Sandbox::new();
    sandbox.write("in.parquet", small_table());
    for (input, expected) in [("in.parquet", 7), (GAPS, 5)] {
        let run = |more: &[&str]| {
            let arguments = [input, "-o", "out.parquet", "-l", "a,b", "--force"];
            batch(&sandbox, &[&arguments, more].concat()).run().ends_with(0);
            rows(&sandbox.path("out.parquet"), |_| true)
        };
        let whole = run(&[]);
        assert_eq!(whole.len(), expected);
        for count in [1, 2, 3, 9] {
            let shard = |index| run(&["--shard", &format!("{index}/{count}")]);
            let together: Vec<Row> = (0..count).flat_map(shard).collect();
            assert_eq!(together, whole, "{input} in {count} shards");
        }
    }
}

#[test]
fn a_state_without_the_end_of_the_table_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("in.parquet", small_table());
    let arguments = ["in.parquet", "-o", "out.parquet", "-l", "a,b", "--resume"];
    batch(&sandbox, &arguments).run().ends_with(0);
    let whole = fs::read(sandbox.path("out.parquet")).unwrap();
    let state = sandbox.read("out.parquet.resume");
    batch(&sandbox, &arguments).run().ends_with(0);
    assert_eq!(fs::read(sandbox.path("out.parquet")).unwrap(), whole);
    let mut other: Value = serde_json::from_str(&state).unwrap();
    other["done"]["complete"] = false.into();
    sandbox.write("out.parquet.resume", other.to_string());
    batch(&sandbox, &arguments).run().ends_with(2).says(&[
        "out.parquet.resume",
        "not the state of this output",
        "--force",
    ]);
}

#[test]
fn a_run_that_fails_between_row_groups_is_gone_on_with_behind_the_last_one() {
    let sandbox = Sandbox::new();
    let mut input = table(["one", "two", "three", "four", "five", "broken", "seven"], 2);
    while let Some(at) = input.windows(6).position(|bytes| bytes == b"broken") {
        input[at] = 0xff;
    }
    sandbox.write("in.parquet", input);
    let arguments = ["in.parquet", "-o", "out.parquet", "-l", "a,b", "--resume", "--on-error", "fail"];
    for _ in 0..2 {
        batch(&sandbox, &arguments).run().ends_with(1).says(&["in.parquet:6: ", "invalid UTF-8"]);
        assert_eq!(rows(&sandbox.path("out.parquet"), |_| true).len(), 4);
        let state: Value = serde_json::from_str(&sandbox.read("out.parquet.resume")).unwrap();
        assert_eq!(state["done"]["records"], 4);
    }
}

#[test]
#[cfg(unix)]
fn a_signal_ends_a_run_with_whole_row_groups_and_it_can_be_gone_on_with() {
    let sandbox = Sandbox::new();
    const RECORDS: usize = 60_000;
    let texts: Vec<String> = (0..RECORDS).map(|number| format!("the world and football {number}")).collect();
    sandbox.write("in.parquet", table(texts.iter().map(String::as_str), 90));
    let run = |output| batch(&sandbox, &["in.parquet", "-o", output, "-l", "a,b", "--resume"]);
    run("whole.parquet").run().ends_with(0);
    let mut running = run("out.parquet").start();
    wait_for_state(&mut running, &sandbox, "out.parquet");
    running.signal("INT");
    assert_eq!(running.code(true), Some(130));
    let done = rows(&sandbox.path("out.parquet"), |_| true).len();
    assert!(done > 0 && done < RECORDS && done % 90 == 0, "{done}");
    run("out.parquet").run().ends_with(0);
    let [whole, out] = ["whole.parquet", "out.parquet"].map(|name| fs::read(sandbox.path(name)).unwrap());
    assert!(whole == out);
}

#[test]
fn what_cannot_be_done_with_parquet_is_refused_with_what_can() {
    let sandbox = Sandbox::new();
    sandbox.write("in.parquet", small_table());
    let damaged = small_table();
    sandbox.write("cut.parquet", &damaged[..damaged.len() - 9]);
    sandbox.write("empty.parquet", "");
    let labels = ["-l", "a,b"];
    let refused = |arguments: &[&str], words: &[&str]| {
        batch(&sandbox, arguments).run().ends_with(2).says(words);
    };
    let with_labels = |arguments: &[&str], words: &[&str]| refused(&[arguments, &labels[..]].concat(), words);
    refused(&["in.parquet", "-o", "out"], &["no labels", "--labels"]);
    with_labels(&["in.parquet", "--text-field", "body"], &["no column \"body\" in the schema (id, text)"]);
    with_labels(&["in.parquet", "--text-field", "id"], &["\"id\" holds INT64, not text"]);
    with_labels(&[PYARROW, "--text-field", "predicted_scores"], &["\"predicted_scores\"", "would replace it"]);
    with_labels(&["in.parquet", "--on-error", "skip"], &["--on-error skip", "`keep`"]);
    with_labels(&["in.parquet", "-o", "out.parquet.gz"], &["compressed inside"]);
    with_labels(&["in.parquet", "--logits"], &["need JSONL"]);
    with_labels(&["--input-format", "parquet"], &["standard input", "needs a file"]);
    sandbox.write("one.parquet", row_of(&["text", "labels"]));
    with_labels(&["one.parquet"], &["one.parquet: column \"labels\" holds texts", "write lists, or rename it"]);
    batch(&sandbox, &["one.parquet", "-o", "out.parquet", "--text-field", "labels", "-l", "a"]).run().ends_with(0);
    with_labels(&[BROTLI], &["compressed with brotli", "zstd or snappy"]);
    with_labels(&["cut.parquet"], &["cut.parquet: the Parquet file is cut off", "copy it again"]);
    with_labels(&["empty.parquet"], &["empty.parquet: "]);
    sandbox.write("table", small_table());
    with_labels(&["table"], &["table: is Parquet, not JSONL", "ends in .parquet"]);
    let piped = batch(&sandbox, &labels).input(small_table()).run().ends_with(2);
    piped.says(&["standard input: is Parquet, not JSONL"]);
}

#[test]
fn rows_that_cannot_be_judged_are_told_as_batch_tells_them() {
    let sandbox = Sandbox::new();
    sandbox.write("in.parquet", small_table());
    let number = "column \"id\" holds INT64, not text: give --text-field";
    let missing = "in.parquet: no column \"body\" in the schema (id, text): give --text-field";
    let null = "datasets.parquet: row 2, field \"note\": ";
    let no_string = [null, "must be a string, found null"];
    for (file, options, words) in [
        ("in.parquet", ["--text-field", "id", "--label-field", "text"], &["in.parquet: ", number][..]),
        ("in.parquet", ["--text-field", "body", "--label-field", "text"], &[missing]),
        (BROTLI, ["--text-field", "text", "--label-field", "text"], &["compressed with brotli", "zstd or snappy"]),
        (DATASETS, ["--text-field", "note", "--label-field", "label"], &no_string),
        (DATASETS, ["--text-field", "text", "--label-field", "note"], &[null, "null: write [] for no label"]),
    ] {
        let arguments = ["eval", "-q", "--model", MODEL, file].into_iter().chain(options);
        sandbox.gliclass(arguments).run().ends_with(2).says(words);
    }
}

#[test]
fn damage_is_told_and_nothing_else_is_said() {
    let sandbox = Sandbox::new();
    let mut damaged = fs::read(DATASETS).unwrap();
    // The dictionary that the texts are numbers of becomes an index, which nobody reads.
    let kind = &mut damaged[5];
    assert_eq!(std::mem::replace(kind, 2), 4);
    sandbox.write("damaged.parquet", damaged);
    for command in [&["batch", "-o", "out.parquet"][..], &["eval"]] {
        let options = ["-q", "--model", MODEL, "-l", "sport,world,business", "damaged.parquet"];
        let program = sandbox.gliclass(command.iter().chain(&options));
        let outcome = program.env("RUST_BACKTRACE", "1").run().ends_with(2);
        assert_eq!(outcome.stderr, "error: damaged.parquet: the Parquet file is damaged\n");
    }
}

#[test]
fn labelled_rows_are_judged_like_json_lines() {
    let sandbox = Sandbox::new();
    let line = |text: &str, label: &str| {
        json!({ "text": text, "label": label, "all_labels": ["world", "sport", "business"] }).to_string()
    };
    let lines = [
        line("The match ended two to one.", "sport"),
        line("Shares rose after the report.", "business"),
        line("The ministers met in Geneva.", "world"),
        line("A late goal.", "sport"),
    ];
    sandbox.write("in.jsonl", lines.join("\n"));
    let eval = |arguments: &[&str]| sandbox.gliclass(["eval", "-q"].iter().chain(arguments)).run().ends_with(0).stdout;
    let judged = eval(&[DATASETS, "--model", MODEL, "--errors", "2"]);
    assert_eq!(judged.replace("(row ", "(line "), eval(&["in.jsonl", "--model", MODEL, "--errors", "2"]));
    assert!(judged.contains("business") && judged.contains("(row "), "{judged}");

    let labels = ["-l", "world,sport,business", "--single-label", "--all-scores"];
    batch(&sandbox, &[&[DATASETS, "-o", "out.parquet"], &labels[..]].concat()).run().ends_with(0);
    batch(&sandbox, &[&["in.jsonl", "-o", "out.jsonl"], &labels[..]].concat()).run().ends_with(0);
    let ready = |file: &str| eval(&["--predictions-from", file, "--single-label"]);
    assert_eq!(ready("out.parquet"), ready("out.jsonl"));
    let named = ["--predictions-from", "out.parquet", "--single-label", "--output-field", "said"];
    assert_eq!(eval(&named), ready("out.parquet"));
}
