//! Files of records, of labels, and of what is said about them.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use clap::Parser;
use gliclass::Result;
use gliclass::adapted::Adapted;
use gliclass::classifier::{Classifier, Encoded};
use gliclass::cli::batch::{self, Candidate};
use gliclass::records::input::Input;
use gliclass::records::labelled::{self, Layout, Ready};
use gliclass::records::{Defaults, Example, RacExample, Reading, Record, csv, jsonl, labels};
use gliclass::scores::{self, Decision, Thresholds};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use tempfile::TempDir;

use super::damage::{damaged, damages, edited, edits};
use super::defaults;
use crate::harness::gzip;
#[cfg(feature = "parquet")]
use crate::parquet::PYARROW;

const RECORDS: &str = concat!(
    "\u{feff}{\"text\":\"One\",\"labels\":{\"a\":[\"b\",\"c\"],\"d\":\"e\"},\"n\":1.0e5}\r\n\n",
    "{\"text\":\"\\ud83d\\ude00\",\"prompt\":\"p\",\"examples\":[{\"text\":\"x\",\"labels\":[\"b\"]}],\"truncated\":0}\n",
    "{ \"id\" : 12345678901234567890 , \"text\" : \"b\" , \"text\" : \"c\" , \"rac_examples\" : [{\"text\":\"r\"}] }",
);

const TABLE: &str = "\u{feff}id,text,\"predicted_labels\"\r\n1,\"a \"\"b\"\",\nc\",x\r\n2,plain,\r\n\r\n3,\"open";

const LABELS: &str = "{\"travel\": [\"flights\", \"hotels\"], \"sport\": {\"ball\": [\"football\"]}, \"x\": \"y\"}";

const WORDINGS: &str = "{\"a\": [\"a1\", \"a2\"], \"b\": \"b1\", \"c\": [\"c1\"]}";

const EXAMPLES: &str = "[{\"text\":\"x\",\"labels\":[\"b\"],\"all_labels\":[\"a\",\"b\"],\"true_labels\":[\"b\"]}]";

const THRESHOLDS: &str = r#"{"single_label": false, "temperature": 1.25, "use": "labels", "threshold": 0.5,
    "labels": {"a": 0.25, "b": 0.75, "c": 1.0}, "abstain_below": 0.1,
    "fitted": {"goal": "f1", "data": "x.jsonl", "records": 7, "fingerprint": "00ff"}}"#;

/// Labelled records in every form, some with predictions.
const LABELLED: [(&str, &str); 11] = [
    (
        "a.jsonl",
        "{\"text\":\"x\",\"true_labels\":[\"a\"],\"all_labels\":[\"a\",\"b\"]}\n{\"text\":\"y\",\"label\":\"b\"}\n",
    ),
    (
        "a.json",
        "[{\"text\":\"x\",\"true_labels\":[\"a\"],\"all_labels\":[\"a\",\"b\"],\"prompt\":\"p\"},\n{\"text\":\"y\",\"label\":1}]",
    ),
    ("a.csv", "text,label\r\n\"x, \"\"y\"\"\",a|b\r\n\r\nz,\r\n"),
    ("a.csv", "id,text,sport,travel\n1,x,0,1\n2,y,1,0\n"),
    ("a.tsv", "text\tlabels\tall_labels\nx\ta\ta|b\n"),
    ("a.txt", "__label__a __label__b one text\n__label__c another\n"),
    (
        "a.jsonl",
        "{\"text\":\"x\",\"label\":\"a\",\"predictions\":[{\"label\":\"a\",\"score\":0.5},{\"label\":\"b\",\"score\":0.25}]}\n",
    ),
    (
        "a.jsonl",
        "{\"text\":\"x\",\"label\":\"s.b\",\"labels\":{\"s\":[\"b\"],\"t\":\"u\"},\"predictions\":{\"s\":{\"b\":0.5},\"t\":{\"u\":0.1}}}\n{\"text\":\"z\",\"error\":\"e\"}",
    ),
    ("a.csv", "text,label,predicted_labels,predicted_scores,error\nx,a,a|b,0.75|0.5,\ny,b,,,failed\n"),
    ("a.csv", "text,label,score:a,score:b\nx,a,0.75,0.5\ny,1,1e-3,0\n"),
    ("a", "[\n{\"text\":\"x\",\"label\":[0],\"predictions\":[]}]"),
];

/// The first label holds, the others do not.
struct Free;

impl Classifier for Free {
    fn encode(&self, record: &Record) -> Result<Encoded> {
        Ok(Encoded::new(vec![1], Vec::new(), &record.labels, false))
    }

    fn logits(&self, batch: &[Encoded], _threads: usize) -> Result<Vec<Vec<f32>>> {
        Ok(batch.iter().map(|one| (0..one.labels.len()).map(|label| 1.0 - label as f32).collect()).collect())
    }
}

impl Candidate for Free {
    type Model = Self;

