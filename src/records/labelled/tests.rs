//! Each form, as people write it and as they should not.

use proptest::prelude::*;

use super::*;

fn layout() -> Layout {
    Layout {
        text_field: "text".into(),
        label_field: None,
        list_separator: "|".into(),
        label_separator: ".".into(),
        labels: None,
    }
}

fn with_labels(labels: &[&str]) -> Layout {
    let names = labels.iter().map(|&label| label.to_owned()).collect();
    Layout { labels: Some(Arc::new(LabelSet::flat(names).unwrap())), ..layout() }
}

fn read_str(name: &str, text: &str) -> Result<Dataset> {
    read(name, text.as_bytes(), &layout())
}

/// What is read, one `line: text = true labels of candidates` a record.
fn shown(data: &Dataset) -> Vec<String> {
    let show = |r: &Labelled| format!("{}: {} = {:?} of {:?}", r.line, r.text, r.truth, r.labels.names());
    data.records.iter().map(show).collect()
}

#[track_caller]
fn assert_read(name: &str, text: &str, layout: &Layout, form: Form, expected: &[&str]) {
    let data = read(name, text.as_bytes(), layout).unwrap();
    assert_eq!((data.form, shown(&data)), (form, expected.iter().map(|&line| line.to_owned()).collect()));
}

#[track_caller]
fn assert_refused(name: &str, text: &[u8], layout: &Layout, expected: &str) {
    let error = read(name, text, layout).unwrap_err().to_string();
    assert_eq!(error, format!("{name}: {expected}"));
}

