//! Records with what is true and what was said of them: asked of a model, or read from files of predictions.

use std::collections::{HashMap, HashSet};

use super::predictions::Predictions;
use crate::classifier::Classifier;
use crate::cli::args::ShapeArgs;
use crate::cli::terminal::Progress;
use crate::error::{Error, Result};
use crate::metrics::temperature::cool;
use crate::metrics::{Candidate, Judged};
use crate::records::labelled::{Dataset, Labelled, Listed, Place, Ready, ReadyRecord, Spot};
use crate::records::{Defaults, Entry};
use crate::runner::{Classified, Runner};
use crate::scores::{self, Decision};

/// Judged records, and where they come from.
pub struct Gathered {
    /// What is true and what was said.
    pub judged: Judged,
    /// The text of each record.
    pub texts: Vec<String>,
    /// Where each record was read.
    pub places: Vec<Place>,
    /// The files.
    pub files: Vec<String>,
    /// Records that hold an error instead of predictions, and are left out.
    pub failed: usize,
    /// Whether it was decided here what holds: else that is what was said.
    pub is_decided: bool,
}

impl Gathered {
    /// Where a record was read, for people.
    pub fn place(&self, record: usize) -> String {
        let Place { file, spot } = self.places[record];
        match spot {
            _ if self.files.len() == 1 => spot.to_string(),
            Spot::Line(line) | Spot::Row(line) => format!("{}:{line}", self.files[file]),
            Spot::Record(_) => format!("{}: {spot}", self.files[file]),
        }
    }

    /// The same for the same texts, in whatever order: tells that thresholds are judged where they were fitted.
    pub fn fingerprint(&self) -> String {
        // FNV-1a, of each text; sums have no order.
        let hash = |text: &String| {
            text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            })
        };
        let sum = self.texts.iter().map(hash).fold(0, u64::wrapping_add);
        format!("{sum:016x}")
    }
}

/// How records are classified, and who hears of it.
pub struct Asking {
    /// How scores become labels.
    pub decision: Decision,
    /// How predictions are written.
    pub shape: ShapeArgs,
    /// What records say that say nothing else.
    pub defaults: Defaults,
    /// Where predictions are written.
    pub predictions: Option<Predictions>,
    /// Who hears of it.
    pub progress: Progress,
}

impl Asking {
    /// Classifies every record and sets what was said beside what is true. Ends early where it is interrupted.
    ///
    /// # Errors
    /// A record cannot be classified, or the predictions cannot be written.
    pub fn run(mut self, runner: &Runner, classifier: &impl Classifier, data: Dataset) -> Result<Gathered> {
        let mut judged = Judged::new(data.labels.clone(), self.decision.single_label);
        let places: HashMap<&str, u32> = data.labels.iter().map(String::as_str).zip(0..).collect();
        let (mut texts, mut read_at) = (Vec::new(), Vec::new());
        let (defaults, count) = (self.defaults.clone(), data.records.len());
        let source = data.records.into_iter().map(move |labelled| Ok(entry(labelled, &defaults)));
        let mut sink = |labelled: Labelled, classified: Result<Classified>| {
            let at = |error| Error::Record(format!("{}: {}: {error}", data.name, labelled.spot));
            let classified = classified.map_err(at)?;
            self.note(&labelled, &classified)?;
            judged.push(candidates(&labelled, &classified, &self.decision, &places));
            texts.push(labelled.text);
            read_at.push(Place { file: 0, spot: labelled.spot });
            Ok(())
        };
        let result = runner.run(classifier, source, &mut sink);
        self.progress.finish(&result);
        let is_whole = judged.records() == count;
        let ended = self.predictions.map_or(Ok(()), |file| file.end(is_whole));
        result.and(ended)?;
        Ok(Gathered { judged, texts, places: read_at, files: vec![data.name], failed: 0, is_decided: true })
    }

