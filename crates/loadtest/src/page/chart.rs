//! Draws a chart as SVG. Colours are names from the page's style sheet, which defines them for
//! light and dark mode.

use std::fmt::Write;

use askama::Template;

use super::axis::Axis;

const WIDTH: f64 = 560.0;
/// The width of a chart that takes the page's whole width.
const FULL_WIDTH: f64 = 1140.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
/// The right margin if there is an axis on the right.
const RIGHT_WITH_AXIS: f64 = 44.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;
const PLOT_HEIGHT: f64 = HEIGHT - TOP - BOTTOM;
/// Colours of the style sheet.
const COLOURS: usize = 8;

/// A chart with its title and legend.
#[derive(Debug, Template)]
#[template(path = "chart.html")]
pub(super) struct Chart {
    pub(super) title: String,
    /// Whether it takes the page's whole width.
    pub(super) is_wide: bool,
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// The axis on the right, which areas belong to.
    pub(super) right: Option<Axis>,
    pub(super) series: Vec<Series>,
    pub(super) notes: Vec<Note>,
}

/// What the pointer shows at a value of the x axis and around it.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) at: f64,
    pub(super) text: String,
}

/// A line or area of a chart.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) colour: usize,
    pub(super) style: Style,
    pub(super) points: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Line,
    /// A grey line, as a bound of others.
    Dashed,
    /// A grey area, on the right axis.
    Area,
}

/// A label of an axis, in pixels.
struct AxisLabel<'a> {
    x: String,
    /// Where the grid line is.
    y: String,
    text_y: String,
    text: &'a str,
}

/// A column of the chart that shows a note, in pixels.
struct Column<'a> {
    x: String,
    width: String,
    note: &'a str,
}

impl Series {
    fn colour(&self) -> usize {
        self.colour % COLOURS
    }

    fn legend_style(&self) -> String {
        match self.style {
            Style::Line => format!("color:var(--c{})", self.colour()),
            Style::Dashed => "color:var(--soft)".into(),
            Style::Area => String::new(),
        }
    }
}

impl Style {
    /// The class of its mark in the legend.
    fn class(self) -> &'static str {
        match self {
            Self::Line => "",
            Self::Dashed => "dash",
            Self::Area => "fill",
        }
    }
}

impl Chart {
    fn y_labels(&self) -> Vec<AxisLabel<'_>> {
        labels_at(&self.y, LEFT - 6.0)
    }

    fn right_labels(&self) -> Vec<AxisLabel<'_>> {
        self.right.as_ref().map_or_else(Vec::new, |axis| labels_at(axis, self.right_end() + 6.0))
    }

    fn x_labels(&self) -> Vec<AxisLabel<'_>> {
        let bottom = HEIGHT - BOTTOM;
        let ticks = self.x.ticks.iter();
        ticks
            .map(|(value, text)| AxisLabel::new(self.x_of(*value), bottom, bottom + 18.0, text))
            .collect()
    }

    /// The line through the points.
    fn path(&self, series: &Series) -> String {
        let axis = match (&self.right, series.style) {
            (Some(right), Style::Area) => right,
            _ => &self.y,
        };
        let mut path = String::new();
        for (n, (x, y)) in series.points.iter().enumerate() {
            let command = if n == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{:.1} {:.1}", self.x_of(*x), y_of(axis, *y));
        }
        path
    }

    /// The line through the points, and back along the bottom.
    fn area(&self, series: &Series) -> String {
        let x = |point: Option<&(f64, f64)>| self.x_of(point.map_or(0.0, |(x, _)| *x));
        let (from, to) = (x(series.points.first()), x(series.points.last()));
        let bottom = HEIGHT - BOTTOM;
        format!("{}L{to:.1} {bottom}L{from:.1} {bottom}Z", self.path(series))
    }

    /// The columns lie over everything, side by side.
    fn columns(&self) -> Vec<Column<'_>> {
        let edge = |left: Option<&Note>, right: Option<&Note>| {
            Some(self.x_of(f64::midpoint(left?.at, right?.at)))
        };
        let notes = self.notes.iter().enumerate();
        let column = notes.map(|(n, note)| {
            let previous = n.checked_sub(1).and_then(|n| self.notes.get(n));
            let from = edge(previous, Some(note)).unwrap_or(LEFT);
            let to = edge(Some(note), self.notes.get(n + 1)).unwrap_or(self.right_end());
            Column { x: pixels(from), width: pixels((to - from).max(0.0)), note: &note.text }
        });
        column.collect()
    }

    fn width(&self) -> f64 {
        if self.is_wide { FULL_WIDTH } else { WIDTH }
    }

    /// Where lines end.
    fn right_end(&self) -> f64 {
        self.width() - if self.right.is_some() { RIGHT_WITH_AXIS } else { RIGHT }
    }

    fn x_of(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (self.right_end() - LEFT)
    }
}

impl<'a> AxisLabel<'a> {
    fn new(x: f64, y: f64, text_y: f64, text: &'a str) -> Self {
        Self { x: pixels(x), y: pixels(y), text_y: pixels(text_y), text }
    }
}

/// The labels of a vertical axis, at a place of the horizontal one.
fn labels_at(axis: &Axis, x: f64) -> Vec<AxisLabel<'_>> {
    let labels = axis.ticks.iter().map(|(value, text)| {
        let y = y_of(axis, *value);
        AxisLabel::new(x, y, y + 4.0, text)
    });
    labels.collect()
}

fn y_of(axis: &Axis, value: f64) -> f64 {
    HEIGHT - BOTTOM - axis.place(value) * PLOT_HEIGHT
}

fn pixels(number: f64) -> String {
    format!("{number:.1}")
}
