//! `gliclass train` from the data to a folder that every command takes.

use std::fs;
use std::path::Path;

use candle_core::{Device, Tensor};
use serde_json::{Value, json};

use crate::harness::{MODEL, Program, Sandbox, fixture};

const DATA: &str = "data.jsonl";

/// A folder with [`DATA`]: records that a tiny model can learn by heart.
fn with_data() -> Sandbox {
    let words = ["red", "blue"];
    let line = |number: usize| {
        let word = words[number % 2];
        format!(
            "{{\"text\": \"the {word} one, number {number}\", \"labels\": [\"red\", \"blue\"], \"label\": \"{word}\"}}\n"
        )
    };
    let sandbox = Sandbox::new();
    sandbox.write(DATA, (0..20).map(line).collect::<String>());
    sandbox
}

/// A training with [`DATA`] to `output`; what `more` says counts before what is said here.
fn train(sandbox: &Sandbox, output: &str, more: &[&str]) -> Program {
    train_with(sandbox, DATA, output, more)
}

fn train_with(sandbox: &Sandbox, data: &str, output: &str, more: &[&str]) -> Program {
    let fixed = ["train", data, "-o", output, "--model", MODEL, "-j", "1"];
    let rates = ["--learning-rate", "1e-3", "--head-learning-rate", "1e-3"];
    sandbox.gliclass(fixed.iter().chain(&rates).chain(more))
}

fn weights(sandbox: &Sandbox, folder: &str) -> Vec<u8> {
    fs::read(sandbox.path(folder).join("model.safetensors")).unwrap()
}

/// The losses of the epochs, as they are said.
fn losses(stderr: &str) -> Vec<f64> {
    let said = stderr.lines().filter_map(|line| line.strip_prefix("epoch ")?.split_once(": loss "));
    said.map(|(_, rest)| rest.split([';', ',']).next().unwrap().parse().unwrap()).collect()
}

