//! Decides whether the list of tokens changes before services get it. Pure, so that a plan and
//! the command that it describes decide alike.

use rest::access::tokens::{TokenList, is_token};

use super::{AccessError, Token};

/// What happens to a stack's list of tokens.
#[derive(Debug, PartialEq, Eq)]
pub enum ListChange {
    /// It stays as it is.
    None,
    /// The given token becomes its first.
    Adopt,
    /// This user gets a token of their own.
    Create,
}

/// Decides what happens to `list`, if there is one. `own` is this user's token, `given` the one
/// that was passed to the command. With `ensure`, a user without a token gets one: anybody who
/// may change the stack may log in to its hosts, and so create tokens.
pub fn list_change(
    list: Option<&TokenList>,
    own: Option<&Token>,
    given: Option<&Token>,
    ensure: bool,
) -> Result<ListChange, AccessError> {
    match (given, list) {
        (Some(given), None) if is_token(given.secret()) => Ok(ListChange::Adopt),
        (Some(_), None) => Err(AccessError::Weak),
        (Some(_), Some(_)) => Ok(ListChange::None),
        (None, None) => Ok(ListChange::Create),
        (None, Some(list)) => {
            let is_valid = |own: &Token| list.find(own.secret().as_bytes()).is_some();
            Ok(match own {
                Some(own) if is_valid(own) => ListChange::None,
                Some(_) => ListChange::Create,
                None if ensure => ListChange::Create,
                None => ListChange::None,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use rest::access::tokens::digest;
    use support::digest::hexadecimal;

    use super::*;

    #[test]
    fn the_list_changes_for_a_user_without_a_valid_token() {
        let token = |digit: &str| Token::new(&format!("eventpost_{}", digit.repeat(64))).unwrap();
        let (own, revoked, weak) = (token("a"), token("b"), Token::new("x").unwrap());
        let entry = hexadecimal(&digest(own.secret()));
        let list = TokenList::parse(&format!("# serial 1\noperator admin {entry}")).unwrap();
        let change = |list, own, given, ensure| list_change(list, own, given, ensure).unwrap();
        for ensure in [true, false] {
            let some = Some(&list);
            assert_eq!(change(None, None, None, ensure), ListChange::Create);
            assert_eq!(change(None, None, Some(&own), ensure), ListChange::Adopt);
            assert_eq!(change(some, Some(&own), None, ensure), ListChange::None);
            assert_eq!(change(some, Some(&revoked), None, ensure), ListChange::Create);
            assert_eq!(change(some, None, Some(&revoked), ensure), ListChange::None);
            let without = if ensure { ListChange::Create } else { ListChange::None };
            assert_eq!(change(some, None, None, ensure), without);
            assert!(list_change(None, None, Some(&weak), ensure).is_err());
        }
    }
}
