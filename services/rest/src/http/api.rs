//! Carries out requests: joins routing, the model and the store, and knows no sockets.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::body::Body;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, StatusCode, Uri, Version};

use super::answer::{self, Answer, Problem};
use super::body::{BodyLimits, BodyReader};
use super::conditional::condition;
use super::content::Content;
use super::context::Context;
use super::encoding::{self, Encoding};
use super::handling::{Changing, Handling};
use super::headers::Found;
use super::list::{self, List, ListCache};
use super::observe::Observer;
use super::page;
use super::route::Route;
use crate::access::Guard;
use crate::access_log::AccessLog;
use crate::extension::{Acted, Extension, Plain, Selection};
use crate::id::{IdGenerator, ObjectId};
use crate::json::ObjectWriter;
use crate::resource::Resource;
use crate::server::ServerMetrics;
use crate::store::{Condition, Document, Listing, Outcome, Page, Store, StoreError, Tag};
use crate::writes::{Permit, Writes};

/// The REST API over one kind of resource.
#[derive(Debug)]
pub struct Api<R, S, E = Plain> {
    store: S,
    ids: IdGenerator,
    version: &'static str,
    bodies: BodyReader,
    list: ListCache,
    writes: Arc<Writes>,
    changing: Changing,
    guard: Arc<Guard>,
    extension: E,
    observer: Observer,
    resource: PhantomData<fn() -> R>,
}

/// What an API is made of.
#[derive(Debug)]
pub struct ApiParts<S, E> {
    /// Where the documents are.
    pub store: S,
    /// Makes ids for new ones.
    pub ids: IdGenerator,
    /// What `/readyz` names.
    pub version: &'static str,
    /// What bodies may be.
    pub bodies: BodyLimits,
    /// Where requests leave a line.
    pub access_log: AccessLog,
    /// What the server counts, for `/metrics`.
    pub server: ServerMetrics,
    /// Lets writes through, or not.
    pub writes: Arc<Writes>,
    /// Who may use it.
    pub guard: Arc<Guard>,
    /// Is told of writes.
    pub extension: E,
}

/// So many documents are read before they are sent, and sent as one.
const FEW: usize = 256;

type Handled = Result<Answer, Problem>;

impl<R: Resource, S: Store, E: Extension> Api<R, S, E> {
    /// Puts an API together.
    pub fn new(parts: ApiParts<S, E>) -> Self {
        let ApiParts { store, ids, version, bodies, access_log, server, writes, guard, extension } =
            parts;
        Self {
            store,
            writes,
            changing: Changing::default(),
            guard,
            extension,
            observer: Observer::new(ids.process(), access_log, server),
            ids,
            version,
            bodies: BodyReader::new(bodies),
            list: ListCache::default(),
            resource: PhantomData,
        }
    }

    /// Waits for changes whose clients have left, and has the extension come to its end.
    pub async fn stop(&self) {
        self.changing.finish().await;
        self.extension.stop().await;
    }

