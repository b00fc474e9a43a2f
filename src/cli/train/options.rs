//! The options of `train`, and what they mean.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::checkpoint::config::{Architecture, ClassTokenPooling, Pooling, ScorerType};
use crate::checkpoint::learning::{Learning, Lora, Trains};
use crate::cli::args::{self, Typed, Verbosity};
use crate::model::fresh::Design;
use crate::records::Defaults;
use crate::training::augment::{Augmentation, Descriptions};
use crate::training::loss::{Objective, Problem};
use crate::training::optimizer::Rates;
use crate::training::schedule::Shape;
use crate::training::trainer::Recipe;

/// The candidate labels, and what is said beside the text.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Labels")]
pub(super) struct LabelArgs {
    #[command(flatten)]
    candidates: args::CandidateArgs,
    /// The task in words; the model reads it before the text
    ///
    /// Give the same one when you use the model.
    #[arg(long, value_name = "TEXT")]
    pub(super) prompt: Option<String>,
}

impl LabelArgs {
    /// What a record has that says nothing else. A label that may be meant as a file is told.
    ///
    /// # Errors
    /// The file cannot be read, or a label is empty or given twice.
    pub(super) fn defaults(&self, verbosity: Verbosity) -> anyhow::Result<Defaults> {
        Ok(Defaults {
            labels: self.candidates.read(false, verbosity)?,
            label_separator: self.candidates.label_separator.clone(),
            prompt: self.prompt.as_deref().map(Arc::from),
            ..Defaults::default()
        })
    }
}

/// How long and how fast.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Training")]
pub(super) struct ScheduleArgs {
    /// How many times every record is seen
    #[arg(long, value_name = "N", default_value = "3", value_parser = args::up_to::<1_000_000>)]
    epochs: NonZeroUsize,
    /// Records per batch
    #[arg(long, value_name = "N", default_value = "8", value_parser = args::from_one)]
    batch_size: NonZeroUsize,
    /// Batches per step: like one large batch, in the memory of a small one
    #[arg(long, value_name = "N", default_value = "1", value_parser = args::from_one)]
    gradient_accumulation: NonZeroUsize,
    /// Peak learning rate of the encoder
    #[arg(long, value_name = "F", default_value_t = 1e-5, value_parser = positive)]
    learning_rate: f64,
    /// Peak learning rate of the head, which is all above the encoder
    #[arg(long, value_name = "F", default_value_t = 3e-5, value_parser = positive)]
    head_learning_rate: f64,
    /// Weight decay of the encoder, times the learning rate
    #[arg(long, value_name = "F", default_value_t = 0.01, value_parser = not_negative)]
    weight_decay: f64,
    /// Weight decay of the head, times the learning rate
    #[arg(long, value_name = "F", default_value_t = 0.01, value_parser = not_negative)]
    head_weight_decay: f64,
    /// How the learning rates fall after the warm-up
    #[arg(long, value_name = "SHAPE", value_enum, default_value_t)]
    schedule: Shape,
    /// The share of the steps over which the learning rates rise from 0
    #[arg(long, value_name = "F", default_value_t = 0.05, value_parser = args::share::<f64>)]
    warmup: f64,
    /// The highest norm of a step's gradients; 0 for no limit
    #[arg(long, value_name = "F", default_value_t = 1.0, value_parser = not_negative)]
    clip: f64,
    /// Stop after N epochs without better figures of the held-out records
    ///
    /// Better is a higher macro F1, or the same with a lower loss.
    #[arg(long, value_name = "N", value_parser = args::from_one)]
    pub(super) patience: Option<NonZeroUsize>,
    /// Seed of random numbers: the same one gives the same model
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = args::from_zero::<u64>)]
    pub(super) seed: u64,
}

impl ScheduleArgs {
    pub(super) fn recipe(&self, loss: &LossArgs, architecture: Architecture) -> Recipe {
        Recipe {
            objective: loss.objective(architecture),
            contrastive: loss.contrastive,
            epochs: self.epochs.get(),
            batch_size: self.batch_size.get(),
            accumulation: self.gradient_accumulation.get(),
            rates: Rates {
                encoder: self.learning_rate,
                head: self.head_learning_rate,
                encoder_decay: self.weight_decay,
                head_decay: self.head_weight_decay,
            },
            shape: self.schedule,
            warmup: self.warmup,
            clip: self.clip,
            patience: self.patience.map(NonZeroUsize::get),
            seed: self.seed,
        }
    }

