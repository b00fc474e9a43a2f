//! The errors that teach: what was surest and wrong, label by label.

use serde::Serialize;

use super::judged::Judged;

/// What went wrong with a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It was said and is not true.
    Said,
    /// It is true and was not said.
    Missed,
}

/// One wrong decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mistake {
    /// Which record.
    pub record: usize,
    /// The label, by its place in the names.
    pub label: usize,
    /// What went wrong.
    pub kind: Kind,
    /// The label's score; not a number where it is not known.
    pub score: f32,
}

impl Mistake {
    /// How far the score is from the truth.
    fn confidence(&self) -> f32 {
        match self.kind {
            Kind::Said => self.score,
            Kind::Missed => 1.0 - self.score,
        }
    }
}

/// For each label with errors, the `count` most confident ones, in the order of the names.
///
/// With one label a record every error is one label said and another missed: it stands with the one that was said.
pub fn worst(judged: &Judged, count: usize) -> Vec<Vec<Mistake>> {
    let mut mistakes: Vec<Vec<Mistake>> = vec![Vec::new(); judged.names().len()];
    for (record, candidates) in judged.iter().enumerate() {
        let answered = judged.single_label() && candidates.iter().any(|one| one.predicted);
        for one in candidates {
            let kind = match (one.truth, one.predicted) {
                (false, true) => Kind::Said,
                (true, false) if !answered => Kind::Missed,
                _ => continue,
            };
            let label = one.label as usize;
            mistakes[label].push(Mistake { record, label, kind, score: one.score });
        }
    }
    mistakes.retain(|one| !one.is_empty());
    for of_label in &mut mistakes {
        // Where no score is known, an error is the least confident.
        let key = |mistake: &Mistake| if mistake.confidence().is_nan() { -1.0 } else { mistake.confidence() };
        of_label.sort_by(|a, b| key(b).total_cmp(&key(a)));
        of_label.truncate(count);
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::super::judged::Candidate;
    use super::*;

    #[test]
    fn the_surest_errors_of_each_label_come_first() {
        let mut judged = Judged::new(vec!["a".into(), "b".into(), "never wrong".into()], false);
        for (score, truth) in [(0.6, false), (0.9, false), (0.1, true), (0.8, true)] {
            let candidate = |label, score, truth| Candidate { label, score, truth, predicted: score >= 0.5 };
            judged.push([candidate(0, score, truth), candidate(1, 0.4, score == 0.9), candidate(2, 0.1, false)]);
        }
        let found: Vec<Vec<(usize, Kind)>> =
            worst(&judged, 2).iter().map(|of| of.iter().map(|one| (one.record, one.kind)).collect()).collect();
        assert_eq!(found, [vec![(1, Kind::Said), (2, Kind::Missed)], vec![(1, Kind::Missed)]]);
    }

    #[test]
    fn an_error_with_one_label_a_record_stands_with_what_was_said() {
        let mut judged = Judged::new(vec!["a".into(), "b".into()], true);
        let candidate = |label, score, truth| Candidate { label, score, truth, predicted: label == 0 };
        judged.push([candidate(0, 0.9, false), candidate(1, 0.1, true)]);
        let found = worst(&judged, 5);
        assert_eq!((found.len(), found[0].len(), found[0][0].label), (1, 1, 0));
    }
}