    /// Answers a request from `peer`; failures are answers too.
    pub fn handle<B: Body + Send + 'static>(
        self: &Arc<Self>,
        request: Request<B>,
        peer: SocketAddr,
    ) -> Handling {
        let begin = Instant::now();
        let route = match Route::of(request.uri().path(), R::COLLECTION, E::ACTIONS) {
            Route::Unknown if E::has_page(request.uri().path()) => Route::Page,
            route => route,
        };
        let found = Found::of(request.headers());
        let from = self.guard.origins.from(found.origin);
        let context = self.observer.context(&found, peer);
        if let Some(handled) = self.at_once(route, &request, &found) {
            let asked = (request.method(), request.uri());
            let mut answer = self.finish(handled, route, asked, &context, begin);
            from.tell(request.method(), route.allow(), answer.headers_mut());
            return Handling::Done(Some(answer));
        }
        let changes = !request.method().is_safe();
        let api = Arc::clone(self);
        let work = async move {
            let (parts, body) = request.into_parts();
            let condition = condition(&parts.headers);
            let handled = api.answer(route, &parts, condition, body).await;
            let asked = (&parts.method, &parts.uri);
            let mut answer = api.finish(handled, route, asked, &context, begin);
            from.tell(&parts.method, route.allow(), answer.headers_mut());
            answer
        };
        if changes { self.changing.run(work) } else { Handling::Working(Box::pin(work)) }
    }

    /// The answer of a request that need not wait for anything.
    fn at_once<B>(&self, route: Route, request: &Request<B>, found: &Found<'_>) -> Option<Handled> {
        if let Err(problem) = self.check(route, request, found) {
            return Some(Err(problem));
        }
        match (request.method(), route) {
            (&Method::OPTIONS, route) => Some(Ok(answer::options(route.allow()))),
            (_, Route::Item(None) | Route::Action(None, _)) => Some(Err(Problem::NoSuchResource)),
            (&Method::GET | &Method::HEAD, Route::Item(Some(id)))
                if !found.conditional && request.uri().query().is_none() =>
            {
                let document = self.store.get_at_once(id)?;
                Some(
                    found_document(document).map(|it| whole(StatusCode::OK, it, request.headers())),
                )
            }
            (_, Route::Health) => Some(Ok(answer::json(StatusCode::OK, "{\"status\": \"ok\"}"))),
            (_, Route::Ready) => {
                Some(self.guard.sees_details(found).map(|details| self.ready(details)))
            }
            (_, Route::Description) => Some(Ok(answer::json(StatusCode::OK, R::DESCRIPTION))),
            (_, Route::Metrics) => {
                let text = self.observer.metrics(&self.store.metrics(), self.version);
                Some(Ok(answer::metrics(text)))
            }
            _ => None,
        }
    }

    /// Refuses what the path does not take, and whom the service does not let in.
    ///
    /// HTTP/1.1 asks for one `Host` (RFC 9112, 3.2): what has none, or two, was put
    /// together by somebody who wants it read in two ways.
    fn check<B>(
        &self,
        route: Route,
        request: &Request<B>,
        found: &Found<'_>,
    ) -> Result<(), Problem> {
        if found.hosts > 1 || (found.hosts == 0 && request.version() >= Version::HTTP_11) {
            return Err(Problem::Host);
        }
        self.guard.check_host(found, request.uri())?;
        if route == Route::Unknown {
            return Err(Problem::NoSuchPath);
        }
        if !route.allows(request.method()) {
            return Err(Problem::Method { allow: route.allow() });
        }
        self.guard.check(route, request.method(), found, R::PRIVATE)
    }

    async fn answer<B: Body>(
        self: &Arc<Self>,
        route: Route,
        parts: &Parts,
        condition: Condition,
        body: B,
    ) -> Handled {
        let headers = &parts.headers;
        match (&parts.method, route) {
            (_, Route::Action(Some(id), action)) => self.act(id, action).await,
            (&Method::POST, _) => self.create(body).await,
            (&Method::PUT, Route::Item(Some(id))) => self.replace(id, condition, body).await,
            (&Method::DELETE, Route::Item(Some(id))) => self.delete(id, condition).await,
            (_, Route::Item(Some(id))) => {
                let query = parts.uri.query().unwrap_or_default();
                if self.extension.wants_description(query).map_err(Problem::Query)? {
                    return self.described(id, StatusCode::OK).await;
                }
                self.read(id, &condition, headers).await
            }
            (_, Route::Collection) => {
                let query = parts.uri.query();
                let page = page::read(query).map_err(Problem::Query)?;
                let selection = match query {
                    Some(query) => self.extension.select(query, page).await?,
                    None => None,
                };
                match (selection, page) {
                    (Some(selection), _) => self.selected(selection).await,
                    (None, Page::ALL) => self.list(&condition, headers).await,
                    (None, page) => self.page(page, &condition, headers).await,
                }
            }
            (_, Route::Page) => self.show(&parts.uri, &condition, headers).await,
            // The others have been answered at once.
            _ => Err(Problem::NoSuchPath),
        }
    }

    fn finish(
        &self,
        handled: Handled,
        route: Route,
        asked: (&Method, &Uri),
        context: &Context,
        begin: Instant,
    ) -> Answer {
        let mut answer = handled.unwrap_or_else(|problem| {
            context.log(&problem);
            answer::problem(&problem)
        });
        if R::PRIVATE && route.is_of_resources() || matches!(route, Route::Ready | Route::Metrics) {
            answer::keep_private(answer.headers_mut());
        }
        self.observer.observe(route, asked, context, &mut answer, begin.elapsed());
        answer
    }

    async fn list(&self, condition: &Condition, headers: &HeaderMap) -> Handled {
        if let Some(known) = unchanged(condition, self.store.revision().tag(), headers, u64::MAX)? {
            return Ok(known);
        }
        match self.list.get(&self.store).await? {
            List::Long(listing) => Ok(streamed(listing, headers)),
            List::Kept(kept) => {
                let bytes = kept.plain.len() as u64;
                let encoding = Encoding::choose(headers, bytes);
                let body = match encoding {
                    Encoding::Identity => kept.plain.clone(),
                    Encoding::Gzip => kept.gzip().await?,
                };
                let tag = kept.revision.tag();
                Ok(answer::tagged(StatusCode::OK, body.into(), tag, encoding, bytes))
            }
        }
    }

    async fn page(&self, page: Page, condition: &Condition, headers: &HeaderMap) -> Handled {
        if let Some(known) = unchanged(condition, self.store.revision().tag(), headers, u64::MAX)? {
            return Ok(known);
        }
        let listing = self.store.list(page);
        let next = listing.next_after;
        let bytes = list::length(&listing);
        let answer = if bytes > list::KEPT || Encoding::choose(headers, bytes) == Encoding::Gzip {
            streamed(listing, headers)
        } else {
            let tag = listing.revision.tag();
            let body = list::whole(listing).await?.into();
            answer::tagged(StatusCode::OK, body, tag, Encoding::Identity, bytes)
        };
        Ok(match next {
            Some(after) => {
                let query = format!("limit={}&after={after}", page.limit);
                answer::with_next(answer, R::COLLECTION, &query)
            }
            None => answer,
        })
    }

    async fn read(&self, id: ObjectId, condition: &Condition, headers: &HeaderMap) -> Handled {
        let document = found_document(self.store.get(id).await)?;
        let bytes = document.bytes.len() as u64;
        match unchanged(condition, document.tag, headers, bytes)? {
            Some(known) => Ok(known),
            None => Ok(whole(StatusCode::OK, document, headers)),
        }
    }

    /// The documents that the extension has picked out.
    async fn selected(self: &Arc<Self>, selection: Selection) -> Handled {
        let Selection { ids, next, described } = selection;
        let few = ids.len() <= FEW;
        let mut chunks = self.store.pick(ids);
        if described {
            let api = Arc::clone(self);
            let describe = move |documents: Vec<Bytes>| {
                documents.into_iter().map(|it| api.with_description(&it)).collect()
            };
            chunks = Box::new(chunks.map(move |chunk| chunk.map(&describe)));
        }
        let pieces = list::pieces(chunks);
        let body =
            if few { list::joined(pieces).await?.into() } else { Content::stream(pieces, None) };
        let answer = answer::list(body);
        Ok(match next {
            Some(query) => answer::with_next(answer, R::COLLECTION, &query),
            None => answer,
        })
    }

    /// A document with what the extension knows of it.
    async fn described(&self, id: ObjectId, status: StatusCode) -> Handled {
        let document = found_document(self.store.get(id).await)?;
        Ok(answer::json(status, self.with_description(&document.bytes)))
    }

    fn with_description(&self, document: &[u8]) -> Bytes {
        let mut out = document.to_vec();
        if let (Some(id), Some(mut object)) =
            (ObjectId::of_document(document), ObjectWriter::reopen(&mut out))
        {
            self.extension.describe(id, &mut object);
            object.finish();
        }
        out.into()
    }

    async fn show(&self, uri: &Uri, condition: &Condition, headers: &HeaderMap) -> Handled {
        let shown = self.extension.page(uri.path(), uri.query().unwrap_or_default()).await?;
        let (bytes, tag) = (shown.body.len() as u64, Tag::of(&shown.body));
        if shown.status.is_success()
            && let Some(known) = unchanged(condition, tag, headers, bytes)?
        {
            return Ok(answer::as_shown(known, &shown));
        }
        let document = Document { bytes: shown.body.clone(), tag };
        Ok(answer::as_shown(whole(shown.status, document, headers), &shown))
    }

    async fn act(&self, id: ObjectId, action: &str) -> Handled {
        let permit = self.begin_write()?;
        let acted = self.extension.act(id, action);
        drop(permit);
        match acted {
            Acted::Done => self.described(id, StatusCode::ACCEPTED).await,
            Acted::NotFound => Err(Problem::NoSuchResource),
            Acted::Refused(reason) => Err(Problem::Conflict(reason)),
        }
    }

    async fn create<B: Body>(&self, body: B) -> Handled {
        let model = self.model(body).await?;
        let _permit = self.begin_write()?;
        let id = self.ids.next();
        let document = Document::from(Bytes::from(model.document(id)));
        self.store.insert(id, document.bytes.clone()).await?;
        self.extension.changed(id);
        let answer = whole(StatusCode::CREATED, document, &HeaderMap::new());
        Ok(answer::with_location(answer, R::COLLECTION, id))
    }

    async fn replace<B: Body>(&self, id: ObjectId, condition: Condition, body: B) -> Handled {
        let document = Document::from(Bytes::from(self.model(body).await?.document(id)));
        let _permit = self.begin_write()?;
        done(self.store.replace(id, document.bytes.clone(), condition).await?)?;
        self.extension.changed(id);
        Ok(whole(StatusCode::OK, document, &HeaderMap::new()))
    }

    async fn delete(&self, id: ObjectId, condition: Condition) -> Handled {
        let _permit = self.begin_write()?;
        let document = done(self.store.remove(id, condition).await?)?;
        self.extension.changed(id);
        Ok(answer::json(StatusCode::OK, document.bytes))
    }

    /// `/readyz` tells everybody whether the service can work, and operators how much it
    /// holds and what it does besides.
    fn ready(&self, details: bool) -> Answer {
        let (status, word, resources) = match self.store.check() {
            Ok(count) if self.writes.have_ended() => (StatusCode::OK, "read-only", Some(count)),
            Ok(count) => (StatusCode::OK, "ready", Some(count)),
            Err(error) => {
                tracing::warn!(%error, "not ready");
                (StatusCode::SERVICE_UNAVAILABLE, "read-only", None)
            }
        };
        let mut body = Vec::with_capacity(128);
        let mut object = ObjectWriter::new(&mut body);
        object.text("status", word).text("service", R::COLLECTION);
        if details {
            object.text("version", self.version).text("access", self.guard.access.as_str());
            if let Some(count) = resources {
                object.number("resources", count as u64);
            }
            self.extension.about(&mut object);
        }
        object.finish();
        answer::json(status, body)
    }

    fn begin_write(&self) -> Result<Permit<'_>, Problem> {
        self.writes.begin().ok_or(Problem::ReadOnly)
    }

    async fn model<B: Body>(&self, body: B) -> Result<R, Problem> {
        let body = self.bodies.read(body).await?;
        R::from_body(&body).map_err(Problem::Fields)
    }
}

