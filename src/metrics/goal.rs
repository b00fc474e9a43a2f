//! What a threshold is fitted for.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::counts::Counts;
use super::ratio;

/// What a threshold is fitted for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// The highest F-measure, in which recall counts `beta` times as much as precision.
    F(f64),
    /// The highest recall of those with at least this precision.
    Precision(f64),
    /// The highest precision of those with at least this recall.
    Recall(f64),
}

impl Goal {
    /// How well counts serve: more is better. Below the precision or recall asked for it is negative, and
    /// rises with it.
    pub fn value(self, counts: &Counts) -> f64 {
        let figures = counts.figures();
        let constrained = |bound: f64, least: f64, other: f64| if bound >= least { other } else { bound - 1.0 };
        match self {
            Self::F(beta) => {
                let weight = beta * beta;
                let denominator = weight * counts.support as f64 + counts.predicted as f64;
                ratio((1.0 + weight) * counts.hits as f64, denominator)
            }
            Self::Precision(least) => constrained(figures.precision, least, figures.recall),
            Self::Recall(least) => constrained(figures.recall, least, figures.precision),
        }
    }

    /// Whether counts reach the precision or recall asked for.
    pub fn is_reached(self, counts: &Counts) -> bool {
        self.value(counts) >= 0.0
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F(beta) => write!(f, "f{beta}"),
            Self::Precision(least) => write!(f, "precision={least}"),
            Self::Recall(least) => write!(f, "recall={least}"),
        }
    }
}

impl Serialize for Goal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Goal {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let share = |text: &str| text.parse().ok().filter(|share: &f64| *share > 0.0 && *share <= 1.0);
        let beta = |text: &str| text.parse().ok().filter(|beta: &f64| *beta > 0.0 && beta.is_finite());
        let goal = if let Some(rest) = text.strip_prefix("precision=") {
            share(rest).map(Self::Precision)
        } else if let Some(rest) = text.strip_prefix("recall=") {
            share(rest).map(Self::Recall)
        } else {
            text.strip_prefix('f').and_then(beta).map(Self::F)
        };
        goal.ok_or("give f1, f0.5 or another F-measure, or precision=P or recall=R with a number up to 1")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_written_as_they_are_read() {
        for text in ["f1", "f0.5", "f2", "precision=0.9", "recall=0.25"] {
            assert_eq!(text.parse::<Goal>().unwrap().to_string(), text);
        }
        for text in ["", "f", "f0", "f-1", "precision", "precision=0", "recall=1.5", "f1 ", "fnan", "finf"] {
            assert!(text.parse::<Goal>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_misses_a_bound_serves_less_than_what_keeps_it() {
        let counts = |hits, predicted, support| Counts { hits, predicted, support };
        let goal = Goal::Precision(0.8);
        assert!(goal.value(&counts(1, 1, 10)) > goal.value(&counts(7, 9, 10)));
        assert!(goal.value(&counts(7, 9, 10)) > goal.value(&counts(7, 10, 10)));
        assert!((Goal::F(0.5).value(&counts(2, 4, 8)) - 1.25 * 2.0 / (0.25 * 8.0 + 4.0)).abs() < 1e-12);
    }
}
