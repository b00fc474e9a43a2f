//! The page of `eval --html`, opened in a browser.
//!
//! Without a browser the test says that it was skipped; `GLICLASS_TEST_BROWSER`, the path of a Chromium,
//! makes it run or fail.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::Sandbox;

/// What a label and a text must not do to a page.
const HOSTILE: &str = "<script>alert(1)</script> & \"quotes\" </svg></style>\u{1b}[31m\u{202e}";

/// A Chromium; where there is none, it is said that a test was skipped.
fn browser() -> Option<PathBuf> {
    if let Some(demanded) = std::env::var_os("GLICLASS_TEST_BROWSER") {
        return Some(demanded.into());
    }
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found =
        names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file());
    #[allow(clippy::print_stderr)]
    if found.is_none() {
        eprintln!("skipped: no Chromium is installed; GLICLASS_TEST_BROWSER demands one");
    }
    found
}

/// Looks at the page in a frame of some width: how wide it is, what overlaps, what runs.
const PROBE: &str = r#"<!doctype html><meta charset="utf-8"><iframe id="page" src="report.html" style="width:WIDTHpx;height:3000px;border:0"></iframe>
<pre id="out"></pre><script>
page.onload = () => {
  const inside = page.contentDocument, overlaps = [];
  for (const svg of inside.querySelectorAll('svg')) {
    const boxes = [...svg.querySelectorAll('text')].map(text => [text.textContent.trim(), text.getBoundingClientRect()])
      .filter(([name, box]) => name && box.width > 0);
    boxes.forEach(([name, a], i) => boxes.slice(i + 1).forEach(([other, b]) => {
      if (a.left + 1 < b.right && b.left + 1 < a.right && a.top + 1 < b.bottom && b.top + 1 < a.bottom)
        overlaps.push([name, other]);
    }));
  }
  out.textContent = JSON.stringify({ beyond: inside.documentElement.scrollWidth - inside.documentElement.clientWidth, overlaps: overlaps.slice(0, 5),
    scripts: inside.scripts.length, svgs: inside.querySelectorAll('svg').length, heading: inside.querySelector('h1').textContent,
    hostile: inside.body.textContent.includes('<script>alert(1)</' + 'script>') });
};
</script>"#;

/// What the probe sees.
fn look(browser: &Path, sandbox: &Sandbox, width: u32) -> Value {
    let probe = sandbox.write("probe.html", PROBE.replace("WIDTH", &width.to_string()));
    let output = Command::new(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"])
        .args(["--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", sandbox.path("profile").display()))
        .arg(format!("file://{}", probe.display()))
        .output()
        .unwrap();
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    let seen = page.split("<pre id=\"out\">").nth(1).and_then(|rest| rest.split("</pre>").next()).unwrap_or_default();
    let seen = seen.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&seen).unwrap_or_else(|_| panic!("the page was not seen: {output:?}"))
}

/// Ready predictions of so many labels, one of them hostile.
fn predictions(labels: usize, records: usize) -> String {
    let name = |label: usize| match label {
        0 => HOSTILE.to_owned(),
        _ => format!("a label of some length, number {label}"),
    };
    let mut lines = String::new();
    for record in 0..records {
        let scores: Vec<Value> = (0..labels)
            .map(|label| {
                let near = (record + label * 7) % labels;
                let score = 1.0 / (1.0 + near as f64 + (record * label % 3) as f64 / 4.0);
                json!({"label": name(label), "score": score})
            })
            .collect();
        let text = format!("{HOSTILE} text {record}");
        let line = json!({"text": text, "true_labels": [name(record % labels)], "predictions": scores});
        writeln!(lines, "{line}").unwrap();
    }
    lines
}