    pub(super) fn options(&self) -> [(&'static str, Value); 12] {
        [
            ("--epochs", json!(self.epochs)),
            ("--batch-size", json!(self.batch_size)),
            ("--gradient-accumulation", json!(self.gradient_accumulation)),
            ("--learning-rate", json!(self.learning_rate)),
            ("--head-learning-rate", json!(self.head_learning_rate)),
            ("--weight-decay", json!(self.weight_decay)),
            ("--head-weight-decay", json!(self.head_weight_decay)),
            ("--schedule", json!(format!("{:?}", self.schedule).to_ascii_lowercase())),
            ("--warmup", json!(self.warmup)),
            ("--clip", json!(self.clip)),
            ("--patience", json!(self.patience)),
            ("--seed", json!(self.seed)),
        ]
    }
}

/// What is made small.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Loss")]
pub(super) struct LossArgs {
    /// Exactly one label is true per record
    ///
    /// The loss is then the cross-entropy of the softmax over the record's labels.
    #[arg(long)]
    pub(super) single_label: bool,
    /// The weight of true labels in the loss, from 0 to 1 [default: no weights]
    ///
    /// False labels have the rest.
    #[arg(long, value_name = "F", value_parser = args::share::<f64>, conflicts_with = "single_label")]
    focal_alpha: Option<f64>,
    /// How much less a label counts the better the model knows it
    ///
    /// 0 is plain binary cross-entropy.
    #[arg(long, value_name = "F", default_value_t = 0.0, value_parser = not_negative, conflicts_with = "single_label")]
    focal_gamma: f64,
    /// How far targets are moved towards an even split, from 0 to 1
    #[arg(long, value_name = "F", default_value_t = 0.0, value_parser = args::share::<f64>)]
    label_smoothing: f64,
    /// Sum the loss over all labels instead of taking the mean
    #[arg(long, conflicts_with = "single_label")]
    sum_loss: bool,
    /// Weight of the contrastive term, which pushes the labels of a record apart
    #[arg(long, value_name = "F", default_value_t = 0.0, value_parser = not_negative)]
    pub(super) contrastive: f64,
}

impl LossArgs {
    fn objective(&self, architecture: Architecture) -> Objective {
        let problem = match self.single_label {
            true => Problem::SingleLabel,
            false => Problem::MultiLabel { alpha: self.focal_alpha.unwrap_or(-1.0), gamma: self.focal_gamma },
        };
        Objective {
            problem,
            smoothing: self.label_smoothing,
            sum: self.sum_loss,
            per_record: architecture == Architecture::DecoderKv,
        }
    }

    pub(super) fn options(&self) -> [(&'static str, Value); 6] {
        [
            ("--single-label", json!(self.single_label)),
            ("--focal-alpha", json!(self.focal_alpha)),
            ("--focal-gamma", json!(self.focal_gamma)),
            ("--label-smoothing", json!(self.label_smoothing)),
            ("--sum-loss", json!(self.sum_loss)),
            ("--contrastive", json!(self.contrastive)),
        ]
    }
}

/// A new model on a plain encoder.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "A new model")]
pub(super) struct BackboneArgs {
    /// Start from a plain encoder with a new head, instead of --model
    ///
    /// A folder, or a repository of the Hub. It knows nothing of labels yet: it needs thousands of records where a
    /// GLiClass model needs a few.
    #[arg(long, value_name = "NAME")]
    pub(super) backbone: Option<String>,
    /// The encoder of a bi-encoder's labels [default: another copy of the backbone]
    #[arg(long, value_name = "NAME", requires = "backbone")]
    pub(super) label_backbone: Option<String>,
    /// How labels and text are read
    #[arg(long, value_name = "KIND", value_enum, default_value = "uni-encoder", requires = "backbone")]
    architecture: Architecture,
    /// How the vectors of the text's tokens become one
    #[arg(long, value_name = "KIND", value_enum, default_value = "avg", requires = "backbone")]
    pooling: Pooling,
    /// How the vectors of a label's tokens become one in a uni-encoder
    #[arg(long, value_name = "KIND", value_enum, default_value_t, requires = "backbone")]
    label_pooling: ClassTokenPooling,
    /// What compares text and labels
    #[arg(long, value_name = "KIND", value_enum, default_value = "simple", requires = "backbone")]
    scorer: ScorerType,
    /// Compare vectors of unit length
    #[arg(long, requires = "backbone")]
    normalize_features: bool,
    /// Put the text before the labels in a uni-encoder
    #[arg(long, requires = "backbone")]
    text_first: bool,
}

impl BackboneArgs {
    /// Checks that the new model heeds what was given.
    ///
    /// # Errors
    /// Options exclude each other, or one is for another architecture.
    pub(super) fn check(&self, typed: &Typed) -> anyhow::Result<()> {
        if self.backbone.is_some() && typed.has("model") {
            bail!("--backbone takes the place of --model: leave one of them out");
        }
        if (self.pooling == Pooling::Pass) != (self.scorer == ScorerType::CrossAttn) {
            bail!("--scorer cross-attn reads all token rows, which --pooling pass leaves: give both, or neither");
        }
        let given = [
            ("--label-backbone", self.label_backbone.is_some(), Architecture::BiEncoder),
            ("--label-pooling", self.label_pooling != ClassTokenPooling::default(), Architecture::UniEncoder),
            ("--text-first", self.text_first, Architecture::UniEncoder),
        ];
        let mut idle = given.into_iter().filter(|(_, is_given, heeded)| *is_given && *heeded != self.architecture);
        match idle.next() {
            Some((option, _, heeded)) => {
                let heeded = args::name_of(&heeded);
                bail!("{option} is for --architecture {heeded}: give that, or leave {option} out")
            }
            None => Ok(()),
        }
    }

