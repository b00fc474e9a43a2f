//! Thresholds and a temperature fitted to records, and what they are worth on records they have not seen.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;
use serde::Serialize;

use super::calibration::{Confidences, coverage};
use super::counts::{Counts, Tally, mean};
use super::goal::Goal;
use super::judged::{Candidate, Judged};
use super::losses::Losses;
use super::weights::once;
use super::{Task, ratio, temperature};

/// Into how many parts records are cut to judge on those that were not fitted on.
const FOLDS: usize = 5;
/// The true records that the threshold for all counts as, beside those of a label. Of 0, 2, 5, 10 and 20, 2
/// serves unseen records best in macro F1 (28 labels, 250 records to fit and 250 to judge, 20 splits).
const PRIOR: f64 = 2.0;

/// What was fitted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Logits are divided by it.
    pub temperature: f64,
    /// The threshold for all labels, of scores at the temperature; none where exactly one label is true.
    #[serde(rename = "threshold")]
    pub all: Option<f32>,
    /// The threshold of each label, drawn towards the one for all where few records have it; none where exactly
    /// one label is true.
    #[serde(skip)]
    pub each: Vec<f32>,
    /// The least best score that is answered, where a precision was asked for and exactly one label is true.
    pub abstain_below: Option<f32>,
}

/// Which of the fitted thresholds decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// What was said before anything was fitted.
    AsSaid,
    /// One threshold for all labels; where exactly one label is true, the least sure answer that is given.
    All,
    /// One threshold for each label.
    Labels,
}

/// What thresholds come to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Worth {
    /// Which.
    pub scheme: Scheme,
    /// Whether on records that were not fitted on.
    pub unseen: bool,
    /// Of all decisions together.
    pub precision: f64,
    /// Of all decisions together.
    pub recall: f64,
    /// Of all decisions together.
    pub micro_f1: f64,
    /// The mean over labels.
    pub macro_f1: f64,
    /// The share of records with an answer.
    pub coverage: f64,
    /// How well the goal is served; for an F-measure the mean over labels.
    pub value: f64,
}

/// How honest scores are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Honesty {
    /// Whether on records that were not fitted on; `None` for the scores as they were.
    pub unseen: Option<bool>,
    /// Log loss.
    pub log_loss: f64,
    /// Expected calibration error.
    pub expected_calibration_error: f64,
}

/// What was fitted, and what it is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fit {
    /// What was sought.
    pub goal: Goal,
    /// How many parts the records were cut into; fewer than two judge nothing.
    pub folds: usize,
    /// The thresholds and the temperature, of all records.
    #[serde(flatten)]
    pub setting: Setting,
    /// Which of the thresholds decide.
    #[serde(rename = "use")]
    pub uses: Scheme,
    /// What they come to.
    pub worth: Vec<Worth>,
    /// How honest the scores are.
    pub honesty: Vec<Honesty>,
    /// Labels whose records do not say where the threshold should be: they have the one for all.
    pub unfitted: Vec<String>,
    /// Labels that do not reach the precision or recall asked for, even on the records fitted on.
    pub missed: Vec<String>,
}

