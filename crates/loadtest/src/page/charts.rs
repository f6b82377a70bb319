//! Decides which charts a page has and what they show.

use super::axis::{Axis, number, tail, time};
use super::chart::{Chart, Note, Series, Style};
use super::name;
use crate::results::{ExecutionResult, Results, Second, as_f64};

/// The most points of a line; seconds of longer load tests are combined.
const MAX_POINTS: usize = 300;

/// The charts that compare all executions.
pub(super) fn overview(results: &Results) -> [Chart; 2] {
    let executions: Vec<_> = results.executions.iter().map(Timeline::new).collect();
    [throughput(results, &executions), percentiles(results)]
}

/// The charts of one execution: throughput and users, times, and errors if there are any.
pub(super) fn of_execution(execution: &ExecutionResult, number: usize) -> Vec<Chart> {
    let timeline = Timeline::new(execution);
    let mut charts = vec![own_throughput(&timeline, number), times(&timeline)];
    if execution.errors > 0 {
        charts.push(errors(&timeline));
    }
    charts
}

/// The seconds of an execution, combined if there are too many for a chart.
struct Timeline<'a> {
    execution: &'a ExecutionResult,
    seconds: Vec<Second>,
}

impl<'a> Timeline<'a> {
    fn new(execution: &'a ExecutionResult) -> Self {
        let group = execution.timeline.len().div_ceil(MAX_POINTS).max(1);
        let mut seconds: Vec<_> = execution.timeline.chunks(group).map(combined).collect();
        // The last second may be too short to say anything about a rate.
        if seconds.len() > 1 && seconds.last().is_some_and(|last| last.seconds < 0.5) {
            seconds.pop();
        }
        Self { execution, seconds }
    }

    /// A value of each second, drawn as a step, counted from `begin`.
    fn steps(&self, begin: f64, of: impl Fn(&Second) -> f64) -> Vec<(f64, f64)> {
        let step = |second: &Second| {
            let (to, value) = (second.at - begin, of(second));
            [((to - second.seconds).max(0.0), value), (to, value)]
        };
        self.seconds.iter().flat_map(step).collect()
    }

    /// The same, counted from the execution's beginning.
    fn own(&self, of: impl Fn(&Second) -> f64) -> Vec<(f64, f64)> {
        self.steps(self.execution.delay, of)
    }

    fn notes(&self, of: impl Fn(&Second) -> String) -> Vec<Note> {
        let note = |second: &Second| {
            let at = second.at - self.execution.delay;
            Note { at: at - second.seconds / 2.0, text: format!("{at:.0} s: {}", of(second)) }
        };
        self.seconds.iter().map(note).collect()
    }

    /// The time since the execution's beginning.
    fn x(&self) -> Axis {
        seconds(self.seconds.last().map_or(1.0, |last| last.at - self.execution.delay))
    }
}

/// Several seconds as one, with the sums of counts and the maxima of times.
fn combined(seconds: &[Second]) -> Second {
    let max = |of: fn(&Second) -> f64| seconds.iter().map(of).fold(0.0, f64::max);
    let last = &seconds[seconds.len() - 1];
    Second {
        seconds: seconds.iter().map(|second| second.seconds).sum(),
        requests: seconds.iter().map(|second| second.requests).sum(),
        errors: seconds.iter().map(|second| second.errors).sum(),
        p50_ms: max(|second| second.p50_ms),
        p90_ms: max(|second| second.p90_ms),
        p99_ms: max(|second| second.p99_ms),
        ..last.clone()
    }
}

fn max_of(series: &[Series]) -> f64 {
    let values = series.iter().flat_map(|series| &series.points).map(|(_, y)| *y);
    values.fold(0.0, f64::max)
}

fn seconds(max: f64) -> Axis {
    let mut axis = Axis::linear(max, 8);
    axis.ticks.retain(|(value, _)| *value <= max * 1.01);
    axis.ends_at(max);
    for (_, label) in &mut axis.ticks {
        label.push_str(" s");
    }
    axis
}

