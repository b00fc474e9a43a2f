//! `gliclass classify`: a few texts, for people and for pipes.

use std::io::{BufRead, BufWriter, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Context, bail};
use clap::ValueEnum;
use same_file::Handle;
use terminal_size::{Width, terminal_size_of};
use unicode_width::UnicodeWidthStr;

use super::args::{DecisionArgs, LabelArgs, ModelArgs, ShapeArgs, Typed, Verbosity};
use super::cells::{LIST_SEPARATOR, check_labels, check_lists, csv_columns, csv_values};
use super::retrieval::Retrieval;
use super::terminal;
use crate::adapted::Adapted;
use crate::display;
use crate::error::{Error, Result};
use crate::records::csv::{Dialect, write_row};
use crate::records::input::Input;
use crate::records::jsonl::json_string;
use crate::records::names::{ERROR, PREDICTIONS, TRUNCATED};
use crate::records::output::refuse_input;
use crate::records::{Defaults, Entry, LONGEST};
use crate::runner::{Classified, Runner, Sink};
use crate::scores::{Decision, decide};

/// Columns of the longest bar, and of the shortest one that still shows something.
const BARS: [usize; 2] = [24, 8];

/// Columns of a row of the table beside its label and its bar.
const AROUND: usize = 11;

/// Classify texts from the command line or standard input
///
/// On a terminal each text gets a small table: label, bar, score. Otherwise, or with --format, the
/// output is data only. Without a text, or with `-`, standard input is read, one text per line.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    typed: Typed,
    /// The texts; with `-` or nothing, standard input, one per line
    ///
    /// Put `--` before a text that begins with `-`.
    texts: Vec<String>,
    /// The format of the results [default: a table on a terminal, else jsonl]
    ///
    /// With --logits or --hierarchical it is jsonl by default, on a terminal too.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    decision: DecisionArgs,
    #[command(flatten)]
    shape: ShapeArgs,
    #[command(flatten)]
    model: ModelArgs,
}

const EXAMPLES: &str = "\
Examples:
  gliclass classify --labels travel,dreams,sport \"One day I will see the world!\"
  gliclass classify -l urgent,'can wait' --single-label < subjects.txt
  gliclass classify -l '\"sports, outdoors\"' -l politics --all-scores \"Our team won the match.\"
  gliclass classify -l happy,sad --prompt \"Classify the mood\" \"What a wonderful day!\"

Exit status: 0 done; 1 some texts failed; 2 wrong usage or a model or file that cannot be used;
130 interrupted.";

/// The form of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON array
    Json,
    /// One JSON object per line
    Jsonl,
    /// Comma-separated, with a header
    Csv,
    /// Tab-separated, with a header
    Tsv,
    /// One line per text: label, tab, score, tab, label ...
    Text,
}

/// Runs the command.
///
/// # Errors
/// Wrong usage, or a model or file that cannot be used.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let verbosity = args.model.base.verbosity;
    let defaults = args.labels.defaults(verbosity)?;
    let style = args.style(&defaults)?;
    tell_of_file(&args.texts, verbosity);
    if args.texts.is_empty() || args.texts.iter().any(|text| text == "-") {
        refuse_input(|file| Handle::stdin().is_ok_and(|input| input == *file))?;
    }
    args.model.base.share_threads()?;
    if args.model.base.is_builtin() && !args.typed.has("model") && std::io::stderr().is_terminal() {
        verbosity
            .say("The built-in model is small; a larger one labels better: --model knowledgator/gliclass-base-v3.0");
    }
    let retrieval = Retrieval::new(&args.labels, &defaults)?;
    let model = args.model.load_with(&args.model.base.source()?, retrieval, args.decision.single_label)?;
    let model = Adapted::new(model, style.decision.fitted.clone());
    let interrupted = terminal::listen_for_interrupt()?;
    // The table has colours of its own, and escapes what it shows.
    let out = if style.format.is_none() { Box::new(std::io::stdout().lock()) } else { display::stdout() };
    let mut answers = Answers { style, out: BufWriter::new(out), verbosity, count: 0, errors: 0 };
    let source = texts(args.texts, verbosity).map(move |text| text.map(|text| entry(text, &defaults)));
    let runner = Runner::new(args.model.base.threads(), Some(interrupted));
    answers.begin()?;
    let result = runner.run(&model, source, &mut answers);
    // What failed is the first error to tell; what came before it is whole JSON all the same.
    let ended = answers.end();
    result.and(ended)?;
    Ok(terminal::status(interrupted.load(Ordering::Relaxed), answers.errors > 0))
}

