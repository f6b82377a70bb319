//! Counts requests by route, method and status.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::{Method, StatusCode};

use super::route::Route;
use crate::metrics::{Exposition, Histogram, MICROSECONDS};

const ROUTES: [&str; 9] =
    ["list", "item", "healthz", "readyz", "metrics", "action", "openapi", "page", "unknown"];
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "other"];
/// Every status that the API answers with; another would be counted as the last.
const STATUSES: [u16; 16] =
    [200, 201, 202, 304, 400, 404, 405, 408, 409, 412, 413, 422, 500, 503, 507, 599];

/// Counters for each kind of request.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    kinds: Box<[[OfKind; METHODS.len()]]>,
}

/// Counters for one route and method.
#[derive(Debug)]
struct OfKind {
    answers: [AtomicU64; STATUSES.len()],
    time: Histogram<15>,
}

impl OfKind {
    const fn new() -> Self {
        Self {
            answers: [const { AtomicU64::new(0) }; STATUSES.len()],
            time: Histogram::new(&MICROSECONDS),
        }
    }
}

impl RequestMetrics {
    pub(crate) fn new() -> Self {
        Self { kinds: ROUTES.map(|_| [const { OfKind::new() }; METHODS.len()]).into() }
    }

    /// Counts a request that took `time` until its answer was ready to be sent.
    pub(crate) fn record(&self, route: Route, method: &Method, status: StatusCode, time: Duration) {
        let kind = &self.kinds[route_number(route)][method_number(method)];
        let last = STATUSES.len() - 1;
        let status = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(last);
        kind.answers[status].fetch_add(1, Ordering::Relaxed);
        kind.time.record_time(time);
    }

    /// Writes them for Prometheus; kinds that never came are left out.
    pub(crate) fn write(&self, out: &mut Exposition) {
        let name = "eventpost_http_requests_total";
        out.family(name, "counter", "Requests answered.");
        for (route, method, kind) in self.kinds() {
            for (status, count) in STATUSES.iter().zip(&kind.answers) {
                let (status, count) = (status.to_string(), count.load(Ordering::Relaxed));
                if count > 0 {
                    let labels = [("route", route), ("method", method), ("status", &status)];
                    out.sample(name, &labels, count);
                }
            }
        }
        let name = "eventpost_http_request_seconds";
        out.family(name, "histogram", "Time until an answer was ready to be sent.");
        for (route, method, kind) in self.kinds() {
            let time = kind.time.read();
            if time.count > 0 {
                out.histogram(name, &[("route", route), ("method", method)], &time, 1_000_000);
            }
        }
    }

    fn kinds(&self) -> impl Iterator<Item = (&'static str, &'static str, &OfKind)> {
        self.kinds.iter().zip(ROUTES).flat_map(|(methods, route)| {
            methods.iter().zip(METHODS).map(move |(kind, method)| (route, method, kind))
        })
    }
}

fn route_number(route: Route) -> usize {
    match route {
        Route::Collection => 0,
        Route::Item(_) => 1,
        Route::Health => 2,
        Route::Ready => 3,
        Route::Metrics => 4,
        Route::Action(..) => 5,
        Route::Description => 6,
        Route::Page => 7,
        Route::Unknown => 8,
    }
}

fn method_number(method: &Method) -> usize {
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
    use super::*;

    #[test]
    fn requests_are_counted_by_route_method_and_status() {
        let metrics = RequestMetrics::new();
        let time = Duration::from_micros(70);
        metrics.record(Route::Item(None), &Method::GET, StatusCode::NOT_FOUND, time);
        metrics.record(Route::Item(None), &Method::GET, StatusCode::NOT_FOUND, time);
        metrics.record(Route::Unknown, &Method::PATCH, StatusCode::IM_A_TEAPOT, time);
        let mut out = Exposition::default();
        metrics.write(&mut out);
        let text = out.finish();
        for line in [
            r#"eventpost_http_requests_total{route="item",method="GET",status="404"} 2"#,
            r#"eventpost_http_requests_total{route="unknown",method="other",status="599"} 1"#,
            r#"eventpost_http_request_seconds_bucket{route="item",method="GET",le="0.00005"} 0"#,
            r#"eventpost_http_request_seconds_bucket{route="item",method="GET",le="0.0001"} 2"#,
            r#"eventpost_http_request_seconds_sum{route="item",method="GET"} 0.00014"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("POST"), "{text}");
    }
}
