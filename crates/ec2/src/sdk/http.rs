//! The HTTP client that calls AWS: through the proxy that the environment names, and trusting the
//! authorities that it names.

use std::env;
use std::fs;
use std::path::Path;

use aws_sdk_ec2::config::RuntimeComponents;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::Ec2Error;

/// Names a file of certificates to trust instead of the system's, as for AWS's own tools.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// A client by `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` and `AWS_CA_BUNDLE`.
pub(super) fn client() -> Result<SharedHttpClient, Ec2Error> {
    let trusted = match env::var_os(CA_BUNDLE).filter(|path| !path.is_empty()) {
        Some(path) => TrustStore::empty().with_pem_certificate(bundle(Path::new(&path))?),
        None => TrustStore::default(),
    };
    let tls = TlsContext::builder().with_trust_store(trusted).build();
    let tls = tls.map_err(|error| problem(&error.to_string()))?;
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder()
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls.clone());
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.build()
    }))
}

/// The certificates in a file. The client itself would fail later, and name no file.
fn bundle(path: &Path) -> Result<Vec<u8>, Ec2Error> {
    let shown = path.display();
    let bytes = fs::read(path).map_err(|error| problem(&format!("{shown}: {error}")))?;
    let has_certificate = bytes.windows(BEGIN.len()).any(|part| part == BEGIN);
    if !has_certificate {
        return Err(problem(&format!("{shown}: there is no certificate in PEM in it")));
    }
    Ok(bytes)
}

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

fn problem(cause: &str) -> Ec2Error {
    Ec2Error::new("connecting", "AWS", format!("{CA_BUNDLE} cannot be used: {cause}"))
}
