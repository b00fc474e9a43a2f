//! Curves over one axis of scores: reliability, coverage, F1 by threshold.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::style::{ACCENT, Drawn, FAINT, INK, LETTERS, MUTED, PAPER, SECOND, Sheet, drawn, share, text};
use super::{Plot, ratio};
use crate::metrics::Task;
use crate::metrics::calibration::{self, Bin, Calibration};
use crate::metrics::counts::Counts;
use crate::metrics::judged::Judged;
use crate::metrics::ranking::best;

const SIZE: (u32, u32) = (800, 660);
/// Where the vertical axis is.
const LEFT: i32 = 108;
/// Points of a curve: more are not seen.
const POINTS: usize = 400;
/// Thresholds that are tried, between 0 and 1: two decimals name each.
const STEPS: usize = 100;

type Line = Vec<(f64, f64)>;

/// A curve with its name.
struct Curve {
    name: String,
    line: Line,
    colour: RGBColor,
}

/// A place on a curve, and what is said of it where the curve is not.
struct Mark {
    place: (f64, f64),
    label: String,
    side: Side,
}

/// Where a curve is not.
#[derive(Clone, Copy)]
enum Side {
    Above,
    AboveLeft,
    BelowLeft,
}

/// A chart of shares against shares.
struct Chart {
    across: String,
    up: String,
    curves: Vec<Curve>,
    /// A line for comparison, behind the curves.
    reference: Line,
    /// What stands out.
    marks: Vec<Mark>,
    /// The least share on the vertical axis.
    floor: f64,
}

impl Chart {
    /// The chart, with `whiskers` from one place to another behind the marks.
    fn svg(&self, whiskers: &[[(f64, f64); 2]]) -> String {
        drawn(SIZE, |sheet| {
            let mut chart = ChartBuilder::on(sheet)
                .margin_top(84)
                .margin_right(36)
                .margin_bottom(8)
                .margin_left(8)
                .x_label_area_size(86)
                .y_label_area_size(LEFT - 8)
                .build_cartesian_2d(0.0..1.0, self.floor..1.0)?;
            chart
                .configure_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(FAINT)
                .axis_style(MUTED)
                .set_all_tick_mark_size(8)
                .x_labels(6)
                .y_labels(6)
                .x_label_formatter(&share)
                .y_label_formatter(&share)
                .label_style(("sans-serif", LETTERS).with_color(MUTED))
                .axis_desc_style(("sans-serif", LETTERS).with_color(INK))
                .x_desc(&self.across)
                .y_desc(&self.up)
                .draw()?;
            chart.draw_series(DashedLineSeries::new(self.reference.clone(), 6, 6, MUTED.stroke_width(2)))?;
            for curve in &self.curves {
                chart.draw_series(LineSeries::new(thinned(&curve.line), curve.colour.stroke_width(4)))?;
            }
            for ends in whiskers {
                let ends = ends.map(|end| chart.backend_coord(&end));
                sheet.draw(&PathElement::new(ends, MUTED.stroke_width(2)))?;
            }
            self.marks.iter().try_for_each(|mark| mark.draw(sheet, chart.backend_coord(&mark.place)))?;
            self.legend(sheet)
        })
    }

    /// The names of the curves above the chart, where there are several.
    fn legend(&self, sheet: &Sheet) -> Drawn {
        let mut x = LEFT;
        for curve in self.curves.iter().filter(|_| self.curves.len() > 1) {
            sheet.draw(&PathElement::new([(x, 20), (x + 36, 20)], curve.colour.stroke_width(4)))?;
            let style = text(LETTERS, INK, HPos::Left, VPos::Center);
            sheet.draw(&Text::new(curve.name.clone(), (x + 46, 20), style))?;
            x += 46 + 16 * curve.name.chars().count() as i32 + 36;
        }
        Ok(())
    }
}

impl Mark {
    /// Draws it where its place is on the sheet.
    fn draw(&self, sheet: &Sheet, (x, y): (i32, i32)) -> Drawn {
        sheet.draw(&Circle::new((x, y), 9, PAPER.filled()))?;
        sheet.draw(&Circle::new((x, y), 7, ACCENT.filled()))?;
        let (across, below) = match self.side {
            Side::Above => (HPos::Center, -32),
            Side::AboveLeft => (HPos::Right, -36),
            Side::BelowLeft => (HPos::Right, 36),
        };
        let half = if matches!(self.side, Side::Above) { 7 * self.label.chars().count() as i32 } else { 0 };
        let x = x.clamp(LEFT + half, SIZE.0 as i32 - half);
        sheet.draw(&Text::new(self.label.clone(), (x, y + below), text(LETTERS, INK, across, VPos::Center)))
    }
}

