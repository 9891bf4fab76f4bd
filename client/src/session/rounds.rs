//! The rounds of a protocol: each takes as many of the board's as its largest post has parts.

use std::collections::BTreeMap;

use white_city_wire::{Entry, limits::ENTRY_BYTES};

use super::{Inbox, Observer, Session};
use crate::{
    Error,
    parts::{self, Incoming, Outgoing, Parts, Payloads, Room, TooManyParts},
    spec_builder::{RoundBytes, check_room},
};

/// The rounds of a protocol over a session, one after the other. A post may be larger than a transaction where the session's spec
/// allows parts ([`crate::SpecBuilder::any_size`]); elsewhere each round is one of the board's, and each post one on it.
///
/// ```no_run
/// # async fn party(session: &mut white_city_client::Session) -> Result<(), white_city_client::Error> {
/// let mut rounds = session.rounds();
/// let inbox = rounds.exchange(vec![7; 3 << 20], Vec::new()).await?;     // posts, and waits for what all the others post
/// let inbox = rounds.exchange(b"and now?".to_vec(), Vec::new()).await?;
/// # Ok(())
/// # }
/// ```
///
/// What was interrupted can be asked for again, by a new process, too, which begins with the first round and the same randomness:
/// each part is posted as it was.
pub struct Rounds<'s> {
    session: &'s mut Session,
    next: u32,
}

impl Session {
    /// The rounds of a protocol, from the board's round 1 on. The session must be running ([`Session::wait_ready`]).
    pub const fn rounds(&mut self) -> Rounds<'_> {
        Rounds {
            session: self,
            next: 1,
        }
    }
}

impl Observer {
    /// Whether the spec has room for a protocol of these rounds, each with its largest post, and to finish, whatever a liar posts. A party
    /// asks before it joins what somebody else has opened; [`crate::SpecBuilder::any_size`] makes such specs.
    ///
    /// # Errors
    /// [`Error::NoRoom`] names the limit that is too low; [`Error::Parts`].
    pub fn check_room(&self, rounds: &[RoundBytes]) -> Result<(), Error> {
        check_room(self.spec(), self.client().network().params.max_tx, rounds)
    }
}

impl Rounds<'_> {
    /// Begins in this round of the board instead: for the second protocol of a session.
    #[must_use]
    pub const fn from_round(mut self, round: u32) -> Self {
        self.next = round;
        self
    }

    /// The first of the board's rounds that the protocol hasn't used.
    #[must_use]
    pub const fn next_round(&self) -> u32 {
        self.next
    }

    /// The session, between two rounds: to leave it, for instance.
    pub const fn session(&mut self) -> &mut Session {
        self.session
    }

    /// Posts in the protocol's next round, and waits until everything that the members post in it is there. A round that was interrupted
    /// is asked for again with the same content.
    ///
    /// The [`Inbox`] is that of the first of the board's rounds which this one took. Whoever isn't in it is out.
    ///
    /// # Errors
    /// As [`Session::post`] and [`Session::inbox`]; [`Error::TooLarge`] for a post of more parts than the session's protocol
    /// allows, than it has rounds left, or than this party's share has room for, before anything is signed; [`Error::Part`] names who posts
    /// something else than its next part: everybody sees that, in the same round, but for those who couldn't even open what they got
    /// from it or another, which is [`Error::Payload`]. Either ends the protocol for this party, in a session with a quorum, too.
    pub async fn exchange(&mut self, broadcast: Vec<u8>, p2p: Payloads) -> Result<Inbox, Error> {
        let (inbox, next) = self.session.exchange(self.next, broadcast, p2p).await?;
        self.next = next;
        Ok(inbox)
    }
}

