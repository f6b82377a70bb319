//! Executes requests: joins routing, the resource and the store, and knows no sockets.
//!
//! Each kind of request has a file, which parses it, applies it and answers it:
//!
//! ```text
//! get      GET of one resource
//! list     GET of the collection: everything, a page, or what the extension selects
//! create   POST to the collection
//! replace  PUT
//! delete   DELETE
//! action   POST to an action of the extension, on a resource or on all
//! page     GET of a page for people, of the extension, and POST of its forms
//! status   health, readiness, metrics, and the API's description
//! ```

mod action;
mod create;
mod delete;
mod get;
mod list;
mod page;
mod replace;
mod status;

use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Body;
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode, Uri, Version};
use store::{IdGenerator, Store};

use super::answer::{self, Answer};
use super::audit;
use super::body::{BodyLimits, BodyReader};
use super::budget::{AnswerBudget, BudgetPermit};
use super::context::RequestContext;
use super::headers::RequestHeaders;
use super::list_body::ListCache;
use super::observe::Observer;
use super::problem::Problem;
use super::response_future::{ResponseFuture, WriteTasks};
use super::route::{Actions, Route};
use crate::access::origins::Cors;
use crate::access::{Caller, Guard};
use crate::access_log::AccessLog;
use crate::extension::{Extension, NoExtension, PageKind};
use crate::limits::{Class, Client, ClientLimits};
use crate::resource::Resource;
use crate::server::ServerMetrics;
use crate::tls::CertificateStatus;
use crate::writes::{WriteGate, WritePermit};

/// The REST API over one kind of resource.
#[derive(Debug)]
pub struct Api<R, E = NoExtension> {
    store: Arc<dyn Store>,
    ids: IdGenerator,
    version: &'static str,
    bodies: BodyReader,
    list: ListCache,
    budget: AnswerBudget,
    writes: Arc<WriteGate>,
    write_tasks: WriteTasks,
    guard: Arc<Guard>,
    limits: Arc<ClientLimits>,
    certificate: Option<CertificateStatus>,
    extension: E,
    observer: Observer,
    resource: PhantomData<fn() -> R>,
}

/// The parts of an API.
#[derive(Debug)]
pub struct ApiParts<E> {
    /// Where the documents are.
    pub store: Arc<dyn Store>,
    /// Generates the ids of new ones.
    pub ids: IdGenerator,
    /// The version that `/readyz` reports.
    pub version: &'static str,
    /// The limits on request bodies.
    pub bodies: BodyLimits,
    /// Where requests are logged.
    pub access_log: AccessLog,
    /// What the server counts, for `/metrics`.
    pub server: ServerMetrics,
    /// Whether writes are accepted.
    pub writes: Arc<WriteGate>,
    /// Who may use it.
    pub guard: Arc<Guard>,
    /// What each client may ask for.
    pub limits: Arc<ClientLimits>,
    /// The certificate, where it serves HTTPS.
    pub certificate: Option<CertificateStatus>,
    /// What the service does besides storing.
    pub extension: E,
}

/// Who sends a request.
#[derive(Debug, Clone, Copy)]
struct Sender {
    client: Client,
    caller: Caller,
}

/// What is known about a request until it is answered.
struct Exchange {
    route: Route,
    caller: Caller,
    context: RequestContext,
    cors: Cors,
    received: Instant,
}

impl<R: Resource, E: Extension> Api<R, E> {
    /// Puts an API together.
    pub fn new(parts: ApiParts<E>) -> Self {
        let ApiParts {
            store,
            ids,
            version,
            bodies,
            access_log,
            server,
            writes,
            guard,
            limits,
            certificate,
            extension,
        } = parts;
        Self {
            store,
            writes,
            write_tasks: WriteTasks::default(),
            guard,
            limits,
            extension,
            observer: Observer::new(
                ids.process(),
                version,
                access_log,
                server,
                certificate.as_ref(),
            ),
            certificate,
            ids,
            version,
            bodies: BodyReader::new(bodies),
            list: ListCache::default(),
            budget: AnswerBudget::default(),
            resource: PhantomData,
        }
    }

    /// Waits for writes whose clients have left, then stops the extension.
    pub async fn stop(&self) {
        self.write_tasks.drain().await;
        self.extension.stop().await;
    }