fn throughput(results: &Results, executions: &[Timeline<'_>]) -> Chart {
    let mut series = Vec::new();
    for (colour, timeline) in executions.iter().enumerate() {
        let name = name(results, timeline.execution);
        let points = timeline.steps(0.0, Second::rate);
        series.push(Series { name, colour, style: Style::Line, points });
    }
    let ends = executions.iter().filter_map(|timeline| timeline.seconds.last()).map(|last| last.at);
    Chart {
        title: "Requests a second".into(),
        is_wide: true,
        x: seconds(ends.fold(1.0, f64::max)),
        y: Axis::linear(max_of(&series), 4),
        right: None,
        series,
        notes: Vec::new(),
    }
}

fn own_throughput(timeline: &Timeline<'_>, colour: usize) -> Chart {
    let users = Series {
        name: "users (right)".into(),
        colour,
        style: Style::Area,
        points: timeline.own(|second| f64::from(second.users)),
    };
    let name = "requests a second".to_owned();
    let mut series =
        vec![Series { name, colour, style: Style::Line, points: timeline.own(Second::rate) }];
    if timeline.seconds.iter().any(|second| second.cap.is_some()) {
        let name = if timeline.execution.rate.is_some() { "due" } else { "cap" }.into();
        let points = timeline.own(|second| second.cap.unwrap_or_default());
        series.push(Series { name, colour, style: Style::Dashed, points });
    }
    let y = Axis::linear(max_of(&series), 4);
    let right = Axis::linear(max_of(std::slice::from_ref(&users)), 4);
    series.insert(0, users);
    Chart {
        title: "Requests a second, and users".into(),
        is_wide: false,
        x: timeline.x(),
        y,
        right: Some(right),
        series,
        notes: timeline.notes(|second| {
            let cap = second.cap.map(|cap| format!(" of {}", number(cap.round())));
            let cap = cap.unwrap_or_default();
            format!("{}{cap} requests/s, {} users", number(second.rate().round()), second.users)
        }),
    }
}

fn times(timeline: &Timeline<'_>) -> Chart {
    let line = |name: &str, colour, of: fn(&Second) -> f64| Series {
        name: name.into(),
        colour,
        style: Style::Line,
        points: timeline.own(of),
    };
    let series = [
        line("p50", 2, |second| second.p50_ms),
        line("p90", 0, |second| second.p90_ms),
        line("p99", 1, |second| second.p99_ms),
    ];
    let min = series[0].points.iter().map(|(_, ms)| *ms).filter(|ms| *ms > 0.0);
    Chart {
        title: "Response times, logarithmic".into(),
        is_wide: false,
        x: timeline.x(),
        y: Axis::milliseconds(min.fold(f64::INFINITY, f64::min).min(1e6), max_of(&series)),
        right: None,
        series: series.into(),
        notes: timeline.notes(|second| {
            let [p50, p90, p99] = [second.p50_ms, second.p90_ms, second.p99_ms].map(time);
            format!("p50 {p50}, p90 {p90}, p99 {p99}")
        }),
    }
}

fn errors(timeline: &Timeline<'_>) -> Chart {
    let per_second = |second: &Second| as_f64(second.errors) / second.seconds;
    let name = "failed requests a second".to_owned();
    let points = timeline.own(per_second);
    let series = vec![Series { name, colour: 5, style: Style::Line, points }];
    Chart {
        title: "Errors".into(),
        is_wide: false,
        x: timeline.x(),
        y: Axis::linear(max_of(&series), 4),
        right: None,
        series,
        notes: timeline.notes(|second| format!("{} failed", second.errors)),
    }
}

fn percentiles(results: &Results) -> Chart {
    let curves = results.executions.iter().enumerate().map(|(colour, execution)| {
        // The axis has no end for 100%.
        let curve = execution.curve.iter().filter(|(percentile, _)| *percentile < 100.0);
        let points = curve.map(|(percentile, ms)| (tail(*percentile), *ms)).collect();
        Series { name: name(results, execution), colour, style: Style::Line, points }
    });
    let series: Vec<_> = curves.collect();
    let all = || results.executions.iter().flat_map(|execution| &execution.curve);
    let deepest = all().map(|(percentile, _)| *percentile).filter(|it| *it < 100.0);
    let min = all().map(|(_, ms)| *ms).filter(|ms| *ms > 0.0).fold(f64::INFINITY, f64::min);
    Chart {
        title: "Response times by percentile, both logarithmic".into(),
        is_wide: true,
        x: Axis::percentiles(deepest.fold(90.0, f64::max)),
        y: Axis::milliseconds(min.min(1e6), max_of(&series)),
        right: None,
        series,
        notes: Vec::new(),
    }
}
