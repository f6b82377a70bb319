//! Draws a chart as SVG. Colours are names from the page's style sheet, which defines them for
//! light and dark mode.

use std::fmt::Write;

use super::axis::Axis;
use super::escaped;

const WIDTH: f64 = 560.0;
/// Of one that has the page's whole width.
const WIDE: f64 = 1140.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
/// Where there are names on the right, too.
const RIGHT_NAMED: f64 = 44.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;

/// A chart.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    /// Whether it has the page's whole width.
    pub(super) is_wide: bool,
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// What lines on the right axis are measured by.
    pub(super) right: Option<Axis>,
    pub(super) series: Vec<Series>,
    /// What is said of a column where the pointer rests on it: its middle and a text.
    pub(super) notes: Vec<(f64, String)>,
}

/// A line of a chart.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) colour: usize,
    pub(super) look: Look,
    pub(super) points: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Line,
    /// What others are held against: grey, over them.
    Bound,
    /// A grey area below, on the right axis.
    Area,
}

impl Chart {
    /// Draws it, with its title and legend.
    pub(super) fn render(&self) -> String {
        let class = if self.is_wide { "wide" } else { "" };
        let mut text = format!("<figure class=\"{class}\"><h3>{}</h3>", escaped(&self.title));
        text.push_str("<div class=\"legend\">");
        for series in &self.series {
            let (kind, colour) = match series.look {
                Look::Line => ("", format!("color:var(--c{})", series.colour % 8)),
                Look::Bound => ("dash", "color:var(--soft)".into()),
                Look::Area => ("fill", String::new()),
            };
            let name = escaped(&series.name);
            let _ = write!(text, "<span><i class=\"{kind}\" style=\"{colour}\"></i>{name}</span>");
        }
        let _ = write!(
            text,
            "</div><svg viewBox=\"0 0 {} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            self.width(),
            escaped(&self.title)
        );
        self.grid(&mut text);
        for series in &self.series {
            self.line(&mut text, series);
        }
        self.columns(&mut text);
        text.push_str("</svg></figure>\n");
        text
    }

    fn grid(&self, text: &mut String) {
        let (right, bottom) = (self.right(), HEIGHT - BOTTOM);
        for (value, name) in &self.y.ticks {
            let y = self.y(&self.y, *value);
            let _ = write!(
                text,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                escaped(name)
            );
        }
        for (value, name) in self.right.iter().flat_map(|axis| &axis.ticks) {
            let y = self.right.as_ref().map_or(0.0, |axis| self.y(axis, *value)) + 4.0;
            let _ = write!(
                text,
                "<text x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
                right + 6.0,
                escaped(name)
            );
        }
        for (value, name) in &self.x.ticks {
            let _ = write!(
                text,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                self.x(*value),
                bottom + 18.0,
                escaped(name)
            );
        }
    }

    fn line(&self, text: &mut String, series: &Series) {
        let axis = match (&self.right, series.look) {
            (Some(right), Look::Area) => right,
            _ => &self.y,
        };
        let mut path = String::new();
        for (n, (x, y)) in series.points.iter().enumerate() {
            let command = if n == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{:.1} {:.1}", self.x(*x), self.y(axis, *y));
        }
        let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else {
            return;
        };
        let name = escaped(&series.name);
        let _ = match series.look {
            Look::Area => {
                let bottom = HEIGHT - BOTTOM;
                let (from, to) = (self.x(first.0), self.x(last.0));
                write!(path, "L{to:.1} {bottom}L{from:.1} {bottom}Z").ok();
                write!(text, "<path class=\"area\" d=\"{path}\"><title>{name}</title></path>")
            }
            Look::Line => {
                let colour = series.colour % 8;
                write!(
                    text,
                    "<path class=\"plot\" stroke=\"var(--c{colour})\" d=\"{path}\">\
                     <title>{name}</title></path>"
                )
            }
            Look::Bound => write!(
                text,
                "<path class=\"plot dashed\" stroke=\"var(--soft)\" d=\"{path}\">\
                 <title>{name}</title></path>"
            ),
        };
    }

    /// Lies over everything: what is said of a moment where the pointer rests on it.
    fn columns(&self, text: &mut String) {
        let bottom = HEIGHT - BOTTOM;
        for (n, (at, note)) in self.notes.iter().enumerate() {
            let middle = |other: usize| self.notes.get(other).map(|(x, _)| (x + at) / 2.0);
            let from = n.checked_sub(1).and_then(middle).map_or(LEFT, |x| self.x(x));
            let to = middle(n + 1).map_or(self.right(), |x| self.x(x));
            let _ = write!(
                text,
                "<rect class=\"hit\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\">\
                 <title>{}</title></rect>",
                (to - from).max(0.0),
                bottom - TOP,
                escaped(note)
            );
        }
    }

    fn width(&self) -> f64 {
        if self.is_wide { WIDE } else { WIDTH }
    }

    /// Where lines end.
    fn right(&self) -> f64 {
        self.width() - if self.right.is_some() { RIGHT_NAMED } else { RIGHT }
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (self.right() - LEFT)
    }

    #[expect(clippy::unused_self, reason = "it reads as its sibling does")]
    fn y(&self, axis: &Axis, value: f64) -> f64 {
        HEIGHT - BOTTOM - axis.place(value) * (HEIGHT - TOP - BOTTOM)
    }
}
