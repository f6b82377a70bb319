//! This module owns what is done for a request: it joins routing, the model and the
//! store, and knows no sockets.

use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use super::answer::{self, Answer, Problem};
use super::body;
use super::route::Route;
use crate::id::{IdGenerator, ObjectId};
use crate::json::{self, ObjectWriter};
use crate::resource::Resource;
use crate::store::{Store, StoreError};

/// The REST API over one kind of resource.
#[derive(Debug)]
pub struct Api<R, S> {
    store: S,
    ids: IdGenerator,
    version: &'static str,
    body_limit: usize,
    body_timeout: Duration,
    resource: PhantomData<fn() -> R>,
}

type Handled = Result<Answer, Problem>;

impl<R: Resource, S: Store> Api<R, S> {
    /// An API that answers from `store` and names `version` in `/readyz`. Bodies of
    /// more than `body_limit` bytes are refused, and so are those that take longer
    /// than `body_timeout` to arrive.
    pub fn new(
        store: S,
        ids: IdGenerator,
        version: &'static str,
        body_limit: usize,
        body_timeout: Duration,
    ) -> Self {
        Self { store, ids, version, body_limit, body_timeout, resource: PhantomData }
    }

    /// Answers a request; failures are answers too.
    pub async fn handle(&self, request: Request<Incoming>) -> Answer {
        let route = Route::of(request.uri().path(), R::COLLECTION);
        if route == Route::Unknown {
            return answer::no_such_path();
        }
        if !route.allows(request.method()) {
            return answer::method_not_allowed(route.allow());
        }
        let (parts, body) = request.into_parts();
        let handled = match (parts.method, route) {
            (Method::OPTIONS, route) => Ok(answer::options(route.allow())),
            (_, Route::Item(None)) => Err(Problem::NoSuchResource),
            (Method::POST, _) => self.create(body).await,
            (Method::PUT, Route::Item(Some(id))) => self.replace(id, body).await,
            (Method::DELETE, Route::Item(Some(id))) => self.delete(id).await,
            (_, Route::Item(Some(id))) => self.read(id).await,
            (_, Route::Collection) => self.list().await,
            (_, Route::Health) => Ok(answer::json(StatusCode::OK, "{\"status\": \"ok\"}")),
            (_, Route::Ready | Route::Unknown) => self.ready().await,
        };
        handled.unwrap_or_else(|problem| answer::problem(&problem))
    }

    async fn list(&self) -> Handled {
        let documents = self.store.list().await?;
        let list = json::list(documents.iter().map(Bytes::as_ref));
        Ok(answer::json(StatusCode::OK, list))
    }

    async fn read(&self, id: ObjectId) -> Handled {
        found(self.store.get(id).await)
    }

    async fn create(&self, body: Incoming) -> Handled {
        let model = self.model(body).await?;
        let id = self.ids.next();
        let document = Bytes::from(model.document(id));
        self.store.insert(id, document.clone()).await?;
        Ok(answer::json(StatusCode::CREATED, document))
    }

    async fn replace(&self, id: ObjectId, body: Incoming) -> Handled {
        let document = Bytes::from(self.model(body).await?.document(id));
        if self.store.replace(id, document.clone()).await? {
            Ok(answer::json(StatusCode::OK, document))
        } else {
            Err(Problem::NoSuchResource)
        }
    }

    async fn delete(&self, id: ObjectId) -> Handled {
        found(self.store.remove(id).await)
    }

    /// `/readyz` tells a deployment who answers here and how much it holds.
    async fn ready(&self) -> Handled {
        let (status, word, resources) = match self.store.check().await {
            Ok(count) => (StatusCode::OK, "ready", Some(count)),
            Err(error) => {
                tracing::warn!(%error, "not ready");
                (StatusCode::SERVICE_UNAVAILABLE, "read-only", None)
            }
        };
        let mut body = Vec::with_capacity(128);
        let mut object = ObjectWriter::new(&mut body);
        object.text("status", word).text("service", R::COLLECTION).text("version", self.version);
        if let Some(count) = resources {
            object.number("resources", count as u64);
        }
        object.finish();
        Ok(answer::json(status, body))
    }

    async fn model(&self, body: Incoming) -> Result<R, Problem> {
        let body = body::read(body, self.body_limit, self.body_timeout).await?;
        R::from_body(&body).map_err(Problem::Fields)
    }
}

fn found(document: Result<Option<Bytes>, StoreError>) -> Handled {
    match document? {
        Some(document) => Ok(answer::json(StatusCode::OK, document)),
        None => Err(Problem::NoSuchResource),
    }
}