impl Session {
    /// One round of a protocol that begins in this round of the board. Gives the round after it, too. It may be dropped and asked for again.
    pub(crate) async fn exchange(
        &mut self,
        first: u32,
        broadcast: Vec<u8>,
        p2p: Payloads,
    ) -> Result<(Inbox, u32), Error> {
        let Some(parts) = Parts::of(&self.spec().protocol)? else {
            self.post(first, broadcast, p2p).await?;
            return Ok((self.inbox(first).await?, first.saturating_add(1)));
        };
        let most = self.most_parts(parts, first);
        let post = self.in_parts(first, (broadcast, p2p), most)?;
        let mut coming = BTreeMap::new();
        let mut round = first;
        for number in 0.. {
            let (broadcast, mut p2p) = post.part(number);
            // Whoever has gone meanwhile reads nothing any more.
            let members = self.history().members_of(round);
            p2p.retain(|(to, _)| members.contains(*to));
            self.post(round, broadcast, p2p).await?;
            let inbox = self.inbox(round).await?;
            coming = self.next_parts(coming, inbox, most)?;
            round = round.saturating_add(1);
            if coming.values().all(Incoming::is_whole) {
                break;
            }
        }
        Ok((inbox_of(first, coming), round))
    }

    /// Most parts that a post may have which begins in this round: where posts win the last one, the session ends.
    fn most_parts(&self, parts: Parts, first: u32) -> u16 {
        let left = self.spec().max_rounds.saturating_sub(first);
        parts
            .most
            .min(u16::try_from(left).unwrap_or(u16::MAX))
            .max(1)
    }

    /// The parts of a post, of which all have room.
    fn in_parts(
        &self,
        first: u32,
        (broadcast, p2p): (Vec<u8>, Payloads),
        most: u16,
    ) -> Result<Outgoing, Error> {
        let spec = self.spec();
        let members = self.history().members_of(first);
        for to in &p2p {
            self.party.check_recipient(members, &p2p, to)?;
        }
        let (sealing, max_tx) = (
            spec.kem.sealing_bytes(),
            self.client().network().params.max_tx,
        );
        let room = Room::new(spec.max_bcast, spec.max_p2p, max_tx, sealing);
        let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let post = Outgoing::new(broadcast, p2p, &room, most);
        let post = post.map_err(|TooManyParts { bytes, fit }| Error::TooLarge {
            what: "the post of this round of the protocol",
            bytes: count(bytes),
            max: count(fit),
            limit: "the parts that the session's protocol allows, and the rounds that it has left",
        })?;
        // What was signed before was checked then, and counts by now.
        if self.party.filling(first).is_none() {
            // Whoever says so makes this party post as many parts as one may have; and it has to finish.
            let entries = ENTRY_BYTES.saturating_mul(u64::from(most).saturating_add(1));
            let bytes = post.bytes(parts::size(sealing));
            let bytes = entries.saturating_add(bytes);
            let seen = self.observer.seen();
            let what = "the post with as many parts as there may be, and a finish";
            self.party.check_share(seen, what, bytes)?;
        }
        Ok(post)
    }

    /// The parts that are there with those of one more of the board's rounds; nothing of whoever missed it.
    fn next_parts(
        &self,
        mut before: BTreeMap<u16, Incoming>,
        mut inbox: Inbox,
        most: u16,
    ) -> Result<BTreeMap<u16, Incoming>, Error> {
        let round = inbox.round;
        let closed = self.history().round(round);
        let entries = closed.map_or(&[][..], |closed| &closed.entries);
        let has_p2p = |from: u16| {
            entries.iter().any(|entry| {
                matches!(&entry.entry, Entry::Post(post) if post.index == from && post.p2p_bytes > 0)
            })
        };
        let mut coming = BTreeMap::new();
        for from in inbox.posted {
            let mut post = before.remove(&from).unwrap_or_default();
            let broadcast = inbox.broadcasts.get(&from).map_or(&[][..], Vec::as_slice);
            let p2p = (inbox.p2p.remove(&from), has_p2p(from));
            post.take(most, broadcast, p2p)
                .map_err(|why| Error::Part { from, round, why })?;
            coming.insert(from, post);
        }
        Ok(coming)
    }
}

/// All posts, which are whole, as if they had come in one round of the board.
fn inbox_of(round: u32, posts: BTreeMap<u16, Incoming>) -> Inbox {
    let mut inbox = Inbox {
        round,
        ..Inbox::default()
    };
    for (from, post) in posts {
        inbox.posted.push(from);
        let (broadcast, p2p) = post.into_payloads();
        if !broadcast.is_empty() {
            inbox.broadcasts.insert(from, broadcast);
        }
        if !p2p.is_empty() {
            inbox.p2p.insert(from, p2p);
        }
    }
    inbox
}