impl Fit {
    /// Fits to `judged`, of which every candidate has a score. Folds are drawn from `seed`.
    pub fn new(judged: &Judged, goal: Goal, seed: u64) -> Self {
        let setting = Setting::fit(judged, goal);
        let folds = FOLDS.min(judged.records());
        let parts = parts(judged.records(), folds, seed);
        let settings: Vec<Setting> = if folds > 1 { fit_without(judged, goal, folds, &parts) } else { Vec::new() };
        let schemes = match judged.task() {
            Task::SingleLabel if setting.abstain_below.is_none() => Vec::new(),
            Task::SingleLabel => vec![Scheme::All],
            Task::MultiLabel => vec![Scheme::All, Scheme::Labels],
        };
        let mut worth = vec![Worth::new(judged, goal, Scheme::AsSaid, false)];
        let mut honesty = vec![Honesty::new(judged, None)];
        honesty.push(Honesty::new(&temperature::apply(judged, setting.temperature), Some(false)));
        for &scheme in &schemes {
            worth.push(Worth::new(&decided(judged, |_| &setting, scheme), goal, scheme, false));
            if folds > 1 {
                worth.push(Worth::new(&decided(judged, |record| &settings[parts[record]], scheme), goal, scheme, true));
            }
        }
        if folds > 1 {
            let unseen = decided(judged, |record| &settings[parts[record]], Scheme::AsSaid);
            honesty.push(Honesty::new(&unseen, Some(true)));
        }
        let counts = Tally::new(&decided(judged, |_| &setting, Scheme::Labels)).labels;
        let with = |condition: &dyn Fn(&Counts) -> bool| {
            let labels = judged.names().iter().zip(&counts).filter(|(_, counts)| condition(counts));
            labels.map(|(name, _)| name.clone()).collect::<Vec<String>>()
        };
        let multi = judged.task() == Task::MultiLabel;
        Self {
            goal,
            folds,
            uses: better(&worth),
            worth,
            honesty,
            unfitted: if multi { with(&|counts| counts.support == 0) } else { Vec::new() },
            missed: if multi { with(&|counts| counts.support > 0 && !goal.is_reached(counts)) } else { Vec::new() },
            setting,
        }
    }

    /// What decides by this scheme, in words.
    pub fn words_of(&self, scheme: Scheme) -> String {
        match (scheme, self.setting.all, self.setting.abstain_below) {
            (Scheme::AsSaid, ..) => "as judged above".to_owned(),
            (Scheme::Labels, ..) => "one threshold for each label".to_owned(),
            (Scheme::All, Some(threshold), _) => format!("one threshold for all, {threshold:.3}"),
            (Scheme::All, None, Some(least)) => format!("no answer below {least:.3}"),
            (Scheme::All, None, None) => "one threshold for all".to_owned(),
        }
    }

    /// Which of the two kinds of thresholds the file says to use, in words, where there are both.
    pub fn used(&self) -> Option<String> {
        let are_fitted = self.setting.all.is_some() && self.worth.len() > 1;
        are_fitted.then(|| format!("the file uses {}", self.words_of(self.uses)))
    }

    /// Whether they serve better than what was said before; also where none were fitted.
    pub fn is_of_use(&self) -> bool {
        let value = |scheme| expected(&self.worth, scheme);
        value(self.uses).is_none_or(|fitted| value(Scheme::AsSaid).is_none_or(|said| fitted > said))
    }
}

/// The thresholds that serve better where they were not fitted: few records of a label say little about
/// where its threshold should be. Of equal ones the one for all is the simpler.
fn better(worth: &[Worth]) -> Scheme {
    let value = |scheme| expected(worth, scheme).unwrap_or(f64::NEG_INFINITY);
    if value(Scheme::Labels) > value(Scheme::All) { Scheme::Labels } else { Scheme::All }
}

/// The value of a scheme, on unseen records where there are any.
fn expected(worth: &[Worth], scheme: Scheme) -> Option<f64> {
    worth.iter().rfind(|worth| worth.scheme == scheme).map(|worth| worth.value)
}

impl Setting {
    fn fit(judged: &Judged, goal: Goal) -> Self {
        let temperature = temperature::fit(judged);
        let calibrated = temperature::apply(judged, temperature);
        match judged.task() {
            Task::SingleLabel => {
                let abstain_below = match goal {
                    Goal::Precision(least) => Some(surest(&calibrated, least)),
                    Goal::F(_) | Goal::Recall(_) => None,
                };
                Self { temperature, all: None, each: Vec::new(), abstain_below }
            }
            Task::MultiLabel => {
                let pooled = calibrated.candidates().iter().map(|one| (one.score, one.truth)).collect();
                let all = sweep(pooled, goal).unwrap_or(0.5);
                let mut columns: Vec<Vec<(f32, bool)>> = vec![Vec::new(); judged.names().len()];
                for one in calibrated.candidates() {
                    columns[one.label as usize].push((one.score, one.truth));
                }
                let each = columns.into_par_iter().map(|column| threshold_of(column, goal, all)).collect();
                Self { temperature, all: Some(all), each, abstain_below: None }
            }
        }
    }

