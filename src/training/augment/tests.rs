use proptest::prelude::*;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use super::*;
use crate::records::Defaults;

const DRAWS: usize = 40_000;

fn example(text: &str, labels: &[&str], targets: &[f32]) -> Example {
    let labels = LabelSet::flat(labels.iter().map(|&label| label.to_owned()).collect()).unwrap();
    let defaults = Defaults { labels: Some(Arc::new(labels)), ..Defaults::default() };
    Example { record: defaults.record(text.into()).unwrap(), targets: targets.to_vec() }
}

/// Four records: two of one set of labels, two of others.
fn examples() -> Vec<Example> {
    vec![
        example("one", &["a", "b", "c", "d"], &[1.0, 0.0, 0.0, 0.0]),
        example("two", &["a", "b", "c", "d"], &[1.0, 1.0, 0.0, 0.0]),
        example("three", &["e", "f"], &[0.0, 1.0]),
        example("four", &["f", "g"], &[0.0, 0.75]),
    ]
}

fn in_order() -> Augmentation {
    Augmentation { shuffle_labels: false, ..Augmentation::none() }
}

/// The first example as it comes out each time.
fn drawn(augmentation: Augmentation, descriptions: Descriptions) -> Vec<Example> {
    let examples = examples();
    let augmenter = Augmenter::new(&examples, augmentation, descriptions);
    let mut random = Pcg64Mcg::seed_from_u64(7);
    (0..DRAWS).map(|_| augmenter.apply(&examples[0], &mut random)).collect()
}

/// The share of the draws of which this is true is `expected`, but for chance: five standard deviations.
#[track_caller]
fn assert_share(drawn: &[Example], expected: f64, is_it: impl Fn(&Example) -> bool) {
    let share = drawn.iter().filter(|example| is_it(example)).count() as f64 / drawn.len() as f64;
    let deviation = (expected * (1.0 - expected) / drawn.len() as f64).sqrt();
    assert!((share - expected).abs() <= 5.0 * deviation, "{share} for {expected}");
}

fn names(example: &Example) -> Vec<&str> {
    example.record.labels.names().iter().map(String::as_str).collect()
}

fn target(example: &Example, label: &str) -> Option<f32> {
    Some(example.targets[names(example).iter().position(|name| *name == label)?])
}

fn described() -> Descriptions {
    Descriptions::parse(
        r#"{"a": {"synonyms": ["A", "b"], "descriptions": ["the first", "before b"]}, "b": {"synonyms": ["A"]}}"#,
    )
    .unwrap()
}

#[test]
fn without_augmentation_only_the_order_changes() {
    assert!(drawn(in_order(), described()).iter().all(|example| names(example) == ["a", "b", "c", "d"]));
    let shuffled = drawn(Augmentation::none(), described());
    for place in 0..4 {
        assert_share(&shuffled, 0.25, |example| names(example)[place] == "a" && example.targets[place] == 1.0);
    }
    assert!(shuffled.iter().all(|example| example.record.text == "one" && example.record.examples.is_empty()));
}

#[test]
fn removal_leaves_any_number_of_labels_and_one_that_is_true() {
    let drawn = drawn(Augmentation { label_removal: 1.0, ..in_order() }, Descriptions::default());
    for count in 1..=4 {
        assert_share(&drawn, 0.25, |example| example.targets.len() == count);
    }
    assert!(drawn.iter().all(|example| target(example, "a") == Some(1.0)));
    // Of 1, 2, 3 and 4 labels it is one of 0, 1, 2 and 3 others; where it takes the place of a true label, of fewer.
    let kept = (0.0 + (0.5 * 1.0 / 3.0 + 0.5 * 1.0 / 3.0) + (0.75 * 2.0 / 3.0 + 0.25 * 2.0 / 3.0) + 1.0) / 4.0;
    assert_share(&drawn, kept, |example| target(example, "b").is_some());
}

#[test]
fn removal_is_as_frequent_as_said() {
    let drawn = drawn(Augmentation { label_removal: 0.15, ..in_order() }, Descriptions::default());
    assert_share(&drawn, 0.15 * 0.75, |example| example.targets.len() < 4);
}

