//! Sessions that an attacker opens with parties of its own.

use std::{net::SocketAddr, time::Duration};

use tokio::time::{Instant, sleep};
use white_city_tests::{party::Party, scene::spec};
use white_city_wire::{
    Hash, NetworkId, SessionId, Spec,
    pb::{SessionQuery, SessionRef, query::Question, session_ref::Ref},
    read::{decode_answer, encode_query},
    tx::{Action, Join, Open, Post},
};

use super::{IDENTITIES, connecting::Port};
use crate::spam::target::Target;

/// A broadcast that fits into the largest transaction.
const LARGE_BYTES: u32 = 700_000;
/// The longest that a session may take to be ready.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// One session, in round 1.
pub struct OwnSession {
    id: SessionId,
    network: NetworkId,
    parties: Vec<Party>,
    transcript: Hash,
}

/// Opens so many, each by an identity of its own, and lets their parties join.
pub async fn several(
    target: &Target,
    ports: &[SocketAddr],
    count: u16,
    parties: u16,
) -> Result<Vec<OwnSession>, String> {
    let port = Port::new(2, ports.first().copied().ok_or("no direct port")?);
    let first = IDENTITIES + (u64::from(std::process::id()) << 20);
    let mut sessions = Vec::new();
    for number in 0..u64::from(count) {
        let from = first + number * 1_024;
        let parties = (from..from + u64::from(parties)).map(Party::new).collect();
        sessions.push(OwnSession::open(target, &port, parties).await?);
    }
    for session in &mut sessions {
        session.transcript = session.wait_until_round(&port, 1).await?;
    }
    Ok(sessions)
}

impl OwnSession {
    async fn open(target: &Target, port: &Port, parties: Vec<Party>) -> Result<Self, String> {
        let n = u16::try_from(parties.len()).map_err(|_| "too many parties")?;
        let opener = parties.first().ok_or("no parties")?;
        let open = Open {
            spec: Spec {
                join_ms: 600_000,
                round_ms: 600_000,
                retention_ms: 60_000,
                max_bcast: LARGE_BYTES,
                max_bytes: u64::from(n) * u64::from(LARGE_BYTES + 1_024),
                ..spec(&parties, n)
            },
            opener: *opener.key(),
            nonce: [1; 32],
            open_by_ms: target.board_ms.saturating_add(target.max_open_ms / 2),
            stamp: 0,
        };
        let id = open.session_id(&target.network);
        let network = target.network;
        let open = opener.tx(Action::Open(open), &network).encode();
        let made = Self {
            id,
            network,
            parties,
            transcript: Hash::ZERO,
        };
        // What strangers may open at a time is limited.
        let until = Instant::now() + PATIENCE;
        while made.look(port).await.is_err() {
            if Instant::now() > until {
                return Err("the session wasn't opened".into());
            }
            target.rpc(0)?.send(&open).await;
            sleep(PAUSE).await;
        }
        for (index, party) in (0..).zip(&made.parties) {
            let join = Action::Join(Join {
                session: id,
                index,
                key: party.encryption_key(0),
            });
            target
                .rpc(0)?
                .send(&party.tx(join, &network).encode())
                .await;
        }
        Ok(made)
    }

    pub const fn id(&self) -> &SessionId {
        &self.id
    }

    /// The largest post of a party in round 1, if there is one of this index.
    pub fn large_post(&self, index: u64) -> Option<Vec<u8>> {
        let party = self.parties.get(usize::try_from(index).ok()?)?;
        let index = u16::try_from(index).ok()?;
        let n = u16::try_from(self.parties.len()).ok()?;
        let words = vec![7; usize::try_from(LARGE_BYTES).ok()?];
        let post = Post::new(self.id, 1, (index, n), self.transcript, words, vec![]);
        Some(party.tx(Action::Post(post), &self.network).encode())
    }

    /// Waits until a round is open; gives the transcript before it.
    pub async fn wait_until_round(&self, port: &Port, round: u32) -> Result<Hash, String> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.look(port).await? {
                (open, transcript) if open >= round => return Ok(transcript),
                (open, _) if Instant::now() > until => {
                    return Err(format!("round {open} is still open"));
                }
                _ => sleep(PAUSE).await,
            }
        }
    }

    /// The open round and the transcript before it.
    async fn look(&self, port: &Port) -> Result<(u32, Hash), String> {
        let session = Some(SessionRef {
            r#ref: Some(Ref::Id(self.id.0.to_vec())),
        });
        let question = Question::Session(SessionQuery { session });
        let response = port.ask(encode_query(question)).await?;
        if response.code != 0 {
            return Err(response.log);
        }
        let answer = decode_answer(response.value).map_err(|error| error.to_string())?;
        let leaf = answer.session.and_then(|proof| proof.leaf);
        let leaf = leaf.ok_or("an answer without the session")?;
        let transcript = Hash::from_slice(&leaf.transcript).ok_or("no transcript")?;
        Ok((leaf.open_round, transcript))
    }
}