#[test]
fn the_loss_falls_and_the_folder_is_a_model_like_any_other() {
    let sandbox = with_data();
    for name in ["uni-electra", "bi-bert-bert-avg-norm-mlp"] {
        let (output, model) = (format!("trained-{name}"), fixture(name));
        let more = ["--model", model.to_str().unwrap(), "--epochs", "8", "--eval-share", "0.2", "--no-dropout"];
        let outcome = train(&sandbox, &output, &more).run().ends_with(0);
        let losses = losses(&outcome.stderr);
        assert!(losses.len() == 8 && losses[7] < 0.9 * losses[0], "{losses:?}");
        assert_eq!(outcome.last_path(), Path::new(&output));
        let outcome =
            outcome.says(&["16 records, 4 held out", "only 4 held out, too few", "or --eval-share 0", "macro F1"]);
        assert!(!sandbox.path(&format!("{output}.resume")).exists(), "{}", outcome.stderr);
        let card = sandbox.read(&format!("{output}/README.md"));
        assert!(
            card.contains("16 records of `data.jsonl`; judged on 4 others") && card.contains("| `--epochs` | `8` |")
        );
        // Python would look for the labels' tokenizer where it runs.
        let python = "config.label_model_name = \"DIR/label_model\"\n\
                      model, tokenizer = GLiClassModel.from_pretrained(\"DIR\", config=config)";
        assert_eq!(card.contains(python), name.starts_with("bi-"), "{card}");
        let classify = ["classify", "--model", &format!("./{output}"), "--labels", "red,blue", "the red one"];
        sandbox.gliclass(classify).run().ends_with(0);
        let permissions = |name: &str| sandbox.path(&output).join(name).metadata().unwrap().permissions();
        assert_eq!(
            permissions("model.safetensors"),
            permissions("config.json"),
            "others may read the one and not the other"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_model_and_another_seed_another() {
    let sandbox = with_data();
    for (output, seed) in [("a", "1"), ("b", "1"), ("c", "2")] {
        let more = ["--epochs", "2", "--eval-share", "0", "--seed", seed, "--lora", "2"];
        train(&sandbox, output, &more).run().ends_with(0);
    }
    assert!(weights(&sandbox, "a") == weights(&sandbox, "b"), "the same seed");
    assert!(weights(&sandbox, "a") != weights(&sandbox, "c"), "another seed");
}

#[test]
fn a_training_that_was_killed_goes_on_to_the_same_bytes() {
    let sandbox = with_data();
    let more =
        ["--epochs", "60", "--batch-size", "2", "--eval-share", "0.2", "--gradient-accumulation", "3", "--augment"];
    let training = |output: &str, extra: &[&str]| train(&sandbox, output, &[&more[..], extra].concat());
    training("whole", &[]).run().ends_with(0);
    let mut running = training("killed", &[]).start();
    // Before the first step, the state holds no tensors.
    running.wait_until(|| sandbox.path("killed.resume").metadata().is_ok_and(|state| state.len() > 10_000));
    running.kill();
    assert!(sandbox.path("killed.resume").exists(), "it ended before it was killed");
    let again = |extra: &[&str]| training("killed", extra).run();
    again(&[]).ends_with(2).says(&["--resume continues it", "--force starts again"]);
    again(&["--resume", "--clip", "2"]).ends_with(2).says(&["--clip was 1.0 and is 2.0"]);
    again(&["--resume"]).ends_with(0).says(&["continuing after"]);
    again(&["--resume"]).ends_with(0).says(&["already finished"]);
    assert!(weights(&sandbox, "killed") == weights(&sandbox, "whole"));
    let card = |folder: &str| {
        let card = sandbox.read(&format!("{folder}/README.md"));
        card[card.find("## Figures").unwrap()..].to_owned()
    };
    assert_eq!(card("killed"), card("whole"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_training_that_is_killed_while_it_saves_leaves_nothing_of_that_once_it_goes_on() {
    let sandbox = with_data();
    let training = ["--epochs", "1", "--eval-share", "0", "--resume"];
    // Whoever writes a longer file is killed by the system: that is the model, or a state with its tensors.
    let killed = train(&sandbox, "out", &training[..4]).under("ulimit -c 0; ulimit -f 200").run();
    assert!(killed.code != Some(0) && !sandbox.path("out/model.safetensors").exists());
    train(&sandbox, "out", &training).run().ends_with(0);
    for folder in [sandbox.path(""), sandbox.path("out")] {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = names.filter(|name| name.starts_with('.') || name.ends_with(".new")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn bad_data_is_counted_and_refused_where_that_is_wanted() {
    let sandbox = with_data();
    let bad = sandbox.read(DATA) + "{\"text\": \"green\", \"labels\": [\"red\", \"blue\"], \"label\": \"green\"}\n";
    sandbox.write("bad.jsonl", bad);
    let run = |data: &str, more: &[&str]| train_with(&sandbox, data, "out", &[&["--epochs", "1"], more].concat()).run();
    let strict = run("bad.jsonl", &["--strict"]).ends_with(2);
    strict.says(&["1 record left out", "not among the candidates", "--strict"]);
    assert!(!sandbox.path("out").exists());
    run("bad.jsonl", &[]).ends_with(0).says(&["warning: ", "not among the candidates"]);

    // What is wrong with the data is said before there turns out to be too little of it.
    let two = "{\"text\": \"red\", \"labels\": [\"red\", \"blue\"], \"label\": \"red\"}\n";
    sandbox.write("few.jsonl", format!("{two}{}", two.replace("\"label\": \"red\"", "\"label\": \"green\"")));
    let few = run("few.jsonl", &["--force", "--eval-share", "0.1"]).ends_with(2);
    few.says(&["not among the candidates", "none to hold out"]);
}

#[test]
fn a_folder_that_is_there_is_not_overwritten() {
    let sandbox = with_data();
    sandbox.write("there/notes.txt", "mine");
    for more in [&[][..], &["--resume"]] {
        let refused = train(&sandbox, "there", more).run().ends_with(2);
        refused.says(&["there: ", "choose another folder"]);
    }
    assert_eq!(sandbox.read("there/notes.txt"), "mine");
}

#[test]
fn only_a_training_is_overwritten_and_never_the_model_that_is_learned_from() {
    let sandbox = with_data();
    sandbox.write("project/README.md", "mine");
    let force = ["--force", "--epochs", "1", "--eval-share", "0"];
    let refused = train(&sandbox, "project", &force).run().ends_with(2);
    refused.says(&["project: holds other files", "choose another folder"]);
    assert_eq!(sandbox.read("project/README.md"), "mine");
    train(&sandbox, "first", &force).run().ends_with(0);
    let before = weights(&sandbox, "first");
    let refused = train(&sandbox, "first/", &[&force[..], &["--model", "./first"]].concat()).run().ends_with(2);
    refused.says(&["first/: is the model that the training starts with"]);
    assert!(weights(&sandbox, "first") == before);
    train(&sandbox, "first", &force).run().ends_with(0);
}

#[test]
fn two_trainings_never_write_into_one_folder() {
    let sandbox = with_data();
    let more = ["--epochs", "2000", "--eval-share", "0", "--batch-size", "1"];
    let mut running = train(&sandbox, "below/mine", &more).start();
    running.wait_until(|| sandbox.path("below/mine.resume").exists());
    for more in ["--force", "--resume"] {
        let second = train(&sandbox, "below/mine/", &[more]).run().ends_with(2);
        second.says(&["below/mine/: another run is writing to it"]);
    }
    running.kill();
    let more = ["--epochs", "1", "--eval-share", "0", "--force"];
    train(&sandbox, "below/mine", &more).run().ends_with(0);
    assert!(!sandbox.path("below/mine.gliclass-lock").exists());
}

#[cfg(unix)]
#[test]
fn a_training_that_is_interrupted_while_it_waits_for_its_data_leaves_nothing() {
    let sandbox = with_data();
    let mut running = train_with(&sandbox, "-", "mine", &[]).start();
    // More than a pipe holds: once it is sent, the program reads.
    running.send(sandbox.read(DATA).repeat(200).as_bytes());
    running.signal("INT");
    assert_eq!(running.code(false), Some(130));
    let is_left = |name| sandbox.path(name).exists();
    assert!(!["mine", "mine.gliclass-lock", "mine.resume"].into_iter().any(is_left));
}

#[test]
fn few_labels_of_many_are_learned_from_and_those_without_room_for_all_are_not_judged_on() {
    let sandbox = Sandbox::new();
    let long = |name: &str| format!("a label of many words that fill a sequence {} {name}", "word ".repeat(60));
    let line = |number: usize, labels: Vec<String>| {
        let (text, label) = (format!("the {} one", ["red", "blue"][number % 2]), ["red", "blue"][number % 2]);
        json!({ "text": format!("{text}, number {number}"), "labels": labels, "label": label }).to_string() + "\n"
    };
    let short = || vec!["red".to_owned(), "blue".to_owned()];
    let many = || short().into_iter().chain(["one", "two", "three"].map(long)).collect();
    sandbox.write("many.jsonl", (0..20).map(|number| line(number, many())).collect::<String>());
    let mixed = (0..20).map(|number| line(number, if number % 4 < 2 { short() } else { many() }));
    sandbox.write("mixed.jsonl", mixed.collect::<String>());
    let run = |data: &str, more: &[&str]| {
        let fixed = ["--max-labels", "2", "--max-length", "48", "--epochs", "3"];
        train_with(&sandbox, data, "out", &[&fixed, more].concat()).run()
    };
    run("many.jsonl", &["--eval-share", "0.4"]).ends_with(2).says(&["held out of many.jsonl", "leave no room"]);
    assert!(!sandbox.path("out").exists());
    run("mixed.jsonl", &["--eval-share", "0.4"]).ends_with(0).says(&["held out of mixed.jsonl", "leave no room"]);
    run("many.jsonl", &["--eval-share", "0", "--force"]).ends_with(0);
}

#[test]
fn the_card_says_the_prompt_that_texts_were_read_with() {
    let sandbox = with_data();
    let more = ["--epochs", "1", "--eval-share", "0", "--prompt", "What's its \"colour\"?"];
    train(&sandbox, "mine", &more).run().ends_with(0);
    let card = sandbox.read("mine/README.md");
    assert!(card.contains(r#"--model DIR --prompt 'What'\''s its "colour"?' --labels"#), "{card}");
    assert!(card.contains(r#", ["red", "blue"], prompt="What's its \"colour\"?"))"#), "{card}");
    assert!(card.contains("| epoch | loss |\n|---|---|\n| **1** | "), "{card}");
}

#[test]
#[cfg(unix)]
fn the_command_of_the_card_asks_about_labels_of_the_model() {
    let sandbox = Sandbox::new();
    let labels = ["-1", "it's", "sports, outdoors", "a \"b\"", "e", "f", "g"];
    let line = |number: usize| {
        let text = format!("number {number}");
        json!({ "text": text, "labels": labels, "label": labels[number % 7] }).to_string()
    };
    sandbox.write(DATA, (0..14).map(line).collect::<Vec<String>>().join("\n"));
    train(&sandbox, "mine", &["--epochs", "1", "--eval-share", "0"]).run().ends_with(0);
    let card = sandbox.read("mine/README.md");
    assert!(card.contains("Both ask about 5 of the model's 7 labels."), "{card}");
    let command = card.lines().find(|line| line.starts_with("gliclass classify ")).unwrap();
    let command = command.replacen("gliclass", &format!("'{}'", env!("CARGO_BIN_EXE_gliclass")), 1);
    let command = command.replacen(" DIR ", " ./mine ", 1) + " --all-scores --format jsonl";
    let shell = std::process::Command::new("sh").args(["-c", &command]).current_dir(sandbox.path("")).output().unwrap();
    let answer: Value = serde_json::from_slice(&shell.stdout).unwrap_or_else(|_| panic!("{command}: {shell:?}"));
    let mut said: Vec<&str> =
        answer["predictions"].as_array().unwrap().iter().map(|one| one["label"].as_str().unwrap()).collect();
    said.sort_by_key(|said| labels.iter().position(|label| label == said));
    assert_eq!(said, labels[..5], "{command}");
}

#[test]
fn nothing_is_written_outside_the_folder_whatever_the_config_names() {
    let sandbox = with_data();
    sandbox.bi_encoder("models/base", "../labels");
    let labels = fs::read(fixture("bi-bert-bert-avg-norm-mlp/label_model/tokenizer.json")).unwrap();
    sandbox.write("models/labels/tokenizer.json", labels);
    let more = ["--model", "./models/base", "--epochs", "1", "--eval-share", "0"];
    let refused = train(&sandbox, "out/mine", &more).run().ends_with(2);
    refused.says(&["models/base/config.json: label_model_name \"../labels\" leads out"]);
    assert!(!sandbox.path("out/labels").exists());
}

#[test]
fn what_nothing_could_come_of_is_refused() {
    let sandbox = with_data();
    let refused = |more: &[&str], message: &str| {
        train(&sandbox, "out", more).run().ends_with(2).says(&[message]);
    };
    refused(&["--eval-share", "1"], "less than 1");
    refused(&["--eval-share", "0", "--patience", "2"], "--patience waits");
}

#[test]
fn a_training_that_never_began_leaves_the_one_before_it_and_is_not_taken_for_it() {
    let sandbox = with_data();
    let run =
        |data: &str, more: &[&str]| train_with(&sandbox, data, "mine", &[&["--epochs", "1"], more].concat()).run();
    run(DATA, &[]).ends_with(0);
    let trained = weights(&sandbox, "mine");
    sandbox.write("other.jsonl", sandbox.read(DATA).replace(r#""label": "red""#, r#""label": "no""#));
    run("other.jsonl", &["--force", "--strict"]).ends_with(2).says(&["not clean"]);
    run("other.jsonl", &["--resume"]).ends_with(2).says(&["data differs", "--force to start again"]);
    run(DATA, &["--resume", "--clip", "2"]).ends_with(2).says(&["--clip was 1.0 and is 2.0"]);
    run(DATA, &["--resume"]).ends_with(0).says(&["already finished"]);
    assert!(weights(&sandbox, "mine") == trained);
    // What nobody knows the training of is not taken for one.
    fs::remove_file(sandbox.path("mine/training.json")).unwrap();
    run(DATA, &["--resume"]).ends_with(2).says(&["no training to continue"]);
}

#[test]
fn a_training_is_not_taken_for_one_of_other_labels_fields_or_descriptions() {
    let sandbox = Sandbox::new();
    let line = |number: usize| {
        let word = ["red", "blue"][number % 2];
        let [text, again] = ["the", "another"].map(|begin| format!("{begin} {word} one, number {number}"));
        let record = json!({ "text": text, "again": again, "label": word, "kind": word });
        format!("{record}\n")
    };
    let part = |learned: usize| {
        sandbox.write("learned.jsonl", (0..learned).map(line).collect::<String>());
        sandbox.write("unseen.jsonl", (learned..20).map(line).collect::<String>());
    };
    let describe = |synonym: &str| sandbox.write("said.json", format!(r#"{{"red": {{"synonyms": ["{synonym}"]}}}}"#));
    part(16);
    describe("scarlet");
    let run = |more: &[&str]| {
        let fixed = ["--epochs", "1", "--eval", "unseen.jsonl", "-l", "red,blue"];
        let said = ["--descriptions", "said.json", "--synonyms", "0.5"];
        train_with(&sandbox, "learned.jsonl", "mine", &[&fixed[..], &said, more].concat()).run()
    };
    run(&[]).ends_with(0);
    let resume = |more: &[&str]| run(&[more, &["--resume"]].concat());
    for (more, said) in [
        (["-l", "green"], r#"--labels was ["red","blue"] and is ["red","blue","green"]"#),
        (["--label-separator", "/"], r#"--label-separator was "." and is "/""#),
        (["--text-field", "again"], r#"--text-field was "text" and is "again""#),
        (["--label-field", "kind"], r#"--label-field was not given and is "kind""#),
        (["--list-separator", ";"], r#"--list-separator was "|" and is ";""#),
    ] {
        resume(&more).ends_with(2).says(&["it was started differently", said]);
    }
    describe("crimson");
    resume(&[]).ends_with(2).says(&["differently: --descriptions differs. "]);
    describe("scarlet");
    // All records in the same order, but others of them are learned from.
    part(14);
    resume(&[]).ends_with(2).says(&["differently: data differs; --eval differs. "]);
    part(16);
    resume(&[]).ends_with(0).says(&["already finished"]);
}

#[test]
fn a_training_that_was_begun_is_gone_on_with_and_not_the_model_that_is_still_there() {
    let sandbox = with_data();
    train(&sandbox, "mine", &["--epochs", "1"]).run().ends_with(0);
    let trained = weights(&sandbox, "mine");
    let second = ["--epochs", "200", "--batch-size", "1", "--seed", "5", "--force"];
    let mut running = train(&sandbox, "mine", &second).start();
    running.wait_until(|| sandbox.path("mine.resume").exists());
    running.kill();
    assert!(sandbox.path("mine.resume").exists(), "it ended before it was killed");
    let first = train(&sandbox, "mine", &["--epochs", "1", "--resume"]);
    first.run().ends_with(2).says(&["--epochs was 200 and is 1"]);
    let is_old = sandbox.path("mine/training.json").exists();
    assert!(!is_old || weights(&sandbox, "mine") == trained, "a new model with the training of the old one");
}

#[test]
fn a_learning_rate_that_bursts_the_loss_is_said_to_be_too_high() {
    let sandbox = with_data();
    let run = |more: &[&str]| {
        let unbounded = ["--epochs", "40", "--schedule", "constant", "--warmup", "0", "--clip", "0"];
        let rates = ["--learning-rate", "1e30", "--head-learning-rate", "1e30", "--head-weight-decay", "1e30"];
        train(&sandbox, "out", &[&unbounded[..], &rates, more].concat()).run().ends_with(2)
    };
    run(&[]).says(&["not a finite number any more", "too high", "--warmup"]);
    // After the only step of an epoch it shows in the records held out.
    let outcome = run(&["--batch-size", "32", "--force"]);
    outcome.says(&["step 1 of epoch 1: an answer about the held-out records is not a finite number", "--warmup"]);
}

#[test]
fn a_model_that_overflows_before_a_step_has_changed_it_is_not_blamed_on_the_learning_rates() {
    let sandbox = with_data();
    sandbox.copy("uni-electra", "huge");
    let mut tensors = candle_core::safetensors::load(fixture("uni-electra/model.safetensors"), &Device::Cpu).unwrap();
    for side in ["text", "classes"] {
        let bias = tensors.get_mut(&format!("model.{side}_projector.linear_2.bias")).unwrap();
        *bias = Tensor::full(1e30f32, bias.dims(), &Device::Cpu).unwrap();
    }
    candle_core::safetensors::save(&tensors, sandbox.path("huge/model.safetensors")).unwrap();
    let outcome = train(&sandbox, "out", &["--model", "./huge", "--eval-share", "0"]).run().ends_with(2);
    outcome
        .says(&["step 1 of epoch 1: the loss is not a finite number. No weight has changed yet", "`gliclass batch`"]);
}

/// The encoder of a checkpoint in a folder of its own, as one is published.
fn plain_encoder(sandbox: &Sandbox, name: &str) -> String {
    let bytes = fs::read(fixture(name).join("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let encoder = tensors
        .tensors()
        .into_iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix("model.encoder_model.")?.to_owned(), tensor)));
    sandbox.write("plain/model.safetensors", safetensors::serialize(encoder, None).unwrap());
    let config: Value = serde_json::from_str(&fs::read_to_string(fixture(name).join("config.json")).unwrap()).unwrap();
    sandbox.write("plain/config.json", config["encoder_config"].to_string());
    sandbox.write("plain/tokenizer.json", fs::read(fixture(name).join("tokenizer.json")).unwrap());
    sandbox.path("plain").to_string_lossy().into_owned()
}

#[test]
fn a_plain_encoder_becomes_a_model() {
    let sandbox = with_data();
    let backbone = plain_encoder(&sandbox, "uni-electra");
    let train = |output: &str, more: &[&str]| {
        let fixed = ["train", DATA, "-o", output, "--backbone", &backbone, "-j", "1"];
        sandbox.gliclass(fixed.iter().chain(more)).run()
    };
    for kind in ["uni-encoder", "bi-encoder"] {
        train(kind, &["--epochs", "2", "--eval-share", "0", "--architecture", kind]).ends_with(0);
        let card = sandbox.read(&format!("{kind}/README.md"));
        for row in [&format!("`--architecture` | `\"{kind}\"`"), "`--pooling` | `\"avg\"`", "`--text-first` | `false`"]
        {
            assert!(card.contains(row), "{row}: {card}");
        }
        // Where the encoder lay is nobody's business whom the model is sent to.
        assert!(
            card.contains("fine-tuned from `plain` with") && card.contains("| `--backbone` | `\"plain\"` |"),
            "{card}"
        );
        assert!(![card, sandbox.read(&format!("{kind}/training.json"))].iter().any(|file| file.contains(&backbone)));
        let classify = ["classify", "--model", &format!("./{kind}"), "--labels", "red,blue", "the red one"];
        sandbox.gliclass(classify).run().ends_with(0);
    }
    for (more, what) in [
        (["--pooling", "mean"], ["mean", "abs_max"]),
        (["--model", MODEL], ["--backbone takes the place of --model", "leave one of them out"]),
        (["--scorer", "cross-attn"], ["reads all token rows, which --pooling pass leaves", "give both, or neither"]),
        (["--pooling", "pass"], ["--scorer cross-attn", "give both, or neither"]),
    ] {
        train("other", &more).ends_with(2).says(&what);
    }
}

#[test]
fn held_out_records_are_asked_about_the_labels_that_were_trained() {
    let sandbox = Sandbox::new();
    sandbox.write("train.csv", "text,label\none,red\ntwo,blue\nthree,green\n");
    sandbox.write("unseen.csv", "text,label\nfour,red\n");
    let train = ["train", "train.csv", "--model", MODEL, "-o", "m", "--eval", "unseen.csv", "--epochs", "1"];
    let outcome = sandbox.gliclass(train).run().ends_with(0);
    // The share cannot be given beside the file.
    let outcome = outcome.says(&["best: add records to unseen.csv, or leave --eval out"]);
    assert!(!outcome.stderr.contains("--eval-share"), "{}", outcome.stderr);
    outcome.says(&["unseen.csv: no record has one of 2 labels: \"blue\", \"green\""]);
}

#[test]
fn a_finished_training_whose_model_is_damaged_is_told_and_starts_again_where_that_is_wanted() {
    let sandbox = with_data();
    let run = |more: &[&str]| {
        let fixed = ["--epochs", "1", "--eval-share", "0", "--resume"];
        train(&sandbox, "out", &[&fixed, more].concat()).run()
    };
    run(&[]).ends_with(0);
    let whole = weights(&sandbox, "out");
    run(&["--clip", "2"]).ends_with(2).says(&["--clip was 1.0 and is 2.0", "--force to start again"]);
    sandbox.write("out/model.safetensors", &whole[..100]);
    run(&[]).ends_with(2).says(&["out: is finished, but holds no whole model any more", "): --force starts again"]);
    fs::remove_file(sandbox.path("out/model.safetensors")).unwrap();
    run(&[]).ends_with(2).says(&["out: is finished, but holds no whole model any more", "model.safetensors"]);
    run(&["--force"]).ends_with(0);
    assert!(weights(&sandbox, "out") == whole);
    run(&["--force", "--clip", "2"]).ends_with(0);
    run(&["--clip", "2"]).ends_with(0).says(&["already finished"]);
}

#[test]
fn additions_that_can_never_be_made_are_told() {
    let sandbox = with_data();
    let more = ["--epochs", "1", "--eval-share", "0", "--text-addition", "0.5", "--label-addition", "0"];
    let said = train(&sandbox, "same", &more).run().ends_with(0).says(&["warning: --text-addition: nothing is"]);
    assert!(!said.stderr.contains("--label-addition"), "{}", said.stderr);

    let line = |[one, other]: [&str; 2]| {
        format!("{{\"text\": \"the {one} one\", \"labels\": [\"{one}\", \"{other}\"], \"label\": \"{one}\"}}\n")
    };
    let own = [["red", "blue"], ["green", "grey"]].map(line).concat();
    sandbox.write("own.jsonl", own);
    let more = [&more[..], &["--force"]].concat();
    let said = train_with(&sandbox, "own.jsonl", "same", &more).run().ends_with(0);
    assert!(!said.stderr.contains("--text-addition"), "{}", said.stderr);
}
