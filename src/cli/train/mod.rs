//! `gliclass train`.

mod options;
mod shown;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use self::options::{AugmentArgs, BackboneArgs, LabelArgs, LearningArgs, LossArgs, ScheduleArgs};
use self::shown::Shown;
use super::args::{BaseArgs, FieldArgs, Typed, model_name, share};
use super::facts;
use super::terminal;
use crate::checkpoint::config::Architecture;
use crate::digest::hex;
use crate::error::Error;
use crate::files::{self, Lock, file_name};
use crate::model;
use crate::model::{Files, Learner, Options, Source, fresh};
use crate::records::input::Input;
use crate::records::labelled::distinct;
use crate::records::{Defaults, LabelSet};
use crate::training::augment::{Augmenter, Descriptions};
use crate::training::card::{Card, Split};
use crate::training::examples::{self, Example, Reading};
use crate::training::flaws::Flaws;
use crate::training::folder::Folder;
use crate::training::state::{Keeper, Kept};
use crate::training::trainer::{End, Recipe, Trainer};

/// Fine-tune a model on labelled records
///
/// Reads what `eval` reads: a JSONL record is {"text": "Never again.", "true_labels": ["complaint"]}; a CSV has the
/// columns text,label. True labels may also be {label: weight}, from 0 to 1; -100 leaves a label out. The candidate
/// labels are those of --labels, else each record's own, else all labels of the data. What is wrong with the data
/// is reported before the first step.
///
/// The result is a folder like any checkpoint: every command takes it with --model, and so does the
/// Python package. A part of the records is held out; after each epoch the model is judged on it, and the best
/// epoch is kept.
///
/// The defaults are made for thousands of records; the first example suits a few per label.
///
/// After a kill at any instant, --resume continues as if nothing had happened. The same seed gives the same model.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    typed: Typed,
    /// The labelled records to learn from; `-` is standard input
    #[arg(value_name = "DATA")]
    data: PathBuf,
    /// The folder for the trained model
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Continue where a training with the same command stopped
    ///
    /// Its state is kept beside the folder, in DIR.resume, until it is finished. Different data, models or
    /// options are refused. A finished training does nothing. With --force it starts again.
    #[arg(long)]
    resume: bool,
    /// Start again in a folder that `train` made, and overwrite its model
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    fields: FieldArgs,
    #[command(flatten)]
    held_out: HeldOutArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    schedule: ScheduleArgs,
    #[command(flatten)]
    loss: LossArgs,
    #[command(flatten)]
    learning: LearningArgs,
    #[command(flatten)]
    augment: AugmentArgs,
    #[command(flatten)]
    backbone: BackboneArgs,
    #[command(flatten)]
    base: BaseArgs,
}

/// What is judged on, and how bad data is taken.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Data")]
struct HeldOutArgs {
    /// Judge each epoch on the records of this file
    #[arg(long, value_name = "FILE", conflicts_with = "eval_share")]
    eval: Option<PathBuf>,
    /// Judge each epoch on this share of the records; 0 for none
    ///
    /// They are not learned from.
    #[arg(long, value_name = "F", default_value_t = 0.1, value_parser = below_one)]
    eval_share: f64,
    /// Stop before the first step if anything is wrong with the data
    #[arg(long)]
    strict: bool,
}

const EXAMPLES: &str = "\
Examples:
  gliclass train few.csv -o few --eval-share 0 --epochs 6 \\
    --learning-rate 5e-5 --head-learning-rate 1e-4
  gliclass train labelled.jsonl -o mine
  gliclass train topics.csv -o topics --single-label --eval unseen.csv --epochs 10 --patience 2
  gliclass train mails.csv -o mails --model knowledgator/gliclass-base-v3.0 --batch-size 4
  gliclass train labelled.jsonl -o mine --resume
  gliclass classify --model ./mine --labels praise,complaint \"Never again.\"

Exit status: 0 done; 2 wrong usage, or data or a model that cannot be used; 130 interrupted
(Ctrl-C or SIGTERM; the state is kept for --resume).";

/// Held-out records below this number say little about an epoch.
const FEW: usize = 20;

