//! Precision-recall curves, a small panel for each label: as many curves in one picture could not be told apart.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::style::{ACCENT, Drawn, FAINT, INK, MUTED, PAPER, SECOND, Sheet, drawn, named, text};
use super::{Plot, shown};
use crate::metrics::judged::Judged;
use crate::metrics::ranking::rankings;
use crate::metrics::report::{LabelFigures, Report};

const PANEL: (u32, u32) = (300, 262);
const LETTERS: u32 = 25;
const COLUMNS: usize = 5;
/// Characters of a label.
const NAME: usize = 18;

/// The panels of all labels that are ever true.
pub fn plot(judged: &Judged, report: &Report) -> Plot {
    let curves: Vec<(Vec<(f64, f64)>, &LabelFigures)> = rankings(judged)
        .iter()
        .map(|ranking| ranking.curve())
        .zip(&report.labels)
        .filter(|(_, label)| label.figures.support > 0)
        .collect();
    let columns = curves.len().clamp(1, COLUMNS);
    let rows = curves.len().div_ceil(columns).max(1);
    let svg = drawn((PANEL.0 * columns as u32, PANEL.1 * rows as u32), |sheet| {
        let panels = sheet.split_evenly((rows, columns));
        panels.iter().zip(&curves).try_for_each(|(panel, (curve, label))| draw(panel, curve, label))
    });
    let panel = |(curve, label): &(Vec<(f64, f64)>, &LabelFigures)| {
        let name = format!("{}: average precision {}", shown(&label.label, usize::MAX), area(label));
        named(&drawn(PANEL, |sheet| draw(sheet, curve, label)), &name)
    };
    Plot {
        name: "precision_recall",
        title: "How well is each label found?",
        caption:
            "Precision (up) against recall (across), from 0 to 1. The dot is what was decided; the number is the area \
                  under the curve, average precision. Labels that are never true have no curve."
                .into(),
        svg,
        is_wide: true,
        panels: curves.iter().map(panel).collect(),
    }
}

/// The area under the curve of a label.
fn area(label: &LabelFigures) -> String {
    format!("{:.2}", label.average_precision.unwrap_or_default())
}

fn draw(sheet: &Sheet, curve: &[(f64, f64)], label: &LabelFigures) -> Drawn {
    let (left, top, width, height) = (14, 44, PANEL.0 as i32 - 34, PANEL.1 as i32 - 64);
    let place = |(recall, precision): (f64, f64)| {
        (
            left + (recall * f64::from(width)).round() as i32,
            top + ((1.0 - precision) * f64::from(height)).round() as i32,
        )
    };
    let name = text(LETTERS, INK, HPos::Left, VPos::Center);
    sheet.draw(&Text::new(shown(&label.label, NAME), (left, 22), name))?;
    let number = text(LETTERS, MUTED, HPos::Right, VPos::Center);
    sheet.draw(&Text::new(area(label), (left + width, 22), number))?;
    for share in [0.0, 0.5, 1.0] {
        sheet.draw(&PathElement::new(vec![place((0.0, share)), place((1.0, share))], FAINT.stroke_width(1)))?;
        sheet.draw(&PathElement::new(vec![place((share, 0.0)), place((share, 1.0))], FAINT.stroke_width(1)))?;
    }
    let mut steps: Vec<(i32, i32)> = curve.iter().map(|&point| place(point)).collect();
    steps.dedup();
    if let [only] = steps[..] {
        sheet.draw(&Circle::new(only, 3, ACCENT.filled()))?;
    }
    sheet.draw(&PathElement::new(steps, ACCENT.stroke_width(3)))?;
    if label.figures.recall > 0.0 {
        let decided = place((label.figures.recall, label.figures.precision));
        sheet.draw(&Circle::new(decided, 9, PAPER.filled()))?;
        sheet.draw(&Circle::new(decided, 7, SECOND.filled()))?;
    }
    Ok(())
}
