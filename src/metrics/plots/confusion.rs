//! The confusion matrix: a shade for each pair of labels.

use plotters::prelude::*;
use plotters::style::FontTransform;
use plotters::style::text_anchor::{HPos, VPos};

use super::style::{ACCENT, Drawn, FAINT, INK, MUTED, ON_MIDDLE, ON_PALE, ON_STRONG, Sheet, drawn, text};
use super::{Plot, shown};
use crate::metrics::Task;
use crate::metrics::report::Report;

/// More labels than these are not all shown.
const MOST: usize = 100;
/// Characters of a label.
const NAME: usize = 30;
/// Of a letter's width to its height.
const LETTER_WIDTH: f64 = 0.46;
/// What stands above the names of the rows and beside those of the columns.
const HEADING: &str = "true ↓  said →";
/// How strong the colour below all cells is.
const GROUND: f64 = 0.35;

/// Where the cells are: below and to the right of the names of their labels.
#[derive(Clone, Copy)]
struct Grid {
    /// Where columns begin.
    left: u32,
    /// Where rows begin.
    top: u32,
    /// The side of a cell.
    cell: u32,
    /// The size of letters.
    letters: u32,
}

impl Grid {
    /// Where a cell begins.
    fn corner(self, [row, column]: [usize; 2]) -> (i32, i32) {
        let at = |start: u32, place: usize| (start + place as u32 * self.cell) as i32;
        (at(self.left, column), at(self.top, row))
    }

    fn middle(self, cell: [usize; 2]) -> (i32, i32) {
        let ((x, y), half) = (self.corner(cell), self.cell as i32 / 2);
        (x + half, y + half)
    }

    /// Draws a cell: `count` of `all` in its row.
    fn draw(self, sheet: &Sheet, cell: [usize; 2], count: u64, all: u64) -> Drawn {
        let ((x, y), side) = (self.corner(cell), self.cell as i32);
        let corners = [(x + 1, y + 1), (x + side - 1, y + side - 1)];
        sheet.draw(&Rectangle::new(corners, FAINT.mix(GROUND).filled()))?;
        if count == 0 {
            return Ok(());
        }
        // A square root: what is seldom is seen, too.
        let shade = (count as f64 / all as f64).sqrt();
        sheet.draw(&Rectangle::new(corners, ACCENT.mix(strength(shade)).filled()))?;
        if self.cell < 30 {
            return Ok(());
        }
        let style = text(self.letters.min(19), ink_on(shade), HPos::Center, VPos::Center);
        sheet.draw(&Text::new(count.to_string(), self.middle(cell), style))
    }
}

/// How strong the colour of a cell is, from its shade between 0 and 1.
fn strength(shade: f64) -> f64 {
    0.08 + 0.92 * shade
}

/// Black or white, whichever is read better on a cell, on a light page and on a dark one.
fn ink_on(shade: f64) -> RGBColor {
    // Where both have the same contrast, 4.58, on a dark page and on a light one.
    match shade {
        ..0.565 => ON_PALE,
        ..0.841 => ON_MIDDLE,
        _ => ON_STRONG,
    }
}

/// How wide so many letters of this size are, about.
fn width(characters: usize, letters: u32) -> u32 {
    (characters as f64 * f64::from(letters) * LETTER_WIDTH) as u32
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
    let top = width(longest, letters) + 34;
    let left = top.max(width(HEADING.chars().count(), letters));
    let grid = Grid { left, top, cell, letters };
    let side = cell * labels.len() as u32;
    let count = |truth: usize, said: usize| report.confusion.count(labels[truth], labels[said]);
    let svg = drawn((left + side + 24, top + side + 12), |sheet| {
        let (left, top) = grid.corner([0, 0]);
        let heading = |colour| text(letters, colour, HPos::Left, VPos::Center);
        sheet.draw(&Text::new(HEADING, (4, top - 16), heading(MUTED)))?;
        for (place, name) in names.iter().enumerate() {
            let row = text(letters, INK, HPos::Right, VPos::Center);
            sheet.draw(&Text::new(name.clone(), (left - 10, grid.middle([place, 0]).1), row))?;
            let column = heading(INK).transform(FontTransform::Rotate270);
            sheet.draw(&Text::new(name.clone(), (grid.middle([0, place]).0, top - 10), column))?;
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::style::{PAPER, THEME};
    use super::*;

    /// Red, green and blue.
    type Channels = [f64; 3];

    /// The colour of a part on a light and on a dark page, each channel from 0 to 1.
    fn themed(part: RGBColor) -> [Channels; 2] {
        let (_, light, dark) = THEME.into_iter().find(|(one, ..)| *one == part).unwrap();
        let channel = |colour: &str, at: usize| f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        [light, dark].map(|colour| [1, 3, 5].map(|at| channel(colour, at)))
    }

    fn over(above: Channels, strength: f64, below: Channels) -> Channels {
        std::array::from_fn(|channel| strength * above[channel] + (1.0 - strength) * below[channel])
    }

    /// The contrast of two colours as WCAG 2 defines it.
    fn contrast(one: Channels, other: Channels) -> f64 {
        let linear = |channel: f64| {
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        };
        let luminance =
            |[red, green, blue]: Channels| 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    #[test]
    fn numbers_are_read_on_every_shade_of_a_light_and_of_a_dark_page() {
        for step in 0..=1000 {
            let shade = f64::from(step) / 1000.0;
            for page in 0..2 {
                let part = |part| themed(part)[page];
                let cell = over(part(ACCENT), strength(shade), over(part(FAINT), GROUND, part(PAPER)));
                let found = contrast(part(ink_on(shade)), cell);
                assert!(found >= 4.5, "shade {shade}, page {page}: {found}");
            }
        }
    }
}
