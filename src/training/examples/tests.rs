use proptest::prelude::*;

use super::*;
use crate::classifier::Encoded;

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

fn read_as(name: &str, text: &str, single_label: bool) -> Result<(Vec<Example>, Flaws)> {
    let (layout, defaults) = (layout(), Defaults::default());
    read(name, text.into(), &Reading { layout: &layout, defaults: &defaults, single_label })
}

fn shown(examples: &[Example]) -> Vec<String> {
    let show = |e: &Example| format!("{}: {:?} {:?}", e.record.text, e.record.labels.names(), e.targets);
    examples.iter().map(show).collect()
}

#[test]
fn true_labels_are_one_and_weights_are_as_written() {
    let text = r#"{"text": "x", "all_labels": ["a", "b", "c"], "true_labels": ["c", "a"]}
{"text": "y", "all_labels": ["a", "b", "c"], "true_labels": {"b": 0.25, "a": 1, "c": -100}}"#;
    let (examples, flaws) = read_as("d.jsonl", text, false).unwrap();
    assert_eq!(
        shown(&examples),
        [r#"x: ["a", "b", "c"] [1.0, 0.0, 1.0]"#, r#"y: ["a", "b", "c"] [1.0, 0.25, -100.0]"#]
    );
    assert_eq!(examples[1].true_labels().collect::<Vec<_>>(), ["a"]);
    assert!(flaws.is_clean());
    assert_eq!(flaws.to_string(), r#"d.jsonl: no record has the label "b""#);
}

#[test]
fn what_is_wrong_is_counted_with_where_it_was_first() {
    let text = r#"{"text": "one", "all_labels": ["a", "b"], "true_labels": ["a"]}
{"text": "two", "all_labels": ["a", "b"], "true_labels": ["A"]}
{"text": "three", "all_labels": ["a", "b"], "true_labels": ["B"]}
{"text": "four", "all_labels": [], "true_labels": []}
{"text": " ", "all_labels": ["a", "b"], "true_labels": ["b"]}
{"text": "five", "all_labels": ["a", "b"], "true_labels": {"b": 7}}
{"text": "one", "all_labels": ["b", "a"], "true_labels": ["a"]}
{"text": "one", "all_labels": ["b", "a"], "true_labels": ["b"]}
{"text": "one", "all_labels": ["c"], "true_labels": []}
{"text": "six", "all_labels": ["a", "b"], "true_labels": ["a", "b"]}"#;
    let (examples, flaws) = read_as("d.jsonl", text, false).unwrap();
    assert_eq!(examples.iter().map(|e| e.record.text.as_str()).collect::<Vec<_>>(), ["one", "one", "one", "six"]);
    assert!(!flaws.is_clean());
    let expected = "\
d.jsonl: 1 record left out: the candidate labels cannot be used (line 4, field \"all_labels\": no labels: give at \
least one)
d.jsonl: 2 records left out: a true label is not among the candidates (first line 2, field \"true_labels\": \"A\" is \
not among the 2 candidate labels: correct it, or add it to those of the record)
d.jsonl: 1 record left out: a weight is not from 0 to 1 (line 6)
d.jsonl: 1 record left out: the text is empty (line 5)
d.jsonl: 1 record left out: the same text with the same labels came before (line 7)
d.jsonl: 1 record kept: the same text came before with other true labels (line 8)
d.jsonl: no record has the label \"c\"";
    assert_eq!(flaws.to_string(), expected);
}

#[test]
fn a_single_label_must_be_exactly_one() {
    let text = "text,all_labels,true_labels\nx,a|b,a\ny,a|b,\nz,a|b,a|b\nw,a|b,b\n";
    let (examples, flaws) = read_as("d.csv", text, true).unwrap();
    assert_eq!((examples.len(), flaws.of(Flaw::NotOne)), (2, 2));
    assert_eq!(read_as("d.csv", text, false).unwrap().0.len(), 4);
}

#[test]
fn one_class_has_nothing_to_tell_apart() {
    let one = |text| read_as("d.csv", text, false).unwrap().1.of(Flaw::OneClass);
    assert_eq!(one("text,label\nx,a\ny,a\n"), 2);
    assert_eq!(one("text,label\nx,a\ny,b\n"), 0);
    assert_eq!(one("text,all_labels,true_labels\nx,a,a\ny,a,\n"), 0);
    assert_eq!(one("text,all_labels,true_labels\nx,a,\ny,a,\n"), 2);
}

#[test]
fn data_of_which_nothing_is_left_is_refused_with_what_was_found() {
    let error = read_as("d.csv", "text,label\n,a\n", false).unwrap_err().to_string();
    assert_eq!(error, "no record can be used: d.csv: 1 record left out: the text is empty (line 2)");
}

/// A model whose sequences hold eight bytes, labels first.
struct Eight;

impl Classifier for Eight {
    fn encode(&self, record: &Record) -> Result<Encoded> {
        let labels = record.labels.names().concat().len();
        if labels > 7 {
            return Err(Error::Record("too many".into()));
        }
        let truncated = labels + record.text.len() > 8;
        Ok(Encoded::new(Vec::new(), Vec::new(), &record.labels, truncated))
    }

    fn logits(&self, _: &[Encoded], _: usize) -> Result<Vec<Vec<f32>>> {
        Ok(Vec::new())
    }
}

#[test]
fn texts_that_are_cut_are_counted_and_labels_without_room_left_out() {
    let text = r#"{"text": "short", "all_labels": ["a", "b"], "true_labels": ["a"]}
{"text": "longer text", "all_labels": ["a", "b"], "true_labels": ["b"]}
{"text": "x", "all_labels": ["aaaa", "bbbb", "c"], "true_labels": ["c"]}"#;
    let fitting = |most| {
        let (examples, mut flaws) = read_as("d.jsonl", text, false).unwrap();
        let kept = keep_fitting(examples, &Eight, most, &mut flaws).unwrap();
        (kept.len(), flaws)
    };
    let (kept, flaws) = fitting(None);
    assert_eq!((kept, flaws.of(Flaw::Cut), flaws.of(Flaw::NoRoom)), (2, 1, 1));
    assert!(
        flaws
            .to_string()
            .contains("d.jsonl: 1 record left out: the labels leave no room for the text (\"x\": too many)")
    );
    assert_eq!(fitting(Some(2)).0, 3, "no more than two labels are drawn");
    let (examples, mut flaws) = read_as("d.csv", "text,label\nx,aaaa\ny,bbbb\n", false).unwrap();
    let error = keep_fitting(examples, &Eight, None, &mut flaws).unwrap_err().to_string();
    assert!(error.starts_with("no record can be used: d.csv: 2 records left out: the labels leave"), "{error}");
}

#[test]
fn labels_are_shared_only_where_all_have_them() {
    let shared = |text| Some(shared_labels(&read_as("d.csv", text, false).unwrap().0)?.names().to_vec());
    assert_eq!(shared("text,label\nx,a\ny,b\n"), Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(shared("text,all_labels,true_labels\nx,a|b,a\ny,a|c,a\n"), None);
}

#[test]
fn held_out_texts_that_are_learned_from_are_counted() {
    let (trained, _) = read_as("d.csv", "text,label\nx,a\ny,b\n", false).unwrap();
    let (held_out, mut flaws) = read_as("e.csv", "text,label\ny,b\nz,a\n", false).unwrap();
    count_seen(&trained, &held_out, &mut flaws);
    let expected = "e.csv: 1 record held out, though the text is learned from: the figures are too good (\"y\")";
    assert_eq!(flaws.to_string(), expected);
}

fn labelled_as(labels: &[&str]) -> Vec<Example> {
    let set = Arc::new(LabelSet::flat(["a", "b", "c"].map(String::from).to_vec()).unwrap());
    let example = |(number, truth): (usize, &&str)| Example {
        record: Defaults { labels: Some(set.clone()), ..Defaults::default() }.record(number.to_string()).unwrap(),
        targets: set.names().iter().map(|name| f32::from(truth.contains(name.as_str()))).collect(),
    };
    labels.iter().enumerate().map(example).collect()
}

#[test]
fn of_every_label_the_same_share_is_held_out() {
    let labels: Vec<&str> = ["a"; 40].into_iter().chain(["b"; 20]).chain(["c"; 2]).chain([""; 10]).collect();
    let (rest, held_out) = hold_out(labelled_as(&labels), 0.1, 3).unwrap();
    let count = |label: Option<&str>| held_out.iter().filter(|e| e.true_labels().next() == label).count();
    assert_eq!((rest.len(), held_out.len()), (65, 7));
    assert_eq!([Some("a"), Some("b"), Some("c"), None].map(count), [4, 2, 0, 1]);
}

#[test]
fn the_same_seed_holds_out_the_same_and_another_seed_others() {
    let texts = |seed| {
        let (_, held_out) = hold_out(labelled_as(&["a"; 50]), 0.2, seed).unwrap();
        held_out.into_iter().map(|example| example.record.text).collect::<Vec<String>>()
    };
    assert_eq!(texts(1), texts(1));
    assert_ne!(texts(1), texts(2));
}

#[test]
fn a_share_of_too_few_records_is_refused() {
    let error = hold_out(labelled_as(&["a", "b"]), 0.1, 0).unwrap_err().to_string();
    assert!(error.starts_with("0.1 of 2 records leaves none to hold out"), "{error}");
}

proptest! {
    #[test]
    fn every_example_is_learned_from_or_held_out_and_no_label_only_held_out(
        labels in prop::collection::vec("a?b?c?", 2..60), share in 0.05..=1.0, seed: u64,
    ) {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let Ok((rest, held_out)) = hold_out(labelled_as(&labels), share, seed) else { return Ok(()) };
        let numbers = |examples: &[Example]| -> Vec<usize> {
            examples.iter().map(|example| example.record.text.parse().unwrap()).collect()
        };
        let (rest_numbers, held_numbers) = (numbers(&rest), numbers(&held_out));
        prop_assert!(rest_numbers.is_sorted() && held_numbers.is_sorted());
        let mut all = [rest_numbers, held_numbers].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
        let taught: HashSet<&str> = rest.iter().flat_map(Example::true_labels).collect();
        let wanted: HashSet<&str> = held_out.iter().filter_map(|example| {
            let mut truth = example.true_labels();
            truth.next().filter(|_| truth.next().is_none())
        }).collect();
        prop_assert!(wanted.is_subset(&taught));
    }
}
