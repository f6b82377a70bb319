//! Decides which charts a page has and what they show.

use super::axis::{Axis, number, tail, time};
use super::chart::{Chart, Look, Series};
use super::name;
use crate::outcome::{ExecutionOutcome, Outcome, Second, as_f64};

/// More points than these are not told apart; a longer load's seconds are put together.
const MOST_POINTS: usize = 300;

/// What all executions are compared by.
pub(super) fn overview(outcome: &Outcome) -> String {
    let executions: Vec<_> = outcome.executions.iter().map(Shown::new).collect();
    throughput(outcome, &executions).render() + &percentiles(outcome).render()
}

/// What one execution has: its throughput and users, its times, its errors.
pub(super) fn of_execution(outcome: &Outcome, number: usize) -> String {
    let execution = &outcome.executions[number];
    let shown = Shown::new(execution);
    let mut charts = vec![own_throughput(&shown, number), times(&shown)];
    if execution.errors > 0 {
        charts.push(errors(&shown));
    }
    charts.iter().map(Chart::render).collect()
}

/// An execution's timeline, with few enough seconds.
struct Shown<'a> {
    execution: &'a ExecutionOutcome,
    seconds: Vec<Second>,
}

impl<'a> Shown<'a> {
    fn new(execution: &'a ExecutionOutcome) -> Self {
        let group = execution.timeline.len().div_ceil(MOST_POINTS).max(1);
        let mut seconds: Vec<_> = execution.timeline.chunks(group).map(together).collect();
        // The rest of a second at the end says nothing of a second.
        if seconds.len() > 1 && seconds.last().is_some_and(|last| last.seconds < 0.5) {
            seconds.pop();
        }
        Self { execution, seconds }
    }

    /// What holds for each second as a whole, from `begin` on.
    fn steps(&self, begin: f64, of: impl Fn(&Second) -> f64) -> Vec<(f64, f64)> {
        let step = |second: &Second| {
            let (to, value) = (second.at - begin, of(second));
            [((to - second.seconds).max(0.0), value), (to, value)]
        };
        self.seconds.iter().flat_map(step).collect()
    }

    /// The same, from the execution's own beginning on.
    fn own(&self, of: impl Fn(&Second) -> f64) -> Vec<(f64, f64)> {
        self.steps(self.execution.delay, of)
    }

    fn notes(&self, of: impl Fn(&Second) -> String) -> Vec<(f64, String)> {
        let note = |second: &Second| {
            let at = second.at - self.execution.delay;
            (at - second.seconds / 2.0, format!("{at:.0} s: {}", of(second)))
        };
        self.seconds.iter().map(note).collect()
    }

    /// Its own time.
    fn x(&self) -> Axis {
        seconds(self.seconds.last().map_or(1.0, |last| last.at - self.execution.delay))
    }
}

/// Several seconds as one: counts together, times at their worst.
fn together(seconds: &[Second]) -> Second {
    let worst = |of: fn(&Second) -> f64| seconds.iter().map(of).fold(0.0, f64::max);
    let last = &seconds[seconds.len() - 1];
    Second {
        seconds: seconds.iter().map(|second| second.seconds).sum(),
        requests: seconds.iter().map(|second| second.requests).sum(),
        errors: seconds.iter().map(|second| second.errors).sum(),
        p50_ms: worst(|second| second.p50_ms),
        p90_ms: worst(|second| second.p90_ms),
        p99_ms: worst(|second| second.p99_ms),
        ..last.clone()
    }
}

fn most(series: &[Series]) -> f64 {
    let values = series.iter().flat_map(|series| &series.points).map(|(_, y)| *y);
    values.fold(0.0, f64::max)
}

fn seconds(most: f64) -> Axis {
    let mut axis = Axis::linear(most, 8);
    axis.ticks.retain(|(value, _)| *value <= most * 1.01);
    axis.ends_at(most);
    for (_, name) in &mut axis.ticks {
        name.push_str(" s");
    }
    axis
}

