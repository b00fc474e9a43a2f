//! Each form of labelled data, as people write it and as they should not.

use proptest::prelude::*;

use super::*;

pub(super) fn layout() -> Layout {
    Layout {
        text_field: "text".into(),
        label_field: None,
        list_separator: "|".into(),
        label_separator: ".".into(),
        labels: None,
        whole: false,
    }
}

pub(super) fn with_labels(labels: &[&str]) -> Layout {
    let names = labels.iter().map(|&label| label.to_owned()).collect();
    Layout { labels: Some(Arc::new(LabelSet::flat(names).unwrap())), ..layout() }
}

fn read_str(name: &str, text: &str) -> Result<Dataset> {
    read(name, text.into(), &layout())
}

pub(super) fn ready(text: &str, layout: &Layout) -> Result<Ready> {
    Ready::read(vec![("p.jsonl".into(), text.into())], layout, "predictions")
}

/// As records are read that are to be written back.
fn read_whole(name: &str, text: &str) -> Dataset {
    read(name, text.into(), &Layout { whole: true, ..layout() }).unwrap()
}

#[test]
fn a_quote_that_is_never_closed_is_said_with_its_line() {
    let text = "text,label\nfine,a\nbroken,\"b\nlost,a\nlost,b\n";
    assert_refused("a.csv", text.as_bytes(), &layout(), "line 3: a quote is opened in this row and never closed");
    for end in ["", " ", "\n", "\r\n", "\n\n", "\r\n\r\n"] {
        let closed = format!("label,text\na,fine\nb,\"two\nlines\"{end}");
        assert_eq!(read_str("a.csv", &closed).unwrap().records.len(), 2, "{end:?}");
    }
}

#[test]
fn a_quote_that_is_closed_in_another_row_is_said_with_its_line() {
    let text = "text,label\nfine,a\n\"broken,b\nlost,a\nthe \"end\",b\nfine,a\n";
    let error = read_str("a.csv", text).unwrap_err().to_string();
    assert!(error.starts_with("a.csv: line 3: quotes around several lines are closed in the middle"), "{error}");
}

/// What is read, one `line: text = true labels of candidates` a record.
fn shown(data: &Dataset) -> Vec<String> {
    let show = |r: &Labelled| {
        let spot = r.spot.to_string().replace("line ", "");
        format!("{spot}: {} = {:?} of {:?}", r.text, r.truth, r.labels.names())
    };
    data.records.iter().map(show).collect()
}

#[track_caller]
fn assert_read(name: &str, text: &str, layout: &Layout, form: Form, expected: &[&str]) {
    let data = read(name, text.into(), layout).unwrap();
    assert_eq!((data.form, shown(&data)), (form, expected.iter().map(|&line| line.to_owned()).collect()));
}

