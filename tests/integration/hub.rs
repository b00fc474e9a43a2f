//! `gliclass download` against a server that behaves like the Hub.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fake_hub::{COMMIT, FakeHub, Fault, TOKEN, sha256};
use crate::harness::{Outcome, Program, Sandbox, fixture};

const CONFIG: (&str, &[u8]) = ("config.json", b"{\"model_type\": \"GLiClass\"}");
const TOKENIZER: (&str, &[u8]) = ("tokenizer.json", b"{}");
const TOKENIZER_CONFIG: (&str, &[u8]) = ("tokenizer_config.json", b"{\"a\": 1}");
const WEIGHTS: (&str, &[u8]) = ("model.safetensors", &[7; 100_000]);
const OLD_WEIGHTS: (&str, &[u8]) = ("pytorch_model.bin", &[8; 1000]);

fn hub() -> FakeHub {
    FakeHub::with(&[CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS, OLD_WEIGHTS, ("README.md", b"hello")])
}

fn download(sandbox: &Sandbox, hub: &FakeHub, arguments: &[&str]) -> Program {
    sandbox.gliclass(["download"].iter().chain(arguments)).env("HF_ENDPOINT", &hub.endpoint)
}

fn repo(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("hf/hub/models--org--model")
}

fn weights_blob(sandbox: &Sandbox) -> PathBuf {
    repo(sandbox).join("blobs").join(sha256(WEIGHTS.1))
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[track_caller]
fn assert_whole(outcome: &Outcome) {
    assert_eq!(fs::read(outcome.last_path().join(WEIGHTS.0)).unwrap(), WEIGHTS.1);
}

#[test]
fn a_download_fills_the_standard_cache_with_only_the_files_needed() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    let outcome = download(&sandbox, &hub, &["org/model"]).run().ends_with(0);
    let folder = outcome.last_path();
    assert_eq!(folder, repo(&sandbox).join("snapshots").join(COMMIT));
    assert_eq!(files(&folder), ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
    assert_whole(&outcome);
    assert_eq!(fs::read_to_string(repo(&sandbox).join("refs/main")).unwrap(), COMMIT);
    assert_eq!(fs::read(weights_blob(&sandbox)).unwrap(), WEIGHTS.1);
    assert_eq!(files(&repo(&sandbox).join("blobs")).len(), 4);
}

#[cfg(unix)]
#[test]
fn snapshots_are_relative_links_to_blobs_as_python_makes_them() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    let folder = download(&sandbox, &hub, &["org/model"]).run().ends_with(0).last_path();
    let target = fs::read_link(folder.join(WEIGHTS.0)).unwrap();
    assert_eq!(target, Path::new("../../blobs").join(sha256(WEIGHTS.1)));
}

#[test]
fn what_is_cached_costs_one_request_for_a_branch_and_none_for_a_commit() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    download(&sandbox, &hub, &["org/model"]).run().ends_with(0);
    hub.asked();
    download(&sandbox, &hub, &["org/model"]).run().ends_with(0);
    assert_eq!(hub.asked(), ["hub HEAD /org/model/resolve/main/config.json"]);
    download(&sandbox, &hub, &["org/model", "--revision", COMMIT]).run().ends_with(0);
    download(&sandbox, &hub, &["org/model", "--offline"]).run().ends_with(0);
    download(&sandbox, &hub, &["org/model"]).env("HF_HUB_OFFLINE", "1").run().ends_with(0);
    assert!(hub.asked().is_empty());
}

#[test]
fn the_variable_that_says_offline_is_read_as_in_python() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    download(&sandbox, &hub, &["org/model"]).run().ends_with(0);
    hub.asked();
    for (value, is_offline) in [("yes", true), ("True", true), ("ON", true), ("enabled", false), ("0", false)] {
        download(&sandbox, &hub, &["org/model"]).env("HF_HUB_OFFLINE", value).run().ends_with(0);
        assert_eq!(hub.asked().is_empty(), is_offline, "{value}");
    }
}

#[test]
fn the_folder_of_the_cache_can_be_chosen() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    let cache = sandbox.path("elsewhere");
    let folder = download(&sandbox, &hub, &["org/model"]).env("HF_HUB_CACHE", &cache).run().ends_with(0).last_path();
    assert!(folder.starts_with(&cache), "{folder:?}");
}