    pub(super) fn design(&self, seed: u64) -> Design {
        Design {
            architecture: self.architecture,
            pooling: self.pooling,
            class_token_pooling: self.label_pooling,
            scorer: self.scorer,
            normalize_features: self.normalize_features,
            prompt_first: !self.text_first,
            seed,
        }
    }

    /// What shapes a new model; nothing where there is none.
    pub(super) fn options(&self) -> Vec<(&'static str, Value)> {
        let Some(backbone) = &self.backbone else { return Vec::new() };
        vec![
            ("--backbone", json!(args::model_name(backbone))),
            ("--label-backbone", json!(self.label_backbone.as_deref().map(args::model_name))),
            ("--architecture", json!(self.architecture)),
            ("--pooling", json!(self.pooling)),
            ("--label-pooling", json!(self.label_pooling)),
            ("--scorer", json!(self.scorer)),
            ("--normalize-features", json!(self.normalize_features)),
            ("--text-first", json!(self.text_first)),
        ]
    }
}

/// Which part of the model learns.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "What learns")]
pub(super) struct LearningArgs {
    /// Train only the head
    ///
    /// Fast, and enough if the labels are like those that the model knows.
    #[arg(long, conflicts_with_all = ["train_layers", "lora"])]
    freeze_encoder: bool,
    /// Train only the head and the encoder's last N layers
    #[arg(long, value_name = "N", value_parser = args::from_one)]
    train_layers: Option<NonZeroUsize>,
    /// Train low-rank matrices (LoRA) of this rank beside the encoder's
    ///
    /// They are added to the encoder's at the end. Takes a fraction of the optimizer's memory. Needs a higher
    /// --learning-rate, such as 3e-4.
    #[arg(long, value_name = "RANK", value_parser = args::up_to::<4096>)]
    lora: Option<NonZeroUsize>,
    /// Train without the dropout that the config names
    #[arg(long)]
    no_dropout: bool,
}

impl LearningArgs {
    pub(super) fn learning(&self, seed: u64) -> Learning {
        Learning {
            trains: match (self.freeze_encoder, self.train_layers) {
                (true, _) => Trains::Head,
                (false, Some(layers)) => Trains::Layers(layers.get()),
                (false, None) => Trains::All,
            },
            lora: self.lora.map(|rank| Lora { rank: rank.get(), alpha: 2.0 * rank.get() as f64, dropout: 0.0, seed }),
            dropout: (!self.no_dropout).then_some(seed),
        }
    }