#[test]
fn added_labels_are_of_other_records_and_wrong() {
    let drawn = drawn(Augmentation { label_addition: 0.5, ..in_order() }, Descriptions::default());
    // Of e, f and g one, two or three, alike.
    for count in 1..=3 {
        assert_share(&drawn, 0.5 / 3.0, |example| example.targets.len() == 4 + count);
    }
    assert_share(&drawn, 0.5 * 2.0 / 3.0, |example| target(example, "g") == Some(0.0));
    assert!(drawn.iter().all(|example| example.targets.iter().sum::<f32>() == 1.0));
}

#[test]
fn a_true_label_that_was_left_out_does_not_come_back_as_a_wrong_one() {
    let all = [example("x", &["a", "b"], &[1.0, 1.0]), example("y", &["c"], &[0.0])];
    let both = Augmentation { label_removal: 1.0, label_addition: 1.0, ..in_order() };
    let augmenter = Augmenter::new(&all, both, Descriptions::default());
    let mut random = Pcg64Mcg::seed_from_u64(1);
    for _ in 0..1000 {
        let drawn = augmenter.apply(&all[0], &mut random);
        assert!(["a", "b"].iter().all(|label| target(&drawn, label).is_none_or(|target| target == 1.0)), "{drawn:?}");
    }
}

#[test]
fn texts_are_added_only_of_records_with_other_labels() {
    let drawn = drawn(Augmentation { text_addition: 1.0, ..in_order() }, Descriptions::default());
    assert_share(&drawn, 0.5, |example| example.record.text == "one");
    for text in ["one three", "three one", "one four", "four one"] {
        assert_share(&drawn, 0.125, |example| example.record.text == text);
    }
}

#[test]
fn a_label_keeps_its_target_under_a_synonym_that_is_no_label() {
    let drawn = drawn(Augmentation { synonyms: 1.0, ..in_order() }, described());
    // Half of the time a has another name, half of these times "A" and not "b", which is a label.
    assert_share(&drawn, 0.25, |example| target(example, "A") == Some(1.0));
    assert_share(&drawn, 0.75, |example| target(example, "a") == Some(1.0));
    // b has the name A half of the rest.
    assert_share(&drawn, 0.75 * 0.5, |example| target(example, "A") == Some(0.0));
}

#[test]
fn descriptions_are_written_on_either_side_by_the_name_the_label_has() {
    let drawn = drawn(Augmentation { descriptions: 1.0, ..in_order() }, described());
    // Of one, two or three of the four labels a is described: with 1/4, 2/4 and 3/4.
    assert_share(&drawn, 0.5, |example| example.record.text != "one");
    for text in ["a: the first one", "one a: the first", "a: before b one", "one a: before b"] {
        assert_share(&drawn, 0.125, |example| example.record.text == text);
    }
    let both = Augmentation { descriptions: 1.0, synonyms: 1.0, ..in_order() };
    let renamed = self::drawn(both, described());
    assert!(renamed.iter().all(|example| {
        let named = if target(example, "A") == Some(1.0) { "A: " } else { "a: " };
        example.record.text == "one" || example.record.text.contains(named)
    }));
}

#[test]
fn shown_examples_are_other_records_with_labels_that_can_be_chosen() {
    let drawn = drawn(Augmentation { examples: 0.5, ..in_order() }, Descriptions::default());
    assert_share(&drawn, 0.5, |example| example.record.examples.len() == 1);
    let solved = Shown { text: "two".into(), labels: vec!["a".into(), "b".into()] };
    assert!(drawn.iter().all(|example| example.record.examples.iter().all(|shown| *shown == solved)));
}

#[test]
fn a_second_example_is_shown_a_quarter_of_the_times() {
    let all: Vec<Example> = (0..4).map(|number| example(&number.to_string(), &["a", "b"], &[1.0, 0.0])).collect();
    let augmenter = Augmenter::new(&all, Augmentation { examples: 1.0, ..in_order() }, Descriptions::default());
    let mut random = Pcg64Mcg::seed_from_u64(2);
    let drawn: Vec<Example> = (0..DRAWS).map(|_| augmenter.apply(&all[0], &mut random)).collect();
    assert_share(&drawn, 0.25, |example| example.record.examples.len() == 2);
    assert_share(&drawn, 0.75, |example| example.record.examples.len() == 1);
    assert!(drawn.iter().all(|example| example.record.examples.iter().all(|shown| shown.text != "0")));
}

