//! What operators see of the certificate, in `/readyz` and `/metrics`.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::json::ObjectWriter;
use crate::metrics::gauge;

/// The state of the certificate; clones share it.
#[derive(Debug, Clone, Default)]
pub struct CertificateStatus(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    expires: Option<Timestamp>,
    problem: Option<String>,
}

impl CertificateStatus {
    /// There is a certificate that expires at this time, and no problem.
    pub(super) fn set_expiry(&self, expires: Timestamp) {
        *self.state() = State { expires: Some(expires), problem: None };
    }

    /// A new certificate could not be obtained; the old one, if there is one, stays in use.
    pub(super) fn set_problem(&self, problem: String) {
        self.state().problem = Some(problem);
    }

    /// Adds the state to `/readyz`.
    pub(crate) fn write(&self, now: Timestamp, out: &mut ObjectWriter<'_>) {
        let state = self.state();
        if let Some(expires) = state.expires {
            out.text("certificate_expires", &expires.to_string());
        }
        let problem = match (&state.problem, state.expires) {
            (Some(problem), _) => problem,
            (None, None) => "There is no certificate yet.",
            (None, Some(expires)) if expires <= now => "The certificate has expired.",
            (None, Some(_)) => return,
        };
        out.text("certificate_problem", problem);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for CertificateStatus {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(expires) = self.state().expires else { return Ok(()) };
        let expires = u64::try_from(expires.as_second()).unwrap_or(0);
        let help = "When the certificate expires, in seconds since 1970.";
        gauge(&mut encoder, "eventpost_certificate_expiry_seconds", help, expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(status: &CertificateStatus) -> String {
        let mut out = Vec::new();
        let mut object = ObjectWriter::new(&mut out);
        status.write("2026-02-01T00:00:00Z".parse().unwrap(), &mut object);
        object.finish();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_problem_is_shown_until_there_is_a_new_certificate() {
        let status = CertificateStatus::default();
        assert!(written(&status).contains("no certificate yet"));
        status.set_problem("why".into());
        assert_eq!(written(&status), r#"{"certificate_problem": "why"}"#);
        status.set_expiry("2026-03-01T00:00:00Z".parse().unwrap());
        assert_eq!(written(&status), r#"{"certificate_expires": "2026-03-01T00:00:00Z"}"#);
        status.set_expiry("2026-01-01T00:00:00Z".parse().unwrap());
        assert!(written(&status).contains("has expired"));
    }
}