#[test]
fn the_page_fits_a_screen_and_a_telephone_and_no_labels_overlap() {
    let Some(browser) = browser() else { return };
    for labels in [3, 77] {
        let sandbox = Sandbox::new();
        sandbox.write("ready.jsonl", predictions(labels, 240));
        let arguments = ["eval", "--predictions-from", "ready.jsonl", "--html", "report.html", "--bootstrap", "100"];
        sandbox.gliclass(arguments).run().ends_with(0);
        for width in [1280, 400] {
            let seen = look(&browser, &sandbox, width);
            assert_eq!(seen["overlaps"], json!([]), "{labels} labels at {width}");
            assert_eq!(seen["beyond"], 0, "{labels} labels at {width}: {seen}");
            assert_eq!((&seen["scripts"], &seen["hostile"]), (&0.into(), &true.into()), "{seen}");
            assert_eq!(seen["heading"], "ready.jsonl");
            assert_eq!(seen["svgs"], 4 + labels, "{labels} labels at {width}");
        }
    }
}

#[test]
fn names_of_one_letter_leave_the_heading_of_the_matrix_free() {
    let Some(browser) = browser() else { return };
    let sandbox = Sandbox::new();
    let scores = "[{\"label\": \"a\", \"score\": 0.9}, {\"label\": \"b\", \"score\": 0.1}]";
    let line = |truth| format!("{{\"text\": \"x\", \"true_labels\": [\"{truth}\"], \"predictions\": {scores}}}\n");
    sandbox.write("ready.jsonl", ["a", "b"].map(line).concat());
    let arguments = ["eval", "--predictions-from", "ready.jsonl", "--single-label", "--html", "report.html"];
    sandbox.gliclass(arguments).run().ends_with(0);
    let seen = look(&browser, &sandbox, 1280);
    assert_eq!((&seen["overlaps"], &seen["svgs"]), (&json!([]), &6.into()), "{seen}");
}

#[test]
fn every_picture_has_a_name_to_be_read_aloud() {
    let sandbox = Sandbox::new();
    sandbox.write("ready.jsonl", predictions(3, 30));
    let arguments = ["eval", "--predictions-from", "ready.jsonl", "--html", "r.html", "--plots", "plots", "--quiet"];
    sandbox.gliclass(arguments).run().ends_with(0);
    let page = sandbox.read("r.html");
    let names: Vec<&str> = page
        .split("<svg ")
        .skip(1)
        .map(|svg| svg.strip_prefix("role=\"img\" aria-label=\"").and_then(|rest| rest.split('"').next()).unwrap())
        .collect();
    let whole = ["Are the scores honest?", "What does holding back bring?", "Where should the threshold be?"];
    assert_eq!(names[..3], whole);
    assert_eq!(names[3], "What is taken for what?");
    let hostile = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot; &lt;/svg&gt;";
    assert!(
        names.len() == 7 && names[4].starts_with(hostile) && names[4].contains(": average precision "),
        "{names:?}"
    );
    let file = sandbox.read("plots/precision_recall.svg");
    assert!(file.starts_with("<svg role=\"img\" aria-label=\"How well is each label found?\" "), "{}", &file[..200]);
}

#[test]
fn the_page_and_the_plots_load_nothing_and_run_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("ready.jsonl", predictions(3, 30));
    let arguments = ["eval", "--predictions-from", "ready.jsonl", "--html", "r.html", "--plots", "plots", "--quiet"];
    sandbox.gliclass(arguments).run().ends_with(0);
    let page = sandbox.read("r.html");
    assert!(page.contains("default-src 'none'"));
    let mut files = vec![page];
    for name in ["confusion", "coverage", "f1_by_threshold", "precision_recall", "reliability"] {
        let plot = std::fs::read_to_string(sandbox.path("plots").join(name).with_extension("svg")).unwrap();
        assert!(plot.starts_with("<svg ") && plot.contains("prefers-color-scheme:dark"), "{name}");
        files.push(plot);
    }
    for file in files {
        for forbidden in ["<script", "src=", "href=", "@import", "url(", "onload", "\u{1b}", "\u{202e}"] {
            assert!(!file.contains(forbidden), "{forbidden:?} is in\n{}", &file[..2000]);
        }
    }
}
