//! `GET` of a path that only the extension knows: answers with a page for people.

use hyper::http::request::Parts;
use hyper::{HeaderMap, Uri};
use store::{Condition, Tag};

use super::Api;
use crate::extension::Extension;
use crate::http::answer::{self, Answer};
use crate::http::conditional::{self, unchanged};
use crate::http::problem::Problem;
use crate::limits::Client;
use crate::resource::Resource;

/// A request for a page.
pub(super) struct ShowPage<'a> {
    uri: &'a Uri,
    condition: Condition,
    headers: &'a HeaderMap,
    client: Client,
}

impl<'a> ShowPage<'a> {
    pub(super) fn parse(parts: &'a Parts, client: Client) -> Self {
        let (uri, headers) = (&parts.uri, &parts.headers);
        Self { uri, condition: conditional::condition(headers), headers, client }
    }

    pub(super) async fn apply<R, E>(self, api: &Api<R, E>) -> Result<Answer, Problem>
    where
        R: Resource,
        E: Extension,
    {
        let Self { uri, condition, headers, client } = self;
        let page = api.extension.page(uri.path(), uri.query().unwrap_or_default()).await?;
        let (length, tag) = (page.body.len() as u64, Tag::of(&page.body));
        if page.status.is_success()
            && let Some(not_modified) = unchanged(&condition, tag, headers, length)?
        {
            return Ok(answer::as_page(not_modified, &page));
        }
        let permit = if page.immutable { None } else { api.take_memory(client, length)? };
        let answer = answer::document(page.status, page.body.clone(), tag, headers);
        Ok(answer::as_page(answer.map(|body| body.with_permit(permit)), &page))
    }
}
