//! The sample configuration of nginx in front of a replica.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use white_city_testnet::binaries::Binaries;
use white_city_tests::tls::{certificate, nginx_file};

use crate::world::{PATIENCE, Setup, World, keys, party, world};

/// Address where nginx listens: with its own port numbers the replica is at 127.0.0.1.
const PUBLIC: &str = "127.0.0.50";

struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The sample, for these ports.
fn sample(rpc: u16, direct: u16) -> String {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/nginx.conf");
    let mut text = fs::read_to_string(sample).unwrap();
    for (from, to) in [
        ("127.0.0.1:26657", format!("127.0.0.1:{rpc}")),
        ("127.0.0.1:26660", format!("127.0.0.1:{direct}")),
        ("192.0.2.1:26657", format!("{PUBLIC}:{rpc}")),
        ("192.0.2.1:26660", format!("{PUBLIC}:{direct}")),
    ] {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, &to);
    }
    text
}

/// TLS in front of an RPC, at the same port of another address, with the certificate in a folder.
fn behind_tls(dir: &Path, rpc: u16) -> String {
    let dir = dir.display();
    format!(
        "worker_processes 1; error_log stderr error; events {{ worker_connections 256; }}
http {{
access_log off;
server {{
listen {PUBLIC}:{rpc} ssl;
ssl_certificate {dir}/certificate.pem;
ssl_certificate_key {dir}/key.pem;
location / {{
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $http_connection;
proxy_pass http://127.0.0.1:{rpc};
}}
}}
}}
"
    )
}

/// Starts nginx with this configuration, and waits for its port; `None`, loudly, where there is no nginx.
fn nginx(dir: &Path, text: &str, port: u16) -> Option<Nginx> {
    let file = nginx_file(dir, text);
    for program in ["nginx", "/usr/sbin/nginx"] {
        let started = Command::new(program)
            .args(["-c", file.to_str().unwrap(), "-p", dir.to_str().unwrap()])
            .args(["-e", "stderr", "-g"])
            .arg(format!(
                "daemon off; master_process off; pid {}/pid;",
                dir.display()
            ))
            .stdout(Stdio::null())
            .spawn();
        let Ok(child) = started else { continue };
        let mut nginx = Nginx(child);
        let address: SocketAddr = format!("{PUBLIC}:{port}").parse().unwrap();
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            let ended = nginx.0.try_wait().unwrap();
            assert!(ended.is_none(), "nginx has ended: {ended:?}");
            assert!(Instant::now() < until);
            std::thread::sleep(Duration::from_millis(20));
        }
        return Some(nginx);
    }
    assert!(
        std::env::var_os("WHITE_CITY_REQUIRE_COMETBFT").is_none(),
        "nginx is required here: apt-get install nginx-light"
    );
    eprintln!("NOT RUN: this test needs nginx");
    None
}

/// The port numbers of the first replica's RPC and direct port.
async fn ports(world: &World) -> (u16, u16) {
    let rpc = reqwest::Url::parse(&world.net.rpc_urls()[0]).unwrap();
    // A question for the parameters.
    let url = rpc.join("abci_query?path=\"/v1\"&data=0x08011200").unwrap();
    let answer = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    let info = answer["result"]["response"]["info"].as_str().unwrap();
    let direct = info.strip_prefix("direct-port=").unwrap();
    (rpc.port().unwrap(), direct.parse().unwrap())
}

fn from(last: u8) -> reqwest::Client {
    let client = reqwest::Client::builder().local_address(Some([127, 0, 0, last].into()));
    client.build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn parties_run_a_session_through_nginx_which_serves_no_address_more_than_its_part() {
    let Some(world) = world(Setup::default()).await else {
        return;
    };
    let (rpc, direct) = ports(&world).await;
    let dir = tempfile::tempdir().unwrap();
    let Some(_nginx) = nginx(dir.path(), &sample(rpc, direct), direct) else {
        return world.stop().await;
    };
    let through = format!("http://{PUBLIC}:{rpc}");
    let keys = keys(3);
    let opener = world.client_of([through.clone()], &keys[0]);
    let id = world.open_by(&opener, &keys, |spec| spec).await;
    let mut parties = JoinSet::new();
    for key in &keys {
        let client = world.client_of([through.clone()], key);
        let session = client.session(id).await.unwrap();
        parties.spawn(async move { party(session, 2).await.unwrap() });
    }
    tokio::time::timeout(PATIENCE, parties.join_all())
        .await
        .unwrap();
    // What nobody needs isn't served.
    let get = async |http: &reqwest::Client, port: u16, path: &str| {
        let url = format!("http://{PUBLIC}:{port}{path}");
        http.get(url).send().await.unwrap().status().as_u16()
    };
    let (one, other) = (from(61), from(62));
    for (port, path, status) in [
        (rpc, "/health", 200),
        (rpc, "/net_info", 404),
        (rpc, "/", 403),
        // That is the replica's own answer, by which clients know its port.
        (direct, "/v1", 405),
        (direct, "/v1/txs", 403),
        (direct, "/", 404),
    ] {
        assert_eq!(get(&other, port, path).await, status, "{port}{path}");
    }
    let mut refused = 0;
    for _ in 0..40 {
        // One after the other a busy machine may be no quicker than is allowed.
        let asked = (0..16).map(|_| get(&one, rpc, "/health"));
        for status in futures::future::join_all(asked).await {
            match status {
                200 => {}
                429 => refused += 1,
                status => panic!("{status}"),
            }
        }
    }
    assert!(refused > 0, "640 at once are too many");
    assert_eq!(get(&other, rpc, "/health").await, 200, "another address");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_behind_tls_is_believed_to_be_there_only_with_a_certificate_that_the_system_trusts()
 {
    let Some(world) = world(Setup::default()).await else {
        return;
    };
    let (rpc, _) = ports(&world).await;
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificate(dir.path(), PUBLIC);
    certificate(other.path(), PUBLIC);
    let Some(_nginx) = nginx(dir.path(), &behind_tls(dir.path(), rpc), rpc) else {
        return world.stop().await;
    };
    let cli = Binaries::find().await.unwrap().cli().unwrap();
    let genesis = world.net.dir().join("genesis.json");
    let list = |trusted: &Path| {
        Command::new(&cli)
            .args(["session", "list", "--trust", genesis.to_str().unwrap()])
            .args(["--replica", &format!("https://{PUBLIC}:{rpc}")])
            .env("SSL_CERT_FILE", trusted.join("certificate.pem"))
            .env_remove("SSL_CERT_DIR")
            .env_remove("WHITE_CITY_NETWORK")
            .output()
            .unwrap()
    };
    let listed = list(dir.path());
    assert!(listed.status.success(), "{listed:?}");
    let refused = list(other.path());
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let why = String::from_utf8_lossy(&refused.stderr).to_lowercase();
    assert!(why.contains("certificate"), "{why}");
    world.stop().await;
}