fn found_document(document: Result<Option<Document>, StoreError>) -> Result<Document, Problem> {
    document?.ok_or(Problem::NoSuchResource)
}

/// The answer where the client knows already what it asks for, of so many bytes, if it
/// does.
fn unchanged(
    condition: &Condition,
    tag: Tag,
    headers: &HeaderMap,
    bytes: u64,
) -> Result<Option<Answer>, Problem> {
    if condition.holds(tag) {
        return Ok(None);
    }
    if condition.matches.as_ref().is_some_and(|tags| !tags.contain(tag)) {
        return Err(Problem::ConditionFailed);
    }
    Ok(Some(answer::not_modified(tag, Encoding::choose(headers, bytes))))
}

/// A document as an answer, compressed where that is asked for and pays.
fn whole(status: StatusCode, document: Document, headers: &HeaderMap) -> Answer {
    let Document { bytes: plain, tag } = document;
    let bytes = plain.len() as u64;
    let encoding = Encoding::choose(headers, bytes);
    let body = match encoding {
        Encoding::Identity => plain,
        Encoding::Gzip => encoding::gzip_whole(&plain),
    };
    answer::tagged(status, body.into(), tag, encoding, bytes)
}

/// A list that is read while it is sent.
fn streamed(listing: Listing, headers: &HeaderMap) -> Answer {
    let (bytes, tag) = (list::length(&listing), listing.revision.tag());
    let encoding = Encoding::choose(headers, bytes);
    let pieces = list::pieces(listing.chunks);
    let body = match encoding {
        Encoding::Identity => Content::stream(pieces, Some(bytes)),
        Encoding::Gzip => Content::stream(Box::new(encoding::gzip(pieces)), None),
    };
    answer::tagged(StatusCode::OK, body, tag, encoding, bytes)
}

fn done<T>(outcome: Outcome<T>) -> Result<T, Problem> {
    match outcome {
        Outcome::Done(done) => Ok(done),
        Outcome::NotFound => Err(Problem::NoSuchResource),
        Outcome::ConditionFailed => Err(Problem::ConditionFailed),
    }
}
