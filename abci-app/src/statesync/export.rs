//! From the store to the chunks of a snapshot.

use prost::{Message, bytes::Bytes};
use white_city_wire::{
    Hash,
    hash::sha256,
    limits::WIRE_VERSION,
    pb::{self, signed_entry::Header, tx::Body},
};

use super::items::{BoardItem, CHUNK_BYTES, Content, Item, LinkItem, SessionItem};
use crate::store::{Kept, Snapshot, StoreError, StoredEntry};

/// Why a snapshot wasn't made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A chunk can't be written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Writes chunks of whole items.
struct Chunks<W> {
    write: W,
    open: Vec<u8>,
    hashes: Vec<Hash>,
}

impl<W: FnMut(usize, &[u8]) -> std::io::Result<()>> Chunks<W> {
    fn put(&mut self, content: Content) -> Result<(), ExportError> {
        let item = Item::from(content);
        self.open.extend(item.encode_length_delimited_to_vec());
        if self.open.len() >= CHUNK_BYTES {
            self.close()?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), ExportError> {
        (self.write)(self.hashes.len(), &self.open)?;
        self.hashes.push(sha256(&self.open));
        self.open.clear();
        Ok(())
    }
}

/// Writes all chunks of the store as it is at one moment, by their numbers; gives their hashes.
///
/// # Errors
/// [`ExportError`].
pub fn export(
    snapshot: &Snapshot,
    links: Vec<Kept>,
    write: impl FnMut(usize, &[u8]) -> std::io::Result<()>,
) -> Result<Vec<Hash>, ExportError> {
    let mut chunks = Chunks {
        write,
        open: Vec::new(),
        hashes: Vec::new(),
    };
    let board = snapshot.board()?;
    let (sessions, openers) = (board.sessions, board.openers);
    chunks.put(Content::Board(BoardItem {
        height: board.height,
        rules: board.rules,
        charter: Some(board.charter),
        paused_ms: board.paused_ms,
        sessions,
        openers,
    }))?;
    for Kept { height, link, .. } in links {
        let link = Some(link);
        chunks.put(Content::Link(LinkItem { height, link }))?;
    }
    for charter in snapshot.charters()? {
        chunks.put(Content::Charter(charter))?;
    }
    for number in 0..u32::try_from(openers).unwrap_or(u32::MAX) {
        chunks.put(Content::Opener(snapshot.opener(number)?))?;
    }
    for number in 0..u32::try_from(sessions).unwrap_or(u32::MAX) {
        let Some(record) = snapshot.unerased(number)? else {
            let record = snapshot.erased_record(number)?;
            let record = Some(record.ok_or(StoreError::Damaged("a session is missing"))?);
            chunks.put(Content::Erased(SessionItem { record }))?;
            continue;
        };
        let record = Some(record);
        chunks.put(Content::Session(SessionItem { record }))?;
        put_txs(snapshot, number, &mut |tx| chunks.put(Content::Tx(tx)))?;
    }
    chunks.close()?;
    Ok(chunks.hashes)
}

/// Every transaction that a session keeps.
fn put_txs(
    snapshot: &Snapshot,
    number: u32,
    put: &mut impl FnMut(Bytes) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let damaged = || StoreError::Damaged("a session");
    let of_body = |body| -> Bytes {
        let tx = pb::Tx {
            version: WIRE_VERSION,
            body: Some(body),
        };
        tx.encode_to_vec().into()
    };
    let open = snapshot.open(number)?.ok_or_else(damaged)?;
    put(of_body(Body::Open(open)))?;
    for (round, index, entry) in snapshot.entries(number)? {
        let body = entry_body(snapshot, (number, round, index), entry)?;
        put(of_body(body))?;
    }
    for leave in snapshot.leaves(number)? {
        put(leave.encode_to_vec().into())?;
    }
    for evidence in snapshot.evidence(number)? {
        put(of_body(Body::Evidence(evidence)))?;
    }
    let dispute = [snapshot.complaint(number)?, snapshot.reveal(number)?];
    dispute
        .into_iter()
        .flatten()
        .try_for_each(|tx| put(tx.into()))
}

/// An entry as it was sent.
fn entry_body(
    snapshot: &Snapshot,
    (number, round, index): (u32, u32, u16),
    entry: StoredEntry,
) -> Result<Body, StoreError> {
    let damaged = || StoreError::Damaged("an entry");
    if let Some(join) = entry.join {
        return Ok(Body::Join(join));
    }
    let signed = entry.signed.ok_or_else(damaged)?;
    Ok(match signed.header.ok_or_else(damaged)? {
        Header::Post(header) => Body::Post(pb::Post {
            session: header.session.to_vec(),
            round: header.round,
            index: header.index,
            transcript: header.transcript.to_vec(),
            broadcast: entry.broadcast.to_vec(),
            p2p: snapshot.all_sealed(number, round, index)?,
            signature: signed.signature.to_vec(),
        }),
        Header::Finish(header) => Body::Finish(pb::Finish {
            session: header.session.to_vec(),
            round: header.round,
            index: header.index,
            transcript: header.transcript.to_vec(),
            outcome: header.outcome.to_vec(),
            signature: signed.signature.to_vec(),
        }),
    })
}
