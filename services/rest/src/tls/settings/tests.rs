use clap::Parser;

use super::*;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    tls: TlsArgs,
}

fn settings(args: &[&str]) -> Result<Option<TlsSettings>, String> {
    let args = Args::try_parse_from([&["test"], args].concat());
    let args = args.map_err(|error| error.to_string())?;
    args.tls.settings().map_err(|error| error.to_string())
}

const LISTEN: [&str; 2] = ["--tls-listen", "[::]:443"];
const NAMES: [&str; 2] = ["--tls-names", "A.test,b.test"];
const FILES: [&str; 4] = ["--tls-certificate-file", "c.pem", "--tls-key-file", "k.pem"];

#[test]
fn https_is_served_only_where_it_is_asked_for() {
    assert!(settings(&[]).unwrap().is_none());
    for (option, name) in [
        (&NAMES[..], "TLS_NAMES"),
        (&FILES[..2], "TLS_CERTIFICATE_FILE"),
        (&FILES[2..], "TLS_KEY_FILE"),
        (&["--redirect-listen", "[::]:80"], "REDIRECT_LISTEN"),
        (&["--acme-contact", "a@b.test"], "ACME_CONTACT"),
    ] {
        let error = settings(option).unwrap_err();
        assert!(error.starts_with(name) && error.contains("TLS_LISTEN"), "{error}");
    }
}

#[test]
fn an_empty_setting_is_none() {
    let empty = [
        "--tls-listen=",
        "--redirect-listen=",
        "--tls-names=",
        "--tls-certificate-file=",
        "--tls-key-file=",
        "--acme-directory=",
        "--acme-contact=",
        "--acme-ca-file=",
    ];
    assert!(settings(&empty).unwrap().is_none());
    let args = [&["--tls-listen=[::]:443", "--tls-names=a.test"], &empty[3..]].concat();
    let settings = settings(&args).unwrap().unwrap();
    let Source::Acme(acme) = settings.source else { panic!("{settings:?}") };
    assert_eq!(acme.directory, DEFAULT_DIRECTORY);
    assert!(acme.contact.is_none() && acme.ca_file.is_none());
}

#[test]
fn names_are_a_list_and_contacts_are_mail_addresses() {
    for contact in ["a@b.test", "mailto:a@b.test"] {
        let args = [&LISTEN[..], &NAMES, &["--acme-contact", contact]].concat();
        let settings = settings(&args).unwrap().unwrap();
        let names: Vec<_> = settings.names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a.test", "b.test"]);
        let Source::Acme(acme) = settings.source else { panic!("{contact}") };
        assert_eq!(acme.contact.unwrap(), "mailto:a@b.test");
    }
}

#[test]
fn contradictions_are_refused() {
    for (args, problem) in [
        (&[][..], "without a certificate"),
        (&FILES[..2], "TLS_CERTIFICATE_FILE is set without TLS_KEY_FILE"),
        (&FILES[2..], "TLS_KEY_FILE is set without TLS_CERTIFICATE_FILE"),
        (&[&FILES[..], &["--redirect-listen", "[::]:80"]].concat(), "REDIRECT_LISTEN needs"),
        (&[&FILES[..], &["--acme-ca-file", "ca.pem"]].concat(), "cannot be combined"),
        (&[&NAMES[..], &["--acme-directory", "http://a.test/"]].concat(), "https://"),
        (&[&NAMES[..], &["--acme-contact", "me"]].concat(), "mail address"),
        (&["--tls-names", "192.0.2.1"], "not addresses"),
        (&["--redirect-listen", "80"], "invalid socket address"),
    ] {
        let error = settings(&[&LISTEN[..], args].concat()).unwrap_err();
        assert!(error.contains(problem), "{args:?}: {error}");
    }
}