    /// Decides one record anew.
    fn decide(&self, record: &mut [Candidate], scheme: Scheme, single_label: bool) {
        temperature::cool(record, single_label, self.temperature);
        match (scheme, self.all, self.abstain_below) {
            (Scheme::All, Some(all), _) => record.iter_mut().for_each(|one| one.predicted = one.score >= all),
            (Scheme::Labels, Some(_), _) => {
                record.iter_mut().for_each(|one| one.predicted = one.score >= self.each[one.label as usize]);
            }
            (Scheme::All, None, Some(least)) => {
                record.iter_mut().for_each(|one| one.predicted &= one.score >= least);
            }
            _ => {}
        }
    }
}

/// The records as each one's setting decides them.
fn decided<'a>(judged: &Judged, setting: impl Fn(usize) -> &'a Setting, scheme: Scheme) -> Judged {
    let mut record = 0..;
    judged.changed(|candidates| {
        let setting = setting(record.next().unwrap_or_default());
        setting.decide(candidates, scheme, judged.single_label());
    })
}

/// The part of each record.
fn parts(records: usize, folds: usize, seed: u64) -> Vec<usize> {
    let mut parts: Vec<usize> = (0..records).map(|record| record % folds.max(1)).collect();
    parts.shuffle(&mut Pcg64Mcg::seed_from_u64(seed));
    parts
}

/// For each part, what is fitted to all others.
fn fit_without(judged: &Judged, goal: Goal, folds: usize, parts: &[usize]) -> Vec<Setting> {
    let fit = |part: usize| {
        let others = (0..judged.records()).filter(|&record| parts[record] != part);
        Setting::fit(&judged.selected(others), goal)
    };
    (0..folds).map(fit).collect()
}

/// The threshold that serves the goal best, half way to the next lower score; none where nothing is true.
fn sweep(mut scored: Vec<(f32, bool)>, goal: Goal) -> Option<f32> {
    let support = scored.iter().filter(|(_, truth)| *truth).count();
    if support == 0 {
        return None;
    }
    scored.par_sort_unstable_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut counts = Counts { support, ..Counts::default() };
    let (mut best, mut threshold) = (f64::NEG_INFINITY, 1.0);
    for ties in scored.chunk_by(|(a, _), (b, _)| a == b) {
        counts.predicted += ties.len();
        counts.hits += ties.iter().filter(|(_, truth)| *truth).count();
        let value = goal.value(&counts);
        if value > best {
            best = value;
            let next = scored.get(counts.predicted).map_or(0.0, |(score, _)| *score);
            threshold = between(next, ties[0].0);
        }
    }
    Some(threshold)
}

/// The threshold of one label; where few records have it, drawn towards the one for all.
///
/// What serves two records best says little about others. A label with as many true records as
/// [`PRIOR`] has a threshold half way between its own and the one for all, by logit. Where a precision
/// or a recall must be kept, nothing is drawn.
fn threshold_of(column: Vec<(f32, bool)>, goal: Goal, all: f32) -> f32 {
    let support = column.iter().filter(|(_, truth)| *truth).count() as f64;
    let Some(own) = sweep(column, goal) else { return all };
    if !matches!(goal, Goal::F(_)) {
        return own;
    }
    let own_share = support / (support + PRIOR);
    let logit = |share: f32| {
        let share = f64::from(share).clamp(1e-6, 1.0 - 1e-6);
        (share / (1.0 - share)).ln()
    };
    let drawn = own_share * logit(own) + (1.0 - own_share) * logit(all);
    (1.0 / (1.0 + (-drawn).exp())) as f32
}

/// A number above `low` and at most `high`.
fn between(low: f32, high: f32) -> f32 {
    let middle = f32::midpoint(low, high);
    if middle > low { middle } else { high }
}

/// The lowest best score down to which the answers are right as often as asked; where no answers are, 1, which only
/// the score 1 reaches.
fn surest(judged: &Judged, least: f64) -> f32 {
    let curve = coverage(judged);
    let kept = curve.iter().rposition(|point| point.accuracy >= least);
    kept.map_or(1.0, |place| between(curve.get(place + 1).map_or(0.0, |next| next.score), curve[place].score))
}

