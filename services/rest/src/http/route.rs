//! The paths of the API.

use hyper::Method;

use crate::id::ObjectId;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/healthz`: whether the process answers.
    Health,
    /// `/readyz`: whether the service is ready.
    Ready,
    /// `/metrics`: metrics for Prometheus.
    Metrics,
    /// `/openapi.json`: the description of the API.
    OpenApi,
    /// The list of all resources.
    Collection,
    /// One resource; `None` where the id is not valid.
    Item(Option<ObjectId>),
    /// An action on a resource, one of the extension's.
    Action(Option<ObjectId>, &'static str),
    /// A page for people, one of the extension's.
    Page,
    /// No known path.
    Unknown,
}

impl Route {
    /// Parses a path. It is compared byte by byte: a percent-encoded path is unknown.
    pub(crate) fn of(path: &str, collection: &str, actions: &[&'static str]) -> Self {
        let below = path.strip_prefix('/').and_then(|path| path.strip_prefix(collection));
        match below.map(|below| below.strip_prefix('/').ok_or(below)) {
            Some(Err("")) => Self::Collection,
            Some(Ok(below)) => match below.split_once('/') {
                None => Self::Item(below.parse().ok()),
                Some((id, name)) => match actions.iter().find(|action| **action == name) {
                    Some(action) => Self::Action(id.parse().ok(), action),
                    None => Self::Unknown,
                },
            },
            _ => match path {
                "/healthz" => Self::Health,
                "/readyz" => Self::Ready,
                "/metrics" => Self::Metrics,
                "/openapi.json" => Self::OpenApi,
                _ => Self::Unknown,
            },
        }
    }

    /// Whether the path names one or all resources.
    pub(crate) fn is_of_resources(self) -> bool {
        matches!(self, Self::Collection | Self::Item(_) | Self::Action(..))
    }

    /// The methods that the path allows, as the `Allow` header lists them.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Collection => "GET, HEAD, POST, OPTIONS",
            Self::Item(_) => "DELETE, GET, HEAD, PUT, OPTIONS",
            Self::Action(..) => "POST, OPTIONS",
            Self::Health
            | Self::Ready
            | Self::Metrics
            | Self::OpenApi
            | Self::Page
            | Self::Unknown => "GET, HEAD, OPTIONS",
        }
    }

    /// Whether the path allows a method.
    pub(crate) fn allows(self, method: &Method) -> bool {
        match *method {
            Method::OPTIONS => self != Self::Unknown,
            Method::GET | Method::HEAD => !matches!(self, Self::Unknown | Self::Action(..)),
            Method::POST => matches!(self, Self::Collection | Self::Action(..)),
            Method::PUT | Method::DELETE => matches!(self, Self::Item(_)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_parsed() {
        let id = "5e0745fe9c1a2b3c4d5e6f70";
        for (path, route) in [
            ("/events", Route::Collection),
            ("/events/5e0745fe9c1a2b3c4d5e6f70", Route::Item(id.parse().ok())),
            ("/events/abc", Route::Item(None)),
            ("/events/", Route::Item(None)),
            ("/events/5e0745fe9c1a2b3c4d5e6f70/ring", Route::Action(id.parse().ok(), "ring")),
            ("/events/a/ring", Route::Action(None, "ring")),
            ("/events/a/b", Route::Unknown),
            ("/events/a/ring/ring", Route::Unknown),
            ("/events//", Route::Unknown),
            ("/eventsx", Route::Unknown),
            ("/eventsx/abc", Route::Unknown),
            ("/notifications", Route::Unknown),
            ("/", Route::Unknown),
            ("events", Route::Unknown),
            ("*", Route::Unknown),
            ("/healthz", Route::Health),
            ("/readyz", Route::Ready),
            ("/metrics", Route::Metrics),
            ("/openapi.json", Route::OpenApi),
        ] {
            assert_eq!(Route::of(path, "events", &["ring"]), route, "{path}");
        }
    }

    #[test]
    fn the_allowed_methods_are_those_that_are_listed() {
        for route in
            [Route::Health, Route::Collection, Route::Item(None), Route::Action(None, "ring")]
        {
            for name in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
                let method = name.parse().unwrap();
                let listed = route.allow().split(", ").any(|allowed| allowed == name);
                assert_eq!(route.allows(&method), listed, "{name} {route:?}");
            }
        }
    }
}