impl Args {
    fn style(&self, defaults: &Defaults) -> anyhow::Result<Style> {
        let Some(labels) = &defaults.labels else {
            bail!("no labels: give --labels a,b,c or --labels-file FILE");
        };
        let stdout = std::io::stdout();
        // A table has no place for either.
        let needs_json = self.shape.hierarchical || self.shape.logits;
        let format = self.format.or_else(|| (needs_json || !stdout.is_terminal()).then_some(Format::Jsonl));
        let json = matches!(format, Some(Format::Json | Format::Jsonl));
        if needs_json && !json {
            bail!("--hierarchical and --logits need JSON: give --format json or jsonl, or no --format");
        }
        self.shape.check(&self.decision)?;
        let decision = self.decision.decision(Some(labels))?;
        if matches!(format, Some(Format::Csv | Format::Tsv)) {
            let is_tsv = format == Some(Format::Tsv);
            check_labels(labels, is_tsv)?;
            check_lists(labels, &decision, LIST_SEPARATOR, is_tsv).context("take another --format")?;
        }
        let columns = csv_columns(labels, &decision);
        let room = terminal_size_of(&stdout).map(|(Width(columns), _)| columns.into());
        Ok(Style { format, decision, shape: self.shape, columns, room, colour: terminal::is_lively(&stdout) })
    }
}

/// Says so where the only text may be meant as a file.
fn tell_of_file(texts: &[String], verbosity: Verbosity) {
    if let [name] = texts
        && name != "-"
        && !name.contains(char::is_whitespace)
        && Path::new(name).is_file()
    {
        verbosity.say(&format!(
            "note: {name}: one text, though there is a file of this name: `gliclass classify ... < {name}` reads it"
        ));
    }
}

