//! Predictions in each form, as `batch` writes them and as nobody should.

use proptest::prelude::*;

use super::super::tests::{layout, ready, with_labels};
use super::*;

#[test]
fn ready_predictions_are_read_of_tables_with_a_column_of_0_and_1_for_each_label() {
    let read = |text: &str| Ready::read(vec![("p.csv".into(), text.into())], &layout(), "predictions").unwrap();
    // What was not asked for is not judged.
    let scores = read("text,red,green,blue,score:blue,score:red\nx,1,1,0,0.1,0.9\ny,0,0,1,0.2,0.3\n");
    assert_eq!((scores.names.join(" "), scores.listed), ("blue red".into(), Listed::All));
    assert_eq!(scores.records.iter().map(|record| record.truth.clone()).collect::<Vec<_>>(), [vec![1], vec![0]]);
    let header = "text,red,blue,error,predicted_labels,predicted_scores";
    let listed = read(&format!("{header}\nx,1,1,,blue,1\ny,0,1,,,\nz,1,0,too long,,\n"));
    assert_eq!((listed.names.join(" "), listed.failed), ("red blue".into(), 1));
    assert_eq!(listed.records[0].truth, [0, 1]);
    assert_eq!((listed.records[0].scores.clone(), listed.records[1].truth.clone()), (vec![(1, 1.0)], vec![1]));
}