    fn fingerprint(&self) -> anyhow::Result<String> {
        Ok("free".into())
    }

    fn load(self) -> anyhow::Result<Self> {
        Ok(self)
    }
}

fn layout() -> Layout {
    Layout {
        text_field: "text".into(),
        label_field: None,
        list_separator: "|".into(),
        label_separator: ".".into(),
        labels: None,
        whole: false,
    }
}

/// A file of its own with this content.
fn file(content: &[u8]) -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, content).unwrap();
    (folder, path)
}

/// JSON that says something else, or is damaged.
fn spoiled(good: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let reworded =
        edits().prop_map(move |edits| edited(serde_json::from_str(good).unwrap(), &edits).to_string().into());
    prop_oneof![reworded, damages().prop_map(move |damages| damaged(good, usize::MAX, &damages))]
}

proptest! {
    #[test]
    fn jsonl_is_read_and_written_back(damages in damages()) {
        let bytes = damaged(RECORDS, usize::MAX, &damages);
        let reading = Reading { text_field: "text".into(), defaults: defaults() };
        let mut out = Vec::new();
        for entry in jsonl::Reader::new(&bytes[..], "in.jsonl", reading) {
            entry.unwrap().raw.write(&[("predictions", "[]".into()), ("truncated", "true".into())], &["predictions", "error"], &mut out);
        }
        for line in String::from_utf8(out).unwrap().trim_start_matches('\u{feff}').lines() {
            // Half a surrogate pair in a field that is not ours passes through: it is the grammar that must hold.
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok(), "{}", line);
        }
    }

    #[test]
    fn csv_is_read_and_written_back(damages in damages()) {
        let bytes = damaged(TABLE, usize::MAX, &damages);
        if let Ok(reader) = csv::Reader::new(&bytes[..], "in.csv", b',', "text", defaults()) {
            let columns = csv::Columns::new(reader.header(), &["predicted_labels".into()], reader.dialect());
            let mut out = Vec::new();
            columns.write_header(&mut out);
            // A quote that is never closed ends it.
            for entry in reader.flatten() {
                columns.write(&entry.raw, &["x".into()], &mut out);
            }
        }
    }

    #[test]
    fn label_files_are_read(bytes in prop_oneof![
        spoiled(LABELS),
        damages().prop_map(|damages| damaged("travel\n sport\r\n\n\u{feff}dreams", usize::MAX, &damages)),
    ]) {
        let (_folder, path) = file(&bytes);
        drop(labels::from_file(&path, ".", false));
        if let Ok(text) = String::from_utf8(bytes) {
            drop(labels::from_options(&[text]));
        }
    }

    #[test]
    fn examples_are_read(bytes in spoiled(EXAMPLES)) {
        let (_folder, path) = file(&bytes);
        drop(labels::examples_from_file::<Example>(Some(&path)));
        drop(labels::examples_from_file::<RacExample>(Some(&path)));
    }

    #[test]
    fn wordings_and_thresholds_decide_or_are_refused(wordings in spoiled(WORDINGS), thresholds in spoiled(THRESHOLDS)) {
        let ((_one, wordings), (_other, thresholds)) = (file(&wordings), file(&thresholds));
        let fitted = Thresholds::read(&thresholds).ok().map(Arc::new);
        if let Ok(labels) = labels::from_file(&wordings, ".", true) {
            let defaults = Defaults { labels: Some(Arc::new(labels)), ..Defaults::default() };
            let adapted = Adapted::new(Free, fitted.clone());
            if let Ok(encoded) = adapted.encode(&defaults.record("x".into()).unwrap()) {
                let logits = adapted.logits(std::slice::from_ref(&encoded), 1).unwrap();
                let decision = Decision { fitted, ..Decision::default() };
                let found = scores::decide(&logits[0], &encoded.labels, &decision);
                prop_assert!(found.iter().all(|one| (0.0..=1.0).contains(&one.score)), "{found:?}");
            }
        }
    }

    #[test]
    fn labelled_records_are_read(good in select(&LABELLED[..]), damages in damages()) {
        let bytes = damaged(good.1, usize::MAX, &damages);
        for name in [good.0, "unnamed"] {
            drop(labelled::read(name, bytes.clone(), &layout()));
            drop(Ready::read(vec![(name.to_owned(), bytes.clone())], &layout(), "predictions"));
        }
    }

    #[test]
    fn archives_are_unpacked(is_gzip in any::<bool>(), members in 1..4_usize, damages in damages()) {
        let (name, member) = match is_gzip {
            true => ("in.gz", gzip(RECORDS)),
            false => ("in.zst", zstd::bulk::compress(RECORDS.as_bytes(), 1).unwrap()),
        };
        let (folder, path) = file(&damaged(member.repeat(members), usize::MAX, &damages));
        let packed = folder.path().join(name);
        fs::rename(path, &packed).unwrap();
        if let Ok(mut input) = Input::open(Some(&packed)) {
            let mut content = Vec::new();
            // What a few bytes unpack to is not bounded by them, but it is read bit by bit.
            drop(input.stream.by_ref().take(1 << 24).read_to_end(&mut content));
        }
    }
}

