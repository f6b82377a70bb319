//! `GET` of `/healthz`, `/readyz` and `/metrics`.

use hyper::StatusCode;
use jiff::Timestamp;

use super::Api;
use crate::extension::Extension;
use crate::http::answer::{self, Answer};
use crate::http::problem::message_of;
use crate::json::ObjectWriter;
use crate::readiness::Readiness;
use crate::resource::Resource;

/// `/healthz`: the process answers.
pub(super) fn health() -> Answer {
    answer::json(StatusCode::OK, "{\"status\": \"ok\"}")
}

impl<R: Resource, E: Extension> Api<R, E> {
    /// `/readyz` tells everybody whether the service is ready, and admins also how much it
    /// holds and the state of its extension.
    pub(super) async fn ready(&self, sees_details: bool) -> Answer {
        let checked = self.store.check();
        let (status, readiness) = match &checked {
            Ok(()) if self.writes.is_drained() => (StatusCode::OK, Readiness::ReadOnly),
            Ok(()) => (StatusCode::OK, Readiness::Ready),
            Err(error) => {
                tracing::warn!(%error, "the store accepts no writes");
                (StatusCode::SERVICE_UNAVAILABLE, Readiness::ReadOnly)
            }
        };
        let mut body = Vec::with_capacity(128);
        let mut object = ObjectWriter::new(&mut body);
        object.text("status", readiness.as_str()).text("service", R::COLLECTION);
        if let Err(error) = &checked {
            object.text("reason", message_of(error));
        }
        if sees_details {
            object.text("version", self.version).text("access", self.guard.access.as_str());
            object.text("storage", self.store.engine());
            let statistics = self.store.statistics().await;
            object.number("resources", statistics.documents);
            if let Some(certificate) = &self.certificate {
                certificate.write(Timestamp::now(), &mut object);
            }
            self.extension.write_status(&statistics, &mut object);
        }
        object.finish();
        answer::json(status, body)
    }

    /// `/metrics`, in the format of Prometheus.
    pub(super) async fn metrics(&self) -> Answer {
        answer::metrics(self.observer.metrics(self.store.statistics().await))
    }
}