    fn note(&mut self, labelled: &Labelled, classified: &Classified) -> Result<()> {
        self.progress.classified(classified.tokens, classified.truncated);
        self.progress.advance(labelled.text.len() as u64);
        let Some(file) = &mut self.predictions else { return Ok(()) };
        file.write(labelled, self.shape.json(&self.decision, classified), classified.truncated)
    }
}

fn entry(labelled: Labelled, defaults: &Defaults) -> Entry<Labelled> {
    let bytes = 2 * labelled.text.len() + labelled.source.len();
    Entry { bytes, record: Ok(labelled.record(defaults)), raw: labelled }
}

/// What is not known to be true or not is asked, and not judged.
fn candidates(
    labelled: &Labelled,
    classified: &Classified,
    decision: &Decision,
    places: &HashMap<&str, u32>,
) -> Vec<Candidate> {
    let labels = &classified.labels;
    let ignored: Vec<usize> = labelled.ignored().filter_map(|name| labels.place_of(name)).collect();
    let truth: HashSet<&String> = labelled.truth.iter().collect();
    let candidate = |(label, score, predicted): (usize, f32, bool)| {
        let name = &labels.names()[label];
        Candidate { label: places[name.as_str()], score, truth: truth.contains(name), predicted }
    };
    let judged = scores::judged(&classified.logits, labels, decision, |label| ignored.contains(&label));
    judged.into_iter().map(candidate).collect()
}

/// Decides about predictions that were read. Where every label that was asked has a score, by `decision`; else what is
/// listed is what was said. Of equal scores the one that is listed first comes first, as in the run that wrote them. A
/// temperature is that of the logits, where they are there: a score may have one already.
pub fn judge(ready: Ready, files: Vec<String>, decision: &Decision) -> Gathered {
    let thresholds: Vec<f32> = ready.names.iter().map(|name| decision.threshold_of(name)).collect();
    let temperature = decision.fitted.as_ref().map_or(1.0, |fitted| f64::from(fitted.temperature));
    let mut judged = Judged::new(ready.names.clone(), decision.single_label);
    let (mut texts, mut places) = (Vec::with_capacity(ready.records.len()), Vec::with_capacity(ready.records.len()));
    let is_decided = ready.listed != Listed::Said;
    let holding = Decision { all_scores: !is_decided, ..decision.clone() };
    let mut row = Row::new(ready.names.len());
    let from_logits = is_decided && temperature != 1.0 && ready.has_logits();
    for record in ready.records {
        row.read(&record, from_logits);
        // In the order in which a model is asked: a sum depends on it.
        let mut candidates = match &record.candidates {
            Some(own) if is_decided => row.candidates(own),
            _ => row.candidates(&record.listed()),
        };
        if is_decided && decision.single_label {
            leave_out(&mut candidates, &record.ignored, from_logits);
        }
        if from_logits {
            let logits: Vec<f32> = candidates.iter().map(|one| one.score).collect();
            candidates.iter_mut().zip(decision.scores(&logits)).for_each(|(one, score)| one.score = score);
        } else if is_decided {
            cool(&mut candidates, decision.single_label, temperature);
        }
        row.decide(&mut candidates, &holding, &thresholds);
        candidates.extend(row.candidates(&row.unlisted(&record)));
        candidates.retain(|one| !record.ignored.contains(&one.label));
        judged.push(candidates);
        row.forget(&record);
        texts.push(record.text);
        places.push(record.place);
    }
    let judged = if ready.listed == Listed::All { judged } else { judged.without_scores() };
    Gathered { judged, texts, places, files, failed: ready.failed, is_decided }
}

/// Leaves ignored labels out before one is chosen; the scores of the others, unless they are logits yet, add up to 1
/// again.
fn leave_out(candidates: &mut Vec<Candidate>, ignored: &[u32], are_logits: bool) {
    if ignored.is_empty() {
        return;
    }
    candidates.retain(|one| !ignored.contains(&one.label));
    let sum: f32 = candidates.iter().map(|one| one.score).sum();
    if !are_logits && sum > 0.0 {
        candidates.iter_mut().for_each(|one| one.score /= sum);
    }
}