/// The records of a training.
struct Data {
    train: Vec<Example>,
    held_out: Vec<Example>,
    /// Tells the file of the data from others.
    fingerprint: String,
    /// The same of the file of --eval.
    eval_fingerprint: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// The data or the model cannot be used, the output is there already, or the loss is no number any more.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    args.check_patience()?;
    args.augment.check()?;
    args.backbone.check(&args.typed)?;
    // Told before any work, and not held: until signals are heard, they would leave the file of the lock behind.
    drop(args.lock()?);
    args.check_output()?;
    args.base.share_threads()?;
    let defaults = args.labels.defaults(args.base.verbosity)?;
    let descriptions = args.augment.descriptions()?;
    let source = args.find()?;
    args.check_start(&source)?;
    let learner = args.load(&source)?;
    let recipe = args.schedule.recipe(&args.loss, learner.config().architecture_type);
    let data = args.read(&defaults, &learner)?;
    args.warn_of_unknown(&descriptions, &data.train);
    args.warn_of_idle(&data.train);
    let run = args.run_facts(&source, &defaults, &data, &descriptions)?;
    let augmenter = Augmenter::new(&data.train, args.augment.augmentation(), descriptions);

    let interrupted = terminal::listen_for_interrupt()?;
    let _lock = args.lock()?;
    args.check_output()?;
    if args.is_done_already(&run)? {
        args.base.say(&format!("{}: already finished", args.output.display()));
        return args.print_output();
    }
    let kept = args.kept(&run)?;
    let folder = args.folder(&source)?;
    let mut keeper = Keeper::new(&args.output, run);
    let threads = args.base.threads();
    let mut trainer =
        Trainer::new(&learner, [&data.train, &data.held_out], &augmenter, recipe, kept.as_ref(), threads)?;
    if kept.is_none() {
        keeper.begin()?;
    }
    // A file that is mapped cannot be replaced everywhere, and is as large as three models.
    drop(kept);
    let card = args.card(&data, recipe, &learner, &folder);
    let Split { train, held_out } = card.split;
    args.base.say(&format!(
        "training {} parameters of {} on {train} records, {held_out} held out: epochs {}, steps {}; {}",
        trainer.parameters(),
        args.start().model,
        recipe.epochs,
        trainer.steps(),
        learner.describe(),
    ));
    let mut shown = Shown::new(args.base.verbosity.quiet, &folder, &card, trainer.steps(), trainer.position());
    let end = trainer.run(&mut keeper, &mut shown, interrupted);
    shown.finish();
    if end? == End::Interrupted {
        args.base.say("interrupted: the state is kept, --resume continues");
        return Ok(ExitCode::from(terminal::INTERRUPT_STATUS));
    }
    folder.describe(&card.text(trainer.position()))?;
    folder.complete(keeper.run())?;
    keeper.forget()?;
    args.base.say(&shown::summary(trainer.position()));
    args.print_output()
}

