use hyper::header::{HeaderMap, HeaderName};

use super::*;
use crate::access::origins::Origins;
use crate::access::tokens::{Entry, NewToken, TokenList};
use crate::access::{Access, Tokens};
use crate::extension::PageKind;

const ANYBODY: Caller = Caller::Anonymous;
const ID: &str = "5e0745fe9c1a2b3c4d5e6f70";

fn header(value: &str) -> HeaderValue {
    HeaderValue::try_from(value).unwrap()
}

fn guard(access: Access, loopback: bool) -> Guard {
    let origins = Origins::new(vec!["https://events.example.org".parse().unwrap()]);
    Guard { access, origins, loopback }
}

/// A guard with a token for each role, and the tokens.
fn with_tokens() -> (Guard, [String; 3]) {
    let mut list = TokenList::default();
    let secrets = Role::ALL.map(|role| {
        let token = NewToken::generate().unwrap();
        let name = role.as_str().to_owned();
        let digest = token.digest;
        list.add(Entry { name, role, digest, expires: None, created: None }).unwrap();
        token.secret
    });
    (guard(Access::Tokens(Tokens::new(list, None)), false), secrets)
}

/// How a request is refused; `ok` where it is not.
fn refusal(guard: &Guard, request: &(Route, Method), private: bool, auth: Option<&str>) -> String {
    let value = auth.map(header);
    let headers = RequestHeaders { authorization: value.as_ref(), ..RequestHeaders::default() };
    let caller = Caller::of(&guard.access, headers.authorization);
    match guard.check(request.0, &request.1, &headers, caller, private) {
        Ok(()) => "ok".into(),
        Err(Problem::Unauthorized { has_token }) => format!("401 {has_token}"),
        Err(Problem::Forbidden { needs }) => format!("403 {needs}"),
        Err(other) => format!("{other:?}"),
    }
}

#[test]
fn each_route_needs_its_documented_role() {
    let (guard, [read, write, admin]) = with_tokens();
    let item = || Route::Item(ID.parse().ok());
    for (request, private, needs) in [
        ((Route::Collection, Method::GET), false, None),
        ((item(), Method::HEAD), false, None),
        ((Route::Collection, Method::GET), true, Some(Role::Read)),
        ((item(), Method::GET), true, Some(Role::Read)),
        ((Route::Item(None), Method::GET), true, Some(Role::Read)),
        ((Route::Collection, Method::POST), false, Some(Role::Write)),
        ((item(), Method::PUT), false, Some(Role::Write)),
        ((Route::Item(None), Method::DELETE), true, Some(Role::Write)),
        ((Route::Action(None, "retry"), Method::POST), true, Some(Role::Admin)),
        ((Route::Metrics, Method::GET), false, Some(Role::Admin)),
        ((Route::OpenApi, Method::GET), false, Some(Role::Read)),
        ((Route::Health, Method::GET), true, None),
        ((Route::Ready, Method::GET), true, None),
        ((Route::Page(PageKind::Page), Method::GET), false, None),
        ((Route::Page(PageKind::Submission), Method::POST), true, None),
        ((Route::Collection, Method::OPTIONS), true, None),
    ] {
        let refused = |auth: Option<&str>| refusal(&guard, &request, private, auth);
        let Some(needs) = needs else {
            assert_eq!(refused(None), "ok", "{request:?}");
            assert_eq!(refused(Some("Bearer wrong")), "ok", "{request:?}");
            continue;
        };
        assert_eq!(refused(None), "401 false", "{request:?}");
        assert_eq!(refused(Some("Bearer wrong")), "401 true", "{request:?}");
        for (role, token) in Role::ALL.into_iter().zip([&read, &write, &admin]) {
            let expected = if role >= needs { "ok".into() } else { format!("403 {needs}") };
            assert_eq!(refused(Some(&format!("bearer {token}"))), expected, "{request:?} {role}");
        }
    }
    let open = super::tests::guard(Access::Open, false);
    assert_eq!(refusal(&open, &(item(), Method::DELETE), true, None), "ok");
}