    pub(super) fn options(&self) -> [(&'static str, Value); 4] {
        [
            ("--freeze-encoder", json!(self.freeze_encoder)),
            ("--train-layers", json!(self.train_layers)),
            ("--lora", json!(self.lora)),
            ("--no-dropout", json!(self.no_dropout)),
        ]
    }
}

/// What is changed of the records each time they are seen.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Augmentation")]
pub(super) struct AugmentArgs {
    /// Change records at random each time they are seen
    ///
    /// With the probabilities of the Python package: labels left out (0.15) or added (0.1), another text added
    /// (0.05), synonyms (0.1) and descriptions (0.25) of labels, if there are some, and solved cases (0.25). Each
    /// option below sets one of them.
    #[arg(long)]
    augment: bool,
    /// Probability that some labels are left out
    #[arg(long, value_name = "F", value_parser = args::share::<f64>)]
    label_removal: Option<f64>,
    /// Probability that labels of other records are added
    ///
    /// They are added as wrong labels. Nothing is added where all records have the same candidate labels.
    #[arg(long, value_name = "F", value_parser = args::share::<f64>)]
    label_addition: Option<f64>,
    /// Probability that the text of another record is added
    ///
    /// Only of records that share no candidate label with it: nothing is added where all have the same.
    #[arg(long, value_name = "F", value_parser = args::share::<f64>)]
    text_addition: Option<f64>,
    /// Probability that labels are called by their synonyms
    #[arg(long, value_name = "F", value_parser = args::share::<f64>, requires = "descriptions")]
    synonyms: Option<f64>,
    /// Probability that descriptions of labels are shown beside the text
    #[arg(long, value_name = "F", value_parser = args::share::<f64>, requires = "descriptions")]
    description: Option<f64>,
    /// Probability that solved cases are shown beside the text
    #[arg(long, value_name = "F", value_parser = args::share::<f64>)]
    shown_examples: Option<f64>,
    /// Synonyms and descriptions of labels
    ///
    /// As JSON: {"label": {"synonyms": ["..."], "descriptions": ["..."]}}.
    #[arg(long, value_name = "FILE")]
    descriptions: Option<PathBuf>,
    /// Read at most N labels of a record at once
    ///
    /// The true ones and, each time, a random choice of the others.
    #[arg(long, value_name = "N", value_parser = args::from_one)]
    max_labels: Option<NonZeroUsize>,
    /// Keep the labels in their order instead of shuffling them each time
    #[arg(long)]
    keep_label_order: bool,
}

impl AugmentArgs {
    pub(super) fn augmentation(&self) -> Augmentation {
        let base = if self.augment { Augmentation::default() } else { Augmentation::none() };
        Augmentation {
            label_removal: self.label_removal.unwrap_or(base.label_removal),
            label_addition: self.label_addition.unwrap_or(base.label_addition),
            text_addition: self.text_addition.unwrap_or(base.text_addition),
            synonyms: self.synonyms.unwrap_or(base.synonyms),
            descriptions: self.description.unwrap_or(base.descriptions),
            examples: self.shown_examples.unwrap_or(base.examples),
            shuffle_labels: !self.keep_label_order,
            max_labels: self.max_labels(),
        }
    }

    /// The options that were given to add what other records have.
    pub(super) fn additions(&self) -> Vec<&'static str> {
        let given = [("--label-addition", self.label_addition), ("--text-addition", self.text_addition)];
        given
            .into_iter()
            .filter(|(_, chance)| chance.is_some_and(|chance| chance > 0.0))
            .map(|(option, _)| option)
            .collect()
    }

    pub(super) fn max_labels(&self) -> Option<usize> {
        self.max_labels.map(NonZeroUsize::get)
    }

    /// Checks that what was given is drawn.
    ///
    /// # Errors
    /// Synonyms and descriptions were given, and never are.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Augmentation { synonyms, descriptions, .. } = self.augmentation();
        if self.descriptions.is_some() && synonyms == 0.0 && descriptions == 0.0 {
            bail!("--descriptions: nothing in it is ever used: add --augment, or --synonyms F or --description F");
        }
        Ok(())
    }

    /// The synonyms and descriptions, if there are any.
    ///
    /// # Errors
    /// The file cannot be used.
    pub(super) fn descriptions(&self) -> anyhow::Result<Descriptions> {
        let read = self.descriptions.as_deref().map(Descriptions::read).transpose().context("--descriptions")?;
        Ok(read.unwrap_or_default())
    }

    pub(super) fn options(&self) -> [(&'static str, Value); 1] {
        [("augmentation", json!(self.augmentation()))]
    }
}

fn not_negative(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|value: &f64| *value >= 0.0 && value.is_finite()).ok_or("give 0 or a greater number")
}

fn positive(text: &str) -> Result<f64, &'static str> {
    not_negative(text).ok().filter(|value| *value > 0.0).ok_or("give a number above 0")
}
