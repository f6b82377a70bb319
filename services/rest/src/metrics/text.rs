//! Writes the text format: one family of samples after another, each with its help and type.

use std::fmt::{Display, Write};

use super::HistogramReading;

/// Labels of a sample: names and values. The values are the service's own words, which
/// need no escaping.
pub(crate) type Labels<'a> = &'a [(&'a str, &'a str)];

/// A text in the making.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
}

impl Exposition {
    /// Begins a family; its samples follow.
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str) -> &mut Self {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
        self
    }

    /// A family of one sample without labels.
    pub(crate) fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help).sample(name, &[], value);
    }

    /// One sample.
    pub(crate) fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        let labels = joined(labels);
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{labels}}} {value}"));
        }
    }

    /// The samples of a histogram; `scale` values make one of the unit that the name
    /// says.
    pub(crate) fn histogram(
        &mut self,
        name: &str,
        labels: Labels<'_>,
        reading: &HistogramReading,
        scale: u32,
    ) {
        let scaled = |value: u64| in_unit(value, scale);
        let bucket = format!("{name}_bucket");
        let mut buckets: Vec<_> =
            reading.at_most.iter().map(|(bound, count)| (scaled(*bound), *count)).collect();
        buckets.push(("+Inf".into(), reading.count));
        for (bound, count) in buckets {
            let mut labels = labels.to_vec();
            labels.push(("le", &bound));
            self.sample(&bucket, &labels, count);
        }
        self.sample(&format!("{name}_sum"), labels, scaled(reading.sum));
        self.sample(&format!("{name}_count"), labels, reading.count);
    }

    /// The finished text.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("writing to a string cannot fail");
    }
}

fn joined(labels: Labels<'_>) -> String {
    let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    pairs.join(",")
}

/// A whole number of parts as a decimal of the unit.
fn in_unit(value: u64, scale: u32) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a sum of more than 2^53 µs is 285 years")]
    let value = value as f64 / f64::from(scale);
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_prometheus_reads_them() {
        let mut text = Exposition::default();
        text.single("up", "gauge", "Whether it is.", 1);
        let requests = text.family("requests_total", "counter", "All of them.");
        requests.sample("requests_total", &[("method", "GET"), ("status", "200")], 5);
        let reading = HistogramReading { at_most: vec![(50, 1), (2_500_000, 3)], count: 4, sum: 9 };
        text.family("seconds", "histogram", "Times.");
        text.histogram("seconds", &[("route", "item")], &reading, 1_000_000);
        let expected = r#"# HELP up Whether it is.
# TYPE up gauge
up 1
# HELP requests_total All of them.
# TYPE requests_total counter
requests_total{method="GET",status="200"} 5
# HELP seconds Times.
# TYPE seconds histogram
seconds_bucket{route="item",le="0.00005"} 1
seconds_bucket{route="item",le="2.5"} 3
seconds_bucket{route="item",le="+Inf"} 4
seconds_sum{route="item"} 0.000009
seconds_count{route="item"} 4
"#;
        assert_eq!(text.finish(), expected);
    }
}