impl Worth {
    fn new(judged: &Judged, goal: Goal, scheme: Scheme, unseen: bool) -> Self {
        let tally = Tally::new(judged);
        let total = tally.total().figures();
        let figures: Vec<_> = tally.labels.iter().map(Counts::figures).collect();
        let occurring: Vec<&Counts> = tally.labels.iter().filter(|counts| counts.support > 0).collect();
        let answered = judged.iter().filter(|record| record.iter().any(|one| one.predicted)).count();
        Self {
            scheme,
            unseen,
            precision: total.precision,
            recall: total.recall,
            micro_f1: total.f1,
            macro_f1: mean(&figures, |_| 1.0, 0).f1,
            coverage: ratio(answered as f64, judged.records() as f64),
            value: match goal {
                Goal::F(_) => ratio(occurring.iter().map(|counts| goal.value(counts)).sum(), occurring.len() as f64),
                Goal::Precision(_) | Goal::Recall(_) => goal.value(&tally.total()),
            },
        }
    }
}

impl Honesty {
    fn new(judged: &Judged, unseen: Option<bool>) -> Self {
        let weights = once(judged.records());
        let [(log_loss, _)] = Losses::new(judged).means(&weights);
        let [calibration] = Confidences::new(judged).calibration(&weights);
        Self { unseen, log_loss, expected_calibration_error: calibration.expected_calibration_error }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One label; the score of each record and whether it is true.
    fn judged(scored: &[(f32, bool)]) -> Judged {
        let mut judged = Judged::new(vec!["a".into()], false);
        for &(score, truth) in scored {
            judged.push([Candidate { label: 0, score, truth, predicted: score >= 0.5 }]);
        }
        judged
    }

    #[test]
    fn a_threshold_lies_between_what_is_true_and_what_is_not() {
        let scored = vec![(0.9, true), (0.8, true), (0.4, false), (0.2, false)];
        assert_eq!(sweep(scored, Goal::F(1.0)), Some(f32::midpoint(0.8, 0.4)));
        assert_eq!(sweep(vec![(0.9, false)], Goal::F(1.0)), None);
    }

    #[test]
    fn equal_scores_are_on_the_same_side() {
        let scored = vec![(0.9, true), (0.5, true), (0.5, false), (0.5, false), (0.1, false)];
        assert_eq!(sweep(scored.clone(), Goal::F(1.0)), Some(f32::midpoint(0.9, 0.5)));
        assert_eq!(sweep(scored, Goal::Recall(1.0)), Some(f32::midpoint(0.5, 0.1)));
    }

    #[test]
    fn a_precision_is_reached_with_the_most_recall() {
        let scored = vec![(0.9, true), (0.8, false), (0.7, true), (0.6, true), (0.5, false), (0.4, true)];
        assert_eq!(sweep(scored, Goal::Precision(0.75)), Some(f32::midpoint(0.6, 0.5)));
    }

    proptest! {
        #[test]
        fn no_other_threshold_serves_better(
            scored in prop::collection::vec((0_u8..20, any::<bool>()), 1..40),
            goal in prop_oneof![Just(Goal::F(1.0)), Just(Goal::F(0.5)), Just(Goal::Precision(0.7)), Just(Goal::Recall(0.6))],
        ) {
            let scored: Vec<(f32, bool)> = scored.iter().map(|&(s, truth)| (f32::from(s) / 20.0, truth)).collect();
            let value = |threshold: f32| {
                let mut counts = Counts::default();
                scored.iter().for_each(|&(score, truth)| counts.add(truth, score >= threshold, 1));
                goal.value(&counts)
            };
            if let Some(found) = sweep(scored.clone(), goal) {
                prop_assert!((0..=20).all(|place| value(place as f32 / 20.0) <= value(found) + 1e-12));
            }
        }
    }

    #[test]
    fn unseen_records_are_judged_by_thresholds_of_the_others() {
        // Truth has nothing to do with the score: what is found is worth less on records not seen.
        let scored: Vec<(f32, bool)> = (0..60).map(|i| ((i * 37 % 60) as f32 / 60.0, i * 29 % 7 < 2)).collect();
        let fit = Fit::new(&judged(&scored), Goal::F(1.0), 3);
        let worth = |unseen| fit.worth.iter().find(|one| one.scheme == Scheme::Labels && one.unseen == unseen).unwrap();
        assert!(worth(true).micro_f1 < worth(false).micro_f1, "{:?}", fit.worth);
        assert_eq!(fit, Fit::new(&judged(&scored), Goal::F(1.0), 3));
    }

    #[test]
    fn one_threshold_for_all_labels_is_better_where_those_of_each_serve_no_better() {
        let score = |i: u8, truth: bool| (f32::from(i) / 100.0 + if truth { 0.8 } else { 0.01 }, truth);
        let scored: Vec<(f32, bool)> = (0..19).flat_map(|i| [score(i, true), score(i, false)]).collect();
        let fit = Fit::new(&judged(&scored), Goal::F(1.0), 0);
        assert_eq!(expected(&fit.worth, Scheme::Labels), expected(&fit.worth, Scheme::All));
        assert_eq!(fit.uses, Scheme::All);
    }

    #[test]
    fn thresholds_are_of_use_where_unseen_records_gain_by_them() {
        let is_of_use = |high: f32| {
            let scored: Vec<(f32, bool)> = (0..20).map(|i| (if i % 2 == 0 { high } else { 0.1 }, i % 2 == 0)).collect();
            Fit::new(&judged(&scored), Goal::F(1.0), 0).is_of_use()
        };
        assert!(is_of_use(0.4), "nothing was said");
        assert!(!is_of_use(0.9), "all that was said was right");
    }

    #[test]
    fn a_label_that_is_never_true_has_the_threshold_for_all() {
        let mut judged = Judged::new(vec!["a".into(), "never".into()], false);
        for (score, truth) in [(0.9, true), (0.8, true), (0.3, false), (0.2, false)] {
            let candidate = |label, score, truth| Candidate { label, score, truth, predicted: false };
            judged.push([candidate(0, score, truth), candidate(1, 0.1, false)]);
        }
        let fit = Fit::new(&judged, Goal::F(1.0), 0);
        assert_eq!(fit.unfitted, ["never"]);
        assert_eq!(Some(fit.setting.each[1]), fit.setting.all);
    }

    #[test]
    fn what_was_fitted_is_one_object_without_the_thresholds_of_single_labels() {
        let scored = [(0.9, true), (0.8, true), (0.3, false), (0.2, false)];
        let json = serde_json::to_string(&Fit::new(&judged(&scored), Goal::F(1.0), 0)).unwrap();
        let keys = ["goal", "folds", "temperature", "threshold", "abstain_below", "use", "worth", "honesty"];
        let places = keys.map(|key| json.find(&format!("\"{key}\":")));
        assert!(places[0].is_some() && places.is_sorted(), "{json}");
        assert!(json.starts_with(r#"{"goal":"f1","#) && json.ends_with(r#","unfitted":[],"missed":[]}"#), "{json}");
        assert!(!json.contains("each"), "{json}");
    }

    #[test]
    fn a_precision_with_one_label_a_text_withholds_the_least_sure() {
        let mut judged = Judged::new(vec!["a".into(), "b".into()], true);
        for (score, right) in [(0.95, true), (0.9, true), (0.8, true), (0.7, false), (0.6, false), (0.55, true)] {
            let candidate = |label, score, truth| Candidate { label, score, truth, predicted: label == 0 };
            judged.push([candidate(0, score, right), candidate(1, 1.0 - score, !right)]);
        }
        let fit = Fit::new(&judged, Goal::Precision(0.9), 0);
        let fitted = fit.worth.iter().find(|one| one.scheme == Scheme::All && !one.unseen).unwrap();
        assert_eq!((fitted.precision, fitted.coverage), (1.0, 0.5));
        assert!(Fit::new(&judged, Goal::F(1.0), 0).setting.abstain_below.is_none());
    }
}
