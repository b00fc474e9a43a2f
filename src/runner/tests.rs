//! Order, bounds, faults and interrupts of a run, with a classifier that only counts.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

use proptest::prelude::*;

use super::*;
use crate::classifier::Encoded;
use crate::records::{Defaults, Record};

/// One token a byte; the logit is the number of bytes. Some texts misbehave.
struct Fake;

impl Classifier for Fake {
    fn encode(&self, record: &Record) -> Result<Encoded> {
        match record.text.as_str() {
            "refuse" => Err(Error::Record("refused".into())),
            "panic in encode" => panic!("encode"),
            "no device" => Err(candle_core::Error::Msg("no device".into()).into()),
            text => Ok(Encoded::new(text.bytes().map(u32::from).collect(), Vec::new(), &record.labels, false)),
        }
    }

    fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
        assert!(threads > 0);
        batch.iter().map(|encoded| self.logit(encoded)).collect()
    }
}

impl Fake {
    fn logit(&self, encoded: &Encoded) -> Result<Vec<f32>> {
        let text: String = encoded.tokens.iter().filter_map(|&token| char::from_u32(token)).collect();
        match text.as_str() {
            "fail" => Err(Error::Usage("failed".into())),
            "panic" => panic!("logits"),
            "nan" => Ok(vec![f32::NAN]),
            text => Ok(vec![text.len() as f32]),
        }
    }
}

fn entry(text: &str) -> Entry<String> {
    let labels = Some(Arc::new(LabelSet::flat(vec!["a".into()]).unwrap()));
    let defaults = Defaults { labels, ..Defaults::default() };
    Entry { raw: text.to_owned(), bytes: text.len(), record: defaults.record(text.to_owned()) }
}

fn run_with(threads: usize, limits: Limits, texts: &[String]) -> (Vec<String>, Result<()>) {
    let source: Vec<_> = texts.iter().map(|text| Ok(entry(text))).collect();
    let mut lines = Vec::new();
    let mut sink = |raw: String, outcome: Result<Classified>| {
        lines.push(match outcome {
            Ok(found) => format!("{raw}: {}", found.logits[0]),
            Err(error) => format!("{raw}: {error}"),
        });
        Ok(())
    };
    let result = Runner { threads, limits, interrupted: None }.run(&Fake, source.into_iter(), &mut sink);
    (lines, result)
}

#[test]
fn larger_batches_come_from_larger_windows() {
    let limits = Limits { window: 4, records: 8, bytes: 64, batch_tokens: 16, padded: false };
    let larger = limits.with_batches_of(40);
    assert_eq!((larger.window, larger.records, larger.bytes, larger.batch_tokens), (8, 16, 64, 40));
    assert!(larger.padded);
    assert_eq!(limits.with_batches_of(8).window, 4);
}

fn small() -> Limits {
    Limits { window: 4, records: 8, bytes: 64, batch_tokens: 16, padded: false }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn order_and_results_are_the_same_whatever_the_threads_and_limits(
        lengths in proptest::collection::vec(0_usize..100, 0..60),
        threads in 1_usize..6,
        window in 1_usize..10,
        records in 1_usize..10,
        bytes in 0_usize..200,
        batch_tokens in 0_usize..100,
        padded in proptest::bool::ANY,
    ) {
        let texts: Vec<String> = lengths.iter().map(|&length| "x".repeat(length)).collect();
        let expected: Vec<String> = texts.iter().map(|text| format!("{text}: {}", text.len())).collect();
        let (lines, result) = run_with(threads, Limits { window, records, bytes, batch_tokens, padded }, &texts);
        prop_assert!(result.is_ok());
        prop_assert_eq!(lines, expected);
    }
}

#[test]
fn a_device_that_fails_while_records_are_encoded_ends_the_run_there() {
    let (lines, result) = run_with(2, small(), &strings(&["one", "no device", "two"]));
    assert!(result.unwrap_err().to_string().contains("no device"));
    assert_eq!(lines, ["one: 3"]);
}

#[test]
fn a_bad_record_is_an_outcome_in_its_place() {
    let (lines, result) = run_with(2, small(), &strings(&["one", "refuse", "nan", "panic in encode", "two"]));
    result.unwrap();
    assert_eq!(lines[0], "one: 3");
    assert_eq!(lines[1], "refuse: refused");
    assert!(lines[2].contains("not a finite number"), "{}", lines[2]);
    assert!(lines[3].contains("bug"), "{}", lines[3]);
    assert_eq!(lines[4], "two: 3");
}

