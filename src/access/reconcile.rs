//! Decides which list of tokens is current: the one of this machine, or the one of the hosts.
//! Several operators may each have a copy, and an older one must never restore a token that was
//! revoked.

use std::path::Path;

use rest::access::tokens::TokenList;
use support::digest::sha256;

use super::AccessError;

/// The digest that identifies a list.
pub(super) fn digest_of(list: &TokenList) -> String {
    sha256(list.to_string())
}

/// The current list; `None` if there is none. `known` has the digests of the lists that hosts
/// have had from this machine, or may have got from it.
pub fn reconcile(
    here: Option<&TokenList>,
    path: &Path,
    known: &[String],
    hosts: &[(String, TokenList)],
) -> Result<Option<TokenList>, AccessError> {
    let Some(here) = here else {
        // An interrupted deploy leaves an older list on some hosts.
        let newest = hosts.iter().max_by_key(|(_, list)| list.serial);
        return Ok(newest.map(|(_, list)| list.clone()));
    };
    let is_known = |list: &TokenList| known.contains(&digest_of(list));
    let is_news = |list: &TokenList| list != here && !is_known(list);
    let mut news = hosts.iter().filter(|(_, list)| is_news(list));
    let Some((host, there)) = news.next() else { return Ok(Some(here.clone())) };
    // Somebody else has changed the list, and nobody has here.
    let is_one = news.all(|(_, other)| other == there);
    if is_one && is_known(here) && there.serial > here.serial {
        return Ok(Some(there.clone()));
    }
    Err(AccessError::Conflict {
        host: host.clone(),
        there: there.serial,
        here: here.serial,
        path: path.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list with a token, so that two of the same serial differ.
    fn list(serial: u64, name: &str) -> TokenList {
        let digest = "ab".repeat(32);
        TokenList::parse(&format!("# serial {serial}\n{name} read {digest}")).unwrap()
    }

    fn reconciled(
        here: Option<&TokenList>,
        known: &[&TokenList],
        there: &[&TokenList],
    ) -> Result<Option<TokenList>, String> {
        let hosts: Vec<_> = there.iter().map(|&list| ("events".into(), list.clone())).collect();
        let known: Vec<_> = known.iter().map(|list| digest_of(list)).collect();
        reconcile(here, Path::new("list"), &known, &hosts).map_err(|error| error.to_string())
    }

    #[test]
    fn the_list_that_was_changed_last_is_current() {
        let (old, new) = (&list(3, "a"), &list(4, "b"));
        assert_eq!(reconciled(None, &[], &[]), Ok(None));
        assert_eq!(reconciled(Some(old), &[], &[]), Ok(Some(old.clone())));
        assert_eq!(reconciled(None, &[], &[old, new]), Ok(Some(new.clone())));
        assert_eq!(reconciled(Some(new), &[old], &[old, old]), Ok(Some(new.clone())));
        assert_eq!(reconciled(Some(new), &[old], &[old, new]), Ok(Some(new.clone())));
        // Another operator has changed it, and this one has not.
        assert_eq!(reconciled(Some(old), &[old], &[new]), Ok(Some(new.clone())));
        assert_eq!(reconciled(Some(old), &[old], &[old, new]), Ok(Some(new.clone())));
    }

    #[test]
    fn a_deploy_that_failed_half_way_does_not_conflict() {
        let (old, tried, next) = (&list(3, "a"), &list(4, "b"), &list(5, "c"));
        for there in [&[old, old][..], &[old, tried], &[tried, tried]] {
            assert_eq!(reconciled(Some(next), &[old, tried], there), Ok(Some(next.clone())));
        }
    }

    #[test]
    fn two_changes_at_a_time_are_a_conflict() {
        let (base, ours) = (&list(3, "base"), &list(4, "ours"));
        // However often either has been changed meanwhile.
        for theirs in [&list(4, "theirs"), &list(5, "theirs"), &list(9, "theirs")] {
            let message = "events has a different list of tokens than list";
            assert!(reconciled(Some(ours), &[base], &[theirs]).unwrap_err().contains(message));
            assert!(reconciled(Some(&list(6, "ours")), &[base], &[theirs]).is_err());
        }
        let (one, other) = (&list(4, "one"), &list(5, "other"));
        assert!(reconciled(Some(base), &[base], &[one, other]).is_err());
        // An older list that is not known here, such as of a host that was set back.
        assert!(reconciled(Some(ours), &[ours], &[&list(2, "older")]).is_err());
    }
}