impl Args {
    /// The folder, for scripts.
    fn print_output(&self) -> anyhow::Result<ExitCode> {
        terminal::print(&format!("{}\n", self.output.display()))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Only held-out records tell whether it gets better.
    fn check_patience(&self) -> anyhow::Result<()> {
        if self.schedule.patience.is_some() && self.held_out.eval.is_none() && self.held_out.eval_share == 0.0 {
            bail!("--patience waits for a better figure on held-out records: give --eval, or --eval-share above 0");
        }
        Ok(())
    }

    /// Keeps other trainings from the folder until this one ends.
    fn lock(&self) -> anyhow::Result<Lock> {
        if let Some(parent) = self.output.parent() {
            files::make_folder(parent)?;
        }
        let lock = Lock::of(&self.output).map_err(|error| Error::io(&self.output, error))?;
        lock.with_context(|| format!("{}: another run is writing to it", self.output.display()))
    }

    /// Refuses what is there already, unless it is a training that is gone on with or given up.
    fn check_output(&self) -> anyhow::Result<()> {
        let output = self.output.display();
        if self.output.is_file() {
            bail!("{output}: is a file, and --output names a folder");
        }
        if Keeper::path(&self.output).exists() {
            if !self.resume && !self.force {
                bail!("{output}: a training was started and not finished: --resume continues it, --force starts again");
            }
            return Ok(());
        }
        if std::fs::read_dir(&self.output).map_or(true, |mut files| files.next().is_none()) {
            return Ok(());
        }
        if !Folder::is_trained(&self.output) {
            bail!(
                "{output}: holds other files, and no training to continue or to start again (no training.json): \
                 choose another folder, or empty this one"
            );
        }
        if !self.resume && !self.force {
            bail!("{output}: already exists: choose another folder, or give --force");
        }
        Ok(())
    }

    /// Refuses to write over what is learned from.
    fn check_start(&self, source: &Source) -> anyhow::Result<()> {
        let labels = self.label_backbone()?.map(Source::Folder);
        for start in std::iter::once(source).chain(&labels) {
            let Source::Folder(folder) = start else { continue };
            if same_file::is_same_file(folder, &self.output).unwrap_or(false) {
                bail!("{}: is the model that the training starts with: choose another folder", self.output.display());
            }
        }
        Ok(())
    }

    /// Whether what was begun is gone on with.
    fn goes_on(&self) -> bool {
        self.resume && !self.force
    }

    /// Whether there is nothing left to do.
    ///
    /// # Errors
    /// What was done was another training, or the model that it made is gone or damaged.
    fn is_done_already(&self, run: &Map<String, Value>) -> anyhow::Result<bool> {
        if !self.goes_on() || Keeper::path(&self.output).exists() {
            return Ok(false);
        }
        let Some(done) = Folder::training(&self.output)? else { return Ok(false) };
        facts::check_same(&self.output, &done, run)?;
        Files::find(&Source::Folder(self.output.clone())).map_err(|error| {
            let folder = self.output.display();
            anyhow!("{folder}: is finished, but holds no whole model any more ({error}): --force starts again")
        })?;
        Ok(true)
    }

    /// Where the training begins: a model, or the encoder of a new one.
    fn start(&self) -> BaseArgs {
        let model = self.backbone.backbone.as_ref().unwrap_or(&self.base.model).clone();
        BaseArgs { model, ..self.base.clone() }
    }

    fn find(&self) -> anyhow::Result<Source> {
        if self.backbone.backbone.is_some() { self.start().backbone() } else { self.base.source() }
    }

    fn load(&self, source: &Source) -> anyhow::Result<Learner> {
        let (seed, start) = (self.schedule.seed, self.start());
        let learning = self.learning.learning(seed);
        let learner = match (&self.backbone.backbone, source) {
            (Some(_), Source::Builtin) => bail!("--backbone builtin: it already has a head: give it as --model"),
            (Some(_), Source::Folder(backbone)) => {
                let labels = self.label_backbone()?;
                let options = Options {
                    device: start.device,
                    max_length: start.max_length.get(),
                    label_model: self.new_label_model(Some(backbone))?,
                    ..Options::default()
                };
                fresh::files(backbone, labels.as_deref(), &self.backbone.design(seed))
                    .and_then(|files| Learner::from_files(files, &options, learning))
            }
            (None, source) => Learner::load(source, &start.options(source)?, learning),
        };
        let learner = learner.with_context(|| start.failure())?;
        if learner.config().recurrent_steps > 1 {
            bail!(
                "{}: recurrent_steps is {}: recurrent scorers cannot be trained here",
                self.base.model,
                learner.config().recurrent_steps
            );
        }
        Ok(learner)
    }

    /// The folder of the encoder of a new bi-encoder's labels.
    fn label_backbone(&self) -> anyhow::Result<Option<PathBuf>> {
        let Some(model) = self.backbone.label_backbone.clone() else { return Ok(None) };
        match (BaseArgs { model, ..self.base.clone() }).find()? {
            Source::Folder(folder) => Ok(Some(folder)),
            Source::Builtin => bail!("--label-backbone builtin: it is not a plain encoder"),
        }
    }

    /// The folder with the tokenizer of a new bi-encoder's labels.
    fn new_label_model(&self, backbone: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
        if self.backbone.backbone.is_none() {
            return Ok(None);
        }
        Ok(self.label_backbone()?.or_else(|| backbone.map(Path::to_owned)))
    }

    /// The folder for a model that begins as `source`.
    fn folder(&self, source: &Source) -> anyhow::Result<Folder> {
        let base = match source {
            Source::Folder(folder) => Some(folder.as_path()),
            Source::Builtin => None,
        };
        Ok(Folder::create(&self.output, base, self.new_label_model(base)?)?)
    }

    /// What the model card says of a model in `folder`.
    fn card(&self, data: &Data, recipe: Recipe, learner: &Learner, folder: &Folder) -> Card {
        Card {
            base: model_name(&self.start().model).into_owned(),
            data: file_name(&self.data).into_owned(),
            split: Split { train: data.train.len(), held_out: data.held_out.len() },
            held_out: self.held_out.eval.as_deref().map(|path| file_name(path).into_owned()),
            labels: distinct(data.train.iter().flat_map(|example| example.record.labels.names())),
            recipe,
            prompt: self.labels.prompt.clone(),
            options: self.options(),
            label_model: folder.label_model(learner).map(str::to_owned),
            is_decoder: learner.config().architecture_type == Architecture::DecoderKv,
        }
    }

    /// Reads the data, says what is wrong with it, and holds a part out.
    fn read(&self, defaults: &Defaults, learner: &Learner) -> anyhow::Result<Data> {
        let (train, mut flaws, fingerprint) = self.read_file(&self.data, defaults)?;
        let train = examples::keep_fitting(train, learner, self.augment.max_labels(), &mut flaws)?;
        let mut flaws = vec![flaws];
        let (mut of_its_own, mut eval_fingerprint) = (None, None);
        if let Some(path) = &self.held_out.eval {
            // A file that lacks a label is asked about it all the same.
            let labels = defaults.labels.clone().or_else(|| examples::shared_labels(&train));
            let (held_out, mut found, print) = self.read_file(path, &Defaults { labels, ..defaults.clone() })?;
            let held_out = examples::keep_fitting(held_out, learner, None, &mut found)?;
            examples::count_seen(&train, &held_out, &mut found);
            flaws.push(found);
            (of_its_own, eval_fingerprint) = (Some(held_out), Some(print));
        }
        self.tell(&flaws)?;
        let (train, held_out) = match of_its_own {
            Some(held_out) => (train, held_out),
            None if self.held_out.eval_share > 0.0 => {
                self.hold_out(train, learner).context("--eval-share (0 holds none out)")?
            }
            None => (train, Vec::new()),
        };
        if (1..FEW).contains(&held_out.len()) {
            let way_out = match &self.held_out.eval {
                Some(path) => format!(
                    "add records to {}, or leave --eval out, and a tenth of the training records is held out",
                    path.display()
                ),
                None => "give more with --eval FILE, or --eval-share 0".to_owned(),
            };
            let count = held_out.len();
            self.base.say(&format!("warning: only {count} held out, too few to tell which epoch is best: {way_out}"));
        }
        Ok(Data { train, held_out, fingerprint, eval_fingerprint })
    }

    /// Holds a share of the records out. They are judged with all of their labels, however few of them are drawn to
    /// learn from.
    fn hold_out(&self, train: Vec<Example>, learner: &Learner) -> anyhow::Result<(Vec<Example>, Vec<Example>)> {
        let (train, held_out) = examples::hold_out(train, self.held_out.eval_share, self.schedule.seed)?;
        if self.augment.max_labels().is_none() {
            return Ok((train, held_out));
        }
        let mut flaws = Flaws::new(&format!("held out of {}", self.data.display()));
        let held_out = examples::keep_fitting(held_out, learner, None, &mut flaws)?;
        self.tell(&[flaws])?;
        Ok((train, held_out))
    }

    /// Says what is wrong with the data.
    ///
    /// # Errors
    /// Anything is, where that is refused.
    fn tell(&self, flaws: &[Flaws]) -> anyhow::Result<()> {
        let is_refused = self.held_out.strict && flaws.iter().any(|found| !found.is_clean());
        for found in flaws.iter().filter(|found| !found.is_empty()) {
            self.warn_of(found, is_refused);
        }
        if is_refused {
            bail!("the data is not clean: fix what the warnings say, or leave --strict out");
        }
        Ok(())
    }

    /// The examples of a file, what is wrong with them, and what tells the file from others.
    fn read_file(&self, path: &Path, defaults: &Defaults) -> anyhow::Result<(Vec<Example>, Flaws, String)> {
        let (name, bytes) = Input::open(Some(path))?.read_whole()?;
        let fingerprint = hex(Sha256::new_with_prefix(&bytes));
        let how = Reading { layout: &self.fields.layout(defaults), defaults, single_label: self.loss.single_label };
        let (examples, flaws) = examples::read(&name, bytes, &how)?;
        Ok((examples, flaws, fingerprint))
    }

    /// Says what was found, line by line; even to those who want quiet where it is why nothing is done.
    fn warn_of(&self, found: &Flaws, always: bool) {
        if always || !self.base.verbosity.quiet {
            found.to_string().lines().for_each(|line| terminal::say(&terminal::escaped(&format!("warning: {line}"))));
        }
    }

    fn warn_of_unknown(&self, descriptions: &Descriptions, examples: &[Example]) {
        let unknown = descriptions.unknown(examples);
        if !unknown.is_empty() {
            self.base.say(&format!("warning: --descriptions has labels that no record has: {}", unknown.join(", ")));
        }
    }

    /// What is added to a record comes from one whose candidate labels are others.
    fn warn_of_idle(&self, examples: &[Example]) {
        let additions = self.augment.additions();
        if !additions.is_empty() && examples::shared_labels(examples).is_some() {
            self.base.say(&format!(
                "warning: {}: nothing is ever added, because all records have the same candidate labels: give them \
                 labels of their own, or leave it out",
                additions.join(", ")
            ));
        }
    }

    /// Everything that the result depends on, by name.
    fn run_facts(
        &self,
        source: &Source,
        defaults: &Defaults,
        data: &Data,
        descriptions: &Descriptions,
    ) -> anyhow::Result<Map<String, Value>> {
        let mut facts = vec![
            ("version", json!(env!("CARGO_PKG_VERSION"))),
            ("model", json!(self.fingerprint(source)?)),
            ("data", json!(data.fingerprint)),
            ("--eval", json!(data.eval_fingerprint)),
            ("--text-field", json!(self.fields.text_field)),
            ("--label-field", json!(self.fields.label_field)),
            ("--list-separator", json!(self.fields.list_separator)),
            ("--labels", json!(defaults.labels.as_deref().map(LabelSet::names))),
            ("--label-separator", json!(defaults.label_separator)),
            ("--descriptions", json!(hex(Sha256::new_with_prefix(format!("{descriptions:?}"))))),
            ("--max-length", json!(self.base.max_length)),
        ];
        facts.extend(self.options());
        Ok(facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// What tells the model that it begins with from others.
    fn fingerprint(&self, source: &Source) -> anyhow::Result<String> {
        if self.backbone.backbone.is_none() {
            return self.base.fingerprint(source);
        }
        Ok(model::fingerprint(source, self.label_backbone()?.as_deref())?)
    }

    /// The options that shape the result, by name, as the model card shows them.
    fn options(&self) -> Vec<(&'static str, Value)> {
        let mut options = vec![
            ("--eval-share", json!(if self.held_out.eval.is_some() { 0.0 } else { self.held_out.eval_share })),
            ("--prompt", json!(self.labels.prompt)),
        ];
        options.extend(self.schedule.options());
        options.extend(self.loss.options());
        options.extend(self.learning.options());
        options.extend(self.augment.options());
        options.extend(self.backbone.options());
        options
    }

    /// The state to go on from, where there is one and that is wanted.
    fn kept(&self, run: &Map<String, Value>) -> anyhow::Result<Option<Kept>> {
        if !self.goes_on() {
            return Ok(None);
        }
        let Some(kept) = Kept::read(&Keeper::path(&self.output))? else { return Ok(None) };
        facts::check_same(&self.output, &kept.run, run)?;
        let position = &kept.position;
        self.base.say(&format!("continuing after {} steps, in epoch {}", position.steps, position.epoch + 1));
        Ok(Some(kept))
    }
}

/// A share of the records that leaves some to learn from.
fn below_one(text: &str) -> Result<f64, &'static str> {
    share::<f64>(text).ok().filter(|share| *share < 1.0).ok_or("give a number from 0 to less than 1")
}