/// The scores and truths of one record by label, reused for the next.
struct Row {
    scores: Vec<f32>,
    /// The places in the list; of labels that are not listed, of an earlier record.
    places: Vec<u32>,
    truths: Vec<bool>,
}

impl Row {
    fn new(labels: usize) -> Self {
        Self { scores: vec![f32::NAN; labels], places: vec![0; labels], truths: vec![false; labels] }
    }

    /// With the logits, if they are wanted, in the place of the scores.
    fn read(&mut self, record: &ReadyRecord, with_logits: bool) {
        record.truth.iter().for_each(|&label| self.truths[label as usize] = true);
        for (place, &(label, score)) in (0..).zip(&record.scores) {
            (self.scores[label as usize], self.places[label as usize]) = (score, place);
        }
        if with_logits {
            let logits = record.scores.iter().zip(&record.logits);
            logits.for_each(|(&(label, _), &logit)| self.scores[label as usize] = logit);
        }
    }

    fn forget(&mut self, record: &ReadyRecord) {
        record.truth.iter().for_each(|&label| self.truths[label as usize] = false);
        record.scores.iter().for_each(|&(label, _)| self.scores[label as usize] = f32::NAN);
    }

    fn candidates(&self, labels: &[u32]) -> Vec<Candidate> {
        let candidate = |&label: &u32| Candidate {
            label,
            score: self.scores[label as usize],
            truth: self.truths[label as usize],
            predicted: false,
        };
        labels.iter().map(candidate).collect()
    }

    /// What is true and not listed.
    fn unlisted(&self, record: &ReadyRecord) -> Vec<u32> {
        let is_unlisted = |label: &u32| self.scores[*label as usize].is_nan();
        let mut labels: Vec<u32> = record.truth.iter().copied().filter(is_unlisted).collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    }