#[derive(Parser)]
struct Batch {
    #[command(flatten)]
    args: batch::Args,
}

/// A run in which every record counts.
fn run(folder: &Path) -> anyhow::Result<()> {
    let [input, output] = ["in.jsonl", "out.jsonl"].map(|name| folder.join(name).to_str().unwrap().to_owned());
    let line = ["batch", &input, "-o", &output, "-q", "-j", "1", "-l", "a", "--resume"];
    batch::run_with(Batch::parse_from(line).args, |_, _| Ok(Free)).map(drop)
}

/// The files of a run that stopped in the middle.
fn stopped() -> &'static [(&'static str, Vec<u8>); 3] {
    static FILES: OnceLock<[(&str, Vec<u8>); 3]> = OnceLock::new();
    FILES.get_or_init(|| {
        let finished = |input: &str| {
            let folder = TempDir::new().unwrap();
            fs::write(folder.path().join("in.jsonl"), input).unwrap();
            run(folder.path()).unwrap();
            ["out.jsonl", "out.jsonl.resume"].map(|name| fs::read(folder.path().join(name)).unwrap())
        };
        let beginning = "{\"text\":\"a\"}\n{\"text\":\"b\"}\n";
        let whole = beginning.to_owned() + "{\"no\":\"c\"}\n{\"text\":\"d\"}\n";
        let [[output, reached], [_, state]] = [finished(beginning), finished(&whole)];
        let [reached, mut state] = [reached, state].map(|state| serde_json::from_slice::<Value>(&state).unwrap());
        state["done"] = reached["done"].clone();
        state["done"]["complete"] = false.into();
        [("in.jsonl", whole.into()), ("out.jsonl", output), ("out.jsonl.resume", state.to_string().into())]
    })
}

#[test]
fn a_run_that_stopped_in_the_middle_is_gone_on_with() {
    let folder = TempDir::new().unwrap();
    stopped().iter().for_each(|(name, content)| fs::write(folder.path().join(name), content).unwrap());
    run(folder.path()).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("out.jsonl")).unwrap().lines().count(), 4);
}

/// The end of a table without row groups, and one with them.
#[cfg(feature = "parquet")]
fn footers() -> [Vec<u8>; 2] {
    let good = fs::read(PYARROW).unwrap();
    [row_groups().footer().unwrap(), good[good.len() - 3000..].to_vec()]
}

#[cfg(feature = "parquet")]
fn row_groups() -> gliclass::records::parquet::RowGroups {
    use gliclass::records::parquet::{Reader, RowGroups};
    let reading = Reading { text_field: "text".into(), defaults: defaults() };
    RowGroups::new(&Reader::open(PYARROW.as_ref(), reading).unwrap(), true).unwrap()
}

#[cfg(feature = "parquet")]
proptest! {
    #[test]
    fn a_damaged_end_of_a_table_is_gone_on_with_or_refused(damages in damages(), which in 0..2_usize) {
        let mut groups = row_groups();
        if groups.go_on(&damaged(&*footers()[which], usize::MAX, &damages), 4).is_ok() {
            drop(groups.footer());
        }
    }

    #[test]
    fn parquet_is_read_and_written_back(damages in damages()) {
        let folder = TempDir::new().unwrap();
        let [input, output] = ["in.parquet", "out.parquet"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        let bytes = damaged(fs::read(PYARROW).unwrap(), usize::MAX, &damages);
        drop(labelled::read("in.parquet", bytes.clone(), &layout()));
        fs::write(&input, bytes).unwrap();
        let line = ["batch", &input, "-o", &output, "-q", "-j", "1", "-l", "a"];
        if let Err(error) = batch::run_with(Batch::parse_from(line).args, |_, _| Ok(Free)) {
            prop_assert!(!format!("{error:#}").contains("this is a bug"), "{error:#}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 2, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_state_of_a_run_is_gone_on_with_or_refused(damages in damages(), edits in edits(), bytes in any::<bool>()) {
        let folder = TempDir::new().unwrap();
        let [input, output, state] = stopped();
        let value = serde_json::from_slice(&state.1).unwrap();
        let state = (state.0, if bytes { damaged(&*state.1, usize::MAX, &damages) } else { edited(value, &edits).to_string().into() });
        for (name, content) in [input, output, &state] {
            fs::write(folder.path().join(name), content).unwrap();
        }
        if let Err(error) = run(folder.path()) {
            prop_assert!(!format!("{error:#}").contains("this is a bug"), "{error:#}");
        }
        prop_assert_eq!(&fs::read(folder.path().join("in.jsonl")).unwrap(), &input.1);
    }
}
