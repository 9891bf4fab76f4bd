//! Slow links between replicas: a proxy in front of each, which passes on what it gets after a while
//!
//! Like a long wire, not like a thin one: every byte comes that much later, and as many as before.

use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::Error;
use crate::ports::Ports;

/// Most that is read at once, bytes.
const CHUNK: usize = 64 << 10;
/// Most chunks that are under way in one direction of one connection: the sender waits with more.
const UNDER_WAY_MAX: usize = 4_096;

/// A proxy in front of each replica's port for the others. They end with this value.
#[derive(Debug)]
pub(crate) struct Links {
    ports: Vec<u16>,
    serving: Vec<AbortHandle>,
}

impl Links {
    /// Links that take `delay` in each direction.
    pub(crate) fn new(replicas: usize, ports: &Ports, delay: Duration) -> Result<Self, Error> {
        let mut links = Self {
            ports: Vec::new(),
            serving: Vec::new(),
        };
        for replica in 0..replicas {
            let (listener, port) =
                bind().map_err(Error::io("listen at", Path::new("127.0.0.1")))?;
            links.ports.push(port);
            let serving = tokio::spawn(serve(listener, ports.p2p(replica), delay));
            links.serving.push(serving.abort_handle());
        }
        Ok(links)
    }

    /// Port where the others reach this replica.
    pub(crate) fn port(&self, replica: usize) -> Option<u16> {
        self.ports.get(replica).copied()
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        for serving in &self.serving {
            serving.abort();
        }
    }
}

fn bind() -> io::Result<(TcpListener, u16)> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((TcpListener::from_std(listener)?, port))
}

async fn serve(listener: TcpListener, target: u16, delay: Duration) {
    // Connections end with the listener.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((near, _)) = accepted {
                connections.spawn(connect(near, target, delay));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(near: TcpStream, target: u16, delay: Duration) {
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else {
        return;
    };
    for stream in [&near, &far] {
        // The delay is ours alone.
        let _ = stream.set_nodelay(true);
    }
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    tokio::select! {
        () = pass_on(near_read, far_write, delay) => {}
        () = pass_on(far_read, near_write, delay) => {}
    }
}

/// Passes on what is read, `delay` later each, until one side closes.
async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY_MAX);
    let reading = async move {
        let mut chunk = vec![0; CHUNK];
        while let Ok(read) = from.read(&mut chunk).await {
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
                return;
            };
            let due = Instant::now() + delay;
            if sender.send((due, bytes.to_vec())).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, bytes)) = under_way.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(reading, writing);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_come_whole_in_order_and_late() {
        let delay = Duration::from_millis(60);
        let (far, port) = bind().unwrap();
        let (near, proxy) = bind().unwrap();
        let serving = tokio::spawn(serve(near, port, delay));
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy))
            .await
            .unwrap();
        let (mut server, _) = far.accept().await.unwrap();
        let sent: Vec<u8> = (0..300_000_u32).map(|i| i.to_le_bytes()[0]).collect();
        let began = Instant::now();
        let (_, received) = tokio::join!(async { client.write_all(&sent).await.unwrap() }, async {
            let mut received = vec![0; sent.len()];
            server.read_exact(&mut received[..1]).await.unwrap();
            assert!(began.elapsed() >= delay, "the first byte is late");
            server.read_exact(&mut received[1..]).await.unwrap();
            received
        });
        assert_eq!(received, sent);
        let began = Instant::now();
        server.write_all(b"back").await.unwrap();
        let mut back = [0; 4];
        client.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"back");
        assert!(began.elapsed() >= delay);
        // Whoever closes is seen to have closed.
        drop(client);
        assert_eq!(server.read(&mut back).await.unwrap(), 0);
        serving.abort();
    }
}
