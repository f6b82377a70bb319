//! Records each request when it is answered: in the metrics, in the access log, and by adding
//! its ids to the answer.

use std::time::Duration;

use hyper::body::Body;
use hyper::{Method, Uri};
use jiff::Timestamp;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use store::Statistics;

use super::answer::Answer;
use super::context::{RequestContext, RequestIds};
use super::headers::{REQUEST_ID, TRACEPARENT};
use super::metrics::RequestMetrics;
use super::route::Route;
use crate::access_log::{AccessLog, AccessLogEntry};
use crate::extension::PageKind;
use crate::metrics::{self, StoreMetrics};
use crate::server::ServerMetrics;
use crate::tls::CertificateStatus;

/// The path and query of a request, unless the query may hold a secret or an email address.
fn logged_path(route: Route, uri: &Uri) -> &str {
    match route {
        Route::Page(PageKind::Form) => uri.path(),
        _ if uri.query().is_some_and(has_address) => uri.path(),
        _ => uri.path_and_query().map_or("", |path| path.as_str()),
    }
}

/// Whether a query has the parameter that selects by an email address, however it is encoded.
fn has_address(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "to_mail")
}

/// Records every request and its answer.
#[derive(Debug)]
pub(crate) struct Observer {
    /// Generates the ids of requests.
    pub(crate) ids: RequestIds,
    requests: RequestMetrics,
    access_log: AccessLog,
    /// All metrics but those of the store.
    registry: Registry,
}

impl Observer {
    /// `process` is the prefix of the request ids that this process generates.
    pub(crate) fn new(
        process: u32,
        version: &'static str,
        access_log: AccessLog,
        server: ServerMetrics,
        certificate: Option<&CertificateStatus>,
    ) -> Self {
        let requests = RequestMetrics::new();
        let mut registry = Registry::default();
        let version = Info::new([("version", version)]);
        registry.register("eventpost_build", "The version of the service", version);
        registry.register_collector(Box::new(requests.clone()));
        registry.register_collector(Box::new(server));
        registry.register_collector(Box::new(access_log.metrics()));
        if let Some(certificate) = certificate {
            registry.register_collector(Box::new(certificate.clone()));
        }
        Self { ids: RequestIds::new(process), requests, access_log, registry }
    }

    /// Records an answer, and adds the request's ids to it.
    pub(crate) fn observe(
        &self,
        route: Route,
        method: &Method,
        uri: &Uri,
        context: &RequestContext,
        answer: &mut Answer,
        time: Duration,
    ) {
        self.requests.record(route, method, answer.status(), time);
        if self.access_log.includes(answer.status().as_u16()) {
            self.access_log.write(&AccessLogEntry {
                time: format!("{:.3}", Timestamp::now()),
                remote: context.peer,
                client: (context.client != context.peer.ip().to_canonical())
                    .then_some(context.client),
                method: method.as_str(),
                path: logged_path(route, uri),
                status: answer.status().as_u16(),
                bytes: answer.body().size_hint().exact(),
                micros: u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
                request_id: context.id(),
                trace_id: context.trace_id(),
            });
        }
        let headers = answer.headers_mut();
        headers.insert(REQUEST_ID, context.id.clone());
        if let Some(trace) = &context.trace {
            headers.insert(TRACEPARENT, trace.clone());
        }
    }

    /// All metrics, in the format of Prometheus.
    pub(crate) fn metrics(&self, store: Statistics) -> String {
        let mut text = String::new();
        metrics::encode(&mut text, &self.registry);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(StoreMetrics(store)));
        metrics::encode(&mut text, &registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_and_no_address_is_logged() {
        for (route, uri, logged) in [
            (Route::Page(PageKind::Form), "/confirm?s=signed", "/confirm"),
            (Route::Page(PageKind::Page), "/?q=a", "/?q=a"),
            (Route::Collection, "/notifications?to_mail=a@b.org", "/notifications"),
            (
                Route::ActionOnAll("x"),
                "/notifications/x?set=on&to_mail=a@b.org",
                "/notifications/x",
            ),
            (Route::Collection, "/notifications?state=sent", "/notifications?state=sent"),
        ] {
            assert_eq!(logged_path(route, &uri.parse().unwrap()), logged, "{uri}");
        }
    }
}