#[test]
fn a_broken_transfer_goes_on_where_it_broke() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    hub.fails_with(&[Fault::Cut(30_000), Fault::Cut(20_000)]);
    let outcome = download(&sandbox, &hub, &["org/model"]).run().ends_with(0);
    assert_whole(&outcome);
    let asked: Vec<_> = hub.asked().into_iter().filter(|line| line.starts_with("store GET")).collect();
    let file = "store GET /model.safetensors";
    assert_eq!(asked, [file.to_owned(), format!("{file} from 30000"), format!("{file} from 50000")]);
}

#[test]
fn a_broken_transfer_begins_again_where_the_server_knows_no_ranges() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    hub.fails_with(&[Fault::Cut(30_000), Fault::Whole]);
    assert_whole(&download(&sandbox, &hub, &["org/model"]).run().ends_with(0));
}

#[test]
fn what_an_interrupted_run_left_is_continued() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    let partial = format!("hf/hub/models--org--model/blobs/{}.incomplete", sha256(WEIGHTS.1));
    let partial = sandbox.write(&partial, &WEIGHTS.1[..12_345]);
    assert_whole(&download(&sandbox, &hub, &["org/model"]).run().ends_with(0));
    assert!(hub.asked().contains(&"store GET /model.safetensors from 12345".to_owned()));
    assert!(!partial.exists());
}

#[test]
fn damaged_leftovers_of_an_interrupted_run_are_fetched_again() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    let partial = format!("hf/hub/models--org--model/blobs/{}.incomplete", sha256(WEIGHTS.1));
    sandbox.write(&partial, [0; 500]);
    assert_whole(&download(&sandbox, &hub, &["org/model"]).run().ends_with(0).says(&["sha256"]));
}

#[test]
fn damaged_bytes_are_an_error_and_nothing_of_them_stays() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    hub.fails_with(&[Fault::Damage]);
    let outcome = download(&sandbox, &hub, &["org/model"]).run().ends_with(2);
    outcome.says(&["model.safetensors", "sha256", "run it again"]);
    assert!(!weights_blob(&sandbox).exists());
    assert!(!weights_blob(&sandbox).with_extension("incomplete").exists());
    assert!(!repo(&sandbox).join("refs/main").exists());
    assert_whole(&download(&sandbox, &hub, &["org/model"]).run().ends_with(0));
}

#[test]
fn a_file_that_stays_short_is_an_error() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    hub.fails_with(&[Fault::Short, Fault::Cut(0), Fault::Cut(0), Fault::Cut(0)]);
    download(&sandbox, &hub, &["org/model"]).run().ends_with(2).says(&["model.safetensors", "continue at byte 50000"]);
    assert!(!weights_blob(&sandbox).exists());
}

#[test]
fn a_damaged_or_short_file_in_the_cache_is_replaced() {
    for damage in [&[9; 100_000][..], &[7; 10]] {
        let (sandbox, hub) = (Sandbox::new(), hub());
        download(&sandbox, &hub, &["org/model"]).run().ends_with(0);
        fs::write(weights_blob(&sandbox), damage).unwrap();
        let outcome = download(&sandbox, &hub, &["org/model"]).run().ends_with(0).says(&["damaged"]);
        assert_whole(&outcome);
    }
}

#[test]
fn an_overloaded_server_is_asked_again() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    hub.fails_with(&[Fault::Busy, Fault::Busy]);
    assert_whole(&download(&sandbox, &hub, &["org/model"]).run().ends_with(0));
}

#[test]
fn the_token_goes_to_the_hub_and_to_no_other_host() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    let program = download(&sandbox, &hub, &["org/model"]).env("HF_TOKEN", TOKEN);
    let outcome = program.run().ends_with(0);
    assert!(!outcome.stderr.contains(TOKEN));
    for line in hub.asked() {
        assert_eq!(line.contains(" token"), line.starts_with("hub"), "{line}");
    }
}

#[test]
fn a_password_in_the_endpoint_goes_to_the_hub_and_into_no_message() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    let endpoint = hub.endpoint.replace("://", "://me:pass-word@");
    let run = |repo: &str| sandbox.gliclass(["download", repo]).env("HF_ENDPOINT", &endpoint).run();
    let outcome = run("org/nothing").ends_with(2).says(&["no such repository on", &hub.endpoint]);
    assert!(!outcome.stderr.contains("pass-word"), "{}", outcome.stderr);
    assert_whole(&run("org/model").ends_with(0));
    for line in hub.asked() {
        assert_eq!(line.contains(" token"), line.starts_with("hub"), "{line}");
    }
}

