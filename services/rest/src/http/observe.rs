//! Records each request once it is answered: counts, a line in the access log, and the ids by
//! which both ends find it again.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::body::Body;
use hyper::{Method, Uri};
use jiff::Timestamp;

use super::answer::Answer;
use super::context::{Context, RequestIds};
use super::headers::{Found, REQUEST_ID, TRACEPARENT};
use super::metrics::RequestMetrics;
use super::route::Route;
use crate::access_log::{AccessLog, Line};
use crate::metrics::Exposition;
use crate::server::ServerMetrics;
use crate::store::StoreMetrics;

/// Sees every request and its answer.
#[derive(Debug)]
pub(crate) struct Observer {
    ids: RequestIds,
    requests: RequestMetrics,
    access_log: AccessLog,
    server: ServerMetrics,
}

impl Observer {
    /// `process` is what this process's request ids begin with.
    pub(crate) fn new(process: u32, access_log: AccessLog, server: ServerMetrics) -> Self {
        let ids = RequestIds::new(process);
        Self { ids, requests: RequestMetrics::new(), access_log, server }
    }

    pub(crate) fn context(&self, headers: &Found<'_>, peer: SocketAddr) -> Context {
        self.ids.context(headers, peer)
    }

    /// Notes an answer, and puts the request's names on it.
    pub(crate) fn observe(
        &self,
        route: Route,
        (method, uri): (&Method, &Uri),
        context: &Context,
        answer: &mut Answer,
        time: Duration,
    ) {
        self.requests.record(route, method, answer.status(), time);
        if self.access_log.wants(answer.status().as_u16()) {
            self.access_log.write(&Line {
                time: format!("{:.3}", Timestamp::now()),
                remote: context.peer,
                method: method.as_str(),
                path: uri.path_and_query().map_or("", |path| path.as_str()),
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

    /// Everything counted, for Prometheus.
    pub(crate) fn metrics(&self, store: &StoreMetrics, version: &str) -> String {
        let mut out = Exposition::default();
        let name = "eventpost_build_info";
        out.family(name, "gauge", "The version that runs.").sample(
            name,
            &[("version", version)],
            1,
        );
        self.requests.write(&mut out);
        self.server.write(&mut out);
        store.write(&mut out);
        let name = "eventpost_access_log_dropped_total";
        let dropped = self.access_log.dropped();
        out.single(name, "counter", "Lines of the access log that nobody read in time.", dropped);
        out.finish()
    }
}
