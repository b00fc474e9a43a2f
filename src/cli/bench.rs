//! `gliclass bench`: how fast a model runs on this machine, and where its time goes.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;

use super::args::{ModelArgs, available_threads, up_to};
use super::format::check_jsonl;
use super::terminal;
use crate::classifier::{Classifier, Encoded};
use crate::error::{Error, Result};
use crate::kernels::meter::{self, Counts, Part};
use crate::kernels::{self, Activation, PackedMatrix};
use crate::model::Model;
use crate::records::input::Input;
use crate::records::{Defaults, Entry, LabelSet, Reading, Record, jsonl};
use crate::runner::{Classified, Runner};

/// Runs behind the latency.
const LATENCY_RUNS: usize = 20;

/// Texts that are classified before anything is measured.
const WARM_UP: usize = 8;

/// Numbers of labels that every model is also measured with.
const FEW_AND_MANY: [usize; 2] = [1, 128];

/// Rows for each thread, inputs and outputs of the product that gives the matrix rate.
const MATRIX: [usize; 3] = [1024, 768, 3072];

/// How long the matrix rate is measured, and how often at least.
const MATRIX_TIME: Duration = Duration::from_millis(300);
const MATRIX_ROUNDS: usize = 3;

/// Measure how fast a model runs on this machine, and where its time goes
///
/// Throughput is that of `gliclass batch` without reading and writing, with all threads. Latency is that of
/// one text of medium length with the model loaded. The matrix rate is the speed of this program's own dense
/// layer on a large product: the share of it that a model reaches end to end shows how much the rest costs.
/// Times are exact to a few percent if nothing else runs on the machine.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Number of texts; if there are fewer, they are repeated
    #[arg(short = 'n', long = "texts", value_name = "N", default_value = "64", value_parser = up_to::<1_000_000>)]
    texts: NonZeroUsize,
    /// Number of labels of each text
    #[arg(long, value_name = "N", default_value = "10", value_parser = up_to::<100_000>)]
    labels_count: NonZeroUsize,
    /// Take the texts from a JSONL file [default: built-in texts]
    ///
    /// The built-in texts have 10 to 150 words.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The field with the text
    #[arg(long, value_name = "NAME", default_value = "text", requires = "input")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    text_field: String,
    /// The format of the figures
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    model: ModelArgs,
}

const EXAMPLES: &str = "\
Examples:
  gliclass bench
  gliclass bench --model knowledgator/gliclass-edge-v3.0 --dtype bf16 --labels-count 30
  gliclass bench --input reviews.jsonl -n 500 --format json | jq .throughput.texts_per_second

Exit status: 0 done; 2 wrong usage, a model or file that cannot be used, or labels that do not fit
the model; 130 interrupted.";

/// The form of the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// A table
    #[default]
    Text,
    /// A JSON object; times in seconds
    Json,
}

