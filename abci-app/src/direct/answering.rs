//! One request at the direct port, and its answer.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt as _;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    header::{CONTENT_TYPE, HeaderValue},
};
use prost::Message as _;
use tendermint_proto::v0_38::abci::ResponseQuery;
use tokio::time::{Instant, sleep_until, timeout};
use white_city_wire::{
    Refusal,
    limits::TX_BYTES_MAX,
    pb,
    read::{HANDING_PATH, HANDING_TXS_MAX, QUERY_BYTES_MAX, QUERY_PATH},
};

use super::{
    connections::{Answering, ConnectionPlace},
    flow::Flow,
    limits::Rates,
};
use crate::{
    front::{Board, Source, Taken},
    halt::Halt,
    metrics::Metrics,
};

/// Longest that the body of a request may take.
const BODY: Duration = Duration::from_secs(10);
/// Longest that a request waits for its turn, where others of the same address or of others move a lot.
const MOVING: Duration = Duration::from_secs(5);
/// Part of an answer that is handed to the connection at once, bytes: that much isn't counted as memory for answers any more.
const PIECE_BYTES: usize = 32 << 10;

/// The replica has halted, and answers nobody any more.
#[derive(Debug, thiserror::Error)]
#[error("halted")]
pub struct Halted;

/// An answer on its way: counted as memory for answers until all of it is handed to the connection.
pub struct Answer {
    rest: Bytes,
    _counted: Option<Answering>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let piece = PIECE_BYTES.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.rest.len()).unwrap_or(u64::MAX))
    }
}

/// Everything that a request is answered from.
pub struct Desk<'a, B> {
    /// The board that answers it.
    pub board: &'a B,
    /// The signal that stops it.
    pub halt: &'a Halt,
    /// Bounds on the requests of each address.
    pub rates: &'a Rates,
    /// Bounds on the bytes that they move.
    pub flow: &'a Flow,
    /// Numbers for operators.
    pub metrics: &'a Metrics,
    /// The place of the connection that asks.
    pub place: &'a ConnectionPlace,
}

