//! For tests: what a replica is asked over HTTP, and the way to answer it.

use std::{sync::Arc, time::Duration};

use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    time::Instant,
};
use white_city_wire::{
    pb,
    read::{DIRECT_PORT_SAYS, HANDING_PATH},
};

use super::{HEDGE, Replicas, Woken, tests::replicas_at};

/// A request. Without an answer its connection ends.
pub(crate) struct Request {
    pub(crate) body: Vec<u8>,
    pub(crate) answer: oneshot::Sender<Vec<u8>>,
}

impl Request {
    /// The entries that are handed over.
    pub(crate) fn entries(&self) -> Vec<Vec<u8>> {
        pb::Handing::decode(&self.body[..]).unwrap().txs
    }

    /// Takes so many transactions.
    pub(crate) fn take(self, count: usize, block_comes: bool) {
        let taken = pb::HandedTx {
            block_comes,
            ..Default::default()
        };
        let txs = vec![taken; count];
        self.answer
            .send(pb::Handed { txs }.encode_to_vec())
            .unwrap();
    }
}

/// The requests that come to this path of a port, and the port's number.
pub(crate) async fn serve(path: &'static str) -> (mpsc::Receiver<Request>, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, path, sender.clone()));
        }
    });
    (requests, port)
}

async fn connection(
    mut stream: TcpStream,
    path: &str,
    requests: mpsc::Sender<Request>,
) -> Option<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        if head.starts_with("get /v1 ") {
            let says = DIRECT_PORT_SAYS;
            let length = says.len();
            let refusal = format!(
                "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: {length}\r\n\r\n{says}"
            );
            stream.write_all(refusal.as_bytes()).await.ok()?;
            continue;
        }
        assert!(head.starts_with(&format!("post {path} ")), "{head}");
        let (_, length) = head.split_once("content-length: ").unwrap();
        let mut body = vec![0; length.split("\r\n").next().unwrap().parse().unwrap()];
        stream.read_exact(&mut body).await.ok()?;
        let (answer, answered) = oneshot::channel();
        requests.send(Request { body, answer }).await.ok()?;
        let body = answered.await.ok()?;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let reply = [head.as_bytes(), &body].concat();
        stream.write_all(&reply).await.ok()?;
    }
}

/// The requests that come to several places, one after the other.
pub(crate) type Requests = Vec<mpsc::Receiver<Request>>;

/// Four replicas that have been slow: what comes to the RPC of each, and to the direct ports of these.
pub(crate) async fn four(
    ports: impl IntoIterator<Item = usize>,
) -> (Arc<Replicas>, Requests, Requests) {
    let (mut rpc, mut urls) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let (requests, port) = serve("/").await;
        rpc.push(requests);
        urls.push(format!("http://127.0.0.1:{port}"));
    }
    let replicas = replicas_at(&urls, 1);
    // The test's own machine may stand still for longer than an answer is waited for at least.
    replicas.answers.note(HEDGE.most, Instant::now());
    let mut direct = Vec::new();
    for at in ports {
        let (requests, port) = serve(HANDING_PATH).await;
        replicas.all[at].endpoint.know_direct_port(port).await;
        direct.push(requests);
    }
    (Arc::new(replicas), rpc, direct)
}

/// As if one engine had got an entry in a while, and might keep it to itself.
pub(crate) async fn one_is_woken(replicas: &Replicas) {
    *replicas.woken.lock().await = Some(Woken {
        since: Instant::now() + Duration::from_secs(60),
        are_all: false,
    });
}
