//! Reads the files of keys that log in: private ones in the formats of OpenSSH and PEM, and public
//! ones, whose private half an agent has.

use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use ssh_key::public::{EcdsaPublicKey, Ed25519PublicKey, KeyData, RsaPublicKey};
use ssh_key::{Mpint, PrivateKey, PublicKey};

/// What a file holds.
#[derive(Debug)]
pub(super) enum KeyFile {
    /// A private key, and its public half.
    Private(PublicKey),
    /// A private key that a passphrase protects; the public half, if the format shows it.
    Encrypted(Option<PublicKey>),
    /// A public key.
    Public(PublicKey),
}

/// Reads a file; with a passphrase, a private key that it protects.
pub(super) fn read(text: &str, passphrase: Option<&str>) -> Result<KeyFile, String> {
    if let Ok(public) = PublicKey::from_openssh(text.trim()) {
        return Ok(KeyFile::Public(public));
    }
    if text.contains("-----BEGIN OPENSSH PRIVATE KEY-----") {
        return read_openssh(text, passphrase);
    }
    if text.contains("PRIVATE KEY-----") {
        return read_pem(text, passphrase);
    }
    Err("it has no line with `BEGIN … PRIVATE KEY`, and is no public key".into())
}

fn read_openssh(text: &str, passphrase: Option<&str>) -> Result<KeyFile, String> {
    let key = PrivateKey::from_openssh(text).map_err(|error| {
        // The library does not read every key of the curve P-521, for example.
        format!("{error}; `ssh-keygen -p -m PEM -f FILE` writes it in another format")
    })?;
    let public = key.public_key().clone();
    if !key.is_encrypted() {
        return Ok(KeyFile::Private(public));
    }
    // Whether the passphrase is right shows when the key is used.
    Ok(if passphrase.is_some() {
        KeyFile::Private(public)
    } else {
        KeyFile::Encrypted(Some(public))
    })
}

fn read_pem(text: &str, passphrase: Option<&str>) -> Result<KeyFile, String> {
    let is_encrypted = text.contains("ENCRYPTED");
    let Some(passphrase) = passphrase.or((!is_encrypted).then_some("")) else {
        return Ok(KeyFile::Encrypted(None));
    };
    let key = PKey::private_key_from_pem_passphrase(text.as_bytes(), passphrase.as_bytes());
    let key = key.map_err(|error| {
        if is_encrypted { "the passphrase is wrong".to_owned() } else { reason(&error) }
    })?;
    let public = public_half(&key).map_err(|error| reason(&error))?;
    let public = public.ok_or("it is no RSA, ECDSA or Ed25519 key")?;
    Ok(KeyFile::Private(PublicKey::new(public, "")))
}

/// The public half of a key, if it is of a kind that SSH has.
fn public_half(key: &PKey<Private>) -> Result<Option<KeyData>, ErrorStack> {
    Ok(match key.id() {
        Id::RSA => {
            let rsa = key.rsa()?;
            let number = |bytes: Vec<u8>| Mpint::from_positive_bytes(&bytes).ok();
            let (e, n) = (number(rsa.e().to_vec()), number(rsa.n().to_vec()));
            e.zip(n).map(|(e, n)| KeyData::Rsa(RsaPublicKey { e, n }))
        }
        Id::EC => {
            let key = key.ec_key()?;
            let point = point(key.group(), key.public_key())?;
            EcdsaPublicKey::from_sec1_bytes(&point).ok().map(KeyData::Ecdsa)
        }
        Id::ED25519 => {
            let bytes: Option<[u8; 32]> = key.raw_public_key()?.try_into().ok();
            bytes.map(|bytes| KeyData::Ed25519(Ed25519PublicKey(bytes)))
        }
        _ => None,
    })
}

/// A point of one of SSH's curves; of others, nothing that is a key.
fn point(
    group: &openssl::ec::EcGroupRef,
    point: &openssl::ec::EcPointRef,
) -> Result<Vec<u8>, ErrorStack> {
    let curves = [Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1];
    let Some(curve) = group.curve_name().filter(|name| curves.contains(name)) else {
        return Ok(Vec::new());
    };
    let group = EcGroup::from_curve_name(curve)?;
    let mut context = BigNumContext::new()?;
    point.to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context)
}

/// What OpenSSL says, without the places in its code.
fn reason(error: &ErrorStack) -> String {
    let last = error.errors().last().and_then(openssl::error::Error::reason);
    last.unwrap_or("it is damaged").to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    /// A key made by ssh-keygen: the text of the private file, and the public one's type and key.
    fn made(arguments: &[&str], passphrase: &str) -> (String, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-N", passphrase]).args(arguments).arg("-f").arg(&path);
        assert!(keygen.status().unwrap().success(), "{arguments:?}");
        let public = fs::read_to_string(path.with_extension("pub")).unwrap();
        let public: Vec<_> = public.split_whitespace().take(2).collect();
        (fs::read_to_string(&path).unwrap(), public.join(" "))
    }

    fn line(key: &PublicKey) -> String {
        let line = key.to_openssh().unwrap();
        line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    #[test]
    #[ignore = "needs ssh-keygen: run scripts/test"]
    fn keys_of_every_kind_and_format_are_read() {
        for kind in [
            &["-t", "ed25519"][..],
            &["-t", "rsa", "-b", "2048"],
            &["-t", "ecdsa"],
            &["-t", "rsa", "-b", "2048", "-m", "PEM"],
            &["-t", "ecdsa", "-b", "521", "-m", "PEM"],
            &["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
            &["-t", "ecdsa", "-m", "PKCS8"],
        ] {
            let (text, public) = made(kind, "");
            let read_all = |passphrase| read(&text, passphrase).map_err(|error| (kind, error));
            let KeyFile::Private(found) = read_all(None).unwrap() else { panic!("{kind:?}") };
            assert_eq!(line(&found), public, "{kind:?}");

            let (text, public) = made(kind, "correct horse");
            assert!(matches!(read(&text, None), Ok(KeyFile::Encrypted(_))), "{kind:?}");
            if !text.contains("OPENSSH") {
                assert_eq!(read(&text, Some("wrong")).unwrap_err(), "the passphrase is wrong");
            }
            let read = read(&text, Some("correct horse")).unwrap();
            let KeyFile::Private(found) = read else { panic!("{kind:?}") };
            assert_eq!(line(&found), public, "{kind:?}");
        }
    }

    #[test]
    fn a_public_key_is_one_of_an_agent_and_other_text_is_no_key() {
        let public = "ssh-ed25519 \
            AAAAC3NzaC1lZDI1NTE5AAAAIJ6Djm7B3e6WGNyjYYF3wnZ5tKsizQj448pk8aspiHSy me@here\n";
        assert!(matches!(read(public, None), Ok(KeyFile::Public(_))));
        for text in
            ["", "hello", "-----BEGIN RSA PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\nA"]
        {
            assert!(read(text, None).is_err(), "{text}");
        }
    }
}