#[test]
fn only_a_complete_bearer_token_is_accepted() {
    let (guard, [.., admin]) = with_tokens();
    let request = || (Route::Metrics, Method::GET);
    for auth in [
        String::new(),
        "Bearer".into(),
        "Bearer ".into(),
        admin.clone(),
        format!("Basic {admin}"),
        format!("Bearer {}", &admin[1..]),
        format!("Bearer {admin}x"),
        format!("Bearer {admin},{admin}"),
        format!("Bearer {}", "x".repeat(10_000)),
    ] {
        assert_eq!(refusal(&guard, &request(), false, Some(&auth)), "401 true", "{auth}");
    }
    assert_eq!(refusal(&guard, &request(), false, Some(&format!("BEARER  {admin}"))), "ok");
}

#[test]
fn an_expired_token_is_refused() {
    let token = NewToken::generate().unwrap();
    let mut list = TokenList::default();
    let expires = "2020-01-01T00:00:00Z".parse().ok();
    let name = "old".into();
    list.add(Entry { name, role: Role::Admin, digest: token.digest, expires, created: None })
        .unwrap();
    let guard = guard(Access::Tokens(Tokens::new(list, None)), false);
    let auth = format!("Bearer {}", token.secret);
    assert_eq!(refusal(&guard, &(Route::Metrics, Method::GET), false, Some(&auth)), "401 true");
}

#[test]
fn pages_of_other_origins_cannot_write() {
    let guard = guard(Access::Open, false);
    let changes = |host: &str, pairs: &[(&'static str, &str)]| {
        let map: HeaderMap = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), header(value)))
            .chain([(hyper::header::HOST, header(host))])
            .collect();
        guard
            .check(Route::Collection, &Method::POST, &RequestHeaders::of(&map), ANYBODY, false)
            .is_ok()
    };
    let (own, host) = ("http://events.test", "events.test");
    for (pairs, expected) in [
        // Programs.
        (vec![], true),
        (vec![("origin", own)], true),
        (vec![("origin", "http://events.test:80")], true),
        // TLS ends at a proxy.
        (vec![("origin", "https://events.test")], true),
        (vec![("origin", "https://events.example.org")], true),
        (vec![("origin", "https://events.example.org"), ("sec-fetch-site", "cross-site")], true),
        (vec![("origin", "http://elsewhere.test")], false),
        (vec![("origin", "http://events.test:8000")], false),
        (vec![("origin", "null")], false),
        (vec![("origin", "http://elsewhere.test"), ("sec-fetch-site", "same-site")], false),
        (vec![("sec-fetch-site", "cross-site")], false),
        (vec![("sec-fetch-site", "none")], true),
        // A proxy has changed `Host`; `Sec-Fetch-Site` is right.
        (vec![("origin", "http://outside.test"), ("sec-fetch-site", "same-origin")], true),
    ] {
        assert_eq!(changes(host, &pairs), expected, "{pairs:?}");
    }
    let foreign = header("http://elsewhere.test");
    let headers = RequestHeaders { origin: Some(&foreign), ..RequestHeaders::default() };
    assert!(
        guard.check(Route::Collection, &Method::GET, &headers, ANYBODY, false).is_ok(),
        "reading"
    );
}

#[test]
fn on_loopback_only_loopback_names_are_accepted() {
    let named = |guard: &Guard, host: &str, uri: &str| {
        let host = header(host);
        let headers = RequestHeaders { host: Some(&host), ..RequestHeaders::default() };
        guard.check_host(&headers, &uri.parse().unwrap()).is_ok()
    };
    let here = guard(Access::Open, true);
    for host in
        ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:80", "127.1.2.3", "[::1]:9"]
    {
        assert!(named(&here, host, "/events"), "{host}");
        assert!(!named(&here, host, "http://evil.test/events"), "{host}");
    }
    for host in
        ["", "evil.test", "localhost.evil.test", "10.0.0.1", "[2001:db8::1]:80", "127.0.0.1.nip.io"]
    {
        assert!(!named(&here, host, "/events"), "{host}");
        assert!(named(&guard(Access::Open, false), host, "/events"), "{host}");
    }
}