fn throughput(outcome: &Outcome, executions: &[Shown<'_>]) -> Chart {
    let mut series = Vec::new();
    for (colour, shown) in executions.iter().enumerate() {
        let name = name(outcome, shown.execution);
        let points = shown.steps(0.0, Second::rate);
        series.push(Series { name, colour, look: Look::Line, points });
    }
    let ends = executions.iter().filter_map(|shown| shown.seconds.last()).map(|last| last.at);
    Chart {
        title: "Requests a second".into(),
        is_wide: true,
        x: seconds(ends.fold(1.0, f64::max)),
        y: Axis::linear(most(&series), 4),
        right: None,
        series,
        notes: Vec::new(),
    }
}

fn own_throughput(shown: &Shown<'_>, colour: usize) -> Chart {
    let users = Series {
        name: "users (right)".into(),
        colour,
        look: Look::Area,
        points: shown.own(|second| f64::from(second.users)),
    };
    let name = "requests a second".to_owned();
    let mut series =
        vec![Series { name, colour, look: Look::Line, points: shown.own(Second::rate) }];
    if shown.seconds.iter().any(|second| second.cap.is_some()) {
        let name = if shown.execution.rate.is_some() { "due" } else { "cap" }.into();
        let points = shown.own(|second| second.cap.unwrap_or_default());
        series.push(Series { name, colour, look: Look::Bound, points });
    }
    let y = Axis::linear(most(&series), 4);
    let right = Axis::linear(most(std::slice::from_ref(&users)), 4);
    series.insert(0, users);
    Chart {
        title: "Requests a second, and users".into(),
        is_wide: false,
        x: shown.x(),
        y,
        right: Some(right),
        series,
        notes: shown.notes(|second| {
            let cap = second.cap.map(|cap| format!(" of {}", number(cap.round())));
            let cap = cap.unwrap_or_default();
            format!("{}{cap} requests/s, {} users", number(second.rate().round()), second.users)
        }),
    }
}

fn times(shown: &Shown<'_>) -> Chart {
    let line = |name: &str, colour, of: fn(&Second) -> f64| Series {
        name: name.into(),
        colour,
        look: Look::Line,
        points: shown.own(of),
    };
    let series = [
        line("p50", 2, |second| second.p50_ms),
        line("p90", 0, |second| second.p90_ms),
        line("p99", 1, |second| second.p99_ms),
    ];
    let least = series[0].points.iter().map(|(_, ms)| *ms).filter(|ms| *ms > 0.0);
    Chart {
        title: "Response times, logarithmic".into(),
        is_wide: false,
        x: shown.x(),
        y: Axis::milliseconds(least.fold(f64::INFINITY, f64::min).min(1e6), most(&series)),
        right: None,
        series: series.into(),
        notes: shown.notes(|second| {
            let [p50, p90, p99] = [second.p50_ms, second.p90_ms, second.p99_ms].map(time);
            format!("p50 {p50}, p90 {p90}, p99 {p99}")
        }),
    }
}

fn errors(shown: &Shown<'_>) -> Chart {
    let per_second = |second: &Second| as_f64(second.errors) / second.seconds;
    let name = "failed requests a second".to_owned();
    let points = shown.own(per_second);
    let series = vec![Series { name, colour: 5, look: Look::Line, points }];
    Chart {
        title: "Errors".into(),
        is_wide: false,
        x: shown.x(),
        y: Axis::linear(most(&series), 4),
        right: None,
        series,
        notes: shown.notes(|second| format!("{} failed", second.errors)),
    }
}

fn percentiles(outcome: &Outcome) -> Chart {
    let curves = outcome.executions.iter().enumerate().map(|(colour, execution)| {
        // The greatest time of all has no percentile below 100.
        let curve = execution.curve.iter().filter(|(percentile, _)| *percentile < 100.0);
        let points = curve.map(|(percentile, ms)| (tail(*percentile), *ms)).collect();
        Series { name: name(outcome, execution), colour, look: Look::Line, points }
    });
    let series: Vec<_> = curves.collect();
    let all = || outcome.executions.iter().flat_map(|execution| &execution.curve);
    let deepest = all().map(|(percentile, _)| *percentile).filter(|it| *it < 100.0);
    let least = all().map(|(_, ms)| *ms).filter(|ms| *ms > 0.0).fold(f64::INFINITY, f64::min);
    Chart {
        title: "Response times by percentile, both logarithmic".into(),
        is_wide: true,
        x: Axis::percentiles(deepest.fold(90.0, f64::max)),
        y: Axis::milliseconds(least.min(1e6), most(&series)),
        right: None,
        series,
        notes: Vec::new(),
    }
}
