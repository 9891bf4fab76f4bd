//! TLS at the direct port, with certificates that are renewed while it serves.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Once,
    time::{Duration, Instant},
};

use reqwest::{Certificate, Client, StatusCode};
use white_city_replica::{
    Config,
    direct::{
        DirectPort,
        tls::{Files, Tls},
    },
};
use white_city_tests::tls::{CERTIFICATE, KEY, certificate};
use white_city_wire::read::{DIRECT_PORT_SAYS, QUERY_PATH};

use crate::chain::{Chain, naive};

const PATIENCE: Duration = Duration::from_secs(60);
/// Longest silence of a connection that has asked nothing, and as long again for a loaded machine.
const SILENCE: Duration = Duration::from_secs(20);

/// A client that trusts the certificate in a folder, and no other.
fn trusting(dir: &Path) -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another test may have done it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
    let pem = fs::read(dir.join(CERTIFICATE)).unwrap();
    let client = Client::builder().tls_built_in_root_certs(false).no_proxy();
    let client = client.add_root_certificate(Certificate::from_pem(&pem).unwrap());
    client.pool_max_idle_per_host(0).build().unwrap()
}

fn files(dir: &Path) -> Files {
    Files {
        certificate: dir.join(CERTIFICATE),
        key: dir.join(KEY),
    }
}

fn served(dir: &Path) -> (Chain, SocketAddr) {
    let chain = Chain::new(&naive());
    let port = DirectPort::bind("127.0.0.1:0", Config::default().direct_limits()).unwrap();
    let address = port.address();
    let port = port.behind(Some(Tls::new(files(dir)).unwrap()));
    port.serve(&chain.replica, chain.replica.halt()).unwrap();
    (chain, address)
}

#[tokio::test]
async fn by_tls_the_same_is_served_and_a_renewed_certificate_is_presented_without_a_restart() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificate(old.path(), "127.0.0.1");
    certificate(new.path(), "127.0.0.1");
    let used = tempfile::tempdir().unwrap();
    let put = |from: &Path, name: &str| {
        fs::copy(from.join(name), used.path().join(name)).unwrap();
    };
    put(old.path(), CERTIFICATE);
    put(old.path(), KEY);
    let (_chain, address) = served(used.path());
    let url = format!("https://{address}{QUERY_PATH}");
    let (by_old, by_new) = (trusting(old.path()), trusting(new.path()));
    let answer = by_old.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(answer.text().await.unwrap().starts_with(DIRECT_PORT_SAYS));
    assert!(by_new.get(&url).send().await.is_err());
    let plain = format!("http://{address}{QUERY_PATH}");
    assert!(by_old.get(&plain).send().await.is_err());

    // One that doesn't go with its key is never presented.
    put(new.path(), CERTIFICATE);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(by_old.get(&url).send().await.is_ok());
    put(new.path(), KEY);
    let until = Instant::now() + PATIENCE;
    while by_new.get(&url).send().await.is_err() {
        assert!(
            Instant::now() < until,
            "the new certificate isn't presented"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // One that goes on with a session of before is shown none.
    assert!(trusting(old.path()).get(&url).send().await.is_err());
}

#[test]
fn whoever_begins_no_handshake_is_closed() {
    use std::io::Read as _;
    let dir = tempfile::tempdir().unwrap();
    certificate(dir.path(), "127.0.0.1");
    let (_chain, address) = served(dir.path());
    let mut silent = TcpStream::connect(address).unwrap();
    silent.set_read_timeout(Some(SILENCE)).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
}

#[test]
fn files_that_are_no_certificate_and_key_are_refused_by_name() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificate(dir.path(), "127.0.0.1");
    certificate(other.path(), "127.0.0.1");
    let refused = |files: Files| Tls::new(files).unwrap_err().to_string();
    let good = files(dir.path());
    assert!(Tls::new(good.clone()).is_ok());
    let missing = refused(Files {
        certificate: dir.path().join("none.pem"),
        ..good.clone()
    });
    assert!(missing.contains("none.pem"), "{missing}");
    let swapped = refused(Files {
        certificate: good.key.clone(),
        key: good.certificate.clone(),
    });
    assert!(swapped.contains("key.pem"), "{swapped}");
    let mixed = refused(Files {
        key: other.path().join(KEY),
        ..good
    });
    assert!(mixed.contains("key.pem"), "{mixed}");
}