    /// Puts listed candidates by falling score and says which of them hold.
    fn decide(&self, listed: &mut [Candidate], decision: &Decision, thresholds: &[f32]) {
        let place = |one: &Candidate| self.places[one.label as usize];
        listed.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| place(a).cmp(&place(b))));
        let mut found: Vec<&mut Candidate> = listed.iter_mut().collect();
        decision.keep(&mut found, |one| one.score, |one| thresholds[one.label as usize]);
        found.into_iter().for_each(|one| one.predicted = true);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::classifier::Encoded;
    use crate::metrics::ranking::top_k_accuracy;
    use crate::records::input::Input;
    use crate::records::output::{Existing, Output};
    use crate::records::{Record, labelled};

    /// Says of each label that it holds if the text, or the prompt, has it in it.
    struct Contains;

    impl Classifier for Contains {
        fn encode(&self, record: &Record) -> Result<Encoded> {
            if record.text.contains("too long") {
                return Err(Error::Record("the labels do not fit".into()));
            }
            let prompt = record.prompt.as_deref().unwrap_or_default();
            let holds =
                |name: &String| u32::from(record.text.contains(name.as_str()) || prompt.contains(name.as_str()));
            let tokens = record.labels.names().iter().map(holds).collect();
            Ok(Encoded::new(tokens, Vec::new(), &record.labels, record.text.contains("cut")))
        }

        fn logits(&self, batch: &[Encoded], _threads: usize) -> Result<Vec<Vec<f32>>> {
            let logit = |&token: &u32| if token == 1 { 2.0 } else { -2.0 };
            Ok(batch.iter().map(|one| one.tokens.iter().map(logit).collect()).collect())
        }
    }

    fn read(path: &Path) -> (String, Vec<u8>) {
        Input::open(Some(path)).unwrap().read_whole().unwrap()
    }

    fn layout() -> labelled::Layout {
        labelled::Layout {
            text_field: "text".into(),
            label_field: None,
            list_separator: "|".into(),
            label_separator: ".".into(),
            labels: None,
            whole: true,
        }
    }

    fn asked(name: &str, text: &str, decision: &Decision, predictions: Option<Predictions>) -> Result<Gathered> {
        asked_of(name, text, &layout(), decision, predictions)
    }

    fn asked_of(
        name: &str,
        text: &str,
        layout: &labelled::Layout,
        decision: &Decision,
        predictions: Option<Predictions>,
    ) -> Result<Gathered> {
        let data = labelled::read(name, text.into(), layout)?;
        asked_by(&Runner::new(2, None), data, decision, predictions)
    }

    fn asked_by(
        runner: &Runner,
        data: Dataset,
        decision: &Decision,
        predictions: Option<Predictions>,
    ) -> Result<Gathered> {
        let shape = ShapeArgs { logits: false, hierarchical: false };
        let progress = Progress::new(None, true);
        Asking { decision: decision.clone(), shape, defaults: Defaults::default(), predictions, progress }
            .run(runner, &Contains, data)
    }

    /// Of each record, the labels that are true and those that were said.
    fn sets(judged: &Judged) -> Vec<(Vec<u32>, Vec<u32>)> {
        let of = |record: &[Candidate], which: fn(&Candidate) -> bool| {
            let mut labels: Vec<u32> = record.iter().filter(|one| which(one)).map(|one| one.label).collect();
            labels.sort_unstable();
            labels
        };
        judged.iter().map(|record| (of(record, |one| one.truth), of(record, |one| one.predicted))).collect()
    }

    #[test]
    fn predictions_are_set_beside_the_truth_in_the_order_of_the_data() {
        let text = "text,label\nred,red\nred blue,blue\nnone,red|blue\n";
        let gathered = asked("d.csv", text, &Decision::default(), None).unwrap();
        let expected = [(vec![0], vec![0]), (vec![1], vec![0, 1]), (vec![0, 1], vec![])];
        assert_eq!(sets(&gathered.judged), expected);
        assert_eq!(gathered.texts, ["red", "red blue", "none"]);
        assert_eq!(gathered.place(1), "line 3");
    }

    #[test]
    fn labels_of_different_records_are_counted_by_name() {
        let text = "text,all_labels,label\nred,blue|red,red\nred,red|green,green\n";
        let gathered = asked("d.csv", text, &Decision::default(), None).unwrap();
        assert_eq!(sets(&gathered.judged), [(vec![1], vec![1]), (vec![2], vec![1])]);
    }

    #[test]
    fn the_prompt_of_a_record_is_asked_with_it() {
        let text =
            "{\"text\": \"x\", \"prompt\": \"red?\", \"label\": \"red\"}\n{\"text\": \"x\", \"label\": \"red\"}\n";
        let gathered = asked("d.jsonl", text, &Decision::default(), None).unwrap();
        assert_eq!(sets(&gathered.judged), [(vec![0], vec![0]), (vec![0], vec![])]);
    }

    #[test]
    fn all_scores_are_written_but_not_taken_for_decisions_and_read_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.jsonl");
        let all = Decision { all_scores: true, ..Decision::default() };
        let text = "id,text,label\n7,cut red,red\n8,blue,blue\n";
        let data = folder.path().join("d.csv");
        std::fs::write(&data, text).unwrap();
        let output = Output::open(Some(&path), Existing::Replace, &Input::open(Some(&data)).unwrap()).unwrap();
        let gathered = asked("d.csv", text, &all, Some(Predictions::begin(output).unwrap())).unwrap();
        assert_eq!(sets(&gathered.judged), [(vec![0], vec![0]), (vec![1], vec![1])]);
        let (name, bytes) = read(&path);
        let first = r#"{"id":"7","text":"cut red","label":"red","true_labels":["red"],"predictions":[{"label":"red","score":0.880797},{"label":"blue","score":0.11920292}],"truncated":true}"#;
        assert_eq!(String::from_utf8_lossy(&bytes).lines().next(), Some(first));
        let ready = Ready::read(vec![(name.clone(), bytes)], &layout(), "predictions").unwrap();
        let back = judge(ready, vec![name], &Decision::default());
        assert_eq!((back.judged, back.texts), (gathered.judged, gathered.texts));
    }

    #[test]
    fn a_part_of_the_predictions_takes_the_place_of_nothing() {
        static INTERRUPTED: AtomicBool = AtomicBool::new(true);
        let folder = tempfile::tempdir().unwrap();
        let [data, path] = ["d.csv", "p.jsonl"].map(|name| folder.path().join(name));
        std::fs::write(&data, "").unwrap();
        let predictions = || {
            let output = Output::open(Some(&path), Existing::Replace, &Input::open(Some(&data)).unwrap()).unwrap();
            Some(Predictions::begin(output).unwrap())
        };
        let read = |text: &str| labelled::read("d.csv", text.into(), &layout()).unwrap();
        let fails = read("text,label\nred,red\ntoo long,blue\n");
        let (runner, interrupted) = (Runner::new(2, None), Runner::new(2, Some(&INTERRUPTED)));
        for before in [None, Some("precious\n")] {
            before.iter().for_each(|content| std::fs::write(&path, content).unwrap());
            assert!(asked_by(&runner, fails.clone(), &Decision::default(), predictions()).is_err());
            let cut_short = read(&("text,label\n".to_owned() + &"red,red\n".repeat(100_000)));
            let gathered = asked_by(&interrupted, cut_short, &Decision::default(), predictions()).unwrap();
            assert!(gathered.judged.records() < 100_000);
            assert_eq!(std::fs::read_to_string(&path).ok().as_deref(), before);
            assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1 + before.iter().count());
        }
        asked_by(&runner, read("text,label\nred,red\n"), &Decision::default(), predictions()).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("{\"text\":\"red\""));
    }

    #[test]
    fn predictions_of_every_form_keep_their_records_and_are_read_back_by_the_same_options() {
        let folder = tempfile::tempdir().unwrap();
        let (data, path) = (folder.path().join("data"), folder.path().join("p.jsonl"));
        let named = |field: &str| labelled::Layout { label_field: Some(field.into()), ..layout() };
        let names = crate::records::LabelSet::flat(vec!["green".into(), "red".into()]).unwrap();
        let numbered = labelled::Layout { labels: Some(names.into()), ..named("topic") };
        let all = Decision { all_scores: true, ..Decision::default() };
        for (name, text, layout) in [
            ("d.csv", "text,topic\nred wine,red\ngreen grass,green\nred and green,red|green\n", named("topic")),
            ("d.csv", "text,topic\nred wine,1\ngreen grass,0\n", numbered.clone()),
            ("d.csv", "text,all_labels,label\nred wine,blue|red,red\ngreen grass,red|green,green\n", layout()),
            ("d.tsv", "text\tlabels\nred wine\tred\ngreen grass\tgreen|red\n", named("labels")),
            ("d.csv", "text,red,green\nred wine,1,0\nred grass,1,1\n", layout()),
            ("d.txt", "__label__red red wine\n__label__green red grass\n", layout()),
            ("d.csv", "text,labels,topic\nred wine,green| red,1\nblue sky,green|red,\n", named("topic")),
            ("d.jsonl", "{\"text\": \"red wine\", \"topic\": \"red\"}\n", named("topic")),
            ("d.jsonl", "{\"text\": \"red wine\", \"topic\": 1, \"true_labels\": \"mine\"}\n", numbered),
            ("d.jsonl", "{\"text\": \"red\", \"label\": 1, \"all_labels\": [\"green\", \"red\"]}\n", layout()),
            ("d.jsonl", "{\"text\": \"red\", \"true_labels\": [1], \"labels\": [\"green\", \"red\"]}\n", layout()),
        ] {
            std::fs::write(&data, text).unwrap();
            let output = Output::open(Some(&path), Existing::Replace, &Input::open(Some(&data)).unwrap()).unwrap();
            let predictions = Some(Predictions::begin(output).unwrap());
            let gathered = asked_of(name, text, &layout, &all, predictions).unwrap();
            let (file, bytes) = read(&path);
            let data = labelled::read(name, text.into(), &layout).unwrap();
            for (record, line) in data.records.iter().zip(String::from_utf8_lossy(&bytes).lines()) {
                assert!(line.starts_with(record.source.strip_suffix('}').unwrap()), "{line}");
            }
            let ready = Ready::read(vec![(file.clone(), bytes)], &layout, "predictions").unwrap();
            let back = judge(ready, vec![file], &Decision::default());
            assert_eq!((back.judged, back.texts), (gathered.judged, gathered.texts), "{text}");
        }
    }

    #[test]
    fn all_scores_are_decided_about_though_a_true_label_was_not_asked() {
        let lines = r#"{"text": "x", "label": "a", "predictions": [{"label": "a", "score": 0.9}, {"label": "b", "score": 0.1}]}
{"text": "y", "label": ["a", "c"], "predictions": [{"label": "b", "score": 0.6}, {"label": "a", "score": 0.4}]}
"#;
        let table = "text,label,score:a,score:b\nx,a,0.9,0.1\ny,a|c,0.4,0.6\n";
        for (name, text) in [("p.jsonl", lines), ("p.csv", table)] {
            let ready = Ready::read(vec![(name.into(), text.into())], &layout(), "predictions").unwrap();
            assert_eq!(ready.listed, Listed::Asked, "{name}");
            let place = |label: &str| ready.names.iter().position(|name| name == label).unwrap() as u32;
            let [a, b, c] = ["a", "b", "c"].map(place);
            let judged = judge(ready, vec![name.into()], &Decision::default()).judged;
            let missed = if a < c { vec![a, c] } else { vec![c, a] };
            assert_eq!(sets(&judged), [(vec![a], vec![a]), (missed, vec![b])], "{name}");
        }
    }

    #[test]
    fn predictions_without_all_scores_are_judged_as_they_are_listed() {
        let lines = r#"{"text": "x", "label": "a", "predictions": [{"label": "b", "score": 0.2}]}
{"text": "y", "label": ["a", "c"], "predictions": [{"label": "a", "score": 0.9}]}
"#;
        let ready = Ready::read(vec![("p.jsonl".into(), lines.into())], &layout(), "predictions").unwrap();
        assert_eq!((ready.listed, ready.names.join(" ")), (Listed::Said, "a c b".into()));
        let gathered = judge(ready, vec!["p.jsonl".into()], &Decision::default());
        assert_eq!(sets(&gathered.judged), [(vec![0], vec![2]), (vec![0, 1], vec![0])]);
        assert!(!gathered.judged.is_scored());
    }

    /// Of each record, the candidates by name in their order: score, truth, and whether they were said.
    fn named(judged: &Judged) -> Vec<Vec<(&str, f32, bool, bool)>> {
        let named = |one: &Candidate| (&*judged.names()[one.label as usize], one.score, one.truth, one.predicted);
        judged.iter().map(|record| record.iter().map(named).collect()).collect()
    }

    #[test]
    fn of_equal_scores_the_one_that_was_listed_first_was_said() {
        let line = |own: &str, predictions: &str| {
            format!(r#"{{"text": "x", "label": "b"{own}, "predictions": {predictions}}}"#) + "\n"
        };
        let list = r#"[{"label": "c", "score": 0.5}, {"label": "b", "score": 0.5}, {"label": "a", "score": 0}]"#;
        for (name, text) in [
            ("p.jsonl", line("", list)),
            ("p.jsonl", line(r#", "all_labels": ["a", "b", "c"]"#, list)),
            ("p.jsonl", line("", r#"{"c": 0.5, "b": 0.5, "a": 0}"#)),
            ("p.csv", "text,label,score:c,score:b,score:a\nx,b,0.5,0.5,0\n".into()),
            ("p.csv", "text,c,b,a,score:a,score:c,score:b\nx,0,1,0,0,0.5,0.5\n".into()),
            ("p.csv", "text,label,predicted_labels,predicted_scores\nx,b,c|b|a,0.5|0.5|0\n".into()),
        ] {
            let judged = |decision: &Decision| {
                let ready = Ready::read(vec![(name.into(), text.clone().into())], &layout(), "predictions").unwrap();
                judge(ready, vec![name.into()], decision).judged
            };
            let expected = [("c", 0.5, false, true), ("b", 0.5, true, false), ("a", 0.0, false, false)];
            let single = Decision { single_label: true, ..Decision::default() };
            assert_eq!(named(&judged(&single)), [expected], "{text}");
            assert_eq!([1, 2].map(|k| top_k_accuracy(&judged(&single), k)), [0.0, 1.0], "{text}");
            assert_eq!(named(&judged(&Decision { top_k: Some(1), ..Decision::default() })), [expected], "{text}");
        }
    }

    #[test]
    fn of_labels_that_were_said_no_more_are_judged_than_are_asked_for() {
        let text = r#"{"text": "x", "label": "b", "predictions": [{"label": "c", "score": 0.9}, {"label": "b", "score": 0.9}]}
{"text": "y", "label": "a", "predictions": []}
"#;
        for (top_k, expected) in [(None, true), (Some(2), true), (Some(1), false)] {
            let ready = Ready::read(vec![("p.jsonl".into(), text.into())], &layout(), "predictions").unwrap();
            assert_eq!(ready.listed, Listed::Said);
            let judged = judge(ready, vec!["p.jsonl".into()], &Decision { top_k, ..Decision::default() }).judged;
            assert_eq!(named(&judged)[0], [("c", 0.9, false, true), ("b", 0.9, true, expected)], "{top_k:?}");
        }
    }

    #[test]
    fn what_a_run_with_labels_in_another_order_said_is_read_back_the_same() {
        let names = crate::records::LabelSet::flat(["c", "a", "b"].map(str::to_owned).to_vec()).unwrap();
        let asked_so = labelled::Layout { labels: Some(names.into()), ..layout() };
        // Of every record at least two labels have the same score.
        let text = "text,label\nx,b\nb and a,b\ny,a\nc,c\nboth b and c,b|c\n";
        let folder = tempfile::tempdir().unwrap();
        let (data, path) = (folder.path().join("d.csv"), folder.path().join("p.jsonl"));
        std::fs::write(&data, text).unwrap();
        for single_label in [true, false] {
            let all = Decision { single_label, all_scores: true, ..Decision::default() };
            let output = Output::open(Some(&path), Existing::Replace, &Input::open(Some(&data)).unwrap()).unwrap();
            asked_of("d.csv", text, &asked_so, &all, Some(Predictions::begin(output).unwrap())).unwrap();
            for top_k in [None, Some(1), Some(2)] {
                let decision = Decision { single_label, top_k, ..Decision::default() };
                let live = asked_of("d.csv", text, &asked_so, &decision, None).unwrap().judged;
                let ready = Ready::read(vec![read(&path)], &layout(), "predictions").unwrap();
                assert_eq!(ready.names, ["b", "a", "c"]);
                let back = judge(ready, vec!["p.jsonl".into()], &decision).judged;
                assert_eq!(named(&back), named(&live), "{decision:?}");
            }
        }
    }

    #[test]
    fn labels_left_out_are_asked_and_not_judged() {
        let text = r#"{"text": "red blue", "true_labels": {"red": 1, "blue": -100, "green": 0}}"#;
        let gathered = asked("d.jsonl", text, &Decision::default(), None).unwrap();
        assert_eq!(sets(&gathered.judged), [(vec![0], vec![0])]);
        assert_eq!(gathered.judged.record(0).iter().map(|one| one.label).collect::<Vec<_>>(), [0, 2]);
        for predictions in [
            r#"[{"label": "red", "score": 0.9}, {"label": "blue", "score": 0.8}, {"label": "green", "score": 0.1}]"#,
            r#"[{"label": "red", "score": 0.9}, {"label": "blue", "score": 0.8}]"#,
        ] {
            let line = text.replacen('}', &format!("}}, \"predictions\": {predictions}"), 1);
            let labels = crate::records::LabelSet::flat(["red", "blue", "green"].map(str::to_owned).to_vec()).unwrap();
            let layout = labelled::Layout { labels: Some(labels.into()), ..layout() };
            let ready = Ready::read(vec![("p.jsonl".into(), line.into())], &layout, "predictions").unwrap();
            let back = judge(ready, vec!["p.jsonl".into()], &Decision::default()).judged;
            assert_eq!(sets(&back), sets(&gathered.judged), "{predictions}");
        }
    }

    #[test]
    fn a_single_label_is_chosen_of_those_that_are_not_left_out() {
        let single = Decision { single_label: true, ..Decision::default() };
        // The model says blue first of both.
        let text = r#"{"text": "blue", "all_labels": ["blue", "red", "green"], "true_labels": {"red": 1, "blue": -100}}
{"text": "blue", "all_labels": ["blue", "red", "green"], "true_labels": {"blue": 1}}
"#;
        let live = asked("d.jsonl", text, &single, None).unwrap().judged;
        assert_eq!(sets(&live), [(vec![1], vec![1]), (vec![0], vec![0])]);
        assert_eq!(live.record(0).iter().map(|one| one.score).collect::<Vec<_>>(), [0.5, 0.5]);
        let thresholds: crate::scores::Thresholds = serde_json::from_str(r#"{"temperature": 2}"#).unwrap();
        let warm = Decision { fitted: Some(std::sync::Arc::new(thresholds)), ..single.clone() };
        let said = |logits: bool| {
            let one = |label: &str, score: f32, logit: f32| match logits {
                true => serde_json::json!({ "label": label, "score": score, "logit": logit }),
                false => serde_json::json!({ "label": label, "score": score }),
            };
            let said = [one("blue", 0.75, 2.0), one("red", 0.125, -2.0), one("green", 0.125, -2.0)];
            text.replace("}\n", &format!(", \"predictions\": {}}}\n", serde_json::json!(said)))
        };
        for (decision, logits) in [(&single, false), (&single, true), (&warm, false), (&warm, true)] {
            let ready = Ready::read(vec![("p.jsonl".into(), said(logits).into())], &layout(), "predictions").unwrap();
            let back = judge(ready, vec!["p.jsonl".into()], decision).judged;
            assert_eq!(sets(&back), sets(&live), "{logits}");
            assert_eq!(back.record(0), live.record(0), "{logits}");
        }
    }

    #[test]
    fn a_temperature_is_that_of_the_logits_where_they_are_there() {
        let thresholds: crate::scores::Thresholds =
            serde_json::from_str(r#"{"temperature": 2, "labels": {"red": 0.7, "blue": 0.7}}"#).unwrap();
        let decision = Decision { fitted: Some(std::sync::Arc::new(thresholds)), ..Decision::default() };
        let scores = |logits: &str| {
            // At the temperature already.
            let predictions = format!(
                r#"[{{"label": "red", "score": 0.7310586{logits}}}, {{"label": "blue", "score": 0.26894143{logits}}}]"#
            );
            let predictions = predictions.replacen(": L", ": 2", 1).replacen(": L", ": -2", 1);
            let line = format!(r#"{{"text": "x", "label": "red", "predictions": {predictions}}}"#);
            let ready = Ready::read(vec![("p.jsonl".into(), line.into())], &layout(), "predictions").unwrap();
            judge(ready, vec!["p.jsonl".into()], &decision).judged
        };
        let live = asked("d.csv", "text,label\nred,red\nblue,blue\n", &decision, None).unwrap().judged;
        assert_eq!(scores(", \"logit\": L").record(0), live.record(0));
        assert_eq!(sets(&scores("")), [(vec![0], vec![])]);
    }

    #[test]
    fn a_record_that_cannot_be_classified_is_named_by_its_line() {
        let found = asked("d.csv", "text,label\nred,red\ntoo long,blue\n", &Decision::default(), None);
        assert_eq!(found.err().unwrap().to_string(), "d.csv: line 3: the labels do not fit");
    }
}
