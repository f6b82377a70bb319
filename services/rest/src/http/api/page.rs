//! `GET` and `POST` of a path that only the extension knows: answers with a page for people.

use hyper::HeaderMap;
use hyper::body::Body;
use hyper::header::ACCEPT_LANGUAGE;
use hyper::http::request::Parts;
use store::{Condition, Tag};

use super::Api;
use crate::extension::{Caching, Extension, PageRequest};
use crate::http::answer::{self, Answer};
use crate::http::conditional::{self, unchanged};
use crate::http::problem::Problem;
use crate::limits::Client;
use crate::resource::Resource;

/// A request for a page.
pub(super) struct ShowPage<'a> {
    page: PageRequest<'a>,
    condition: Condition,
    headers: &'a HeaderMap,
    client: Client,
}

impl<'a> ShowPage<'a> {
    pub(super) fn parse(parts: &'a Parts, client: Client) -> Self {
        let headers = &parts.headers;
        let condition = conditional::condition(headers);
        Self { page: request(parts), condition, headers, client }
    }

    pub(super) async fn apply<R, E>(self, api: &Api<R, E>) -> Result<Answer, Problem>
    where
        R: Resource,
        E: Extension,
    {
        let Self { page, condition, headers, client } = self;
        let page = api.extension.page(page).await?;
        let (length, tag) = (page.body.len() as u64, Tag::of(&page.body));
        if page.status.is_success()
            && let Some(not_modified) = unchanged(&condition, tag, headers, length)?
        {
            return Ok(answer::as_page(not_modified, &page));
        }
        let is_file = page.caching == Caching::Forever;
        let permit = if is_file { None } else { api.take_memory(client, length)? };
        let answer = answer::document(page.status, page.body.clone(), tag, headers);
        Ok(answer::as_page(answer.map(|body| body.with_permit(permit)), &page))
    }
}

/// What a page sends.
pub(super) struct SubmitPage<'a, B> {
    page: PageRequest<'a>,
    body: B,
    client: Client,
}

impl<'a, B: Body> SubmitPage<'a, B> {
    pub(super) fn parse(parts: &'a Parts, body: B, client: Client) -> Self {
        Self { page: request(parts), body, client }
    }

    pub(super) async fn apply<R, E>(self, api: &Api<R, E>) -> Result<Answer, Problem>
    where
        R: Resource,
        E: Extension,
    {
        let Self { page, body, client } = self;
        let body = api.bodies.read_any(body, api.limits.body(client)).await?;
        let _permit = api.begin_write()?;
        let page = api.extension.submit(page, body).await?;
        Ok(answer::submitted(&page))
    }
}

fn request(parts: &Parts) -> PageRequest<'_> {
    let languages = parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    PageRequest {
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        languages: languages.unwrap_or_default(),
    }
}
