//! Connections to a direct port from one of this machine's addresses.

use std::{net::SocketAddr, time::Duration};

use prost::Message;
use tendermint_proto::v0_38::abci::ResponseQuery;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::OnceCell,
};
use white_city_wire::{
    pb,
    read::{HANDING_PATH, QUERY_PATH},
};

/// Pause after a connection that couldn't be made, or was closed at once.
const PAUSE: Duration = Duration::from_millis(50);
/// Size of the buffer of a connection that doesn't read, bytes: as little as the system allows.
const BUFFER_BYTES: u32 = 4_096;
/// Number of requests on a connection that doesn't read.
const REQUESTS: usize = 4;
/// Pause of a silent connection after it was closed: it is about places, and not about connecting.
const SILENT_PAUSE: Duration = Duration::from_secs(1);
/// The longest that an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A direct port, seen from one of this machine's addresses.
pub struct Port {
    last: u8,
    port: SocketAddr,
    /// Made when it is needed: there may be thousands of these.
    http: OnceCell<reqwest::Client>,
}

impl Port {
    pub const fn new(last: u8, port: SocketAddr) -> Self {
        Self {
            last,
            port,
            http: OnceCell::const_new(),
        }
    }

    async fn http(&self) -> Result<&reqwest::Client, String> {
        let make = async || {
            reqwest::Client::builder()
                .local_address(Some([127, 0, 0, self.last].into()))
                .tls_built_in_root_certs(false)
                .timeout(PATIENCE)
                .build()
                .map_err(|error| error.to_string())
        };
        self.http.get_or_try_init(make).await
    }

    async fn connect(&self) -> Option<TcpStream> {
        let socket = TcpSocket::new_v4().ok()?;
        socket.set_recv_buffer_size(BUFFER_BYTES).ok()?;
        socket.bind(([127, 0, 0, self.last], 0).into()).ok()?;
        socket.connect(self.port).await.ok()
    }

    /// Keeps a connection open and says nothing, until it is closed.
    pub async fn say_nothing(&self) -> String {
        let Some(mut stream) = self.connect().await else {
            tokio::time::sleep(SILENT_PAUSE).await;
            return "not connected".into();
        };
        let began = tokio::time::Instant::now();
        let _ = stream.read(&mut [0]).await;
        tokio::time::sleep(SILENT_PAUSE).await;
        match began.elapsed() < Duration::from_secs(1) {
            true => "closed at once".into(),
            false => "closed later".into(),
        }
    }

    /// Asks, and reads nothing of the answer until the connection is closed.
    pub async fn ask_and_never_read(&self, query: &[u8]) -> String {
        let head = format!(
            "POST {QUERY_PATH} HTTP/1.1\r\nhost: replica\r\ncontent-length: {}\r\n\r\n",
            query.len()
        );
        // What the first answers find room for in the systems' buffers isn't the replica's memory.
        let request = [head.as_bytes(), query].concat().repeat(REQUESTS);
        let Some(mut stream) = self.connect().await else {
            tokio::time::sleep(PAUSE).await;
            return "not connected".into();
        };
        if stream.write_all(&request).await.is_err() {
            tokio::time::sleep(PAUSE).await;
            return "closed at once".into();
        }
        // It is noticed when nothing more can be written.
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if stream.write_all(b"\r\n").await.is_err() {
                return "closed later".into();
            }
        }
    }

    /// Hands transactions over; gives the codes that came back, or why none did, in words that can be counted.
    pub async fn hand_over(&self, txs: Vec<Vec<u8>>) -> String {
        let body = pb::Handing { txs }.encode_to_vec();
        match self.post::<pb::Handed>(HANDING_PATH, body).await {
            Ok(handed) => {
                let mut codes: Vec<u32> = handed.txs.iter().map(|tx| tx.code).collect();
                codes.dedup();
                let codes: Vec<String> = codes.iter().map(u32::to_string).collect();
                codes.join(",")
            }
            Err(reason) => {
                tokio::time::sleep(PAUSE).await;
                reason
            }
        }
    }

    /// Asks a question; gives the answer.
    pub async fn ask(&self, query: Vec<u8>) -> Result<ResponseQuery, String> {
        self.post(QUERY_PATH, query).await
    }

    async fn post<T: Message + Default>(&self, path: &str, body: Vec<u8>) -> Result<T, String> {
        let url = format!("http://{}{path}", self.port);
        let response = self.http().await?.post(url).body(body).send().await;
        let response = response.map_err(|_| "no answer".to_owned())?;
        if !response.status().is_success() {
            return Err(format!("HTTP {}", response.status().as_u16()));
        }
        let answer = response.bytes().await.map_err(|_| "no answer".to_owned())?;
        T::decode(answer).map_err(|error| error.to_string())
    }
}