/// Runs the command.
///
/// # Errors
/// Wrong usage, a model or file that cannot be used, or labels that do not fit the model.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let texts = match &args.input {
        Some(path) => read(path, &args.text_field, args.texts.get())?,
        None => own_texts(),
    };
    let texts: Vec<String> = texts.iter().cycle().take(args.texts.get()).cloned().collect();
    args.model.base.share_threads()?;
    let source = args.model.base.source()?;
    let start = Instant::now();
    let model = args.model.load_from(&source, false)?;
    let load_seconds = start.elapsed().as_secs_f64();
    let bench = Bench { model: &model, threads: args.model.base.threads(), texts };
    let report = bench.report(args.labels_count.get(), load_seconds)?;
    terminal::print(&match args.format {
        Format::Text => report.table(),
        Format::Json => serde_json::to_string_pretty(&report)? + "\n",
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The first texts of a file, at most so many.
fn read(path: &Path, text_field: &str, count: usize) -> anyhow::Result<Vec<String>> {
    check_jsonl("--input", path)?;
    let mut input = Input::open(Some(path))?;
    jsonl::refuse_other(&mut input)?;
    let defaults = Defaults { labels: Some(labels(1)?), ..Defaults::default() };
    let reading = Reading { text_field: text_field.to_owned(), defaults };
    let mut texts = Vec::new();
    for (entry, line) in jsonl::Reader::new(input.stream, &input.name, reading).zip(1..) {
        let entry = entry?;
        if !entry.raw.is_blank() {
            texts.push(entry.record.with_context(|| format!("{}: line {line}", path.display()))?.text);
        }
        if texts.len() == count {
            break;
        }
    }
    if texts.is_empty() {
        bail!("{}: no text in it", path.display());
    }
    Ok(texts)
}

const SENTENCES: [&str; 8] = [
    "The last train to the coast left on time, although half of its passengers were still on the platform.",
    "I ordered two chairs in March and have been promised a new date of delivery every week since then.",
    "Prices of wheat rose again after a dry spring, and bakers in the north say they cannot hold theirs.",
    "The battery lasts for two days, the screen is bright, and the speaker is better than it needs to be.",
    "She scored in the first minute and in the last, which nobody in this stadium had ever seen before.",
    "Researchers found a way to read the age of a coral from the sound that it returns to a short pulse.",
    "The council put the vote off until after the summer, when the new budget should be known in detail.",
    "We walked down through the vineyards to the lake, swam until dusk, and ate at a table by the water.",
];

/// Sentences in each of the program's own texts.
const LENGTHS: [usize; 8] = [1, 2, 1, 4, 1, 3, 8, 2];

fn own_texts() -> Vec<String> {
    let text = |(first, &count): (usize, &usize)| -> String {
        SENTENCES.iter().cycle().skip(first).take(count).copied().collect::<Vec<_>>().join(" ")
    };
    LENGTHS.iter().enumerate().map(text).collect()
}

const TOPICS: [&str; 16] = [
    "travel",
    "sport",
    "science",
    "politics",
    "food",
    "music",
    "health",
    "weather",
    "business",
    "education",
    "cinema",
    "animals",
    "software",
    "history",
    "fashion",
    "law",
];

/// So many labels, all different.
fn labels(count: usize) -> Result<Arc<LabelSet>> {
    let name = |at: usize| match (TOPICS[at % TOPICS.len()], at / TOPICS.len()) {
        (topic, 0) => topic.to_owned(),
        (topic, round) => format!("{topic} {}", round + 1),
    };
    LabelSet::flat((0..count).map(name).collect()).map(Arc::new)
}

/// A model with texts to classify.
struct Bench<'a> {
    model: &'a Model,
    threads: usize,
    texts: Vec<String>,
}

impl Bench<'_> {
    fn report(&self, labels_count: usize, load_seconds: f64) -> anyhow::Result<Report> {
        let set = labels(labels_count)?;
        self.pass(self.model, &self.texts[..WARM_UP.min(self.texts.len())], &set)?;
        let latency = self.latency(&set)?;
        let timed = Timed { model: self.model, encoding: AtomicU64::new(0), computing: AtomicU64::new(0) };
        let (throughput, counts) = meter::counted(|| self.pass(&timed, &self.texts, &set));
        let throughput = throughput?;
        let by_labels = FEW_AND_MANY.map(|count| self.with_labels(count));
        let dense = (counts.multiply_adds > 0).then(|| {
            let flop = 2.0 * counts.multiply_adds as f64;
            // Its memory grows with the threads, and more of them than can run would not be faster.
            let most = self.threads.min(available_threads());
            let [one_thread, all_threads] = [1, most].map(|threads| matrix_rate(self.model.products(), threads));
            let reached = flop / throughput.seconds / 1e9;
            Dense {
                gflop_per_text: flop / self.texts.len() as f64 / 1e9,
                gflops_one_thread: one_thread,
                gflops_all_threads: all_threads,
                gflops_end_to_end: reached,
                share: reached / all_threads,
            }
        });
        Ok(Report {
            model: self.model.describe().to_vec(),
            threads: self.threads,
            texts: self.texts.len(),
            labels: labels_count,
            load_seconds,
            throughput,
            by_labels: by_labels.into_iter().collect::<Result<_>>()?,
            latency,
            dense,
            busy_seconds: timed.seconds(),
            parts: timed.parts(&counts),
        })
    }

    /// Classifies texts as `gliclass batch` does.
    fn pass(&self, classifier: &impl Classifier, texts: &[String], labels: &Arc<LabelSet>) -> Result<Throughput> {
        let defaults = Defaults { labels: Some(Arc::clone(labels)), ..Defaults::default() };
        let entry = |text: &String| Entry { raw: (), bytes: text.len(), record: defaults.record(text.clone()) };
        let entries: Vec<_> = texts.iter().map(|text| Ok(entry(text))).collect();
        // Nothing is lost when a measurement is ended: Ctrl-C does it at once.
        let runner = Runner::new(self.threads, None);
        let mut tokens = 0;
        let start = Instant::now();
        runner.run(classifier, entries.into_iter(), &mut |(), outcome: Result<Classified>| {
            tokens += outcome?.tokens;
            Ok(())
        })?;
        let seconds = start.elapsed().as_secs_f64();
        let per_second = |count: usize| count as f64 / seconds;
        let (texts_per_second, tokens_per_second) = (per_second(texts.len()), per_second(tokens));
        Ok(Throughput { seconds, tokens, texts_per_second, tokens_per_second })
    }

    /// The throughput with so many labels, where they fit the model.
    fn with_labels(&self, count: usize) -> Result<ByLabels> {
        let texts_per_second = match self.pass(self.model, &self.texts, &labels(count)?) {
            Ok(throughput) => Some(throughput.texts_per_second),
            Err(Error::Record(_)) => None,
            Err(error) => return Err(error),
        };
        Ok(ByLabels { labels: count, texts_per_second })
    }

    /// How long one text takes: the one of middle length.
    fn latency(&self, labels: &Arc<LabelSet>) -> Result<Latency> {
        let mut texts = self.texts.clone();
        texts.sort_by_key(String::len);
        let text = std::slice::from_ref(&texts[texts.len() / 2]);
        let runs = (0..LATENCY_RUNS).map(|_| self.pass(self.model, text, labels)).collect::<Result<Vec<_>>>()?;
        let mut seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        Ok(Latency {
            tokens: runs[0].tokens,
            runs: LATENCY_RUNS,
            median_seconds: f64::midpoint(seconds[LATENCY_RUNS / 2 - 1], seconds[LATENCY_RUNS / 2]),
            p90_seconds: seconds[LATENCY_RUNS * 9 / 10 - 1],
        })
    }
}

