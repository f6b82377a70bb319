//! Axes of charts: where a value lies, and which values are labelled.

/// An axis between two values.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    scale: Scale,
    from: f64,
    to: f64,
    /// Labelled values with their labels.
    pub(super) ticks: Vec<(f64, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
}

impl Axis {
    /// An axis from zero to at least `max`, with about `count` labels.
    pub(super) fn linear(max: f64, count: u32) -> Self {
        let step = nice(max.max(f64::MIN_POSITIVE) / f64::from(count));
        let steps = (max / step).ceil().max(1.0);
        let ticks = (0..).map(f64::from).take_while(|n| *n <= steps);
        let ticks = ticks.map(|n| (n * step, number(n * step))).collect();
        Self { scale: Scale::Linear, from: 0.0, to: steps * step, ticks }
    }

    /// A logarithmic axis of times in milliseconds from `min` to `max`. Each decade is labelled,
    /// and if they are few, values in between.
    pub(super) fn milliseconds(min: f64, max: f64) -> Self {
        let min = min.max(0.001);
        let max = max.max(min * 1.01);
        let from = 10_f64.powf(min.log10().floor());
        let to = 10_f64.powf(max.log10().ceil());
        let decades = (to / from).log10().round();
        let between: &[f64] = if decades <= 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut ticks = Vec::new();
        let mut decade = from;
        while decade <= to * 1.001 {
            let labelled = between.iter().map(|n| n * decade).filter(|value| *value <= to * 1.001);
            ticks.extend(labelled.map(|value| (value, time(value))));
            decade *= 10.0;
        }
        Self { scale: Scale::Logarithmic, from, to, ticks }
    }

    /// A logarithmic axis of percentiles up to `last`, on which 0, 90, 99, 99.9 and so on are
    /// equally far from each other. Its values are those of [`tail`].
    pub(super) fn percentiles(last: f64) -> Self {
        let to = tail(last).max(10.0);
        let all = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999];
        let ticks = all.into_iter().filter(|percentile| tail(*percentile) <= to * 1.001);
        let ticks = ticks.map(|percentile| (tail(percentile), format!("{percentile}%")));
        Self { scale: Scale::Logarithmic, from: 1.0, to, ticks: ticks.collect() }
    }

    /// Ends the axis at a value.
    pub(super) fn ends_at(&mut self, to: f64) {
        self.to = to;
    }

    /// Where a value lies, from 0 at the beginning to 1 at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Logarithmic => {
                let value = value.max(self.from);
                (value / self.from).log10() / (self.to / self.from).log10()
            }
        };
        share.clamp(0.0, 1.0)
    }
}

/// One in how many requests lies beyond a percentile: 10 for 90%, 1,000 for 99.9%.
pub(super) fn tail(percentile: f64) -> f64 {
    100.0 / (100.0 - percentile).max(1e-7)
}

/// The next number of the form 1, 2 or 5 times a power of ten.
fn nice(number: f64) -> f64 {
    let power = 10_f64.powf(number.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= number * 0.999);
    factor.unwrap_or(10.0) * power
}

/// A number with commas between thousands.
pub(super) fn number(number: f64) -> String {
    if number.fract().abs() > 1e-9 {
        return format!("{number:.1}");
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in milliseconds, with its unit.
pub(super) fn time(ms: f64) -> String {
    if ms >= 1000.0 {
        format!("{} s", trimmed(ms / 1000.0))
    } else if ms >= 1.0 {
        format!("{} ms", trimmed(ms))
    } else {
        format!("{} µs", trimmed(ms * 1000.0))
    }
}

fn trimmed(number: f64) -> String {
    let text = if number >= 100.0 { format!("{number:.0}") } else { format!("{number:.1}") };
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn round_values_are_labelled() {
        assert_eq!(labels(&Axis::linear(3000.0, 4)), ["0", "1,000", "2,000", "3,000"]);
        assert_eq!(labels(&Axis::linear(0.0, 4)).len(), 2);
        assert_eq!(labels(&Axis::milliseconds(0.3, 40.0)), ["100 µs", "1 ms", "10 ms", "100 ms"]);
        assert_eq!(labels(&Axis::milliseconds(1.2, 8.0)), ["1 ms", "2 ms", "5 ms", "10 ms"]);
        assert_eq!(labels(&Axis::percentiles(99.95)), ["0%", "50%", "90%", "99%", "99.9%"]);
    }

    #[test]
    fn decades_and_nines_are_equally_far_apart() {
        let times = Axis::milliseconds(0.1, 10.0);
        assert!((times.place(1.0) - 0.5).abs() < 1e-9);
        let percentiles = Axis::percentiles(99.99);
        assert!((percentiles.place(tail(99.0)) - 0.5).abs() < 1e-9);
        assert!((Axis::linear(10.0, 2).place(700.0) - 1.0).abs() < 1e-9);
    }
}