#[test]
fn json_lines_are_read_and_blank_lines_are_counted() {
    let text = "\u{feff}{\"text\": \"one\", \"label\": \"a\"}\r\n\r\n{\"label\": [\"b\", \"a\"], \"text\": \"two\"}\n";
    let expected = [r#"1: one = ["a"] of ["a", "b"]"#, r#"3: two = ["b", "a"] of ["a", "b"]"#];
    assert_read("d.jsonl", text, &layout(), Form::JsonLines, &expected);
}

#[test]
fn a_json_array_is_read_with_the_labels_of_each_record() {
    let text = "[\n{\"text\": \"one\",\n \"all_labels\": [\"a\", \"b\"], \"true_labels\": []},\n\
                \n {\"text\": \"two\", \"all_labels\": [\"c\"], \"true_labels\": [\"c\"]}]";
    let expected = [r#"2: one = [] of ["a", "b"]"#, r#"5: two = ["c"] of ["c"]"#];
    assert_read("d.json", text, &layout(), Form::JsonArray, &expected);
    assert_eq!(read_str("d.json", text).unwrap().labels, ["a", "b", "c"]);
}

#[test]
fn weighted_labels_are_true_from_one_half_up() {
    let text = r#"{"text": "one", "true_labels": {"a": 1, "b": 0.5, "c": 0.49}, "all_labels": ["c", "b", "a"]}"#;
    assert_read("d", text, &layout(), Form::JsonLines, &[r#"1: one = ["a", "b"] of ["c", "b", "a"]"#]);
}

#[test]
fn records_that_repeat_their_labels_share_one_copy() {
    let line = r#"{"text": "x", "all_labels": ["a", "b"], "true_labels": ["a"]}"#;
    let data = read_str("d.jsonl", &format!("{line}\n{line}")).unwrap();
    assert!(Arc::ptr_eq(&data.records[0].labels, &data.records[1].labels));
}

#[test]
fn nested_labels_of_a_record_are_flattened() {
    let text = r#"{"text": "x", "all_labels": {"a": ["b", "c"]}, "true_labels": ["a.c"]}"#;
    assert_read("d.jsonl", text, &layout(), Form::JsonLines, &[r#"1: x = ["a.c"] of ["a.b", "a.c"]"#]);
}

#[test]
fn labels_of_the_command_come_before_those_of_a_record() {
    let text = r#"{"text": "x", "all_labels": ["z"], "true_labels": ["b"]}"#;
    assert_read("d", text, &with_labels(&["a", "b"]), Form::JsonLines, &[r#"1: x = ["b"] of ["a", "b"]"#]);
}

#[test]
fn a_number_means_the_label_with_that_number_unless_a_label_is_named_so() {
    let labels = with_labels(&["zero", "one", "0"]);
    let text = "{\"text\": \"x\", \"label\": 1}\n{\"text\": \"y\", \"label\": 0}";
    let expected = [r#"1: x = ["one"] of ["zero", "one", "0"]"#, r#"2: y = ["0"] of ["zero", "one", "0"]"#];
    assert_read("d", text, &labels, Form::JsonLines, &expected);
    let table = "text,label\nx,1\n";
    assert_read("d.csv", table, &labels, Form::Csv, &[r#"2: x = ["one"] of ["zero", "one", "0"]"#]);
}

#[test]
fn csv_keeps_quoted_commas_and_line_breaks_and_splits_lists() {
    let text = "id,text,label\r\n1,\"one, \"\"two\"\"\nthree\",a|b\r\n2,four,\r\n";
    let expected = ["2: one, \"two\"\nthree = [\"a\", \"b\"] of [\"a\", \"b\"]", "4: four = [] of [\"a\", \"b\"]"];
    assert_read("d.csv", text, &layout(), Form::Csv, &expected);
}

#[test]
fn other_columns_and_separators_can_be_named() {
    let named = Layout {
        text_field: "body".into(),
        label_field: Some("topic".into()),
        list_separator: "; ".into(),
        ..layout()
    };
    let expected = [r#"2: x = ["a", "b"] of ["a", "b"]"#];
    assert_read("d", "body\ttopic\nx\ta; b\n", &named, Form::Tsv, &expected);
    let expected = [r#"1: x = ["a; b"] of ["a; b"]"#];
    assert_read("d", r#"{"body": "x", "topic": "a; b"}"#, &named, Form::JsonLines, &expected);
}

#[test]
fn a_table_may_have_a_column_with_the_labels_of_each_record() {
    let expected = [r#"2: x = ["b"] of ["a", "b"]"#];
    assert_read("d.csv", "text,all_labels,true_labels\nx,a|b,b\n", &layout(), Form::Csv, &expected);
}

#[test]
fn fasttext_lines_may_have_several_labels() {
    let text = "__label__a __label__b  one two \n\n__label__b three __label__c\n";
    let expected = [r#"1: one two = ["a", "b"] of ["a", "b"]"#, r#"3: three __label__c = ["b"] of ["a", "b"]"#];
    assert_read("d.txt", text, &layout(), Form::FastText, &expected);
}

#[test]
fn the_form_is_told_by_the_ending_and_else_by_the_first_line() {
    let form = |name, text| Form::detect(name, text).unwrap();
    assert_eq!(form("a.b.NDJSON", "anything"), Form::JsonLines);
    assert_eq!(form("a.json", " [1]"), Form::JsonArray);
    assert_eq!(form("a.json", "{}\n{}"), Form::JsonLines);
    assert_eq!(form("a.tsv", "text,label"), Form::Tsv);
    assert_eq!(form("standard input", "\n[{}]"), Form::JsonArray);
    assert_eq!(form("standard input", "{}"), Form::JsonLines);
    assert_eq!(form("a.txt", "__label__a b, c"), Form::FastText);
    assert_eq!(form("a.txt", "text,b\tlabel"), Form::Tsv);
    assert_eq!(form("a.txt", "text,label"), Form::Csv);
    assert!(Form::detect("a.txt", "hello").is_err());
}

#[test]
fn bad_json_records_are_refused_by_line_and_field() {
    for (text, expected) in [
        ("{\"text\": \"x\", \"label\": \"a\"}\n{\"text\"", "line 2: not JSON: EOF while parsing an object"),
        ("{\"text\": 1}", "line 1, field \"text\": must be a string, found a number"),
        ("{\"label\": \"a\"}", "line 1, field \"text\": missing: add it, or name another with --text-field"),
        ("{\"text\": \"x\"}", "line 1, field \"true_labels\": missing: add it, or name another with --label-field"),
        (
            "{\"text\": \"x\", \"label\": null}",
            "line 1, field \"label\": a label must be a string or an integer from 0, found null",
        ),
        (
            "{\"text\": \"x\", \"label\": -1}",
            "line 1, field \"label\": a label must be a string or an integer from 0, found a number",
        ),
        (
            "{\"text\": \"x\", \"label\": {\"a\": \"1\"}}",
            "line 1, field \"label\": the weight of \"a\" must be a number, found a string",
        ),
        (
            "{\"text\": \"x\", \"all_labels\": [\"a\", \"a\"], \"true_labels\": []}",
            "line 1, field \"all_labels\": label \"a\" is given twice: remove one",
        ),
        (
            "{\"text\": \"x\", \"all_labels\": [\"a\"], \"true_labels\": [\"b\"]}",
            "line 1, field \"true_labels\": \"b\" is not among the 1 candidate labels",
        ),
        ("7", "line 1: a record must be an object, found a number"),
        ("{\"text\": \"x\", \"label\": \"\"}", "a label is empty: remove it"),
    ] {
        assert_refused("d.jsonl", text.as_bytes(), &layout(), expected);
    }
}

#[test]
fn bad_records_of_an_array_are_refused_by_the_line_where_they_begin() {
    let text = "[\n{\"text\": \"x\", \"label\": \"a\"},\n\n  {\n\"text\": 1}]";
    assert_refused("d", text.as_bytes(), &layout(), "line 4, field \"text\": must be a string, found a number");
    assert_refused("d", b"[\n{]", &layout(), "line 2: not JSON: key must be a string");
    assert_refused("d", b"[1]", &layout(), "line 1: a record must be an object, found a number");
}

#[test]
fn bad_tables_are_refused_by_line() {
    let columns = "there are [\"a\", \"b\"]: name one with --text-field";
    assert_refused("d.csv", b"a,b\n1,2", &layout(), &format!("line 1, field \"text\": no such column; {columns}"));
    let uneven = "line 3: 1 columns where the header has 2: is a quote missing?";
    assert_refused("d.csv", b"text,label\nx,a\ny\n", &layout(), uneven);
    assert_refused("d.csv", b"text,label\nx,a||b\n", &layout(), "a label is empty: remove it");
    let unknown = "line 2, field \"label\": \"9\" is not among the 2 candidate labels";
    assert_refused("d.csv", b"text,label\nx,9\n", &with_labels(&["a", "b"]), unknown);
}

#[test]
fn bad_fasttext_lines_are_refused_by_line() {
    let unlabelled = "line 2: no label: begin the line with __label__ and a name";
    assert_refused("d", b"__label__a x\ny\n", &layout(), unlabelled);
    assert_refused("d", b"__label__a\n", &layout(), "line 1: no text after the labels");
    assert_refused("d", b"__label__ x\n", &layout(), "a label is empty: remove it");
}

#[test]
fn data_without_records_or_names_is_refused() {
    assert_refused("d", b"\n\n", &layout(), "no records: the file is empty");
    assert_refused("d.jsonl", b"\n", &layout(), "no records (read as JSON lines)");
    assert_refused("d.json", b"[]", &layout(), "no records (read as a JSON array)");
    assert_refused("d.csv", b"text,label\n", &layout(), "no records (read as CSV)");
    assert_refused(
        "d.csv",
        b"",
        &layout(),
        "line 1, field \"text\": no such column; there are []: name one with --text-field",
    );
    let numbers = "the labels are numbers: name them with --labels, the name of 0 first";
    assert_refused("d.csv", b"text,label\nx,1\ny,0\n", &layout(), numbers);
    let none = "no record has a label: name the candidates with --labels";
    assert_refused("d.csv", b"text,label\nx,\n", &layout(), none);
    assert_refused("d", b"{\"a\"\n\xff", &layout(), "line 2: not UTF-8: convert the file to UTF-8");
}

#[test]
fn deep_nesting_is_refused_and_exhausts_nothing() {
    let deep = "[".repeat(100_000);
    assert!(read_str("d.json", &deep).is_err());
    assert!(read_str("d.jsonl", &deep).is_err());
    assert!(read_str("d.jsonl", &format!("{{\"text\": \"x\", \"label\": {deep}")).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in any::<Vec<u8>>(), ending in "jsonl|json|csv|tsv|txt") {
        let _ = read(&format!("d.{ending}"), &bytes, &layout());
    }

    #[test]
    fn no_text_that_looks_like_data_makes_a_reader_panic(
        text in "(\\[|\\{|\\}|\\]|\"|,|:|\n|\t|text|label|__label__|true_labels|all_labels|1|a| |\\|){0,40}",
        ending in "jsonl|json|csv|tsv|txt",
    ) {
        let _ = read_str(&format!("d.{ending}"), &text);
    }

    #[test]
    fn what_is_written_as_csv_is_read_as_it_was(texts in prop::collection::vec(".*", 1..8)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["text", "label"]).unwrap();
        for text in &texts {
            writer.write_record([text.as_str(), "a"]).unwrap();
        }
        let data = read("d.csv", &writer.into_inner().unwrap(), &layout()).unwrap();
        prop_assert_eq!(data.records.into_iter().map(|record| record.text).collect::<Vec<_>>(), texts);
    }
}