/// The best rate of a large dense layer, in GFLOP/s.
fn matrix_rate(precision: kernels::Precision, threads: usize) -> f64 {
    let [rows, inputs, outputs] = MATRIX;
    let rows = rows * threads;
    let numbers = |count: usize| (0..count).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0).collect::<Vec<_>>();
    let (x, mut out) = (numbers(rows * inputs), vec![0.0; rows * outputs]);
    let weight = PackedMatrix::new(&numbers(inputs * outputs), outputs, inputs, precision);
    let (start, mut rounds, mut best) = (Instant::now(), 0, f64::INFINITY);
    while rounds < MATRIX_ROUNDS || start.elapsed() < MATRIX_TIME {
        let start = Instant::now();
        kernels::linear(&x, rows, &weight, None, Activation::None, None, &mut out, threads);
        best = best.min(start.elapsed().as_secs_f64());
        rounds += 1;
    }
    2.0 * (rows * inputs * outputs) as f64 / best / 1e9
}

/// A model that counts the nanoseconds of the threads that run it.
struct Timed<'a> {
    model: &'a Model,
    encoding: AtomicU64,
    computing: AtomicU64,
}

impl Timed<'_> {
    fn seconds(&self) -> f64 {
        [&self.encoding, &self.computing].map(seconds).iter().sum()
    }

    /// The parts that took any time; together they are all of it.
    fn parts(&self, counts: &Counts) -> Vec<PartTime> {
        let counted = [
            ("dense layers", Part::Dense),
            ("attention", Part::Attention),
            ("norms and gates", Part::Rows),
            ("heads", Part::Heads),
        ]
        .map(|(name, part)| (name, counts.time(part).as_secs_f64()));
        let rest = seconds(&self.computing) - counted.iter().map(|(_, seconds)| seconds).sum::<f64>();
        let all = [("tokenizing", seconds(&self.encoding))].into_iter().chain(counted).chain([("rest", rest)]);
        let total = self.seconds();
        all.filter(|(_, seconds)| *seconds > 0.0)
            .map(|(name, seconds)| PartTime { name, seconds, share: seconds / total })
            .collect()
    }
}

fn seconds(nanoseconds: &AtomicU64) -> f64 {
    Duration::from_nanos(nanoseconds.load(Ordering::Relaxed)).as_secs_f64()
}