#[test]
fn a_renamed_repository_is_followed_with_the_token() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    download(&sandbox, &hub, &["org/renamed"]).env("HF_TOKEN", TOKEN).run().ends_with(0);
    assert!(hub.asked().contains(&"hub HEAD /org/model/resolve/main/config.json token".to_owned()));
}

#[test]
fn a_gated_repository_says_how_to_get_in() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    let without = download(&sandbox, &hub, &["org/gated"]).run().ends_with(2);
    without.says(&["org/gated is gated", "licence", "HF_TOKEN", &hub.endpoint]);
    let wrong = download(&sandbox, &hub, &["org/gated"]).env("HF_TOKEN", "hf_wrong").run().ends_with(2);
    assert!(!wrong.says(&["org/gated is gated", "token in use"]).stderr.contains("hf_wrong"));
}

#[test]
fn missing_and_private_repositories_and_revisions_are_named() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    download(&sandbox, &hub, &["org/nothing"]).run().ends_with(2).says(&["org/nothing: no such repository"]);
    download(&sandbox, &hub, &["org/private"]).run().ends_with(2).says(&["private or gated", "HF_TOKEN"]);
    let outcome = download(&sandbox, &hub, &["org/model", "--revision", "v9"]).run().ends_with(2);
    outcome.says(&["org/model has no revision \"v9\""]);
}

#[test]
fn a_server_that_answers_as_no_hub_does_is_told_with_the_variable_that_names_it() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    for (repo, what) in [("org/loop", "more than 10 redirects"), ("org/removed", "the server answers 451")] {
        let outcome = download(&sandbox, &hub, &[repo]).run().ends_with(2);
        outcome.says(&[what, &format!(": is HF_ENDPOINT ({}) a Hub?", hub.endpoint)]);
    }
}

#[test]
fn offline_and_not_cached_says_which_command_to_run() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    let outcome = download(&sandbox, &hub, &["org/model", "--offline"]).run().ends_with(2);
    outcome.says(&["org/model", "gliclass download org/model", "network is off"]);
    let arguments = ["org/model", "--revision", "v1"];
    let outcome = download(&sandbox, &hub, &arguments).env("HF_HUB_OFFLINE", "true").run().ends_with(2);
    outcome.says(&["gliclass download org/model --revision v1"]);
    assert!(hub.asked().is_empty());
}

#[test]
fn without_a_network_the_cache_is_used_with_a_note() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    download(&sandbox, &hub, &["org/model"]).run().ends_with(0);
    let outcome = sandbox.gliclass(["download", "org/model"]).run().ends_with(0).says(&["note", "in the cache"]);
    assert_whole(&outcome);
}

#[test]
fn an_update_that_breaks_off_leaves_what_is_cached_in_use_with_a_note() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    let folder = download(&sandbox, &hub, &["org/model"]).run().ends_with(0).last_path();
    // As if it had been fetched when `main` was another commit.
    let older = "1".repeat(40);
    fs::rename(&folder, folder.with_file_name(&older)).unwrap();
    fs::write(repo(&sandbox).join("refs/main"), &older).unwrap();
    let newer = [9; 100_000];
    let hub = FakeHub::with(&[CONFIG, TOKENIZER, TOKENIZER_CONFIG, (WEIGHTS.0, &newer)]);
    for (faults, reason) in [
        (&[Fault::Damage][..], "sha256"),
        (&[Fault::Cut(30_000), Fault::Cut(0), Fault::Cut(0), Fault::Cut(0)][..], "continue at byte 30000"),
    ] {
        hub.fails_with(faults);
        let outcome = download(&sandbox, &hub, &["org/model"]).run().ends_with(0);
        assert_whole(&outcome);
        assert!(outcome.says(&["note", reason, "the copy of org/model in the cache"]).last_path().ends_with(&older));
    }
    let folder = download(&sandbox, &hub, &["org/model"]).run().ends_with(0).last_path();
    assert!(folder.ends_with(COMMIT) && fs::read(folder.join(WEIGHTS.0)).unwrap() == newer);
}

