//! The paths of the API.

use hyper::Method;

use store::ObjectId;

use crate::extension::PageKind;

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
    /// An action on all resources, one of the extension's.
    ActionOnAll(&'static str),
    /// A page for people, one of the extension's.
    Page(PageKind),
    /// No known path.
    Unknown,
}

/// The names of an extension's actions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actions {
    /// On one resource.
    pub(crate) on_one: &'static [&'static str],
    /// On all resources.
    pub(crate) on_all: &'static [&'static str],
}

impl Route {
    /// Parses a path. It is compared byte by byte: a percent-encoded path is unknown.
    pub(crate) fn of(path: &str, collection: &str, actions: Actions) -> Self {
        let named =
            |names: &'static [&str], name: &str| names.iter().find(|it| **it == name).copied();
        let below = path.strip_prefix('/').and_then(|path| path.strip_prefix(collection));
        match below.map(|below| below.strip_prefix('/').ok_or(below)) {
            Some(Err("")) => Self::Collection,
            Some(Ok(below)) => match below.split_once('/') {
                None => match named(actions.on_all, below) {
                    Some(action) => Self::ActionOnAll(action),
                    None => Self::Item(below.parse().ok()),
                },
                Some((id, name)) => match named(actions.on_one, name) {
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
        matches!(self, Self::Collection | Self::Item(_) | Self::Action(..) | Self::ActionOnAll(_))
    }

    /// The methods that the path allows, as the `Allow` header lists them.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Collection | Self::Page(PageKind::Form) => "GET, HEAD, POST, OPTIONS",
            Self::Item(_) => "DELETE, GET, HEAD, PUT, OPTIONS",
            Self::Action(..) | Self::ActionOnAll(_) | Self::Page(PageKind::Submission) => {
                "POST, OPTIONS"
            }
            Self::Health
            | Self::Ready
            | Self::Metrics
            | Self::OpenApi
            | Self::Page(PageKind::Page)
            | Self::Unknown => "GET, HEAD, OPTIONS",
        }
    }

    /// Whether the path allows a method.
    pub(crate) fn allows(self, method: &Method) -> bool {
        match *method {
            Method::OPTIONS => self != Self::Unknown,
            Method::GET | Method::HEAD => !matches!(
                self,
                Self::Unknown
                    | Self::Action(..)
                    | Self::ActionOnAll(_)
                    | Self::Page(PageKind::Submission)
            ),
            Method::POST => matches!(
                self,
                Self::Collection
                    | Self::Action(..)
                    | Self::ActionOnAll(_)
                    | Self::Page(PageKind::Form | PageKind::Submission)
            ),
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
            ("/events/ring-all", Route::ActionOnAll("ring-all")),
            ("/events/ring", Route::Item(None)),
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
            let actions = Actions { on_one: &["ring"], on_all: &["ring-all"] };
            assert_eq!(Route::of(path, "events", actions), route, "{path}");
        }
    }

    #[test]
    fn the_allowed_methods_are_those_that_are_listed() {
        for route in [
            Route::Health,
            Route::Collection,
            Route::Item(None),
            Route::Action(None, "ring"),
            Route::ActionOnAll("ring"),
            Route::Page(PageKind::Page),
            Route::Page(PageKind::Form),
            Route::Page(PageKind::Submission),
        ] {
            for name in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
                let method = name.parse().unwrap();
                let listed = route.allow().split(", ").any(|allowed| allowed == name);
                assert_eq!(route.allows(&method), listed, "{name} {route:?}");
            }
        }
    }
}
