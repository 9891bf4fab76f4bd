//! The socket server.
//!
//! CometBFT waits for the answer to a flush behind every call that it makes in step, so answers are gathered and
//! written at once: two small writes on a TCP socket would wait for each other's acknowledgement, about 40 ms a call.

use std::{
    fs,
    io::{self, BufReader, BufWriter, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::{
        fs::FileTypeExt,
        net::{UnixListener, UnixStream},
    },
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
};

use tendermint_abci::Application;
use tendermint_proto::v0_38::abci::{Request, request::Value};

use super::{dispatch::dispatch, frame};
use crate::{config::Listen, halt::Halt};

/// Memory for what a connection has read and not yet handed over, bytes; likewise for answers.
const BUFFER_BYTES: usize = 256 << 10;

/// A socket that CometBFT can connect to.
pub enum Server {
    /// On a unix socket.
    Unix(UnixListener),
    /// On a TCP port.
    Tcp(TcpListener),
}

impl Server {
    /// Binds. A socket file that nobody serves any more is replaced.
    ///
    /// # Errors
    /// When the place is taken, or can't be bound.
    pub fn bind(listen: &Listen) -> io::Result<Self> {
        Ok(match listen {
            Listen::Unix(path) => {
                remove_stale(path)?;
                Self::Unix(UnixListener::bind(path)?)
            }
            Listen::Tcp(address) => Self::Tcp(TcpListener::bind(address)?),
        })
    }

    /// The TCP address, if it is one.
    #[must_use]
    pub fn tcp_address(&self) -> Option<std::net::SocketAddr> {
        match self {
            Self::Unix(_) => None,
            Self::Tcp(listener) => listener.local_addr().ok(),
        }
    }

    /// Serves connections, each on a thread of its own with a handle of its own on the application, until the
    /// process ends.
    pub fn serve<A: Application + Sync>(self, application: &A, halt: &Halt) {
        match self {
            Self::Unix(listener) => accept(listener.incoming(), application, halt, |stream| {
                Ok((stream.try_clone()?, stream))
            }),
            Self::Tcp(listener) => accept(
                listener.incoming(),
                application,
                halt,
                |stream: TcpStream| {
                    stream.set_nodelay(true)?;
                    Ok((stream.try_clone()?, stream))
                },
            ),
        }
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(file) if file.file_type().is_socket() => {
            if UnixStream::connect(path).is_ok() {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            fs::remove_file(path)
        }
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn accept<S, R, W, A>(
    incoming: impl Iterator<Item = io::Result<S>>,
    application: &A,
    halt: &Halt,
    split: impl Fn(S) -> io::Result<(R, W)>,
) where
    R: Read + Send + 'static,
    W: Write + Send + 'static,
    A: Application,
{
    for stream in incoming {
        match stream.and_then(&split) {
            Ok((read, write)) => {
                let application = application.clone();
                let halt = halt.clone();
                thread::spawn(move || serve_connection(&application, &halt, read, write));
            }
            Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
        }
    }
}

fn serve_connection(
    application: &impl Application,
    halt: &Halt,
    read: impl Read,
    write: impl Write,
) {
    tracing::debug!("connected");
    let mut read = BufReader::with_capacity(BUFFER_BYTES, read);
    let mut write = BufWriter::with_capacity(BUFFER_BYTES, write);
    loop {
        let request = match frame::read_request(&mut read) {
            Ok(Some(request)) => request,
            Ok(None) => return tracing::debug!("disconnected"),
            Err(error) => return tracing::error!(%error, "connection closed"),
        };
        match answer(application, halt, request, &mut write) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return tracing::error!(%error, "connection closed"),
        }
    }
}

/// Answers one request; false when the replica has halted, which is never answered.
fn answer(
    application: &impl Application,
    halt: &Halt,
    request: Request,
    write: &mut impl Write,
) -> Result<bool, frame::FrameError> {
    let is_flush = matches!(request.value, Some(Value::Flush(_)));
    // A panic is a defect, and a replica with one must not go on half alive: CometBFT would keep serving its RPC.
    let response = match catch_unwind(AssertUnwindSafe(|| dispatch(application, request))) {
        Ok(response) => response,
        Err(_) => {
            halt.halt("the application panicked: see the message above".into());
            return Ok(false);
        }
    };
    if halt.is_halted() {
        return Ok(false);
    }
    frame::write_response(write, &response)?;
    if is_flush {
        write.flush()?;
    }
    Ok(true)
}