/// Does work and adds its time to a counter.
fn timed<T>(counter: &AtomicU64, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    counter.fetch_add(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    result
}

impl Classifier for Timed<'_> {
    fn encode(&self, record: &Record) -> Result<Encoded> {
        timed(&self.encoding, || self.model.encode(record))
    }

    fn batch_tokens(&self) -> Option<usize> {
        self.model.batch_tokens()
    }

    fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
        timed(&self.computing, || self.model.logits(batch, threads))
    }
}

/// All figures, as in JSON.
#[derive(Debug, Serialize)]
struct Report {
    /// What runs, and how.
    model: Vec<String>,
    threads: usize,
    texts: usize,
    labels: usize,
    load_seconds: f64,
    throughput: Throughput,
    by_labels: Vec<ByLabels>,
    latency: Latency,
    /// Absent where the model does not run on the kernels of this program.
    dense: Option<Dense>,
    /// Time of all threads in the model during the throughput.
    busy_seconds: f64,
    /// What it is made of.
    parts: Vec<PartTime>,
}

#[derive(Debug, Serialize)]
struct Throughput {
    seconds: f64,
    tokens: usize,
    texts_per_second: f64,
    tokens_per_second: f64,
}

#[derive(Debug, Serialize)]
struct ByLabels {
    labels: usize,
    /// Absent where so many labels do not fit the model.
    texts_per_second: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Latency {
    tokens: usize,
    runs: usize,
    median_seconds: f64,
    p90_seconds: f64,
}

/// The dense layers, and how fast they could be.
#[derive(Debug, Serialize)]
struct Dense {
    gflop_per_text: f64,
    gflops_one_thread: f64,
    gflops_all_threads: f64,
    gflops_end_to_end: f64,
    /// End to end, of the rate of all threads.
    share: f64,
}

#[derive(Debug, Serialize)]
struct PartTime {
    name: &'static str,
    seconds: f64,
    /// Of the busy time.
    share: f64,
}

impl Report {
    fn table(&self) -> String {
        let mut table = Table::default();
        self.model.iter().for_each(|line| table.line(&terminal::escaped(line)));
        let Self { threads, texts, labels, throughput, latency, .. } = self;
        table.line(&format!("{texts} texts, {} tokens, {labels} labels, {threads} threads\n", throughput.tokens));
        table.row("loading", &format!("{:.2} s", self.load_seconds));
        let (per_text, per_token) = (throughput.texts_per_second, throughput.tokens_per_second);
        table.row("throughput", &format!("{per_text:.1} texts/s, {per_token:.0} tokens/s"));
        for ByLabels { labels, texts_per_second } in &self.by_labels {
            let rate = texts_per_second.map_or("do not fit the model".into(), |rate| format!("{rate:.1} texts/s"));
            table.row(&format!("labels: {labels}"), &rate);
        }
        let (median, p90) = (latency.median_seconds * 1e3, latency.p90_seconds * 1e3);
        let tokens = latency.tokens;
        table.row("latency", &format!("{median:.1} ms, 90th percentile {p90:.1} ms, one text of {tokens} tokens"));
        if let Some(dense) = &self.dense {
            table.row("dense layers", &format!("{:.2} GFLOP per text", dense.gflop_per_text));
            let (one, all) = (dense.gflops_one_thread, dense.gflops_all_threads);
            table.row("matrix rate", &format!("{one:.0} GFLOP/s on one thread, {all:.0} on all"));
            let (reached, share) = (dense.gflops_end_to_end, 100.0 * dense.share);
            table.row("end to end", &format!("{reached:.0} GFLOP/s, {share:.0} % of the matrix rate"));
        }
        table.line("\ntime of all threads in the model");
        for PartTime { name, seconds, share } in &self.parts {
            table.row(&format!("  {name}"), &format!("{:5.1} %  {seconds:8.3} s", 100.0 * share));
        }
        table.0
    }
}

/// Lines of a name and a figure.
#[derive(Default)]
struct Table(String);

impl Table {
    fn line(&mut self, line: &str) {
        self.0 += line;
        self.0.push('\n');
    }

    fn row(&mut self, name: &str, figure: &str) {
        writeln!(self.0, "{name:18} {figure}").expect("a string takes everything: this is a bug");
    }
}