/// The texts of the arguments, `-` standing for the lines of standard input.
fn texts(arguments: Vec<String>, verbosity: Verbosity) -> impl Iterator<Item = Result<Text>> + Send {
    let arguments = if arguments.is_empty() { vec!["-".to_owned()] } else { arguments };
    arguments.into_iter().flat_map(move |argument| -> Box<dyn Iterator<Item = Result<Text>> + Send> {
        if argument != "-" {
            return Box::new(std::iter::once(Ok(Text { shown: argument, is_whole: true })));
        }
        if std::io::stdin().is_terminal() {
            verbosity.say("Type texts, one per line; Ctrl-D ends.");
        }
        let input = Input::open(None).and_then(|mut input| input.refuse_utf16().map(|()| input));
        match input {
            Ok(input) => Box::new(lines(input.stream)),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    })
}

/// The lines of an input.
fn lines(mut input: impl BufRead + Send) -> impl Iterator<Item = Result<Text>> + Send {
    (1..).map_while(move |number| line(&mut input, number).transpose())
}

fn line(input: &mut impl BufRead, number: u64) -> Result<Option<Text>> {
    let mut line = Vec::new();
    let read = input.take(LONGEST).read_until(b'\n', &mut line).map_err(|error| Error::io("standard input", error))?;
    let line = match &line[..] {
        [] => return Ok(None),
        [text @ .., b'\r', b'\n'] | [text @ .., b'\n'] => text,
        _ if read as u64 == LONGEST => {
            return Err(Error::Usage(format!("standard input:{number}: longer than 1 GiB: give one text per line")));
        }
        [text @ .., b'\r'] | text => text,
    };
    let without_mark = |text: &str| text.strip_prefix('\u{feff}').filter(|_| number == 1).unwrap_or(text).to_owned();
    Ok(Some(Text { shown: without_mark(&String::from_utf8_lossy(line)), is_whole: std::str::from_utf8(line).is_ok() }))
}

/// A text that was given.
struct Text {
    /// With marks in the place of what is no UTF-8.
    shown: String,
    is_whole: bool,
}

fn entry(text: Text, defaults: &Defaults) -> Entry<String> {
    let Text { shown: raw, is_whole } = text;
    let record =
        if is_whole { defaults.record(raw.clone()) } else { Err(Error::Record("invalid UTF-8: give UTF-8".into())) };
    Entry { bytes: raw.len(), raw, record }
}

/// How results are written; without a format, as a table.
struct Style {
    format: Option<Format>,
    decision: Decision,
    shape: ShapeArgs,
    /// The columns of CSV and TSV behind the text.
    columns: Vec<String>,
    /// How wide the terminal is, where that is known.
    room: Option<usize>,
    colour: bool,
}

impl Style {
    fn dialect(&self) -> Dialect {
        Dialect { delimiter: if self.format == Some(Format::Tsv) { b'\t' } else { b',' }, crlf: false, marked: false }
    }

    fn one(&self, text: &str, found: &Classified, out: &mut Vec<u8>) {
        match self.format {
            None => out.extend(self.table(text, found).bytes()),
            Some(Format::Text) => out.extend(self.plain(found).bytes()),
            Some(Format::Json) => out.extend(self.object(text, found).bytes()),
            Some(Format::Jsonl) => out.extend((self.object(text, found) + "\n").bytes()),
            Some(Format::Csv | Format::Tsv) => {
                let values = csv_values(found, &self.decision, LIST_SEPARATOR);
                self.row(std::iter::once(text).chain(values.iter().map(String::as_str)), out);
            }
        }
    }

    fn object(&self, text: &str, found: &Classified) -> String {
        let truncated = if found.truncated { format!(r#","{TRUNCATED}":true"#) } else { String::new() };
        let predictions = self.shape.json(&self.decision, found);
        format!(r#"{{"text":{},"{PREDICTIONS}":{predictions}{truncated}}}"#, json_string(text))
    }

    fn plain(&self, found: &Classified) -> String {
        let predictions = decide(&found.logits, &found.labels, &self.decision);
        let pairs = predictions.iter().map(|p| format!("{}\t{}", terminal::escaped(p.name(&found.labels)), p.score));
        pairs.collect::<Vec<_>>().join("\t") + "\n"
    }

    /// What stands for a text that failed, so that each text has its place; in a table only the message tells.
    fn failed(&self, text: &str, error: &Error, out: &mut Vec<u8>) {
        match self.format {
            None => {}
            Some(Format::Text) => out.push(b'\n'),
            Some(format @ (Format::Json | Format::Jsonl)) => {
                let error = json_string(&error.to_string());
                out.extend(format!(r#"{{"text":{},"{ERROR}":{error}}}"#, json_string(text)).bytes());
                out.extend((format == Format::Jsonl).then_some(b'\n'));
            }
            Some(Format::Csv | Format::Tsv) => {
                let cells = std::iter::once(text).chain(self.columns.iter().map(|_| ""));
                self.row(cells, out);
            }
        }
    }

    fn row<'a>(&self, cells: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
        let dialect = self.dialect();
        write_row(cells.map(|value| dialect.cell(value).into_owned()), dialect, out);
    }

    /// Why there is no label.
    fn nothing(&self) -> String {
        match (self.decision.abstain_below, &self.decision.fitted) {
            (Some(least), _) => format!("no label is sure enough: none reaches {least} and its threshold"),
            (None, Some(_)) => "no label reaches its threshold".into(),
            (None, None) => format!("no label reaches {}", self.decision.threshold),
        }
    }

    /// Columns of the bars behind labels of this width; none where the terminal has no room for what shows something.
    fn bar_length(&self, labels: usize) -> usize {
        let [longest, shortest] = BARS;
        let room = self.room.map_or(longest, |room| room.saturating_sub(labels + AROUND));
        if room < shortest { 0 } else { room.min(longest) }
    }

    fn table(&self, text: &str, found: &Classified) -> String {
        let (bold, bar_colour, plain) = if self.colour { ("\x1b[1m", "\x1b[32m", "\x1b[0m") } else { ("", "", "") };
        let cut = if found.truncated { " (cut to fit --max-length)" } else { "" };
        let mut table = format!("{bold}{}{plain}{cut}\n", terminal::escaped(text));
        let predictions = decide(&found.logits, &found.labels, &self.decision);
        let rows: Vec<_> = predictions.iter().map(|p| (terminal::escaped(p.name(&found.labels)), p.score)).collect();
        let width = rows.iter().map(|(label, _)| label.width()).max().unwrap_or_default();
        let length = self.bar_length(width);
        for (label, score) in &rows {
            let bar = "█".repeat((score * length as f32).round() as usize);
            let gap = " ".repeat(width - label.width());
            table += &format!("  {label}{gap}  {bar_colour}{bar:length$}{plain}  {score:.3}\n");
        }
        if rows.is_empty() {
            table += &format!("  {} (--all-scores shows them)\n", self.nothing());
        }
        table
    }
}

/// The output as it is written.
struct Answers<W: Write> {
    style: Style,
    out: BufWriter<W>,
    verbosity: Verbosity,
    count: u64,
    errors: u64,
}

impl<W: Write> Answers<W> {
    fn begin(&mut self) -> Result<()> {
        let mut header = Vec::new();
        if matches!(self.style.format, Some(Format::Csv | Format::Tsv)) {
            let columns = std::iter::once("text").chain(self.style.columns.iter().map(String::as_str));
            self.style.row(columns, &mut header);
        }
        self.write_bytes(&header)
    }

    fn end(&mut self) -> Result<()> {
        if self.style.format == Some(Format::Json) {
            self.write_bytes(if self.count > 0 { b"\n]\n" } else { b"[]\n" })?;
        }
        self.flush()
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(Error::output)
    }
}

impl<W: Write> Sink<String> for Answers<W> {
    fn write(&mut self, text: String, outcome: Result<Classified>) -> Result<()> {
        let mut bytes = Vec::new();
        if self.style.format == Some(Format::Json) {
            bytes.extend_from_slice(if self.count > 0 { b",\n  " } else { b"[\n  " });
        }
        self.count += 1;
        match outcome {
            Ok(found) => {
                if found.truncated && matches!(self.style.format, Some(Format::Csv | Format::Tsv | Format::Text)) {
                    self.verbosity.say(&format!("warning: text {} was cut to fit", self.count));
                }
                self.style.one(&text, &found, &mut bytes);
            }
            Err(error) => {
                self.errors += 1;
                terminal::say(&format!("error: text {}: {}", self.count, terminal::escaped(&error.to_string())));
                self.style.failed(&text, &error, &mut bytes);
            }
        }
        self.write_bytes(&bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(Error::output)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::records::LabelSet;

    fn style(format: Option<Format>) -> Style {
        let (decision, shape) = (Decision::default(), ShapeArgs { logits: false, hierarchical: false });
        Style { format, decision, shape, columns: Vec::new(), room: None, colour: false }
    }

    #[test]
    fn an_array_begins_with_its_first_answer_so_that_nothing_stands_before_what_is_typed() {
        let (style, verbosity) = (style(Some(Format::Json)), Verbosity { quiet: true, verbose: false });
        let mut answers = Answers { style, out: BufWriter::new(Vec::new()), verbosity, count: 0, errors: 0 };
        answers.begin().unwrap();
        answers.flush().unwrap();
        assert!(answers.out.get_ref().is_empty());
        answers.end().unwrap();
        assert_eq!(answers.out.get_ref(), b"[]\n");
    }

    #[test]
    fn bars_begin_in_one_column_however_wide_the_characters_of_a_label() {
        let labels = LabelSet::flat(["a", "日本語", "👍", "e\u{301}te"].map(str::to_owned).into()).unwrap();
        let found = Classified { labels: Arc::new(labels), logits: vec![4.0; 4], truncated: false, tokens: 1 };
        let table = style(None).table("x", &found);
        for row in ["  a       █", "  日本語  █", "  👍      █", "  e\u{301}te     █"] {
            assert!(table.contains(row), "{row:?} is not in {table}");
        }
    }

    #[test]
    fn bars_are_as_long_as_the_terminal_has_room_for() {
        for (room, labels, expected) in [(None, 99, 24), (Some(80), 30, 24), (Some(40), 19, 10), (Some(40), 22, 0)] {
            assert_eq!(Style { room, ..style(None) }.bar_length(labels), expected);
        }
        let labels = Arc::new(LabelSet::flat(vec!["label".into()]).unwrap());
        let found = Classified { labels, logits: vec![9.0], truncated: false, tokens: 1 };
        let table = Style { room: Some(26), ..style(None) }.table("x", &found);
        assert_eq!(table.lines().nth(1), Some("  label  ██████████  1.000"));
    }
}
