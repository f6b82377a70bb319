//! The account with the authority, which is made once.

use std::fs;
use std::io;
use std::path::Path;

use instant_acme::{Account, AccountCredentials, NewAccount};
use serde::{Deserialize, Serialize};

use super::Authority;
use super::error::AcmeError;
use crate::file::replace_file;

/// An account, as its file has it.
#[derive(Deserialize, Serialize)]
struct Stored {
    /// Another authority does not know it.
    directory: String,
    credentials: AccountCredentials,
}

/// The account in a file, which is made if it is not there.
pub(super) async fn account(path: &Path, authority: &Authority) -> Result<Account, AcmeError> {
    let directory = authority.directory.to_string();
    let failed = |source| AcmeError::File { path: path.to_owned(), source };
    let stored = match fs::read(path) {
        Ok(bytes) => serde_json::from_slice::<Stored>(&bytes).ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    let builder = Account::builder_with_http(Box::new(authority.client.clone()));
    if let Some(stored) = stored.filter(|stored| stored.directory == directory) {
        return Ok(builder.from_credentials(stored.credentials).await?);
    }
    let contact: Vec<_> = authority.contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let (account, credentials) = builder.create(&new, directory.clone(), None).await?;
    let stored = serde_json::to_vec(&Stored { directory, credentials });
    let stored = stored.map_err(|error| failed(error.into()))?;
    replace_file(path, 0o600, stored).map_err(failed)?;
    Ok(account)
}

/// Forgets an account that the authority does not know.
pub(super) fn forget(path: &Path) -> Result<(), AcmeError> {
    fs::remove_file(path).map_err(|source| AcmeError::File { path: path.to_owned(), source })
}