#[test]
fn a_failing_computation_ends_the_run_after_what_came_before() {
    for culprit in ["fail", "panic"] {
        let limits = Limits { batch_tokens: 1, ..small() };
        let (lines, result) = run_with(3, limits, &strings(&["one", "three", culprit, "two", "seven"]));
        assert_eq!(lines, ["one: 3", "three: 5"]);
        assert!(result.is_err(), "{culprit}");
    }
}

#[test]
fn an_error_of_the_source_ends_the_run_after_what_came_before() {
    let source = vec![Ok(entry("one")), Err(Error::Usage("torn".into())), Ok(entry("two"))];
    let mut seen = Vec::new();
    let mut sink = |raw: String, _: Result<Classified>| {
        seen.push(raw);
        Ok(())
    };
    let runner = Runner { threads: 2, limits: small(), interrupted: None };
    let error = runner.run(&Fake, source.into_iter(), &mut sink).unwrap_err();
    assert_eq!(error.to_string(), "torn");
    assert_eq!(seen, ["one"]);
}

#[test]
fn an_error_of_the_sink_ends_an_endless_run() {
    let mut count = 0;
    let mut sink = |_: String, _: Result<Classified>| {
        count += 1;
        if count == 100 { Err(Error::Usage("full".into())) } else { Ok(()) }
    };
    let source = std::iter::repeat_with(|| Ok(entry("again")));
    let error = Runner { threads: 2, limits: small(), interrupted: None }.run(&Fake, source, &mut sink);
    assert_eq!(error.unwrap_err().to_string(), "full");
}

#[test]
fn no_more_is_held_than_the_limit_says() {
    static READ: AtomicUsize = AtomicUsize::new(0);
    let source = (0..500).map(|_| {
        READ.fetch_add(1, Ordering::SeqCst);
        Ok(entry("text"))
    });
    let mut written = 0;
    let mut sink = |_: String, _: Result<Classified>| {
        written += 1;
        // One more is in the hands of the reader, and one in ours.
        assert!(READ.load(Ordering::SeqCst) <= written + small().records + 1);
        Ok(())
    };
    Runner { threads: 2, limits: small(), interrupted: None }.run(&Fake, source, &mut sink).unwrap();
    assert_eq!(written, 500);
}

/// Sends on what is written, as soon as it is flushed.
struct Flushed {
    waiting: Vec<String>,
    out: mpsc::Sender<String>,
}

impl Sink<String> for Flushed {
    fn write(&mut self, raw: String, _: Result<Classified>) -> Result<()> {
        self.waiting.push(raw);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.waiting.drain(..).for_each(|raw| drop(self.out.send(raw)));
        Ok(())
    }
}

#[test]
fn an_answer_does_not_wait_for_more_input() {
    let (questions, source) = mpsc::channel();
    let (out, answers) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let runner = Runner { threads: 2, limits: Limits::default(), interrupted: None };
            runner.run(&Fake, source.into_iter(), &mut Flushed { waiting: Vec::new(), out }).unwrap();
        });
        for text in ["one", "two", "three"] {
            questions.send(Ok(entry(text))).unwrap();
            assert_eq!(answers.recv_timeout(Duration::from_secs(20)).unwrap(), text);
        }
        drop(questions);
    });
}

#[test]
fn an_interrupt_ends_a_run_whose_input_stalls() {
    static INTERRUPTED: AtomicBool = AtomicBool::new(false);
    let (questions, source) = mpsc::channel();
    questions.send(Ok(entry("one"))).unwrap();
    let mut seen = Vec::new();
    let mut sink = |raw: String, _: Result<Classified>| {
        seen.push(raw);
        INTERRUPTED.store(true, Ordering::Relaxed);
        Ok(())
    };
    let runner = Runner { threads: 2, limits: small(), interrupted: Some(&INTERRUPTED) };
    runner.run(&Fake, source.into_iter(), &mut sink).unwrap();
    assert_eq!(seen, ["one"]);
    drop(questions);
}

#[test]
fn an_interrupt_waits_only_for_what_is_being_computed() {
    static INTERRUPTED: AtomicBool = AtomicBool::new(false);
    struct Slow(AtomicUsize);
    impl Classifier for Slow {
        fn encode(&self, record: &Record) -> Result<Encoded> {
            Fake.encode(record)
        }
        fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            INTERRUPTED.store(true, Ordering::Relaxed);
            // Longer than the writer goes without a look at the flag.
            std::thread::sleep(10 * INTERRUPT_POLL);
            Fake.logits(batch, threads)
        }
    }
    let slow = Slow(AtomicUsize::new(0));
    let source = (0..100).map(|number| Ok(entry(&format!("a text of sixteen bytes, {number:03}"))));
    let mut seen = Vec::new();
    let mut sink = |raw: String, _: Result<Classified>| {
        seen.push(raw);
        Ok(())
    };
    Runner { threads: 1, limits: small(), interrupted: Some(&INTERRUPTED) }.run(&slow, source, &mut sink).unwrap();
    assert!(slow.0.into_inner() < 4, "what no worker had begun was computed");
    assert!(seen.len() < 4 && seen.iter().enumerate().all(|(at, raw)| raw.ends_with(&format!("{at:03}"))), "{seen:?}");
}

