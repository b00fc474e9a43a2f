//! `gliclass eval`.

mod fitting;
mod gather;
mod options;
mod order;
mod predictions;
mod shown;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Context, bail};

use self::gather::{Asking, Gathered};
pub use self::options::Args;
use self::predictions::Predictions;
use super::args::model_name;
use super::own_examples::OwnExamples;
use super::retrieval::Retrieval;
use super::terminal::{self, Progress};
use crate::adapted::Adapted;
use crate::files::{Reserved, file_name};
use crate::metrics::comparison::Comparison;
use crate::metrics::findings::LabelErrors;
use crate::metrics::fit::Fit;
use crate::metrics::page::Subject;
use crate::metrics::{self, Findings, Judged, Report, Resampling};
use crate::records::Defaults;
use crate::records::input::Input;
use crate::records::labelled::{self, Listed, Ready, align};
use crate::records::output::{Existing, Output};
use crate::runner::Runner;
use crate::scores::Decision;

/// Runs the command.
///
/// # Errors
/// The data or the model cannot be used, a record cannot be classified, or an output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    args.check()?;
    args.model.base.share_threads()?;
    let defaults = args.labels.defaults(args.model.base.verbosity)?;
    let decision = args.decision.decision(defaults.labels.as_deref())?;
    fitting::check_goal(args.fit.fit_for, decision.single_label)?;
    let fit_file = args.fit.fit.as_deref().map(Reserved::open).transpose()?;
    let shown = shown::Shown::create(args.output.plots.as_deref(), args.output.html.as_deref())?;
    let others = args.read_others(&defaults)?;
    let Some((gathered, label_order)) = args.gather(&defaults, &decision)? else {
        terminal::say("interrupted: figures of only some of the records would mislead, so there are none");
        return Ok(ExitCode::from(terminal::INTERRUPT_STATUS));
    };
    args.warn_of_seen(&gathered, &decision);
    args.warn_of_other_than_one(&gathered);
    let resampling = Resampling { rounds: args.output.bootstrap, seed: args.output.seed };
    let report = Report::new(&gathered.judged, resampling);
    let fit = fit_file.map(|file| args.fit_to(&gathered, file)).transpose()?;
    let source = |record: usize| (gathered.place(record), gathered.texts[record].clone());
    let errors = match args.output.errors {
        0 => Vec::new(),
        count => LabelErrors::of(&gathered.judged, count, source),
    };
    let others = others.map(|others| args.judge(others, &decision)).transpose()?;
    others.iter().for_each(|other| args.warn_of_other_than_one(other));
    let comparison = others.as_ref().map(|other| compare(&gathered, other, resampling)).transpose()?;
    let findings = Findings { report, fit, label_order, comparison, errors };
    shown.write(&args.subject(&gathered, &decision), &gathered, &findings)?;
    let figures = args.output.report.render(&findings);
    if args.output.predictions.as_deref().is_some_and(|path| path.as_os_str() == "-") {
        terminal::say(figures.trim_end());
    } else {
        terminal::print(&figures)?;
    }
    let has_failed = gathered.failed > 0 || others.is_some_and(|other| other.failed > 0);
    let missed = args.minimums.missed(&findings.report);
    missed.iter().for_each(|line| terminal::say(&format!("error: {line}")));
    Ok(if missed.is_empty() && !has_failed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Args {
    /// What the page is about.
    fn subject(&self, gathered: &Gathered, decision: &Decision) -> Subject {
        let decided = match (&self.decision.thresholds, decision.single_label, gathered.is_decided) {
            (_, _, false) => "labels as they were said".to_owned(),
            (Some(path), false, _) => format!("thresholds of {}", file_name(path)),
            (None, false, _) => format!("threshold {}", decision.threshold),
            (_, true, _) => "the best label".to_owned(),
        };
        let withheld = decision.abstain_below.map(|least| format!(", none below {least}")).unwrap_or_default();
        Subject {
            data: gathered.files.iter().map(|file| file_name(Path::new(file))).collect::<Vec<_>>().join(", "),
            model: self.data.as_ref().map_or_else(
                || "Ready predictions".to_owned(),
                |_| format!("Model {}", model_name(&self.model.base.model)),
            ),
            decision: decided + &withheld,
        }
    }

    /// The records with what was said of them; nothing where it was interrupted.
    fn gather(
        &self,
        defaults: &Defaults,
        decision: &Decision,
    ) -> anyhow::Result<Option<(Gathered, Option<metrics::findings::OrderTrials>)>> {
        let Some(path) = &self.data else {
            let ready = self.read_ready(&self.ready.predictions_from, defaults)?;
            return Ok(Some((self.judge(ready, decision)?, None)));
        };
        let retrieval = Retrieval::new(&self.labels, defaults)?;
        let mut input = Input::open(Some(path))?;
        let (name, bytes) = input.read_whole()?;
        let layout = labelled::Layout { whole: self.output.predictions.is_some(), ..self.fields.layout(defaults) };
        let data = labelled::read(&name, bytes, &layout)?;
        if self.fit.fit.is_some() {
            fitting::check_truth(data.records.iter().map(|record| record.truth.len()), decision.single_label)?;
        }
        let (records, labels) = (data.records.len(), data.labels.len());
        self.model.base.say(&format!(
            "read {records} records as {}, true labels from {:?}; {labels} labels",
            data.form, data.truth
        ));
        let own_examples = OwnExamples::new(defaults);
        let own = data.records.iter().filter_map(|record| record.own.rac_examples.as_ref());
        own.for_each(|examples| own_examples.count(examples));
        own_examples.tell(|line| self.model.base.say(line));
        let open = |path| Output::open(Some(path), Existing::Replace, &input);
        let output = self.output.predictions.as_deref().map(open).transpose()?;
        let model = self.model.load_with(&self.model.base.source()?, retrieval, decision.single_label)?;
        let model = Adapted::new(model, decision.fitted.clone());
        let bytes = data.records.iter().map(|record| record.text.len() as u64).sum();
        let progress = || Progress::new(Some(bytes), self.model.base.verbosity.quiet);
        let beside = output.iter().fold(progress(), Progress::beside);
        let interrupted = terminal::listen_for_interrupt()?;
        let predictions = output.map(Predictions::begin).transpose()?;
        let runner = Runner::new(self.model.base.threads(), Some(interrupted));
        let again = (self.output.label_order_trials > 0).then(|| data.clone());
        let asking = |predictions, progress| Asking {
            decision: decision.clone(),
            shape: self.shape,
            defaults: defaults.clone(),
            predictions,
            progress,
        };
        let gathered = asking(predictions, beside).run(&runner, &model, data)?;
        let mut trials = None;
        if let Some(data) = again {
            let mut trial = order::Trials::new(&gathered.judged);
            for number in 0..self.output.label_order_trials {
                let shuffled = order::shuffled(&data, self.output.seed, number);
                let found = asking(None, progress()).run(&runner, &model, shuffled)?;
                if interrupted.load(Ordering::Relaxed) {
                    break;
                }
                trial.count(&found.judged);
            }
            trials = Some(trial.finish());
        }
        Ok((!interrupted.load(Ordering::Relaxed)).then_some((gathered, trials)))
    }

    fn read_ready(&self, paths: &[PathBuf], defaults: &Defaults) -> anyhow::Result<(Ready, Vec<String>)> {
        let read = |path: &PathBuf| Input::open(Some(path))?.read_whole();
        let files = paths.iter().map(read).collect::<crate::Result<Vec<_>>>()?;
        let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
        let ready = Ready::read(files, &self.fields.layout(defaults), &self.ready.output_field)?;
        let (records, labels) = (ready.records.len(), ready.names.len());
        let scores = match ready.listed {
            Listed::All => "all scores",
            Listed::Asked => "the scores of those that were asked (other true labels count as missed)",
            Listed::Said => "the labels that were said",
        };
        self.model.base.say(&format!("read {records} records as {} with {scores}; {labels} labels", ready.form));
        if ready.failed > 0 {
            let (count, names) = (ready.failed, names.join(", "));
            terminal::say(&terminal::escaped(&format!(
                "error: {names}: {count} records hold an error and no predictions: left out of all figures"
            )));
        }
        Ok((ready, names))
    }

    fn read_others(&self, defaults: &Defaults) -> anyhow::Result<Option<(Ready, Vec<String>)>> {
        let paths = &self.ready.compare;
        if paths.is_empty() { Ok(None) } else { self.read_ready(paths, defaults).map(Some) }
    }

    fn judge(&self, (ready, files): (Ready, Vec<String>), decision: &Decision) -> anyhow::Result<Gathered> {
        if ready.listed == Listed::Said {
            let typed = [
                ("--threshold", self.decision.threshold.is_some()),
                ("--thresholds", self.decision.thresholds.is_some()),
                ("--abstain-below", self.decision.abstain_below.is_some()),
            ];
            if let Some((option, _)) = typed.iter().find(|(_, typed)| *typed) {
                bail!("{}: {option} needs the scores of all labels: write them with --all-scores", files.join(", "));
            }
        }
        if let Some(fitted) = &decision.fitted {
            fitted.cover(&crate::records::LabelSet::flat(ready.names.clone())?)?;
            if fitted.temperature != 1.0 && !ready.has_logits() {
                self.model.base.say(&format!(
                    "warning: {}: the temperature of --thresholds is applied to the scores, which do not tell whether \
                     they have it already: if they were made with --thresholds, add --logits there, or set \
                     \"temperature\" to 1 in a copy of the thresholds",
                    files.join(", ")
                ));
            }
        }
        let gathered = gather::judge(ready, files, decision);
        let sums_to_one = |record: &[metrics::Candidate]| {
            (record.iter().map(|one| f64::from(one.score)).sum::<f64>() - 1.0).abs() < 1e-3
        };
        if gathered.judged.is_scored() && !decision.single_label && gathered.judged.iter().all(sums_to_one) {
            self.model.base.say(
                "warning: the scores of every record add up to 1: were they made with --single-label? Add it here also",
            );
        }
        Ok(gathered)
    }

    /// Thresholds look better than they are where they were fitted.
    fn warn_of_seen(&self, gathered: &Gathered, decision: &Decision) {
        let fitted = decision.fitted.as_ref().and_then(|thresholds| thresholds.fitted.as_ref());
        if fitted.is_some_and(|fitted| fitted.fingerprint == gathered.fingerprint()) {
            self.model.base.say(
                "warning: the thresholds were fitted on these very records: expect less on others. \
                 The figures of eval --fit under \"unseen\" say how much less",
            );
        }
    }

    /// With --single-label records that have not the one label are judged otherwise, and all others with them.
    fn warn_of_other_than_one(&self, gathered: &Gathered) {
        let (count, judged) = (gathered.judged.not_one_label(), &gathered.judged);
        if count > 0 {
            let how = metrics::layout::not_one_label(count, judged.records());
            self.model.base.say(&format!("warning: {}: --single-label, but {how}", gathered.files.join(", ")));
        }
    }

    fn fit_to(&self, gathered: &Gathered, file: Reserved) -> anyhow::Result<Fit> {
        let fit = fitting::fit(gathered, self.fit.fit_for, self.output.seed)?;
        fitting::write(file, &fit, gathered)?;
        self.model.base.say(match fit.folds {
            0 | 1 => "warning: thresholds are fitted and judged on a single record: that says nothing about others",
            _ => {
                "warning: thresholds are fitted and judged on the same records: of the figures of the fit, \
                 believe those under \"unseen\""
            }
        });
        if fit.folds > 1 && !fit.is_of_use() {
            self.model.base.say(&format!(
                "warning: for {}, the fitted thresholds do no better on unseen records than the decision without \
                 them: more records may help",
                fit.goal
            ));
        }
        Ok(fit)
    }
}

/// Sets other predictions of the same records beside these.
fn compare(this: &Gathered, other: &Gathered, resampling: Resampling) -> anyhow::Result<Comparison> {
    let names = other.files.join(", ");
    let known: HashSet<&String> = this.judged.names().iter().collect();
    let mut all = this.judged.names().to_vec();
    all.extend(other.judged.names().iter().filter(|name| !known.contains(name)).cloned());
    let (mine, theirs) = (this.judged.over(&all), other.judged.over(&all));
    let places = align(&true_labels(this, &mine), &true_labels(other, &theirs))
        .with_context(|| format!("cannot compare with {names}"))?;
    let theirs = theirs.selected(places);
    if let Some(record) = (0..mine.records()).find(|&record| truths(&mine, record) != truths(&theirs, record)) {
        bail!(
            "cannot compare with {names}: other labels are true there of {} ({})",
            this.place(record),
            terminal::escaped(&metrics::layout::cut(&this.texts[record], 60))
        );
    }
    Ok(Comparison::new(&mine, &theirs, resampling))
}

/// Each text with the labels that are true of it, numbered as in `judged`.
fn true_labels<'a>(gathered: &'a Gathered, judged: &Judged) -> Vec<(&'a str, Vec<u32>)> {
    (0..).zip(&gathered.texts).map(|(record, text)| (text.as_str(), truths(judged, record))).collect()
}

/// The numbers of the labels that are true of a record, rising.
fn truths(judged: &Judged, record: usize) -> Vec<u32> {
    let truths = judged.record(record).iter().filter(|one| one.truth).map(|one| one.label);
    let mut truths: Vec<u32> = truths.collect();
    truths.sort_unstable();
    truths
}