#[test]
fn without_a_network_and_a_cache_the_error_says_what_to_check() {
    let outcome = Sandbox::new().gliclass(["download", "org/model"]).run().ends_with(2);
    outcome.says(&["127.0.0.1:9", "HF_ENDPOINT", "org/model"]);
}

#[test]
fn a_token_that_login_saved_opens_a_gated_repository() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    sandbox.write("hf/token", format!("{TOKEN}\n"));
    download(&sandbox, &hub, &["org/gated"]).run().ends_with(0);
    let elsewhere = sandbox.write("my-token", TOKEN);
    fs::remove_file(sandbox.path("hf/token")).unwrap();
    fs::remove_dir_all(sandbox.path("hf/hub")).unwrap();
    download(&sandbox, &hub, &["org/gated"]).env("HF_TOKEN_PATH", elsewhere).run().ends_with(0);
}

#[test]
fn a_branch_with_a_slash_is_remembered_under_its_name() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    let arguments = ["org/model", "--revision", "feature/x"];
    download(&sandbox, &hub, &arguments).run().ends_with(0);
    assert_eq!(fs::read_to_string(repo(&sandbox).join("refs/feature/x")).unwrap(), COMMIT);
    sandbox.gliclass(["download", "--offline"].iter().chain(&arguments)).run().ends_with(0);
}

#[test]
fn every_shard_that_the_index_names_is_fetched() {
    let index =
        br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}}"#;
    let hub = FakeHub::with(&[
        CONFIG,
        TOKENIZER,
        OLD_WEIGHTS,
        ("model.safetensors.index.json", index),
        ("model-1.safetensors", b"one"),
        ("model-2.safetensors", b"two"),
        ("model-3.safetensors", b"three"),
    ]);
    let sandbox = Sandbox::new();
    let folder = download(&sandbox, &hub, &["org/model"]).run().ends_with(0).last_path();
    let weights: Vec<_> = files(&folder).into_iter().filter(|name| name.contains("model")).collect();
    assert_eq!(weights, ["model-1.safetensors", "model-2.safetensors", "model.safetensors.index.json"]);
    fs::remove_file(folder.join("model-2.safetensors")).unwrap();
    download(&sandbox, &hub, &["org/model", "--offline"]).run().ends_with(2).says(&["not whole"]);
}

#[test]
fn an_index_that_leads_out_of_the_cache_is_refused() {
    let index = br#"{"weight_map": {"a": "../../../../escaped.safetensors"}}"#;
    let hub = FakeHub::with(&[CONFIG, TOKENIZER, ("model.safetensors.index.json", index)]);
    let outcome = download(&Sandbox::new(), &hub, &["org/model"]).run().ends_with(2);
    outcome.says(&["escaped.safetensors", "outside the model's folder"]);
}

#[test]
fn old_weights_are_fetched_where_there_are_no_others() {
    let hub = FakeHub::with(&[CONFIG, TOKENIZER, OLD_WEIGHTS]);
    let folder = download(&Sandbox::new(), &hub, &["org/model"]).run().ends_with(0).last_path();
    assert!(folder.ends_with(COMMIT));
    assert!(hub.asked().contains(&"store GET /pytorch_model.bin".to_owned()));
}

#[test]
fn shards_of_old_weights_are_fetched_by_their_index() {
    let index = br#"{"weight_map": {"a": "pytorch_model-1.bin", "b": "pytorch_model-2.bin"}}"#;
    let shards = [("pytorch_model-1.bin", &b"1"[..]), ("pytorch_model-2.bin", b"2")];
    let hub = FakeHub::with(&[CONFIG, TOKENIZER, ("pytorch_model.bin.index.json", index), shards[0], shards[1]]);
    let sandbox = Sandbox::new();
    let folder = download(&sandbox, &hub, &["org/model"]).run().ends_with(0).last_path();
    assert_eq!(fs::read(folder.join("pytorch_model-2.bin")).unwrap(), b"2");
    download(&sandbox, &hub, &["org/model", "--offline"]).run().ends_with(0);
}

