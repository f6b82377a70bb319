//! What each page has: the files that it loads, what it may do, and its frame.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use rest::access::origins::Origin;
use rest::extension::{Caching, PageResponse};
use store::Tag;

use crate::{Language, Texts};

const STYLE: &str = include_str!("../templates/page.css");
const ICON: &str = include_str!("../templates/page.svg");
const PATHS: [&str; 2] = ["/page.css", "/page.svg"];

/// The files that all pages load, with their versions, which are parts of their URLs.
#[derive(Debug)]
pub struct Assets {
    /// The version of the style sheet.
    pub css: String,
    /// The version of the icon.
    pub svg: String,
}

/// What the frame of a page needs (`templates/frame.html`).
#[derive(Debug)]
pub struct Frame<'a> {
    /// The files that it loads.
    pub assets: &'a Assets,
    /// The language of its texts.
    pub language: Language,
    /// Its texts.
    pub texts: &'static Texts,
    /// Whether there is a list of events at `/`.
    pub has_home: bool,
}

impl Default for Assets {
    fn default() -> Self {
        Self { css: Self::version(STYLE), svg: Self::version(ICON) }
    }
}

impl Assets {
    /// The version of a file, which tells it from others of its name.
    pub fn version(text: &str) -> String {
        format!("{:016x}", Tag::of(text.as_bytes()).0)
    }

    /// Whether there is a file at a path.
    pub fn has(path: &str) -> bool {
        PATHS.contains(&path)
    }

    /// The file at a path.
    pub fn get(&self, path: &str, query: &str) -> Option<PageResponse> {
        match path {
            "/page.css" => Some(Self::file("text/css; charset=utf-8", STYLE, query == self.css)),
            "/page.svg" => Some(Self::file("image/svg+xml", ICON, query == self.svg)),
            _ => None,
        }
    }

    /// A file that pages load, under a URL with its version or without.
    pub fn file(media_type: &'static str, text: &'static str, has_version: bool) -> PageResponse {
        PageResponse {
            status: StatusCode::OK,
            media_type,
            body: Bytes::from_static(text.as_bytes()),
            caching: if has_version { Caching::Forever } else { Caching::Revalidated },
            ..PageResponse::default()
        }
    }
}

impl<'a> Frame<'a> {
    /// The frame of a page.
    pub fn new(assets: &'a Assets, language: Language, has_home: bool) -> Self {
        Self { assets, language, texts: language.texts(), has_home }
    }
}

/// A page in a language.
pub fn html(status: StatusCode, body: String, language: Language) -> PageResponse {
    PageResponse {
        status,
        media_type: "text/html; charset=utf-8",
        body: body.into(),
        language: Some(language.tag()),
        ..PageResponse::default()
    }
}

/// The content security policy of a page: it may load its files, send forms to its own service,
/// and do nothing else. A script may connect to `script_connects_to`; without it there is none.
pub fn policy(script_connects_to: Option<&Origin>) -> HeaderValue {
    let mut policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
        base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
        .to_owned();
    if let Some(origin) = script_connects_to {
        policy = format!("{policy}; script-src 'self'; connect-src {}", origin.as_str());
    }
    // An origin is visible ASCII; without a policy, a page would be allowed more.
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_connect_to_nothing_but_the_reminders() {
        let text = |origin: Option<&str>| {
            let origin = origin.map(|url| Origin::of_base_url(url).unwrap());
            policy(origin.as_ref()).to_str().unwrap().to_owned()
        };
        assert!(!text(None).contains("script-src"), "{}", text(None));
        let with = text(Some("http://a.org:81/x"));
        assert!(with.ends_with("; script-src 'self'; connect-src http://a.org:81"), "{with}");
    }

    #[test]
    fn files_with_their_version_are_kept() {
        let assets = Assets::default();
        let css = assets.get("/page.css", &assets.css).unwrap();
        assert_eq!((css.caching, css.media_type), (Caching::Forever, "text/css; charset=utf-8"));
        assert_eq!(assets.get("/page.css", "x").unwrap().caching, Caching::Revalidated);
        assert!(PATHS.iter().all(|path| assets.get(path, "").is_some()));
        assert!(!Assets::has("/page.js") && assets.get("/page.js", "").is_none());
    }
}
