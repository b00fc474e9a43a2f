//! How fast records are read, parsed, moved along and written when the model costs nothing.
//!
//! Takes the options of `gliclass batch`:
//!
//! ```sh
//! seq 10000000 | awk '{ print "{\"id\":" $1 ",\"text\":\"The match ended two to one.\"}" }' > short.jsonl
//! cargo run --release --example throughput -- short.jsonl -o /dev/null --labels sport,politics
//! ```

use std::process::ExitCode;

use clap::Parser;
use gliclass::Result;
use gliclass::classifier::{Classifier, Encoded};
use gliclass::cli::batch::{self, Candidate};
use gliclass::records::Record;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: batch::Args,
}

/// One token for each word; the first label holds, the others do not.
struct Free;

impl Classifier for Free {
    fn encode(&self, record: &Record) -> Result<Encoded> {
        let tokens = record.text.split(' ').map(|word| word.len() as u32).collect();
        Ok(Encoded::new(tokens, Vec::new(), &record.labels, false))
    }

    fn logits(&self, batch: &[Encoded], _threads: usize) -> Result<Vec<Vec<f32>>> {
        let logits = |one: &Encoded| {
            let mut logits = vec![-1.0; one.labels.len()];
            logits[0] = 1.0;
            logits
        };
        Ok(batch.iter().map(logits).collect())
    }
}

impl Candidate for Free {
    type Model = Self;

    fn fingerprint(&self) -> anyhow::Result<String> {
        Ok("free".into())
    }

    fn load(self) -> anyhow::Result<Self> {
        Ok(self)
    }
}

fn main() -> anyhow::Result<ExitCode> {
    batch::run_with(Cli::parse().args, |_, _| Ok(Free))
}