/// No more points than are seen, the last among them.
fn thinned(line: &Line) -> Line {
    let step = line.len().div_ceil(POINTS).max(1);
    let last = line.last().filter(|_| line.len() % step != 1);
    line.iter().step_by(step).chain(last).copied().collect()
}

/// What is said against what is true.
pub fn reliability(calibration: &Calibration, task: Task) -> Plot {
    let of = match task {
        Task::SingleLabel => "the best score of each record",
        Task::MultiLabel => "the score of every decision",
    };
    let line: Line = calibration.points.iter().map(|bin| (bin.score, bin.share_true)).collect();
    let chart = Chart {
        across: "score".into(),
        up: "share that is true".into(),
        curves: vec![Curve { name: String::new(), line: line.clone(), colour: ACCENT }],
        reference: vec![(0.0, 0.0), (1.0, 1.0)],
        marks: line.into_iter().map(|place| Mark { place, label: String::new(), side: Side::Above }).collect(),
        floor: 0.0,
    };
    let whisker = |bin: &Bin| wilson(bin.share_true, bin.count).map(|end| (bin.score, end));
    let caption = format!(
        "Reliability of {of}, in {} bins of equal mass; whiskers are 95 % intervals. On the dashed line a score is \
         what it says; below it the model is too sure. Expected calibration error {:.3}.",
        calibration.bins, calibration.expected_calibration_error
    );
    let whiskers: Vec<_> = calibration.points.iter().map(whisker).collect();
    Plot::narrow("reliability", "Are the scores honest?", &caption, chart.svg(&whiskers))
}

/// Wilson's 95 % interval of a share.
fn wilson(share: f64, count: u64) -> [f64; 2] {
    let (z, n) = (1.96, count as f64);
    let centre = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    [(centre - half).max(0.0), (centre + half).min(1.0)]
}

/// How much is right of what is answered, where the least sure is not.
pub fn coverage(judged: &Judged) -> Plot {
    let line = covered(judged);
    let whole = line.last().copied().unwrap_or_default();
    let lowest = line.iter().map(|(_, accuracy)| *accuracy).fold(1.0, f64::min);
    // Room for what is said below the last point, where there is any.
    let floor = ((10.0 * lowest - 2.0).floor() / 10.0).clamp(0.0, 0.8);
    let side = if whole.1 - floor < 0.15 * (1.0 - floor) { Side::AboveLeft } else { Side::BelowLeft };
    let chart = Chart {
        across: "share of records that is answered".into(),
        up: "share of answers that is right".into(),
        curves: vec![Curve { name: String::new(), line, colour: ACCENT }],
        reference: vec![(0.0, whole.1), (1.0, whole.1)],
        marks: vec![Mark { place: whole, label: format!("all answered: {:.3}", whole.1), side }],
        floor,
    };
    let caption = "The best label of each record, surest first: how often it is right among the records answered, if \
                   the others are left to a person (--abstain-below).";
    Plot::narrow("coverage", "What does holding back bring?", caption, chart.svg(&[]))
}

/// Coverage and accuracy, from the first records on that say something.
fn covered(judged: &Judged) -> Line {
    let curve = calibration::coverage(judged);
    let line: Line = curve.iter().map(|point| (point.coverage, point.accuracy)).collect();
    let least = (judged.records() / 50).max(5) as f64 / judged.records() as f64;
    let first = line.iter().position(|(coverage, _)| *coverage >= least);
    line[first.unwrap_or(line.len().saturating_sub(1))..].to_vec()
}

/// F1 of one threshold for all labels.
pub fn f1_by_threshold(judged: &Judged) -> Plot {
    let steps = steps(judged);
    let micro = line_of(&steps, |counts| counts.iter().fold(Counts::default(), Counts::plus).figures().f1);
    let highest = micro.iter().copied().fold((0.0, 0.0), |best, one| if one.1 > best.1 { one } else { best });
    let chart = Chart {
        across: "threshold for all labels".into(),
        up: "F1".into(),
        marks: vec![Mark { place: highest, label: format!("{:.3} at {:.2}", highest.1, highest.0), side: Side::Above }],
        curves: vec![
            Curve { name: "micro F1".into(), line: micro, colour: ACCENT },
            Curve { name: "macro F1".into(), line: line_of(&steps, macro_f1), colour: SECOND },
        ],
        reference: Vec::new(),
        floor: 0.0,
    };
    let caption = "F1 with one threshold for all labels. The best point is the best of these records: on others expect \
                   a little less (eval --fit says how much).";
    Plot::narrow("f1_by_threshold", "Where should the threshold be?", caption, chart.svg(&[]))
}

