//! What all plots share: a sheet to draw on, and colours that follow the reader's light or dark page.
//!
//! A plot is drawn in one colour for each part that it can play. A style sheet, of the file or of the page
//! that the plot stands in, gives each part its colour.

use maud::Render;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Text and the curves that matter most.
pub const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
/// Axes, and text that matters less.
pub const MUTED: RGBColor = RGBColor(0x65, 0x6d, 0x76);
/// Grids and what is in the background.
pub const FAINT: RGBColor = RGBColor(0xd9, 0xdd, 0xe2);
/// What the plot is about.
pub const ACCENT: RGBColor = RGBColor(0x1f, 0x5f, 0xbf);
/// What it is compared with.
pub const SECOND: RGBColor = RGBColor(0xc2, 0x5a, 0x00);
/// The page.
pub const PAPER: RGBColor = RGBColor(0xfe, 0xfe, 0xfe);

/// Numbers on pale cells.
pub const ON_PALE: RGBColor = RGBColor(0x01, 0x01, 0x01);
/// Numbers on cells between pale and strong.
pub const ON_MIDDLE: RGBColor = RGBColor(0x02, 0x02, 0x02);
/// Numbers on strong cells.
pub const ON_STRONG: RGBColor = RGBColor(0xfd, 0xfd, 0xfd);

/// Each part's colour on a light and on a dark page.
pub(super) const THEME: [(RGBColor, &str, &str); 9] = [
    (INK, "#1f2328", "#e6e9ed"),
    (MUTED, "#5b636d", "#9aa3ad"),
    (FAINT, "#dfe3e8", "#343b44"),
    (ACCENT, "#1f5fbf", "#6cb0ff"),
    (SECOND, "#b85400", "#ffa657"),
    (PAPER, "#ffffff", "#14181d"),
    (ON_PALE, "#000000", "#ffffff"),
    (ON_MIDDLE, "#000000", "#000000"),
    (ON_STRONG, "#ffffff", "#000000"),
];

/// The size of letters, on sheets that are shown at about half their size.
pub const LETTERS: u32 = 32;

/// The sheet that a plot is drawn on.
pub type Sheet<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws on a sheet of this size, and gives the SVG to stand in a page with [`style_sheet`].
pub fn drawn(size: (u32, u32), draw: impl FnOnce(&Sheet) -> Drawn) -> String {
    let mut svg = String::new();
    let sheet = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    draw(&sheet).and_then(|()| sheet.present()).expect("drawing into a string does not fail: this is a bug");
    drop(sheet);
    svg
}

/// What drawing comes to.
pub type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// The rules that give each part its colour, below elements that match `scope`.
pub fn style_sheet(scope: &str) -> String {
    let rules = |colour: fn(&(RGBColor, &'static str, &'static str)) -> &'static str| {
        let rule = |part: &(RGBColor, &'static str, &'static str)| {
            let RGBColor(red, green, blue) = part.0;
            let (drawn, colour) = (format!("#{red:02X}{green:02X}{blue:02X}"), colour(part));
            format!("{scope} [fill=\"{drawn}\"]{{fill:{colour}}}{scope} [stroke=\"{drawn}\"]{{stroke:{colour}}}")
        };
        THEME.iter().map(rule).collect::<String>()
    };
    format!(
        "{}@media (prefers-color-scheme:dark){{{}}}{scope} text{{font-family:system-ui,-apple-system,'Segoe UI',\
         Roboto,sans-serif;font-variant-numeric:tabular-nums}}",
        rules(|part| part.1),
        rules(|part| part.2)
    )
}

/// The plot as one picture of this name to those who have it read to them.
pub fn named(svg: &str, name: &str) -> String {
    svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{}\" ", name.render().into_string()), 1)
}

/// The plot as a file of its own, on paper.
pub fn standalone(svg: &str) -> String {
    let end = svg.find('>').map_or(0, |place| place + 1);
    let (head, rest) = svg.split_at(end);
    let paper = "<rect width=\"100%\" height=\"100%\" fill=\"#FEFEFE\"/>";
    format!("{head}<style>{}</style>{paper}{rest}", style_sheet("svg"))
}

/// A style of text, anchored where it is placed.
pub fn text(size: u32, colour: RGBColor, across: HPos, down: VPos) -> TextStyle<'static> {
    TextStyle { color: colour.to_backend_color(), ..TextStyle::from(("sans-serif", size).into_font()) }
        .pos(Pos::new(across, down))
}

/// A share as the axes say it.
pub fn share(value: &f64) -> String {
    // Where the axes meet, two longer ones would touch.
    if value.abs() < 1e-9 { "0".to_owned() } else { format!("{value:.1}") }
}