#[test]
fn logits_are_read_where_all_are_there() {
    let read = |second: &str| {
        let first = r#"{"label": "a", "score": 0.5, "logit": 0.25}"#;
        let line = format!(r#"{{"text": "x", "label": "a", "predictions": [{first}, {{"label": "b", {second}}}]}}"#);
        let found = ready(&line, &layout()).unwrap();
        (found.has_logits(), found.records[0].logits.clone())
    };
    assert_eq!(read(r#""score": 0.25, "logit": -1"#), (true, vec![0.25, -1.0]));
    for without in [r#""score": 0.25"#, r#""score": 0.25, "logit": null"#] {
        assert_eq!(read(without), (false, Vec::new()), "{without}");
    }
}

#[test]
fn ready_predictions_of_several_files_are_one_set() {
    let line = |text: &str, truth: &str, score: f32| {
        format!(
            r#"{{"text":"{text}","label":"{truth}","predictions":[{{"label":"b","score":{score}}},{{"label":"a","score":0.1}}]}}"#
        )
    };
    let files = vec![("0.jsonl".into(), line("x", "a", 0.5).into()), ("1.jsonl".into(), line("y", "b", 0.25).into())];
    let ready = Ready::read(files, &layout(), "predictions").unwrap();
    assert_eq!((&ready.names[..], ready.listed), (&["a".to_owned(), "b".to_owned()][..], Listed::All));
    let second = &ready.records[1];
    assert_eq!((second.place, &second.truth[..]), (Place { file: 1, spot: Spot::Line(1) }, &[1][..]));
    assert_eq!(second.scores, [(1, 0.25), (0, 0.1)]);
}

#[test]
fn ready_predictions_are_read_from_tables_and_from_hierarchies() {
    let table = "text,label,score:a,score:b,error\nx,a,0.9,0.1,\ny,b,,,too long\n";
    let read =
        |name: &str, text: &str| Ready::read(vec![(name.into(), text.into())], &layout(), "predictions").unwrap();
    let scores = read("p.csv", table);
    assert_eq!((scores.records.len(), scores.failed, scores.listed), (1, 1, Listed::All));
    assert_eq!(scores.records[0].scores, [(0, 0.9), (1, 0.1)]);
    let both = "text,label,score:a,predicted_labels,predicted_scores\nx,a,0.9,a,0.9\n";
    let both = Ready::read(vec![("p.csv".into(), both.into())], &layout(), "predictions").unwrap_err().to_string();
    assert!(both.contains("which are of two runs"), "{both}");
    let listed = read("p.tsv", "text\tlabel\tpredicted_labels\tpredicted_scores\nx\ta\tb|a\t0.9|0.6\ny\tb\t\t\n");
    assert_eq!((listed.listed, listed.records[1].scores.len()), (Listed::Said, 0));
    assert_eq!(listed.records[0].scores, [(1, 0.9), (0, 0.6)]);
    let shaped = read("p.jsonl", r#"{"text":"x","label":"a.b","predictions":{"a":{"b":0.75,"c":0.25}}}"#);
    assert_eq!(
        (shaped.names.join(" "), shaped.records[0].scores.clone()),
        ("a.b a.c".into(), vec![(0, 0.75), (1, 0.25)])
    );
}

#[test]
fn all_scores_are_told_from_labels_that_were_said() {
    let line = |label: &str, predictions: &str| {
        format!("{{\"text\": \"x\", \"label\": \"{label}\", \"predictions\": {predictions}}}\n")
    };
    let spam = |score: f32| format!(r#"[{{"label": "spam", "score": {score}}}]"#);
    let both = |score: f32| format!(r#"[{{"label": "spam", "score": {score}}}, {{"label": "ad", "score": 0.2}}]"#);
    let spam_and_ham = |predictions: &dyn Fn(f32) -> String, low: f32| {
        line("spam", &predictions(0.9)) + &line("ham", &predictions(low))
    };
    let table = "text,label,score:spam\nx,spam,0.9\ny,ham,0.8\n".to_owned();
    let shaped = line("a.b", r#"{"a": {"b": 0.75}}"#) + &line("c.e", r#"{"c": {"d": 0.9}}"#);
    for (name, text, expected) in [
        // One label may be the best of several in each, whatever its score.
        ("p.jsonl", spam_and_ham(&spam, 0.003), Listed::Said),
        ("p.jsonl", spam_and_ham(&spam, 0.8), Listed::Said),
        ("p.jsonl", spam_and_ham(&both, 0.003), Listed::Asked),
        ("p.jsonl", line("spam", &both(0.9)) + &line("ad", &spam(0.8)), Listed::Said),
        ("p.jsonl", line("spam", &both(0.9)) + &line("ad", &both(0.1)), Listed::All),
        // By their form, whatever the scores.
        ("p.csv", table, Listed::Asked),
        ("p.jsonl", shaped, Listed::Asked),
    ] {
        let found = Ready::read(vec![(name.into(), text.clone().into())], &layout(), "predictions").unwrap();
        assert_eq!(found.listed, expected, "{text}");
    }
}

#[test]
fn a_row_of_ready_predictions_with_an_error_of_the_users_own_is_judged() {
    for table in [
        "text,label,error,score:a,score:b\nx,a,E42,0.9,0.1\ny,b,too long,,\n",
        "text,label,error,predicted_labels,predicted_scores\nx,a,E42,a,0.9\ny,b,too long,,\n",
    ] {
        let ready = Ready::read(vec![("p.csv".into(), table.into())], &layout(), "predictions").unwrap();
        assert_eq!((ready.records.len(), ready.failed), (1, 1), "{table}");
        assert_eq!(ready.records[0].scores[0], (0, 0.9), "{table}");
    }
}

#[test]
fn the_shards_of_a_table_are_under_the_header_of_the_first() {
    let first = "text,label,predicted_labels,predicted_scores\nx,a,a,0.9\n";
    let read = |later: &[&str]| {
        let files = (0..).zip([first].into_iter().chain(later.iter().copied()));
        Ready::read(files.map(|(n, text)| (format!("{n}.csv"), text.into())).collect(), &layout(), "predictions")
    };
    let found = read(&["y,b,b,0.8\nz,a,b,0.7\n", "", first]).unwrap().records;
    let found: Vec<(usize, Spot, &str)> =
        found.iter().map(|one| (one.place.file, one.place.spot, one.text.as_str())).collect();
    let [first, second] = [1, 2].map(Spot::Line);
    assert_eq!(found, [(0, second, "x"), (1, first, "y"), (1, second, "z"), (3, second, "x")]);
    let other = read(&["body,label,predicted_labels,predicted_scores\n"]).unwrap_err().to_string();
    assert!(other.starts_with("1.csv: line 1, field \"predicted_scores\": \"predicted_scores\" is not"), "{other}");
}

#[test]
fn rows_of_ready_predictions_are_where_they_begin_whatever_ends_the_lines() {
    for end in ["\n", "\r\n"] {
        let lines =
            ["", "text,label,predicted_labels,predicted_scores", "x,a,a,0.9", "", "\"y", "z\",a,a,0.8", "w,a,a,"];
        let text = lines.join(end);
        let read = |text: String| Ready::read(vec![("p.csv".into(), text.into())], &layout(), "predictions");
        let error = read(text.clone() + "one" + end).unwrap_err().to_string();
        assert_eq!(error, "p.csv: line 7, field \"predicted_scores\": \"one\" is not a score", "{end:?}");
        let error = read(text.clone() + "1,more" + end).unwrap_err().to_string();
        assert_eq!(error, "p.csv: line 7: 5 columns where the header has 4: is a quote missing?", "{end:?}");
        let found: Vec<Spot> = read(text + "1").unwrap().records.iter().map(|record| record.place.spot).collect();
        assert_eq!(found, [3, 5, 7].map(Spot::Line), "{end:?}");
    }
}

#[test]
fn bad_ready_predictions_are_refused_by_line_and_field() {
    for (line, expected) in [
        (
            r#"{"text":"x","label":"a"}"#,
            "line 1, field \"predictions\": missing: give an output of batch, or name the field with --output-field",
        ),
        (
            r#"{"text":"x","predictions":[]}"#,
            "line 1, field \"true_labels\": missing, and so is \"label\": add one, or name another with --label-field",
        ),
        (r#"{"text":"x","label":null,"predictions":[]}"#, "line 1, field \"label\": null: write [] for no label"),
        (
            r#"{"text":"x","label":"a","predictions":[{"label":"a","score":2}]}"#,
            "line 1, field \"predictions\": the score 2 is not from 0 to 1",
        ),
        (
            r#"{"text":"x","label":"a","predictions":[{"label":"a","score":1},{"label":"a","score":0}]}"#,
            "line 1: \"a\" has two scores: leave one of them out",
        ),
        (
            r#"{"text":"x","all_labels":["a"],"label":"a","predictions":[{"label":"b","score":1}]}"#,
            "line 1: \"b\" is true or predicted and not among the 1 candidate labels of the record: name all with \
             --labels, and what holds the true ones with --label-field",
        ),
        (
            r#"{"text":"x","label":1,"predictions":[{"label":"a","score":1}]}"#,
            "the true labels are numbers: name them with --labels, the name of 0 first",
        ),
        (r#"{"text":"x","error":"too long"}"#, "no records with predictions (read as JSON lines)"),
    ] {
        assert_eq!(ready(line, &layout()).unwrap_err().to_string(), format!("p.jsonl: {expected}"), "{line}");
    }
    let foreign = ready(r#"{"text":"x","label":"c","predictions":[]}"#, &with_labels(&["a", "b"]));
    let expected = "p.jsonl: line 1: label \"c\" is not among the 2 of --labels: correct it, or add it there";
    assert_eq!(foreign.unwrap_err().to_string(), expected);
}

#[test]
fn a_score_that_is_none_is_told_by_the_field_or_column_that_holds_it() {
    let list = |score: &str| format!(r#"{{"text":"x","label":"a","said":[{{"label":"a","score":{score}}}]}}"#);
    for (name, text, field, score) in [
        ("p.jsonl", list("2"), "said", "2"),
        ("p.jsonl", r#"{"text":"x","label":"a","said":{"a":-0.5}}"#.into(), "said", "-0.5"),
        ("p.csv", "text,label,score:b,score:a\nx,a,0.5,2\n".into(), "score:a", "2"),
        ("p.csv", "text,label,predicted_labels,predicted_scores\nx,a,a,NaN\n".into(), "predicted_scores", "NaN"),
    ] {
        let error = Ready::read(vec![(name.into(), text.into())], &layout(), "said").unwrap_err().to_string();
        let line = if name == "p.csv" { 2 } else { 1 };
        let expected = format!("{name}: line {line}, field {field:?}: the score {score} is not from 0 to 1");
        assert_eq!(error, expected);
    }
    let twice = "text,label,score:a,score:a\nx,a,0.5,0.5\n";
    let error = Ready::read(vec![("p.csv".into(), twice.into())], &layout(), "said").unwrap_err().to_string();
    assert_eq!(error, "p.csv: line 2: \"a\" has two scores: leave one of them out");
}

#[test]
fn of_several_files_of_ready_predictions_the_one_with_the_bad_record_is_named() {
    let good = r#"{"text":"x","label":"a","predictions":[{"label":"a","score":1}]}"#;
    let read = |bad: &str, layout: &Layout| {
        let files = [("0.jsonl", good), ("1.jsonl", bad), ("2.jsonl", good)];
        let files = files.map(|(name, text)| (name.to_owned(), text.into())).into();
        Ready::read(files, layout, "predictions").unwrap_err().to_string()
    };
    assert_eq!(
        read(r#"{"text":"x","label":"c","predictions":[]}"#, &with_labels(&["a", "b"])),
        "1.jsonl: line 1: label \"c\" is not among the 2 of --labels: correct it, or add it there"
    );
    assert_eq!(
        read(r#"{"text":"x","label":"a","predictions":[{"label":"a","score":2}]}"#, &layout()),
        "1.jsonl: line 1, field \"predictions\": the score 2 is not from 0 to 1"
    );
    assert_eq!(
        Ready::read(
            vec![("0.csv".into(), "text,label,score:a\n".into()), ("1.jsonl".into(), "\n".into())],
            &layout(),
            ""
        )
        .unwrap_err()
        .to_string(),
        "0.csv, 1.jsonl: no records with predictions (read as CSV)"
    );
}

#[test]
fn the_field_that_is_named_comes_before_true_labels_unless_both_say_the_same() {
    let topic = Layout { label_field: Some("topic".into()), ..layout() };
    let truth = |topic_of: &str, true_labels: &str| {
        let said = r#"[{"label":"a","score":1},{"label":"b","score":0}]"#;
        let line = format!(r#"{{"text":"x","topic":"{topic_of}","true_labels":{true_labels},"predictions":{said}}}"#);
        let found = ready(&line, &topic).unwrap();
        found.records[0].truth.iter().map(|&label| found.names[label as usize].clone()).collect::<Vec<_>>()
    };
    assert_eq!(truth("a|b", r#"["a","b"]"#), ["a", "b"]);
    assert_eq!(truth("", "[]"), [""; 0]);
    for other in [r#"["b"]"#, r#""b""#, "7"] {
        assert_eq!(truth("a", other), ["a"], "{other}");
    }
}

#[test]
fn numbers_of_ready_predictions_are_names_of_the_command() {
    let text = r#"{"text":"x","label":1,"predictions":[{"label":"a","score":1},{"label":"b","score":0}]}"#;
    let ready = ready(text, &with_labels(&["a", "b"])).unwrap();
    assert_eq!((ready.records[0].truth.clone(), ready.listed), (vec![1], Listed::All));
}

#[test]
fn texts_are_found_in_another_order_and_twice() {
    assert_eq!(align(&[("a", 1), ("b", 1), ("a", 1)], &[("b", 1), ("a", 1), ("a", 1)]).unwrap(), [1, 0, 2]);
    // By what is true of them first: the same text may be there with other labels.
    assert_eq!(align(&[("a", 1), ("a", 2), ("b", 1)], &[("b", 3), ("a", 2), ("a", 1)]).unwrap(), [2, 1, 0]);
    let error = align(&[("a", 1), ("b", 1)], &[("a", 1), ("c", 1), ("d", 1)]).unwrap_err().to_string();
    assert_eq!(error, "other records: 1 of 2 are not there, and 2 are there that are not here");
}

proptest! {
    #[test]
    fn no_text_that_looks_like_predictions_makes_a_reader_panic(
        text in "(\\[|\\{|\\}|\\]|\"|,|:|\n|text|label|predictions|score|1|a| ){0,60}",
        ending in "jsonl|json|csv|tsv|txt",
    ) {
        let _ = Ready::read(vec![(format!("p.{ending}"), text.into())], &layout(), "predictions");
    }
}