    /// Answers a request from `peer`; failures are answers too.
    pub fn handle<B: Body + Send + 'static>(
        self: &Arc<Self>,
        request: Request<B>,
        peer: SocketAddr,
    ) -> ResponseFuture {
        let received = Instant::now();
        let actions = Actions { on_one: E::ACTIONS, on_all: E::COLLECTION_ACTIONS };
        let route = match Route::of(request.uri().path(), R::COLLECTION, actions) {
            Route::Unknown => {
                E::page_kind(request.uri().path()).map_or(Route::Unknown, Route::Page)
            }
            route => route,
        };
        let headers = RequestHeaders::of(request.headers());
        let address = self.limits.address(peer.ip(), request.headers());
        let caller = Caller::of(&self.guard.access, headers.authorization);
        let sender = Sender { client: self.client(address, caller), caller };
        let exchange = Exchange {
            route,
            caller,
            context: self.observer.ids.context(&headers, peer, address),
            cors: self.guard.origins.cors(headers.origin),
            received,
        };
        if let Some(result) = self.answer_immediately(route, &request, &headers, sender) {
            let answer = self.finish(result, request.method(), request.uri(), exchange);
            return ResponseFuture::Ready(Some(answer));
        }
        let is_write = !request.method().is_safe();
        let api = Arc::clone(self);
        let work = async move {
            let (parts, body) = request.into_parts();
            let result = api.dispatch(route, &parts, body, sender).await;
            api.finish(result, &parts.method, &parts.uri, exchange)
        };
        if is_write { self.write_tasks.run(work) } else { ResponseFuture::Pending(Box::pin(work)) }
    }

    /// Answers a request that need not wait for anything.
    fn answer_immediately<B>(
        &self,
        route: Route,
        request: &Request<B>,
        headers: &RequestHeaders<'_>,
        sender: Sender,
    ) -> Option<Result<Answer, Problem>> {
        if let Err(problem) = self.check(route, request, headers, sender) {
            return Some(Err(problem));
        }
        match (request.method(), route) {
            (&Method::OPTIONS, route) => Some(Ok(answer::options(route.allow()))),
            (_, Route::Item(None) | Route::Action(None, _)) => Some(Err(Problem::NoSuchResource)),
            (&Method::GET | &Method::HEAD, Route::Item(Some(id)))
                if !headers.conditional && request.uri().query().is_none() =>
            {
                get::immediately(&*self.store, id, request.headers())
            }
            (_, Route::Health) => Some(Ok(status::health())),
            (_, Route::OpenApi) => Some(Ok(answer::json(StatusCode::OK, R::OPENAPI))),
            _ => None,
        }
    }

    /// Whose requests are counted together with those of a caller at an address.
    fn client(&self, address: IpAddr, caller: Caller) -> Client {
        match caller {
            Caller::Known { holder, .. } => Client::Holder(holder),
            Caller::Anonymous | Caller::Unknown => self.limits.client(address),
        }
    }

    /// Refuses methods that the path does not allow, and clients that have no access.
    ///
    /// HTTP/1.1 requires exactly one `Host` (RFC 9112, 3.2): a request with none or two
    /// may be interpreted in two ways.
    fn check<B>(
        &self,
        route: Route,
        request: &Request<B>,
        headers: &RequestHeaders<'_>,
        Sender { client, caller }: Sender,
    ) -> Result<(), Problem> {
        if let Some(class) = class::<E>(route, request.method(), request.uri()) {
            let too_many = |wait| Problem::TooManyRequests { wait };
            self.limits.admit(client, class).map_err(too_many)?;
        }
        if headers.hosts > 1 || (headers.hosts == 0 && request.version() >= Version::HTTP_11) {
            return Err(Problem::Host);
        }
        self.guard.check_host(headers, request.uri())?;
        if route == Route::Unknown {
            return Err(Problem::NoSuchPath);
        }
        if !route.allows(request.method()) {
            return Err(Problem::Method { allow: route.allow() });
        }
        self.guard.check(route, request.method(), headers, caller, R::PRIVATE)
    }

    async fn dispatch<B: Body>(
        self: &Arc<Self>,
        route: Route,
        parts: &Parts,
        body: B,
        Sender { client, caller }: Sender,
    ) -> Result<Answer, Problem> {
        let headers = &parts.headers;
        match (&parts.method, route) {
            (_, Route::Action(Some(id), action)) => action::Action { id, action }.apply(self).await,
            (_, Route::ActionOnAll(action)) => {
                let query = parts.uri.query().unwrap_or_default();
                action::ActionOnAll { action, query }.apply(self).await
            }
            (&Method::POST, Route::Page(_)) => {
                page::SubmitPage::parse(parts, body, client).apply(self).await
            }
            (&Method::POST, _) => {
                create::Create::parse(self, client, body).await?.apply(self).await
            }
            (&Method::PUT, Route::Item(Some(id))) => {
                replace::Replace::parse(self, id, client, headers, body).await?.apply(self).await
            }
            (&Method::DELETE, Route::Item(Some(id))) => {
                delete::Delete::parse(id, headers).apply(self).await
            }
            (_, Route::Item(Some(id))) => get::Get::parse(self, id, parts)?.apply(self).await,
            (_, Route::Collection) => list::List::parse(parts, client)?.apply(self).await,
            (_, Route::Ready) => {
                // Details cost more than the rest.
                let sees_details = self.guard.sees_details(caller)?
                    && self.limits.admit(client, Class::Read).is_ok();
                Ok(self.ready(sees_details).await)
            }
            (_, Route::Metrics) => Ok(self.metrics().await),
            (_, Route::Page(_)) => page::ShowPage::parse(parts, client).apply(self).await,
            // All others were answered immediately.
            _ => Err(Problem::NoSuchPath),
        }
    }

    fn finish(
        &self,
        result: Result<Answer, Problem>,
        method: &Method,
        uri: &Uri,
        exchange: Exchange,
    ) -> Answer {
        let Exchange { route, caller, context, cors, received } = exchange;
        let extent = audit::Extent::of(&result);
        let mut answer = result.unwrap_or_else(|problem| {
            context.log(&problem);
            problem.answer()
        });
        if R::PRIVATE && route.is_of_resources() || matches!(route, Route::Ready | Route::Metrics) {
            answer::forbid_caching(answer.headers_mut());
        }
        audit::log(&self.guard, caller, method, uri, &context, &answer, extent);
        self.observer.observe(route, method, uri, &context, &mut answer, received.elapsed());
        cors.add_headers(method, route.allow(), answer.headers_mut());
        answer
    }

    /// Counts a write as in progress, unless writes are refused.
    fn begin_write(&self) -> Result<WritePermit<'_>, Problem> {
        self.writes.begin().ok_or(Problem::ReadOnly)
    }

    /// Takes the memory of an answer of so many bytes to a client; `None` if it is short.
    fn take_memory(&self, client: Client, bytes: u64) -> Result<Option<BudgetPermit>, Problem> {
        let Some(permit) = self.budget.take_length(bytes)? else { return Ok(None) };
        Ok(Some(permit.and_share(self.limits.answer(client, bytes)?)))
    }

    /// Reads and validates a request body.
    async fn read_resource<B: Body>(&self, client: Client, body: B) -> Result<R, Problem> {
        let body = self.bodies.read(body, self.limits.body(client)).await?;
        R::from_body(&body).map_err(Problem::Fields)
    }
}

/// What a request asks for, as far as limits are concerned. `None` for checks of health, which
/// must not fail because of other requests.
fn class<E: Extension>(route: Route, method: &Method, uri: &Uri) -> Option<Class> {
    // Pages are read in the order of the store.
    let is_of_page = |pair: &str| pair.starts_with("limit=") || pair.starts_with("after=");
    let searches = |query: &str| !query.is_empty() && !query.split('&').all(is_of_page);
    match route {
        Route::Health | Route::Ready => None,
        Route::Page(PageKind::Submission) if method == Method::POST => Some(Class::Mail),
        _ if !method.is_safe() => Some(Class::Change),
        Route::Collection if uri.query().is_some_and(searches) => Some(Class::Search),
        Route::Page(_) if E::is_search(uri.path()) => Some(Class::Search),
        _ => Some(Class::Read),
    }
}
