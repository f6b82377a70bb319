//! Decides which list of tokens counts: this machine's, or the one that the hosts have.
//! Several operators may each have a copy, and an older one must never bring back a token
//! that was revoked.

use std::path::Path;

use rest::access::tokens::TokenList;

use super::AccessError;

/// The list that counts; none where there is none. `deployed` is the serial of the list
/// that this machine and the hosts had in common last.
pub fn agree(
    here: Option<&TokenList>,
    path: &Path,
    deployed: u64,
    hosts: &[(String, TokenList)],
) -> Result<Option<TokenList>, AccessError> {
    // An interrupted deploy leaves an older list on some hosts.
    let newest = hosts.iter().max_by_key(|(_, list)| list.serial);
    let (here, (host, there)) = match (here, newest) {
        (None, there) => return Ok(there.map(|(_, list)| list.clone())),
        (Some(here), None) => return Ok(Some(here.clone())),
        (Some(here), Some(there)) => (here, there),
    };
    let unchanged_here = here.serial <= deployed;
    if here == there || (here.serial > there.serial && there.serial <= deployed) {
        return Ok(Some(here.clone()));
    }
    if unchanged_here && there.serial > here.serial {
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

    fn agreed(here: Option<&TokenList>, deployed: u64, there: &[TokenList]) -> Option<TokenList> {
        let hosts: Vec<_> = there.iter().map(|list| ("events".into(), list.clone())).collect();
        agree(here, Path::new("list"), deployed, &hosts).unwrap()
    }

    #[test]
    fn the_list_that_was_changed_last_counts() {
        let (old, new) = (list(3, "a"), list(4, "b"));
        assert_eq!(agreed(None, 0, &[]), None);
        assert_eq!(agreed(Some(&old), 0, &[]), Some(old.clone()));
        assert_eq!(agreed(None, 0, &[old.clone(), new.clone()]), Some(new.clone()));
        assert_eq!(agreed(Some(&new), 3, &[old.clone(), old.clone()]), Some(new.clone()));
        assert_eq!(agreed(Some(&new), 3, &[old.clone(), new.clone()]), Some(new.clone()));
        // Another operator has changed it, and this one has not.
        assert_eq!(agreed(Some(&old), 3, std::slice::from_ref(&new)), Some(new));
    }

    #[test]
    fn two_changes_at_a_time_are_a_conflict() {
        let ours = list(4, "ours");
        for theirs in [list(4, "theirs"), list(5, "theirs")] {
            let hosts = [("events (i-1)".to_owned(), theirs)];
            let error = agree(Some(&ours), Path::new("list"), 3, &hosts).unwrap_err().to_string();
            assert!(error.contains("events (i-1) has another list of tokens"), "{error}");
        }
        // Two changes here do not outrank one that was made elsewhere meanwhile.
        let hosts = [("events".to_owned(), list(4, "theirs"))];
        assert!(agree(Some(&list(5, "ours")), Path::new("list"), 3, &hosts).is_err());
    }
}
