//! Parses the paging parameters of a list request.

use store::Page;

use super::problem::Problem;
use crate::fields::FieldError;

/// The greatest limit of a page. Longer lists are read page by page, or as a whole.
pub(crate) const MAX_LIMIT: usize = 1000;

/// Parses `limit` and `after`. Other parameters are ignored: they may be for the extension, or
/// make the URL unique.
pub(crate) fn parse(query: Option<&str>) -> Result<Page, Problem> {
    let Some(query) = query else { return Ok(Page::ALL) };
    let mut page = Page::ALL;
    let mut problems = Vec::new();
    let mut seen = Vec::new();
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let field = match name {
            "limit" => "limit",
            "after" => "after",
            _ => continue,
        };
        let problem = if seen.contains(&field) {
            Some("must be given only once")
        } else if field == "limit" {
            page.limit = parse_number(value).filter(|limit| *limit > 0);
            page.limit.is_none().then_some("must be a whole number from 1")
        } else {
            let after = value.parse().map(|id| page.after = Some(id));
            after.is_err().then_some("must be an id of 24 hexadecimal digits")
        };
        seen.push(field);
        problems.extend(problem.map(|message| FieldError { field, message: message.into() }));
    }
    if !problems.is_empty() {
        return Err(Problem::Query(problems));
    }
    if page.limit.is_some_and(|limit| limit > MAX_LIMIT) {
        let message = format!("must be at most {MAX_LIMIT}");
        return Err(Problem::Range(vec![FieldError { field: "limit", message }]));
    }
    Ok(page)
}

/// Parses digits only: `usize::from_str` also accepts a plus sign.
fn parse_number(text: &str) -> Option<usize> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    // A number that does not fit is greater than any number of resources.
    digits.then(|| text.parse().ok().or((text.len() > 18).then_some(usize::MAX)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(query: &str) -> (bool, Vec<String>) {
        let (out_of_range, problems) = match parse(Some(query)) {
            Err(Problem::Query(problems)) => (false, problems),
            Err(Problem::Range(problems)) => (true, problems),
            other => panic!("{query}: {other:?}"),
        };
        (out_of_range, problems.iter().map(|p| format!("{} {}", p.field, p.message)).collect())
    }

    #[test]
    fn pages_are_parsed() {
        let after = "5e0745fe9c1a2b3c4d5e6f70".parse().ok();
        for (query, page) in [
            (None, Page::ALL),
            (Some(""), Page::ALL),
            (Some("limit=5"), Page { after: None, limit: Some(5) }),
            (Some("after=5e0745fe9c1a2b3c4d5e6f70"), Page { after, limit: None }),
            (Some("limit=20&after=5E0745FE9C1A2B3C4D5E6F70"), Page { after, limit: Some(20) }),
            (Some("_=17&limit=1000&"), Page { after: None, limit: Some(1000) }),
        ] {
            assert_eq!(parse(query).unwrap(), page, "{query:?}");
        }
    }

    #[test]
    fn every_invalid_parameter_is_named() {
        let limit = "limit must be a whole number from 1";
        let after = "after must be an id of 24 hexadecimal digits";
        for (query, expected) in [
            ("limit", vec![limit]),
            ("limit=0", vec![limit]),
            ("limit=-1&after=abc", vec![limit, after]),
            ("limit=%2B5", vec![limit]),
            ("limit=+5&after=", vec![limit, after]),
            ("limit=1e3", vec![limit]),
            ("limit=1&limit=2", vec!["limit must be given only once"]),
        ] {
            assert_eq!(
                problems(query),
                (false, expected.iter().map(|it| (*it).to_owned()).collect())
            );
        }
        for query in ["limit=1001", "limit=99999999999999999999"] {
            assert_eq!(problems(query), (true, vec!["limit must be at most 1000".to_owned()]));
        }
    }
}