#[test]
fn a_record_with_examples_of_its_own_shows_some_of_these() {
    let mut all = examples();
    let own: Vec<Shown> = ["x", "y", "z"].map(|text| Shown { text: text.into(), labels: vec!["a".into()] }).to_vec();
    all[0].record.examples = own.clone().into();
    let augmenter = Augmenter::new(&all, Augmentation { examples: 1.0, ..in_order() }, Descriptions::default());
    let drawn = augmenter.apply(&all[0], &mut Pcg64Mcg::seed_from_u64(3)).record.examples;
    assert!((1..=2).contains(&drawn.len()) && drawn.iter().all(|shown| own.contains(shown)));
}

#[test]
fn at_most_so_many_labels_are_drawn_the_true_ones_always() {
    let drawn = drawn(Augmentation { max_labels: Some(2), ..in_order() }, Descriptions::default());
    for other in ["b", "c", "d"] {
        assert_share(&drawn, 1.0 / 3.0, |example| names(example) == ["a", other]);
    }
    let few = self::drawn(Augmentation { max_labels: Some(1), ..in_order() }, Descriptions::default());
    assert!(few.iter().all(|example| names(example) == ["a"]));
}

#[test]
fn descriptions_that_are_not_in_the_form_are_refused() {
    for (text, expected) in [
        (r#"{"a": ["x"]}"#, "invalid type"),
        (r#"{"a": {"synonym": ["x"]}}"#, "unknown field `synonym`"),
        (r#"{"a": {"synonyms": [" "]}}"#, "a synonym of \"a\" is empty"),
    ] {
        let error = Descriptions::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(described().unknown(&examples()[2..]), ["a", "b"]);
}

fn any_example() -> impl Strategy<Value = Example> {
    let labels = prop::sample::subsequence(vec!["a", "b", "c", "d", "e", "f"], 1..=6);
    let targets = prop::collection::vec(prop::sample::select(vec![0.0, 0.0, 0.25, 0.5, 1.0, -100.0]), 6);
    ("[xyz]{1,3}", labels.prop_shuffle(), targets)
        .prop_map(|(text, labels, targets)| example(&text, &labels, &targets[..labels.len()]))
}

fn any_augmentation() -> impl Strategy<Value = Augmentation> {
    let chance = || 0.0..=1.0;
    (chance(), chance(), chance(), chance(), chance(), chance(), any::<bool>(), prop::option::of(0_usize..8)).prop_map(
        |(
            label_removal,
            label_addition,
            text_addition,
            synonyms,
            descriptions,
            examples,
            shuffle_labels,
            max_labels,
        )| {
            Augmentation {
                label_removal,
                label_addition,
                text_addition,
                synonyms,
                descriptions,
                examples,
                shuffle_labels,
                max_labels,
            }
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_changed_stays_true(
        all in prop::collection::vec(any_example(), 1..8), augmentation in any_augmentation(), seed: u64,
    ) {
        let descriptions = r#"{"a": {"synonyms": ["A", "b", "X"], "descriptions": ["m"]}, "b": {"synonyms": ["B", "X"]}}"#;
        let augmenter = Augmenter::new(&all, augmentation, Descriptions::parse(descriptions).unwrap());
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let before = &all[0];
        let after = augmenter.apply(before, &mut random);
        // No label twice: a set of labels is refused else.
        prop_assert_eq!(after.targets.len(), after.record.labels.len());
        prop_assert_eq!(before.true_labels().next().is_some(), after.true_labels().next().is_some());
        prop_assert!(after.record.text.contains(&before.record.text));
        for (name, &found) in after.record.labels.names().iter().zip(&after.targets) {
            let is_label = all.iter().any(|example| target(example, name).is_some());
            let meant: &[&str] = match name.as_str() {
                same if is_label => &[same],
                "X" => &["a", "b"],
                "B" => &["b"],
                _ => &["a"],
            };
            let is_meant = |label: &&str| target(before, label).unwrap_or(0.0) == found;
            prop_assert!(meant.iter().any(is_meant), "{name} {found} of {before:?}");
        }
        for shown in after.record.examples.iter() {
            prop_assert!(shown.text != before.record.text && !shown.labels.is_empty());
            prop_assert!(shown.labels.iter().all(|label| after.record.labels.names().contains(label)));
        }
    }
}
