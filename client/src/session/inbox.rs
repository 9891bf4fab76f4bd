//! The inbox: what a party reads of a closed round, opened.

use std::collections::BTreeMap;

use white_city_wire::Entry as WireEntry;
use zeroize::Zeroizing;

use super::{Session, on_all_cores::on_all_cores};
use crate::Error;

/// One closed round for one party. Whoever isn't in it was absent or has finished, and is out.
#[derive(Default)]
pub struct Inbox {
    /// The round.
    pub round: u32,
    /// Indices of those who posted, ascending; this party too.
    pub posted: Vec<u16>,
    /// Broadcasts by author, this party's own too. A post may come without.
    pub broadcasts: BTreeMap<u16, Vec<u8>>,
    /// Plaintexts for this party by author.
    pub p2p: BTreeMap<u16, Zeroizing<Vec<u8>>>,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox")
            .field("round", &self.round)
            .field("posted", &self.posted)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Waits until a round has closed, and opens what it holds for this party. It can be asked for again.
    ///
    /// # Errors
    /// As [`Session::wait_round_closed`]; [`Error::Payload`] names the first sender whose payload can't be opened;
    /// [`Error::WrongRound`] for round 0; for a round that closed long ago as [`crate::Client::read`], and [`Error::Erased`].
    pub async fn inbox(&mut self, round: u32) -> Result<Inbox, Error> {
        if round == 0 {
            return Err(Error::WrongRound {
                asked: 0,
                expected: "a round from 1 on: joins have no payloads".into(),
            });
        }
        self.wait_round_closed(round).await?;
        let entries = self.observer.entries_of(round).await?;
        let mut inbox = Inbox {
            round,
            ..Inbox::default()
        };
        let sealed: Vec<_> = entries
            .iter()
            .filter(|entry| !entry.ciphertext.is_empty())
            .collect();
        let opened = on_all_cores(&sealed, |entry| {
            let (_, _, from) = entry.signed.entry.slot();
            (from, self.unseal(round, from, &entry.ciphertext))
        });
        let opened = opened.await;
        for (from, plaintext) in opened {
            inbox.p2p.insert(from, plaintext?);
        }
        for entry in &*entries {
            let WireEntry::Post(post) = &entry.signed.entry else {
                continue;
            };
            inbox.posted.push(post.index);
            if !entry.broadcast.is_empty() {
                inbox.broadcasts.insert(post.index, entry.broadcast.clone());
            }
        }
        Ok(inbox)
    }

    pub(super) fn unseal(
        &self,
        round: u32,
        from: u16,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let secret = self.joined_secret()?;
        let context = self.payload_context(round, from, self.index)?;
        secret
            .key
            .open(&context, ciphertext)
            .map_err(|_| Error::Payload { from, round })
    }
}