/// F1 where answers below a score are withheld.
pub fn f1_by_withholding(judged: &Judged) -> Plot {
    let withheld = judged.changed(|record| {
        let said = best(record).map(|one| one.label);
        // What is not the answer is never said, whatever the threshold.
        record.iter_mut().filter(|one| Some(one.label) != said).for_each(|one| one.score = -1.0);
    });
    let steps = steps(&withheld);
    let answered = line_of(&steps, |counts| {
        let said: usize = counts.iter().map(|one| one.predicted).sum();
        ratio(said as f64, judged.records() as f64)
    });
    let chart = Chart {
        across: "least score that is answered".into(),
        up: "share".into(),
        marks: Vec::new(),
        curves: vec![
            Curve { name: "macro F1".into(), line: line_of(&steps, macro_f1), colour: ACCENT },
            Curve { name: "answered".into(), line: answered, colour: SECOND },
        ],
        reference: Vec::new(),
        floor: 0.0,
    };
    let caption = "F1, where a withheld answer is a missed one, and the share of records that still has an answer, by \
                   the score below which there is none (--abstain-below).";
    Plot::narrow("f1_by_threshold", "What does a least score cost?", caption, chart.svg(&[]))
}

/// A value of the counts of each step, by its score.
fn line_of(steps: &[Vec<Counts>], value: impl Fn(&[Counts]) -> f64) -> Line {
    steps.iter().enumerate().map(|(step, counts)| (step as f64 / STEPS as f64, value(counts))).collect()
}

/// The mean over labels of their F1.
fn macro_f1(labels: &[Counts]) -> f64 {
    ratio(labels.iter().map(|one| one.figures().f1).sum(), labels.len() as f64)
}

/// The counts of every label, if what scores at least each step is said.
fn steps(judged: &Judged) -> Vec<Vec<Counts>> {
    let labels = judged.names().len();
    let thresholds: Vec<f32> = (0..=STEPS).map(|step| step as f32 / STEPS as f32).collect();
    let mut steps = vec![vec![Counts::default(); labels]; STEPS + 1];
    for one in judged.candidates() {
        let label = one.label as usize;
        steps.iter_mut().take(1).for_each(|first| first[label].support += usize::from(one.truth));
        if one.score >= 0.0 {
            // The last threshold that it reaches; a product would put 0.29 below 0.29.
            let step = thresholds.partition_point(|&threshold| threshold <= one.score).saturating_sub(1);
            steps[step][label].predicted += 1;
            steps[step][label].hits += usize::from(one.truth);
        }
    }
    let support: Vec<usize> = steps[0].iter().map(|counts| counts.support).collect();
    for step in (0..STEPS).rev() {
        let (before, after) = steps.split_at_mut(step + 1);
        for (counts, above) in before[step].iter_mut().zip(&after[0]) {
            counts.predicted += above.predicted;
            counts.hits += above.hits;
        }
    }
    steps.iter_mut().for_each(|step| step.iter_mut().zip(&support).for_each(|(one, &support)| one.support = support));
    steps
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::metrics::Candidate;

    /// Records of one label, true of every second one, with the scores that `score` gives them by number.
    fn judged(records: u16, score: impl Fn(u16) -> f32) -> Judged {
        let mut judged = Judged::new(vec!["a".into()], false);
        for record in 0..records {
            let candidate = Candidate { label: 0, score: score(record), truth: record % 2 == 0, predicted: true };
            judged.push([candidate]);
        }
        judged
    }

    #[test]
    fn what_scores_exactly_a_threshold_is_said_by_it() {
        for step in 0..=STEPS {
            let score: f32 = format!("{:.2}", step as f64 / STEPS as f64).parse().unwrap();
            let steps = steps(&judged(2, |_| score));
            let said = steps.iter().map(|counts| counts[0].predicted);
            let expected = (0..=STEPS).map(|other| if other <= step { 2 } else { 0 });
            assert!(said.eq(expected), "{score}");
        }
    }

    #[test]
    fn coverage_leaves_out_the_first_records_not_the_first_scores() {
        // A point for each of 1000 records, and one for 250 at a time.
        assert_eq!(covered(&judged(1000, |record| f32::from(record) / 1000.0)).first(), Some(&(0.02, 0.5)));
        let few = covered(&judged(1000, |record| f32::from(record / 250) / 4.0));
        assert_eq!(few, [0.25, 0.5, 0.75, 1.0].map(|coverage| (coverage, 0.5)));
        for records in [1, 4, 5] {
            let line = covered(&judged(records, |record| f32::from(record) / 10.0));
            assert_eq!((line.len(), line[0].0), (1, 1.0), "{records}");
        }
        assert!(covered(&judged(0, |_| 0.0)).is_empty());
    }
}
