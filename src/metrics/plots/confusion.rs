//! The confusion matrix: a shade for each pair of labels.

use plotters::prelude::*;
use plotters::style::FontTransform;
use plotters::style::text_anchor::{HPos, VPos};

use super::style::{ACCENT, Drawn, FAINT, INK, MUTED, PAPER, Sheet, drawn, text};
use super::{Plot, shown};
use crate::metrics::Task;
use crate::metrics::report::Report;

/// More labels than these are not all shown.
const MOST: usize = 100;
/// Characters of a label.
const NAME: usize = 30;
/// Of a letter's width to its height.
const LETTER_WIDTH: f64 = 0.46;

/// Where the cells are: below and to the right of the names of their labels.
#[derive(Clone, Copy)]
struct Grid {
    /// Where rows and columns begin.
    start: u32,
    /// The side of a cell.
    cell: u32,
    /// The size of letters.
    letters: u32,
}

impl Grid {
    /// Where a row or a column begins.
    fn at(self, place: usize) -> i32 {
        (self.start + place as u32 * self.cell) as i32
    }

    fn middle(self, place: usize) -> i32 {
        self.at(place) + self.cell as i32 / 2
    }

    /// Draws a cell: `count` of `all` in its row.
    fn draw(self, sheet: &Sheet, [truth, said]: [usize; 2], count: u64, all: u64) -> Drawn {
        let corners = [(self.at(said) + 1, self.at(truth) + 1), (self.at(said + 1) - 1, self.at(truth + 1) - 1)];
        sheet.draw(&Rectangle::new(corners, FAINT.mix(0.35).filled()))?;
        if count == 0 {
            return Ok(());
        }
        // A square root: what is seldom is seen, too.
        let shade = (count as f64 / all as f64).sqrt();
        sheet.draw(&Rectangle::new(corners, ACCENT.mix(0.08 + 0.92 * shade).filled()))?;
        if self.cell < 30 {
            return Ok(());
        }
        let colour = if shade > 0.62 { PAPER } else { INK };
        let style = text(self.letters.min(19), colour, HPos::Center, VPos::Center);
        sheet.draw(&Text::new(count.to_string(), (self.middle(said), self.middle(truth)), style))
    }
}

/// The matrix of a report.
pub fn plot(report: &Report) -> Plot {
    let labels = report.confusion.most_confused(report.labels.len(), MOST);
    let names: Vec<String> = labels.iter().map(|&label| shown(&report.labels[label].label, NAME)).collect();
    let cell: u32 = match labels.len() {
        0..=12 => 48,
        13..=36 => 30,
        _ => 18,
    };
    let letters = (cell * 6 / 10).clamp(16, 20);
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let start = (longest as f64 * f64::from(letters) * LETTER_WIDTH) as u32 + 34;
    let grid = Grid { start, cell, letters };
    let side = cell * labels.len() as u32;
    let count = |truth: usize, said: usize| report.confusion.count(labels[truth], labels[said]);
    let svg = drawn((start + side + 24, start + side + 12), |sheet| {
        let left = start as i32;
        let heading = |colour| text(letters, colour, HPos::Left, VPos::Center);
        sheet.draw(&Text::new("true ↓  said →", (4, left - 16), heading(MUTED)))?;
        for (place, name) in names.iter().enumerate() {
            let row = text(letters, INK, HPos::Right, VPos::Center);
            sheet.draw(&Text::new(name.clone(), (left - 10, grid.middle(place)), row))?;
            let column = heading(INK).transform(FontTransform::Rotate270);
            sheet.draw(&Text::new(name.clone(), (grid.middle(place), left - 10), column))?;
        }
        for truth in 0..labels.len() {
            let row: u64 = (0..labels.len()).map(|said| count(truth, said)).sum();
            for said in 0..labels.len() {
                grid.draw(sheet, [truth, said], count(truth, said), row)?;
            }
        }
        Ok(())
    });
    let some = match report.labels.len() {
        all if all > labels.len() => format!(" The {} of {all} labels that are most confused.", labels.len()),
        _ => String::new(),
    };
    Plot {
        name: "confusion",
        title: "What is taken for what?",
        caption: match report.task {
            Task::SingleLabel => {
                format!("Rows are what is true, columns what was said; shades are shares of a row.{some}")
            }
            Task::MultiLabel => format!(
                "On the diagonal, how often a true label was said; elsewhere, how often the label of the row was missed \
                 while that of the column was said and is not true. Shades are shares of a row.{some}"
            ),
        },
        svg,
        is_wide: true,
        panels: Vec::new(),
    }
}