/// Records of these costs as they are cut into batches, with their places: cost 2 at place 0 is 20.
fn cut_into(costs: &[usize], limits: &Limits, threads: usize) -> Vec<Vec<usize>> {
    let labels = Arc::new(LabelSet::flat(vec!["a".into()]).unwrap());
    let job = |(place, &cost): (u64, &usize)| queue::Job {
        place,
        raw: (),
        encoded: Encoded::new(vec![0; cost], Vec::new(), &labels, false),
    };
    let batches = cut((0..).zip(costs).map(job).collect(), limits, threads);
    let shown = |job: &queue::Job<()>| 10 * job.encoded.cost() + job.place as usize;
    batches.iter().map(|batch| batch.iter().map(shown).collect()).collect()
}

#[test]
fn batches_keep_the_order_of_the_records_and_take_what_fits() {
    let limits = Limits { batch_tokens: 6, ..small() };
    assert_eq!(cut_into(&[2, 4, 1, 9, 5], &limits, 1), [vec![20, 41], vec![12], vec![93], vec![54]]);
    assert_eq!(cut_into(&[2, 4, 1, 5, 9], &limits, 1), [vec![20, 41], vec![12, 53], vec![94]]);
    assert!(cut_into(&[], &limits, 1).is_empty());
}

#[test]
fn batches_are_smaller_where_there_is_not_enough_for_a_full_one_on_every_thread() {
    let limits = Limits { batch_tokens: 100, ..small() };
    assert_eq!(cut_into(&[1, 1, 1, 1], &limits, 1).len(), 1);
    assert_eq!(cut_into(&[1, 1, 1, 1], &limits, 2), [vec![10, 11], vec![12, 13]]);
    assert_eq!(cut_into(&[1, 1, 1, 1], &limits, 9).len(), 4);
}

#[test]
fn batches_that_are_padded_are_of_like_length_the_longest_first_whatever_the_threads() {
    let limits = Limits { batch_tokens: 10, padded: true, ..small() };
    // Each is filled up to the first of its batch: 2 times 5, 3 times 3.
    let expected = [vec![201], vec![53, 54], vec![30, 22, 15]];
    for threads in [1, 8] {
        assert_eq!(cut_into(&[3, 20, 2, 5, 5, 1], &limits, threads), expected);
    }
    assert_eq!(cut_into(&[3, 3, 3, 3], &limits, 1), [vec![30, 31, 32], vec![33]]);
}

#[test]
fn a_worker_computes_in_the_order_of_the_input() {
    struct Seen(std::sync::Mutex<Vec<usize>>);
    impl Classifier for Seen {
        fn encode(&self, record: &Record) -> Result<Encoded> {
            Fake.encode(record)
        }
        fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
            self.0.lock().unwrap().extend(batch.iter().map(Encoded::cost));
            Fake.logits(batch, threads)
        }
    }
    let seen = Seen(std::sync::Mutex::default());
    let source: Vec<_> = [2, 9, 1, 5].into_iter().map(|length| Ok(entry(&"x".repeat(length)))).collect();
    let limits = Limits { batch_tokens: 6, ..small() };
    Runner { threads: 1, limits, interrupted: None }.run(&seen, source.into_iter(), &mut |_, _| Ok(())).unwrap();
    assert_eq!(seen.0.into_inner().unwrap(), [2, 9, 1, 5]);
}

#[test]
fn a_lone_batch_has_all_the_threads() {
    struct Threads;
    impl Classifier for Threads {
        fn encode(&self, record: &Record) -> Result<Encoded> {
            Fake.encode(record)
        }
        fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
            Ok(batch.iter().map(|_| vec![threads as f32]).collect())
        }
    }
    let mut seen = Vec::new();
    let mut sink = |_: String, found: Result<Classified>| {
        seen.push(found?.logits[0]);
        Ok(())
    };
    let runner = Runner { threads: 5, limits: Limits::default(), interrupted: None };
    runner.run(&Threads, std::iter::once(Ok(entry("one"))), &mut sink).unwrap();
    assert_eq!(seen, [5.0]);
}
