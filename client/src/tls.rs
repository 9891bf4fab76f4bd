//! TLS, for replicas behind `https`: by AWS-LC, which the client has anyway, under the certificates that the system trusts.

use std::sync::{Arc, LazyLock};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, version};

/// Made once: the system's certificates aren't read again for each replica of each client.
static CONFIG: LazyLock<Result<ClientConfig, rustls::Error>> = LazyLock::new(made);

/// The configuration of connections. Where the system trusts nobody, none can be.
///
/// # Errors
/// What rustls says, where it can't be configured so.
pub(crate) fn config() -> Result<ClientConfig, rustls::Error> {
    CONFIG.clone()
}

fn made() -> Result<ClientConfig, rustls::Error> {
    let mut trusted = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::debug!(%error, "a certificate of the system can't be read");
    }
    let (_, refused) = trusted.add_parsable_certificates(system.certs);
    if refused > 0 {
        tracing::debug!(refused, "certificates of the system that aren't used");
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_protocol_versions(&[&version::TLS13, &version::TLS12])?;
    Ok(config.with_root_certificates(trusted).with_no_client_auth())
}