#[test]
fn a_label_model_in_a_folder_of_the_repository_comes_with_its_tokenizer() {
    let config = ("config.json", &br#"{"label_model_name": "label model"}"#[..]);
    let labels = [("label%20model/config.json", &b"{}"[..]), ("label%20model/tokenizer.json", b"{\"b\": 2}")];
    let hub = FakeHub::with(&[config, TOKENIZER, WEIGHTS, labels[0], labels[1]]);
    let sandbox = Sandbox::new();
    let folder = download(&sandbox, &hub, &["org/model"]).run().ends_with(0).last_path();
    assert_eq!(fs::read(folder.join("label model/tokenizer.json")).unwrap(), labels[1].1);
}

#[test]
fn a_label_model_in_a_repository_of_its_own_gives_its_tokenizer_and_no_more() {
    let sandbox = Sandbox::new();
    let (whole, folder) = (fixture("bi-bert-bert-avg-norm-mlp"), sandbox.bi_encoder("model", "org/model"));
    let labels = |name| fs::read(whole.join("label_model").join(name)).unwrap();
    let (tokenizer, settings) = (labels("tokenizer.json"), labels("tokenizer_config.json"));
    let files = [CONFIG, (TOKENIZER.0, &tokenizer), (TOKENIZER_CONFIG.0, &settings), WEIGHTS];
    let hub = FakeHub::with(&files);
    let classify = |folder: &Path, more: &[&str]| {
        let folder = folder.display().to_string();
        let arguments = ["classify", "-m", &folder, "-l", "travel,very long dreams", "One day", "--all-scores"];
        sandbox.gliclass(arguments.iter().chain(more)).env("HF_ENDPOINT", &hub.endpoint).run()
    };
    classify(&folder, &["--offline"]).ends_with(2).says(&["org/model", "network is off"]);
    let fetched = classify(&folder, &["-q"]).ends_with(0);
    assert_eq!(fetched.stdout, classify(&whole, &["-q"]).ends_with(0).stdout);
    assert!(hub.asked().iter().all(|line| !line.contains(WEIGHTS.0)));
    assert_eq!(classify(&folder, &["-q", "--offline"]).ends_with(0).stdout, fetched.stdout);
    assert!(hub.asked().is_empty());
}

#[test]
fn a_repository_without_weights_or_tokenizer_says_what_it_lacks() {
    let sandbox = Sandbox::new();
    let outcome = download(&sandbox, &FakeHub::with(&[CONFIG, WEIGHTS]), &["org/model"]).run().ends_with(2);
    outcome.says(&["has no tokenizer.json"]);
    let outcome = download(&sandbox, &FakeHub::with(&[CONFIG, TOKENIZER]), &["org/model"]).run().ends_with(2);
    outcome.says(&["has no model.safetensors"]);
}

#[test]
fn a_config_that_says_nothing_is_refused_before_the_weights_come() {
    for config in ["null", "[]", "{}"] {
        let (sandbox, hub) = (Sandbox::new(), FakeHub::with(&[(CONFIG.0, config.as_bytes()), TOKENIZER, WEIGHTS]));
        let outcome = download(&sandbox, &hub, &["org/model"]).run().ends_with(2);
        outcome.says(&["config.json: holds no settings of a model: fetch it again"]);
        assert!(!hub.asked().iter().any(|asked| asked.contains("model.safetensors")));
    }
}

#[test]
fn names_that_are_no_repository_are_refused_before_any_request() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    for name in ["../../etc", "a/b/c", "https://example.org/a", ""] {
        download(&sandbox, &hub, &[name]).run().ends_with(2).says(&["OWNER/NAME"]);
    }
    download(&sandbox, &hub, &["org/model", "--revision", "../x"]).run().ends_with(2).says(&["--revision"]);
    assert!(hub.asked().is_empty());
}

#[test]
fn quiet_downloads_say_nothing_but_the_folder() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    let outcome = download(&sandbox, &hub, &["org/model", "-q"]).run().ends_with(0);
    assert_eq!((outcome.stdout.lines().count(), outcome.stderr.as_str()), (1, ""));
}

#[test]
fn two_downloads_at_once_fetch_the_weights_once() {
    let (sandbox, hub) = (Sandbox::new(), hub());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_whole(&download(&sandbox, &hub, &["org/model"]).run().ends_with(0)));
        }
    });
    let transfers = hub.asked().into_iter().filter(|line| line.starts_with("store GET")).count();
    assert_eq!(transfers, 1);
}
