//! The paths of the API.

use hyper::Method;

use crate::id::ObjectId;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/healthz`: the process answers.
    Health,
    /// `/readyz`: the service can do its work.
    Ready,
    /// `/metrics`: what the service has counted, for Prometheus.
    Metrics,
    /// `/openapi.json`: what the service takes and answers.
    Description,
    /// The list of all resources.
    Collection,
    /// One resource, if its id can exist at all.
    Item(Option<ObjectId>),
    /// Something that is done to a resource: one of the actions that there are.
    Action(Option<ObjectId>, &'static str),
    /// A page for people, of the extension.
    Page,
    /// Nothing.
    Unknown,
}

impl Route {
    /// Finds what a path means. Paths are compared as they are: a percent-encoded
    /// one names nothing.
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
                "/openapi.json" => Self::Description,
                _ => Self::Unknown,
            },
        }
    }

    /// Whether the path is of one or all resources.
    pub(crate) fn is_of_resources(self) -> bool {
        matches!(self, Self::Collection | Self::Item(_) | Self::Action(..))
    }

    /// The methods that the path takes, as the `Allow` header lists them.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Collection => "GET, HEAD, POST, OPTIONS",
            Self::Item(_) => "DELETE, GET, HEAD, PUT, OPTIONS",
            Self::Action(..) => "POST, OPTIONS",
            Self::Health
            | Self::Ready
            | Self::Metrics
            | Self::Description
            | Self::Page
            | Self::Unknown => "GET, HEAD, OPTIONS",
        }
    }

    /// Whether the path takes a method.
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
    fn paths_are_found() {
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
            ("/openapi.json", Route::Description),
        ] {
            assert_eq!(Route::of(path, "events", &["ring"]), route, "{path}");
        }
    }

    #[test]
    fn the_methods_a_path_takes_are_those_it_says() {
        for route in
            [Route::Health, Route::Collection, Route::Item(None), Route::Action(None, "ring")]
        {
            for name in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
                let method = name.parse().unwrap();
                let said = route.allow().split(", ").any(|allowed| allowed == name);
                assert_eq!(route.allows(&method), said, "{name} {route:?}");
            }
        }
    }
}
