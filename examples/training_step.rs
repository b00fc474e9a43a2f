//! Seconds a training step takes, and the memory: forward, loss, backward and AdamW over all tensors, without dropout.
//!
//! Takes a folder with a checkpoint, a file of records (`text` and `labels`, one a line), records in a step, and steps:
//!
//! ```sh
//! cargo run --release --example training_step -- model/ records.jsonl 32 5
//! ```

use std::path::Path;
use std::time::Instant;

use gliclass::architectures;
use gliclass::checkpoint::{Config, Learning, Weights};
use gliclass::classifier::{Classifier, Encoded};
use gliclass::kernels;
use gliclass::model::{Model, Options, Source};
use gliclass::records::{LabelSet, Record};
use gliclass::training::optimizer::{AdamW, Rates};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, records, batch, steps] = &arguments[..] else {
        anyhow::bail!("usage: training_step FOLDER RECORDS BATCH STEPS");
    };
    let folder = Path::new(folder);
    let model = Model::load(&Source::Folder(folder.to_owned()), &Options::default())?;
    let records =
        std::fs::read_to_string(records)?.lines().map(|line| encode(&model, line)).collect::<Result<Vec<_>, _>>()?;
    drop(model);
    let file = folder.join("config.json");
    let config = Config::parse(&std::fs::read_to_string(&file)?, &file)?;
    let weights = Weights::open(folder)?.trainable(Learning::default());
    let network = architectures::load(config, None, &weights)?;
    let variables = weights.variables();
    let rates = Rates { encoder: 1e-5, head: 1e-5, encoder_decay: 0.01, head_decay: 0.01 };
    let mut optimizer = AdamW::new(variables.clone(), rates)?;
    kernels::keep_pages();
    let threads = std::thread::available_parallelism()?.get();
    for (step, batch) in records.chunks(batch.parse()?).cycle().take(steps.parse()?).enumerate() {
        let start = Instant::now();
        let logits = network.forward(batch, threads)?.values;
        let targets = candle_core::Tensor::zeros(logits.dims(), logits.dtype(), logits.device())?;
        let loss = candle_nn::loss::binary_cross_entropy_with_logit(&logits, &targets)?;
        let value = loss.to_scalar::<f32>()?;
        let forward = start.elapsed().as_secs_f64();
        let mut found = loss.backward()?;
        let gradients = variables.iter().filter_map(|(name, x)| Some((name.clone(), found.remove(x)?))).collect();
        let backward = start.elapsed().as_secs_f64();
        optimizer.step(&gradients, 1.0, 1.0)?;
        let tokens: usize = batch.iter().map(|record| record.tokens.len()).sum();
        let all = start.elapsed().as_secs_f64();
        print(&format!(
            "step {step}: {tokens} tokens, loss {value:.6}: forward {forward:.3} s, backward {:.3} s, AdamW {:.3} s: {all:.3} s",
            backward - forward,
            all - backward,
        ));
    }
    print(std::fs::read_to_string("/proc/self/status")?.lines().find(|line| line.starts_with("VmHWM")).unwrap_or(""));
    Ok(())
}

fn encode(model: &Model, line: &str) -> anyhow::Result<Encoded> {
    let json: serde_json::Value = serde_json::from_str(line)?;
    let text = json["text"].as_str().unwrap_or_default().to_owned();
    let labels = LabelSet::from_json(&json["labels"], ".").map_err(anyhow::Error::msg)?.into();
    Ok(model.encode(&Record {
        text,
        labels,
        prompt: None,
        examples: Default::default(),
        rac_examples: Default::default(),
    })?)
}

fn print(line: &str) {
    use std::io::Write;
    _ = writeln!(std::io::stdout(), "{line}");
}
