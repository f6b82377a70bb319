//! Counts requests by route, method and status.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::{Method, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use store::{Histogram, MICROSECONDS};

use super::route::Route;
use crate::metrics::Reading;

const ROUTES: [&str; 9] =
    ["list", "item", "healthz", "readyz", "metrics", "action", "openapi", "page", "unknown"];
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "other"];
/// The statuses that the API answers with; another is counted as the last.
const STATUSES: [u16; 20] = [
    200, 201, 202, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413, 421, 422, 429, 500, 503, 507,
    599,
];

/// Counters for each kind of request; clones share them.
///
/// They are found by index, so that counting needs no lock and no hash: a
/// `prometheus_client::metrics::family::Family` would need both for every request.
#[derive(Debug, Clone)]
pub(crate) struct RequestMetrics(Arc<[[RequestCounters; METHODS.len()]]>);

/// Counters for one route and method.
#[derive(Debug)]
struct RequestCounters {
    answers: [AtomicU64; STATUSES.len()],
    time: Histogram<15>,
}

impl RequestCounters {
    const fn new() -> Self {
        Self {
            answers: [const { AtomicU64::new(0) }; STATUSES.len()],
            time: Histogram::new(&MICROSECONDS, 1_000_000),
        }
    }
}

impl RequestMetrics {
    pub(crate) fn new() -> Self {
        let of_route = |_| [const { RequestCounters::new() }; METHODS.len()];
        Self(ROUTES.into_iter().map(of_route).collect())
    }

    /// Counts a request that took `time` until its answer was ready to be sent.
    pub(crate) fn record(&self, route: Route, method: &Method, status: StatusCode, time: Duration) {
        let counters = &self.0[route_index(route)][method_index(method)];
        let last = STATUSES.len() - 1;
        let status = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(last);
        counters.answers[status].fetch_add(1, Ordering::Relaxed);
        counters.time.record_time(time);
    }

    fn counters(&self) -> impl Iterator<Item = (&'static str, &'static str, &RequestCounters)> {
        self.0.iter().zip(ROUTES).flat_map(|(methods, route)| {
            methods.iter().zip(METHODS).map(move |(counters, method)| (route, method, counters))
        })
    }
}

/// Requests that never came are left out.
impl Collector for RequestMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor(
            "eventpost_http_requests",
            "Requests answered.",
            None,
            MetricType::Counter,
        )?;
        for (route, method, counters) in self.counters() {
            for (status, count) in STATUSES.iter().zip(&counters.answers) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let status = status.to_string();
                    let labels = [("route", route), ("method", method), ("status", &status)];
                    ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        let mut family = encoder.encode_descriptor(
            "eventpost_http_request_seconds",
            "Time until an answer was ready to be sent.",
            None,
            MetricType::Histogram,
        )?;
        for (route, method, counters) in self.counters() {
            let time = counters.time.read();
            if time.count > 0 {
                Reading(&time)
                    .encode(family.encode_family(&[("route", route), ("method", method)])?)?;
            }
        }
        Ok(())
    }
}

fn route_index(route: Route) -> usize {
    match route {
        Route::Collection => 0,
        Route::Item(_) => 1,
        Route::Health => 2,
        Route::Ready => 3,
        Route::Metrics => 4,
        Route::Action(..) | Route::ActionOnAll(_) => 5,
        Route::OpenApi => 6,
        Route::Page(_) => 7,
        Route::Unknown => 8,
    }
}

fn method_index(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::DELETE => 4,
        Method::OPTIONS => 5,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn requests_are_counted_by_route_method_and_status() {
        let metrics = RequestMetrics::new();
        let time = Duration::from_micros(70);
        metrics.record(Route::Item(None), &Method::GET, StatusCode::NOT_FOUND, time);
        metrics.record(Route::Item(None), &Method::GET, StatusCode::NOT_FOUND, time);
        metrics.record(Route::Unknown, &Method::PATCH, StatusCode::IM_A_TEAPOT, time);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(metrics));
        let mut text = String::new();
        crate::metrics::encode(&mut text, &registry);
        for line in [
            "# HELP eventpost_http_requests_total Requests answered.",
            "# TYPE eventpost_http_requests_total counter",
            r#"eventpost_http_requests_total{route="item",method="GET",status="404"} 2"#,
            r#"eventpost_http_requests_total{route="unknown",method="other",status="599"} 1"#,
            "# TYPE eventpost_http_request_seconds histogram",
            r#"eventpost_http_request_seconds_bucket{route="item",method="GET",le="5e-05"} 0"#,
            r#"eventpost_http_request_seconds_bucket{route="item",method="GET",le="0.0001"} 2"#,
            r#"eventpost_http_request_seconds_bucket{route="item",method="GET",le="+Inf"} 2"#,
            r#"eventpost_http_request_seconds_sum{route="item",method="GET"} 0.00014"#,
            r#"eventpost_http_request_seconds_count{route="item",method="GET"} 2"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("POST"), "{text}");
    }
}