impl<B: Board> Desk<'_, B> {
    /// Answers one request.
    ///
    /// # Errors
    /// [`Halted`].
    pub async fn answer(&self, request: Request<Incoming>) -> Result<Response<Answer>, Halted> {
        self.place.begin();
        let path = match request.uri().path() {
            QUERY_PATH => QUERY_PATH,
            HANDING_PATH => HANDING_PATH,
            _ => "other",
        };
        let response = match self.work(request).await? {
            Ok(answer) => self.respond(answer),
            Err(status) => self.refuse(status),
        };
        self.metrics
            .direct_request(path, response.status().as_u16());
        Ok(response)
    }

    async fn work(
        &self,
        request: Request<Incoming>,
    ) -> Result<Result<Vec<u8>, StatusCode>, Halted> {
        let (is_handing, max) = match request.uri().path() {
            QUERY_PATH => (false, QUERY_BYTES_MAX),
            HANDING_PATH => (true, TX_BYTES_MAX),
            _ => return Ok(Err(StatusCode::NOT_FOUND)),
        };
        if request.method() != Method::POST {
            return Ok(Err(StatusCode::METHOD_NOT_ALLOWED));
        }
        if !self.may_go_on(is_handing).await {
            return Ok(Err(StatusCode::TOO_MANY_REQUESTS));
        }
        let length = request.body().size_hint().upper();
        let Some(length) = length.and_then(|length| u32::try_from(length).ok()) else {
            return Ok(Err(StatusCode::LENGTH_REQUIRED));
        };
        if length > max {
            return Ok(Err(StatusCode::PAYLOAD_TOO_LARGE));
        }
        let (address, until) = (self.place.address(), Instant::now() + MOVING);
        if !self.flow.may_move(address, until).await {
            return Ok(Err(StatusCode::TOO_MANY_REQUESTS));
        }
        self.flow
            .count(address, usize::try_from(length).unwrap_or(usize::MAX));
        let Some(_counted) = self.place.body(length.into()) else {
            return Ok(Err(StatusCode::SERVICE_UNAVAILABLE));
        };
        let data = match timeout(BODY, request.into_body().collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => return Ok(Err(StatusCode::BAD_REQUEST)),
            Err(_) => return Ok(Err(StatusCode::REQUEST_TIMEOUT)),
        };
        // Many that were small may have come in the meantime, and each asks for a large answer.
        if !is_handing && !self.flow.may_move(address, until).await {
            return Ok(Err(StatusCode::TOO_MANY_REQUESTS));
        }
        let handed = match is_handing {
            true => match txs_of(data.clone()) {
                Some(txs) => Some(txs),
                None => return Ok(Err(StatusCode::BAD_REQUEST)),
            },
            false => None,
        };
        let answering = || match handed {
            Some(txs) => self.take(txs).encode_to_vec(),
            None => ResponseQuery::from(self.board.answer(QUERY_PATH, &data)).encode_to_vec(),
        };
        // A panic is a defect, and a replica with one must not go on half alive.
        let answered = catch_unwind(AssertUnwindSafe(answering));
        if answered.is_err() {
            let diagnosis = "a request at the direct port panicked: see the message above";
            self.halt.halt(diagnosis.into());
        }
        let answered = answered.ok().filter(|_| !self.halt.is_halted());
        answered.ok_or(Halted).map(Ok)
    }

    /// Whether the address may ask, or hand over, now. Who has handed over bad ones waits for a while first, and so does whoever
    /// else comes from there: many connections don't make it faster.
    async fn may_go_on(&self, is_handing: bool) -> bool {
        let (rates, address) = (self.rates, self.place.address());
        if is_handing && let Some(until) = rates.waits_until(address) {
            sleep_until(until).await;
            // Another connection of the same address may have handed over bad ones meanwhile.
            if rates.waits_until(address).is_some() {
                return false;
            }
        }
        rates.may_ask(address)
    }

    /// Takes transactions, one after the other.
    fn take(&self, txs: Vec<Bytes>) -> pb::Handed {
        let address = self.place.address();
        let txs = txs.into_iter().map(|tx| {
            if self.rates.waits_until(address).is_some() {
                return refused(&Refusal::TooManyBad);
            }
            let taken = self.board.take(&tx, Source::Client);
            let handed = match taken {
                Ok(taken) => pb::HandedTx {
                    block_comes: taken == Taken::BlockComes,
                    ..Default::default()
                },
                Err(refusal) => refused(&refusal),
            };
            self.rates.note_handed(address, handed.code);
            handed
        });
        pb::Handed { txs: txs.collect() }
    }

    fn respond(&self, answer: Vec<u8>) -> Response<Answer> {
        self.rates.note_answered(self.place.address(), answer.len());
        self.flow.count(self.place.address(), answer.len());
        let bytes = u64::try_from(answer.len()).unwrap_or(u64::MAX);
        let Some(counted) = self.place.answer(bytes) else {
            return self.refuse(StatusCode::SERVICE_UNAVAILABLE);
        };
        let mut response = Response::new(Answer {
            rest: answer.into(),
            _counted: Some(counted),
        });
        let protobuf = HeaderValue::from_static("application/protobuf");
        response.headers_mut().insert(CONTENT_TYPE, protobuf);
        response
    }

    fn refuse(&self, status: StatusCode) -> Response<Answer> {
        let text = format!(
            "expected POST {QUERY_PATH} with a query of at most {QUERY_BYTES_MAX} bytes, or POST {HANDING_PATH} with at most \
             {HANDING_TXS_MAX} transactions in {TX_BYTES_MAX} bytes, not too many at once\n"
        );
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let mut response = Response::new(Answer {
            rest: text.into(),
            _counted: self.place.answer(bytes),
        });
        *response.status_mut() = status;
        response
    }
}

fn refused(refusal: &Refusal) -> pb::HandedTx {
    pb::HandedTx {
        code: refusal.code(),
        log: refusal.to_string(),
        block_comes: false,
    }
}

/// The transactions of a `Handing` that has nothing else, counted while they are found: empty ones take two bytes each on their way,
/// and many times as much where they are kept.
fn txs_of(mut handing: Bytes) -> Option<Vec<Bytes>> {
    /// Field 1, with its length.
    const TX: u8 = 1 << 3 | 2;
    let mut txs = Vec::new();
    while handing.has_remaining() {
        if txs.len() == HANDING_TXS_MAX || handing.get_u8() != TX {
            return None;
        }
        let length = prost::decode_length_delimiter(&mut handing).ok()?;
        if length > handing.remaining() {
            return None;
        }
        txs.push(handing.split_to(length));
    }
    Some(txs)
}