#[track_caller]
fn assert_refused(name: &str, text: &[u8], layout: &Layout, expected: &str) {
    let error = read(name, text.into(), layout).unwrap_err().to_string();
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
fn weights_are_kept_and_name_the_candidates_where_nothing_else_does() {
    let data = read_str("d", r#"{"text": "one", "true_labels": {"b": 0.25, "a": 1}}"#).unwrap();
    assert_eq!(shown(&data), [r#"1: one = ["a"] of ["a", "b"]"#]);
    assert_eq!(data.records[0].weights, [("b".to_owned(), 0.25), ("a".to_owned(), 1.0)]);
    assert_eq!(read_str("d", r#"{"text": "one", "true_labels": ["a"]}"#).unwrap().records[0].weights, []);
}

#[test]
fn labels_with_the_weight_of_those_left_out_are_neither_true_nor_false() {
    let text = r#"{"text": "one", "true_labels": {"a": 1, "b": -100, "c": 0}}"#;
    let data = read_str("d.jsonl", text).unwrap();
    assert_eq!(shown(&data), [r#"1: one = ["a"] of ["a", "b", "c"]"#]);
    assert_eq!(data.records[0].ignored().collect::<Vec<_>>(), ["b"]);
    let predictions = |text: &str| text.replacen('}', r#"}, "predictions": [{"label": "b", "score": 1}]"#, 1);
    let found = ready(&predictions(text), &layout()).unwrap();
    // Of c nothing is said: nobody knows of it.
    assert_eq!((found.names.join(" "), found.records[0].ignored.clone()), ("a b".into(), vec![1]));
    let all = r#"{"text": "one", "all_labels": ["a"], "true_labels": {"a": -100}}"#;
    let expected = "every label has the weight -100, which leaves it out: remove the record";
    assert_refused("d.jsonl", all.as_bytes(), &layout(), &format!("line 1, field \"true_labels\": {expected}"));
    let all = all.replace("\"a\"]", "\"b\"]").replace("{\"a\"", "{\"b\"");
    assert_eq!(ready(&predictions(&all), &layout()).unwrap_err().to_string(), format!("p.jsonl: line 1: {expected}"));
}

#[test]
fn records_with_unusable_labels_are_set_apart_and_the_others_read() {
    let text = r#"{"text": "x", "all_labels": ["a"], "true_labels": ["A"]}
{"text": "y", "all_labels": ["a", "b"], "true_labels": ["a"]}
{"text": "z", "all_labels": [], "true_labels": []}"#;
    let (data, unusable) = read_usable("d.jsonl", text.into(), &layout()).unwrap();
    assert_eq!(shown(&data), [r#"2: y = ["a"] of ["a", "b"]"#]);
    let unusable: Vec<_> = unusable.iter().map(|record| (record.fault, record.message.as_str())).collect();
    let expected = [
        (
            Fault::Unknown,
            "line 1, field \"true_labels\": \"A\" is not among the 1 candidate labels: correct it, or add it to those of \
             the record",
        ),
        (Fault::Candidates, "line 3, field \"all_labels\": no labels: give at least one"),
    ];
    assert_eq!(unusable, expected);
    assert!(read_usable("d.jsonl", text.lines().next().unwrap().into(), &layout()).is_err());
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
fn a_string_of_digits_is_a_name_and_no_number() {
    let labels = with_labels(&["zero", "one"]);
    for truth in [r#""1""#, r#"["1"]"#, r#"{"1": 1}"#] {
        let line = format!("{{\"text\":\"x\",\"label\":{truth},\"predictions\":[]}}");
        let message = "\"1\" is not among the 2 candidate labels: correct it, or add it to --labels";
        assert_refused("d.jsonl", line.as_bytes(), &labels, &format!("line 1, field \"label\": {message}"));
        assert_eq!(
            ready(&line, &labels).unwrap_err().to_string(),
            "p.jsonl: line 1: label \"1\" is not among the 2 of --labels: correct it, or add it there"
        );
    }
    let years = "{\"text\": \"x\", \"label\": \"2024\"}\n{\"text\": \"y\", \"label\": \"2025\"}";
    assert_eq!(read_str("d.jsonl", years).unwrap().labels, ["2024", "2025"]);
}

#[test]
fn a_quote_in_tsv_takes_no_rows() {
    let text = "text\tlabel\n\"one\ta\ntwo\"\ta\n\"three\"\t\"b\"\n";
    let expected =
        [r#"2: "one = ["a"] of ["a", "b"]"#, r#"3: two" = ["a"] of ["a", "b"]"#, r#"4: three = ["b"] of ["a", "b"]"#];
    assert_read("d.tsv", text, &layout(), Form::Tsv, &expected);
}

#[test]
fn in_tsv_a_line_of_nothing_is_no_record_and_a_carriage_return_is_a_character() {
    let expected = ["3: one\rmore = [\"a\"] of [\"a\"]"];
    assert_read("d.tsv", "text\tlabel\n\none\rmore\ta\r\n\r\n\n", &layout(), Form::Tsv, &expected);
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
fn a_table_may_have_a_column_of_0_and_1_for_each_label() {
    let text = "id,text,red,blue\n7,x,1,0\n8,y,1,1\n9,z,0,0\n";
    let expected = [
        r#"2: x = ["red"] of ["red", "blue"]"#,
        r#"3: y = ["red", "blue"] of ["red", "blue"]"#,
        r#"4: z = [] of ["red", "blue"]"#,
    ];
    assert_read("d.csv", text, &layout(), Form::Csv, &expected);
    assert_eq!(read_str("d.csv", text).unwrap().truth, "2 columns of 0 and 1");
    // As spreadsheets and data frames write them.
    let words = "id,text,red,blue\n7,x,TRUE,FALSE\n8,y,True,1.0\n9,z,false,0\n";
    assert_read("d.csv", words, &layout(), Form::Csv, &expected);
    // A column of other numbers is none, also where they begin with 0 and 1, and --labels may name some, or one.
    let counted = "id,text,red,blue\n0,x,1,0\n1,y,1,1\n2,z,0,0\n";
    assert_eq!(read_str("d.csv", counted).unwrap().truth, "2 columns of 0 and 1");
    let expected = [r#"2: x = ["blue", "id"] of ["blue", "id"]"#];
    assert_read("d.csv", "id,text,red,blue\n1,x,1,1\n", &with_labels(&["blue", "id"]), Form::Csv, &expected);
    assert_read(
        "d.csv",
        text,
        &with_labels(&["blue"]),
        Form::Csv,
        &[r#"2: x = [] of ["blue"]"#, r#"3: y = ["blue"] of ["blue"]"#, r#"4: z = [] of ["blue"]"#],
    );
}

#[test]
fn a_label_without_a_column_of_0_and_1_is_refused_where_others_have_one() {
    let missing = "no such column: give every label one of 0 and 1, or name the one with the true labels with \
                   --label-field";
    let unknown = format!("line 1, field \"bleu\": {missing}");
    let text = "text,red,blue\nx,1,0\ny,1,\n";
    assert_refused("d.csv", text.as_bytes(), &with_labels(&["red", "bleu"]), &unknown);
    let unclear = "line 3, field \"blue\": \"\" is neither 0 nor 1, which say whether this label is true";
    assert_refused("d.csv", text.as_bytes(), &with_labels(&["red", "blue"]), unclear);
    let empty = "line 3, field \"blue\": empty, where all other cells of the column are 0 or 1: write one of them, or \
                 name the labels with --labels";
    assert_refused("d.csv", text.as_bytes(), &layout(), empty);
    let odd = "line 5, field \"blue\": \"x\", where nearly all cells of the column are 0 or 1: write one of them, or \
               name the labels with --labels";
    let table = "text,red,blue,green\nx,1,0,0\ny,1,1,0\nz,0,1,1\nw,0,x,1\n";
    assert_refused("d.csv", table.as_bytes(), &layout(), odd);
    let counted = read_str("d.csv", &table.replace("0,x", "0,37")).unwrap();
    assert_eq!(counted.truth, "2 columns of 0 and 1");
    let said = table.replace('\n', ",,\n").replacen(",,\n", ",predicted_labels,predicted_scores\n", 1);
    let error = Ready::read(vec![("p.csv".into(), said.into())], &layout(), "predictions").unwrap_err();
    assert_eq!(error.to_string(), format!("p.csv: {odd}"));
    let none = "line 1, field \"label\": no such column; there are [\"text\", \"red\", \"blue\"]: name one with \
                --label-field";
    assert_refused("d.csv", text.as_bytes(), &with_labels(&["green"]), none);

    let scores = "text,red,blue,score:red,score:bleu\nx,1,0,0.9,0.1\n";
    let read = |text: &str| Ready::read(vec![("p.csv".into(), text.into())], &layout(), "predictions");
    assert_eq!(read(scores).unwrap_err().to_string(), format!("p.csv: {unknown}"));
    let listed = "text,red,blue,predicted_labels,predicted_scores\nx,1,0,red,0.9\nx,1,0,bleu,0.9\n";
    let said = "p.csv: line 3: \"bleu\" is true or predicted and not among the 2 candidate labels of the record: ";
    assert!(read(listed).unwrap_err().to_string().starts_with(said));
}

#[test]
fn a_field_labels_holds_the_candidates_unless_it_holds_the_truth() {
    let text = r#"{"text": "x", "labels": ["a", "b"], "label": "b"}"#;
    assert_read("d.jsonl", text, &layout(), Form::JsonLines, &[r#"1: x = ["b"] of ["a", "b"]"#]);
    let named = Layout { label_field: Some("labels".into()), ..layout() };
    assert_read("d.jsonl", text, &named, Form::JsonLines, &[r#"1: x = ["a", "b"] of ["a", "b"]"#]);
}

#[test]
fn a_field_that_is_null_says_nothing() {
    let text = r#"{"text": "x", "label": "b", "true_labels": null, "labels": ["a", "b"], "all_labels": null}"#;
    assert_read("d.jsonl", text, &layout(), Form::JsonLines, &[r#"1: x = ["b"] of ["a", "b"]"#]);
}

#[test]
fn a_record_is_kept_whole_on_one_line_and_says_what_it_says_itself() {
    let text = "[{\"id\": 1.50,\n \"text\": \"x\", \"label\": \"a\",\r\n \"prompt\": \"p\", \"examples\": null}]";
    let data = read_whole("d.json", text);
    let record = &data.records[0];
    assert_eq!(record.source, r#"{"id": 1.50,  "text": "x", "label": "a",   "prompt": "p", "examples": null}"#);
    assert_eq!((record.own.prompt.as_deref(), record.own.examples.is_none()), (Some("p"), true));
    assert!(!record.restate);
    let bad = r#"{"text": "x", "label": "a", "prompt": 7}"#;
    let expected = "line 1, field \"prompt\": invalid type: integer `7`, expected a string";
    assert_refused("d.jsonl", bad.as_bytes(), &layout(), expected);
}

#[test]
fn true_labels_are_restated_where_the_record_does_not_say_them_by_name() {
    let restated = |name, text: &str, layout: &Layout| read(name, text.into(), layout).unwrap().records[0].restate;
    let topic = Layout { label_field: Some("topic".into()), ..layout() };
    for (name, text, layout, expected) in [
        ("d.csv", "text,topic\nx,a\n", &topic, true),
        ("d.csv", "text,a,b\nx,1,0\n", &layout(), true),
        ("d.txt", "__label__a x", &layout(), true),
        ("d.jsonl", r#"{"text": "x", "label": 1}"#, &with_labels(&["a", "b"]), true),
        ("d.jsonl", r#"{"text": "x", "true_labels": [1]}"#, &with_labels(&["a", "b"]), false),
        ("d.jsonl", r#"{"text": "x", "label": "b"}"#, &with_labels(&["a", "b"]), false),
        ("d.jsonl", r#"{"text": "x", "topic": "b"}"#, &topic, false),
        ("d.jsonl", r#"{"text": "x", "topic": 1, "all_labels": ["a", "b"]}"#, &topic, false),
    ] {
        assert_eq!(restated(name, text, layout), expected, "{text}");
    }
}

#[test]
fn a_column_that_true_labels_would_replace_is_refused_where_rows_are_written_back() {
    let topic = Layout { label_field: Some("topic".into()), ..layout() };
    let text = "text,topic,true_labels\nx,a,mine\n";
    let message = "line 1, field \"true_labels\": --predictions writes the labels of \"topic\" under this name: rename this column";
    assert_refused("d.csv", text.as_bytes(), &Layout { whole: true, ..topic.clone() }, message);
    assert!(read("d.csv", text.into(), &Layout { whole: false, ..topic }).is_ok());
    let own = Layout { label_field: Some("true_labels".into()), whole: true, ..layout() };
    assert!(read("d.csv", text.into(), &own).is_ok());
}

#[test]
fn records_are_kept_as_they_are_only_where_they_are_written_back() {
    for (name, text) in [
        ("d.jsonl", r#"{"id": 7, "text": "x", "label": "a"}"#),
        ("d.json", r#"[{"id": 7, "text": "x", "label": "a"}]"#),
        ("d.csv", "id,text,label\n7,x,a\n"),
        ("d.tsv", "text\tlabel\nx\ta\n"),
        ("d.txt", "__label__a x"),
    ] {
        let (whole, parts) = (read_whole(name, text), read_str(name, text).unwrap());
        assert!(!whole.records[0].source.is_empty() && parts.records[0].source.is_empty(), "{name}");
        assert_eq!(shown(&whole), shown(&parts));
    }
}

#[test]
fn the_cells_of_a_row_are_kept_as_they_are() {
    let data = read_whole("d.csv", "text,all_labels,label\nx,a| b,a|b\n");
    assert_eq!(data.records[0].source, r#"{"text":"x","all_labels":"a| b","label":"a|b"}"#);
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
    assert_eq!(form("a.jsonl", "\n[{}]"), Form::JsonArray);
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
        ("{\"text\": \"x\", \"label\": \"a\"}\n{\"text\"", "line 2: not JSON: EOF while parsing an object at column 7"),
        (
            r#"{"text": "x \ud83d", "label": "a"}"#,
            r#"line 1, field "text": \ud83d at byte 4 is half of a character: write both halves, or \ufffd"#,
        ),
        (
            "{\"text\": \"x\", \"label\": \"a\", \"n\": NaN}",
            "line 1: not JSON: NaN is not a number in JSON (write null instead) at column 34",
        ),
        ("{\"text\": 1}", "line 1, field \"text\": must be a string, found a number"),
        ("{\"label\": \"a\"}", "line 1, field \"text\": missing: add it, or name another with --text-field"),
        (
            "{\"text\": \"x\"}",
            "line 1, field \"true_labels\": missing, and so is \"label\": add one, or name another with --label-field",
        ),
        ("{\"text\": \"x\", \"label\": null}", "line 1, field \"label\": null: write [] for no label"),
        ("{\"text\": null, \"label\": \"a\"}", "line 1, field \"text\": must be a string, found null"),
        (
            "{\"text\": \"x\", \"label\": [null]}",
            "line 1, field \"label\": a label must be a string or an integer from 0, found null",
        ),
        (
            "{\"text\": \"x\", \"label\": -1}",
            "line 1, field \"label\": a label must be a string or an integer from 0, found -1",
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
            "line 1, field \"true_labels\": \"b\" is not among the 1 candidate labels: correct it, or add it to those of \
             the record",
        ),
        ("7", "line 1: a record must be an object, found a number"),
        ("{\"text\": \"x\", \"label\": \"\"}", "line 1, field \"label\": a label is empty: remove it"),
        (
            "{\"text\": \"x\", \"label\": \"a\"}\n{\"text\": \"y\", \"label\": {\" \": 0.1}}",
            "line 2, field \"label\": a label is empty: remove it",
        ),
    ] {
        assert_refused("d.jsonl", text.as_bytes(), &layout(), expected);
    }
}

#[test]
fn what_a_field_holds_that_says_nothing_here_is_not_looked_at() {
    let deep = "[".repeat(200) + &"]".repeat(200);
    for other in ["1e400", r#""\ud800""#, &deep] {
        let line = format!(r#"{{"text": "x", "label": "a", "other": {other}}}"#);
        assert_read("d.jsonl", &line, &layout(), Form::JsonLines, &[r#"1: x = ["a"] of ["a"]"#]);
        assert_read("d.json", &format!("[{line}]"), &layout(), Form::JsonArray, &[r#"1: x = ["a"] of ["a"]"#]);
    }
}

#[test]
fn bad_records_of_an_array_are_refused_by_the_line_where_they_begin() {
    let text = "[\n{\"text\": \"x\", \"label\": \"a\"},\n\n  {\n\"text\": 1}]";
    assert_refused("d", text.as_bytes(), &layout(), "line 4, field \"text\": must be a string, found a number");
    let error = read_str("d", "[\n{]").unwrap_err().to_string();
    assert!(error.starts_with("d: line 2: not JSON: key must be a string at column "), "{error}");
    let number = "[\n{\"text\": \"x\",\n\"n\": -Infinity}]";
    let expected = "line 3: not JSON: Infinity is not a number in JSON (write null instead) at column 7";
    assert_refused("d", number.as_bytes(), &layout(), expected);
    assert_refused("d", b"[1]", &layout(), "line 1: a record must be an object, found a number");
}

#[test]
fn records_of_an_array_that_share_a_line_are_told_by_their_number() {
    let text = r#"[{"text": "x", "label": "a"}, {"text": "y", "label": "b"}, {"text": "z", "label": ["b"]}]"#;
    let expected = ["record 1: x", "record 2: y", "record 3: z"];
    let found: Vec<String> = shown(&read_str("d.json", text).unwrap());
    assert!(found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected)), "{found:?}");
    let bad = text.replace("\"z\"", "7");
    assert_refused("d", bad.as_bytes(), &layout(), "record 3, field \"text\": must be a string, found a number");
    let ready = ready(&text.replace("}", ", \"predictions\": 7}"), &layout()).unwrap_err().to_string();
    assert!(ready.starts_with("p.jsonl: record 1, field \"predictions\": must be a list"), "{ready}");
}

#[test]
fn blanks_around_the_labels_of_a_cell_are_no_part_of_them() {
    let text = "text,all_labels,true_labels\nx,a | b|c d, b\ny,a|b, \n";
    let expected = [r#"2: x = ["b"] of ["a", "b", "c d"]"#, r#"3: y = [] of ["a", "b"]"#];
    assert_read("d.csv", text, &layout(), Form::Csv, &expected);
}

#[test]
fn bad_tables_are_refused_by_line() {
    let columns = "there are [\"a\", \"b\"]: name one with --text-field";
    assert_refused("d.csv", b"a,b\n1,2", &layout(), &format!("line 1, field \"text\": no such column; {columns}"));
    let uneven = "line 3: 1 columns where the header has 2: is a quote missing?";
    assert_refused("d.csv", b"text,label\nx,a\ny\n", &layout(), uneven);
    let empty = "line 3, field \"label\": a label is empty: remove it";
    assert_refused("d.csv", b"text,label\nx,a\ny,a||b\n", &layout(), empty);
    assert_refused("d.csv", b"text,,a\nx,0,1\n", &layout(), "line 1: a label is empty: remove it");
    let unknown = "\"9\" is not among the 2 candidate labels: correct it, or add it to --labels";
    let unknown = format!("line 2, field \"label\": {unknown}");
    assert_refused("d.csv", b"text,label\nx,9\n", &with_labels(&["a", "b"]), &unknown);
}

#[test]
fn bad_fasttext_lines_are_refused_by_line() {
    let unlabelled = "line 2: no label: begin the line with __label__ and a name";
    assert_refused("d", b"__label__a x\ny\n", &layout(), unlabelled);
    assert_refused("d", b"__label__a\n", &layout(), "line 1: no text after the labels");
    assert_refused("d", b"__label__ x\n", &layout(), "line 1, field \"__label__\": a label is empty: remove it");
}

#[test]
fn data_without_records_or_names_is_refused() {
    assert_refused("d", b"\n\n", &layout(), "no records: the file is empty");
    assert_refused("d.jsonl", b"\n", &layout(), "no records (read as JSON lines)");
    assert_refused("d.json", b"[]", &layout(), "no records (read as a JSON array)");
    assert_refused("d.csv", b"text,label\n", &layout(), "no records (read as CSV)");
    assert_refused("d.csv", b"", &layout(), "no records: the file is empty");
    assert_refused("d.tsv", b"\r\n\n", &layout(), "no records: the file is empty");
    let numbers = "the labels are numbers: name them with --labels, the name of 0 first";
    assert_refused("d.csv", b"text,label\nx,1\ny,0\n", &layout(), numbers);
    let none = "no record has a label: name the candidates with --labels";
    assert_refused("d.csv", b"text,label\nx,\n", &layout(), none);
    assert_refused("d", b"{\"a\"\n\xff", &layout(), "line 2: not UTF-8: convert the file to UTF-8");
    assert_refused("d", b"\xff\xfet\0", &layout(), "is UTF-16: make it UTF-8 with `iconv -f UTF-16 -t UTF-8`");
}

#[test]
fn of_two_columns_of_one_name_the_first_is_read_and_kept() {
    let data = read_whole("d.csv", "text,label,text,label\none,a,two,b\n");
    let record = &data.records[0];
    assert_eq!((&*record.text, &record.truth[..]), ("one", &["a".to_owned()][..]));
    assert_eq!(record.source, r#"{"text":"one","label":"a"}"#);
}

#[test]
fn another_separator_or_form_is_told_by_the_header_before_the_rows() {
    for (name, text, remedy) in [
        ("d.csv", "text;label\na, b;c\n", "separate its columns by commas, not by semicolons"),
        ("d.csv", "text\tlabel\na, b\tc\n", "end the name of the file in .tsv"),
        ("d.tsv", "text,label\na,b\n", "end the name of the file in .csv"),
        ("d.csv", "{\"text\":\"a\",\"label\":\"b\"}\n", "end the name of the file in .jsonl"),
        ("d.csv", "sep=,\ntext,label\na,b\n", "remove the first line, which is no header"),
        ("d.tsv", "label\ttext\ra\tb\r", "end its lines in LF, as `tr '\\r' '\\n'` does"),
    ] {
        let read = read_str(name, text).map(drop);
        let ready = Ready::read(vec![(name.into(), text.into())], &layout(), "predictions").map(drop);
        for error in [read, ready] {
            let error = error.unwrap_err().to_string();
            assert!(error.ends_with(remedy), "{error}");
        }
    }
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
        let _ = read(&format!("d.{ending}"), bytes, &layout());
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
        let data = read("d.csv", writer.into_inner().unwrap(), &layout()).unwrap();
        prop_assert_eq!(data.records.into_iter().map(|record| record.text).collect::<Vec<_>>(), texts);
    }
}
