//! Sessions in the store, until and after their erasure.

use prost::Message;
use redb::{ReadableTable, WriteTransaction};
use white_city_state_machine::{Ended, Session};
use white_city_wire::{board::Status, pb};

use super::{
    COMPLAINT, DISPUTES, ENTRIES, EVIDENCE, LEAVES, META, OPENS, P2P, PARTIES, REVEAL, SESSIONS,
    StoreError, erased, records::SessionRecord, rounds,
};

/// Writes the sessions that a block has changed.
pub fn put(write: &WriteTransaction, ended: &Ended) -> Result<(), StoreError> {
    for number in &ended.sessions {
        let Some(session) = ended.state.sessions().get(*number) else {
            continue;
        };
        if session.status() == Status::Erased {
            erase(write, *number)?;
            erased::put(write, session)?;
        } else {
            rounds::put_closed(write, session)?;
            put_session(write, session)?;
        }
    }
    let count = ended.state.sessions().len();
    let mut meta = write.open_table(META)?;
    meta.insert("sessions", count.to_be_bytes().as_slice())?;
    Ok(())
}

fn put_session(write: &WriteTransaction, session: &Session) -> Result<(), StoreError> {
    let mut sessions = write.open_table(SESSIONS)?;
    let mut record = SessionRecord::from(session);
    if session.rest.is_some() {
        // What the state doesn't know any more stays as it is.
        let before = sessions.get(session.number)?;
        let before = before.and_then(|row| SessionRecord::decode(row.value()).ok());
        let before = before.ok_or(StoreError::Damaged("a session"))?;
        record = SessionRecord {
            leaf: record.leaf,
            culprits: record.culprits,
            ..before
        };
    }
    sessions.insert(session.number, record.encode_to_vec().as_slice())?;
    Ok(())
}

/// Removes what isn't kept for ever.
fn erase(write: &WriteTransaction, number: u32) -> Result<(), StoreError> {
    let rounds = (number, 0, 0)..=(number, u32::MAX, u16::MAX);
    write
        .open_table(ENTRIES)?
        .retain_in(rounds.clone(), |_, _| false)?;
    write.open_table(P2P)?.retain_in(rounds, |_, _| false)?;
    rounds::erase(write, number)?;
    let indices = (number, 0)..=(number, u16::MAX);
    write
        .open_table(EVIDENCE)?
        .retain_in(indices.clone(), |_, _| false)?;
    write.open_table(LEAVES)?.retain_in(indices, |_, _| false)?;
    let dispute = (number, COMPLAINT)..=(number, REVEAL);
    write
        .open_table(DISPUTES)?
        .retain_in(dispute, |_, _| false)?;
    write.open_table(SESSIONS)?.remove(number)?;
    let open = write
        .open_table(OPENS)?
        .remove(number)?
        .map(|open| open.value().to_vec());
    if let Some(open) = open.and_then(|bytes| pb::Open::decode(bytes.as_slice()).ok()) {
        let mut parties = write.open_table(PARTIES)?;
        for key in open.spec.into_iter().flat_map(|spec| spec.roster) {
            if let Ok(key) = <&[u8; 32]>::try_from(key.as_slice()) {
                parties.remove((key, number))?;
            }
        }
    }
    Ok(())
}
