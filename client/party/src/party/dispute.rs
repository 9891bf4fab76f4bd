//! A party in a dispute: it complains about a payload that its key doesn't open, and answers a complaint about its own.
//!
//! Why neither can be made to convict itself is argued in [`white_city_wire::dispute`]; what the argument needs of the two
//! is checked here, before anything is signed.

use white_city_verify::read::Entry;
use white_city_wire::{
    Complain, Entry as WireEntry, Hash, Refusal, Reveal,
    dispute::{Verdict, judge},
    entry::p2p_leaf,
    payload::PayloadKem,
    tx::{Action, Post},
};

use super::{Filling, Party, Seen};
use crate::Error;

/// The answer of a party to a complaint about a payload of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It reveals that one payload, which proves that the complaint is false.
    Reveal,
    /// Nothing: this process hasn't signed the post that the complaint names, so it doesn't know what was in it. The session
    /// ends without an answer, which convicts nobody.
    NoMemory,
    /// Nothing: what it remembers isn't what was sealed, and would convict this party. A process that has sealed the payload
    /// never comes to this.
    Differs,
}

impl<K: PayloadKem> Party<K> {
    /// Whether the session is, or was, in dispute.
    ///
    /// # Errors
    /// How it has ended, if it never was.
    pub fn is_disputed(&self, seen: Seen<'_>) -> Result<bool, Error> {
        if seen.now.is_some_and(|now| now.leaf.dispute != Hash::ZERO) {
            return Ok(true);
        }
        self.ended(seen).map_or(Ok(false), Err)
    }

    /// Whether this party may complain about a payload of this round.
    ///
    /// # Errors
    /// [`Error::WrongRound`] for a round that hasn't closed; [`Error::NoJournal`] or [`Error::SlotTaken`] where this isn't the key that
    /// this party joined with; [`Error::Out`], [`Error::Left`] after leaving.
    pub fn check_may_complain(&self, seen: Seen<'_>, round: u32) -> Result<(), Error> {
        let history = seen.history;
        let open = history.open_round();
        if round == 0 || round >= open {
            return Err(Error::WrongRound {
                asked: round,
                expected: "a closed round from 1 on".into(),
            });
        }
        if self.has_left(seen) {
            return Err(Error::Left);
        }
        if !history.members().contains(self.place.index) {
            return Err(Error::Out { round: open });
        }
        // A key that nobody has sealed to opens nothing: a complaint from it would be false.
        let secret = self.joined_secret(seen)?;
        match history.join(self.place.index) {
            Some(join) if secret.is_of(join) => Ok(()),
            Some(join) => Err(Error::SlotTaken {
                round: 0,
                existing: join.digest(),
            }),
            None => Err(Error::NoJournal { round: 0 }),
        }
    }

    /// The complaint about a payload that this party's key doesn't open, among the entries of a closed round.
    ///
    /// # Errors
    /// [`Error::Usage`] for a payload that opens, or that was never sent: a complaint would convict this party.
    pub fn complaint_about(
        &self,
        seen: Seen<'_>,
        (round, from): (u32, u16),
        entries: &[Entry],
    ) -> Result<Complain, Error> {
        let from_sender = entries.iter().find_map(|entry| match &entry.signed.entry {
            WireEntry::Post(post) if post.index == from => Some((post, entry)),
            _ => None,
        });
        let sent = from_sender.filter(|(_, entry)| !entry.ciphertext.is_empty());
        let Some((post, entry)) = sent else {
            let expected = "about a payload that was sent: everybody sees that there is none";
            return Err(Error::usage("complaint", expected));
        };
        match self.unseal(seen, round, from, &entry.ciphertext) {
            Ok(_) => {
                let expected = "about a payload that can't be opened: this one opens, and a complaint would convict this party";
                Err(Error::usage("complaint", expected))
            }
            Err(Error::Payload { .. }) => Ok(Complain {
                post: post.clone(),
                index: self.place.index,
                leaf: p2p_leaf(&entry.ciphertext),
                path: entry.p2p_path.clone(),
            }),
            Err(other) => Err(other),
        }
    }

    /// The one payload that a complaint is about, if this party has signed the post that it names.
    /// `None` for a post from the journal, which doesn't hold what was sealed, until the protocol has posted it again.
    ///
    /// # Errors
    /// [`Answer`]: why nothing is said.
    pub fn reveal_for(
        &self,
        seen: Seen<'_>,
        complain: &Complain,
    ) -> Result<Option<Reveal>, Answer> {
        let (round, to) = (complain.post.round, complain.index);
        let own = self.signed.get(&round).ok_or(Answer::NoMemory)?;
        let Some(plaintext) = named_payload(own, complain, self.place.n)? else {
            return Ok(None);
        };
        let reveal = self.sealed_from(seen, complain, plaintext);
        let reveal = reveal.map_err(|_| Answer::Differs)?;
        let join = seen.history.join(to).ok_or(Answer::Differs)?;
        let network = &self.place.network;
        let verdict = judge(network, seen.spec(), &join.key, complain, &reveal);
        check_acquitted(verdict)?;
        Ok(Some(reveal))
    }

    fn sealed_from(
        &self,
        seen: Seen<'_>,
        complain: &Complain,
        plaintext: &[u8],
    ) -> Result<Reveal, Error> {
        let (from, to) = (self.place.index, complain.index);
        let context = self.payload_context(seen, complain.post.round, from, to)?;
        let kem = seen.spec().kem;
        Ok(Reveal {
            session: self.place.session,
            complaint: complain.digest(),
            index: from,
            ikm_e: *self.secret.seed.ikm_e(kem, &context, plaintext),
            plaintext: plaintext.to_vec(),
        })
    }
}

/// Everybody else will judge a reveal like this: what would convict this party is never signed.
pub(super) fn check_acquitted(verdict: Result<Verdict, Refusal>) -> Result<(), Answer> {
    match verdict {
        Ok(Verdict::FalseComplaint) => Ok(()),
        Ok(Verdict::BadPayload) | Err(_) => Err(Answer::Differs),
    }
}

/// The plaintext that was sealed under the leaf that a complaint names, if that is a leaf of the post that this party has signed;
/// `None` for a post from the journal, until the protocol has posted it again.
pub(super) fn named_payload<'a>(
    own: &'a Filling,
    complain: &Complain,
    parties: u16,
) -> Result<Option<&'a [u8]>, Answer> {
    let Action::Post(Post { header, p2p, .. }) = &own.action else {
        return Err(Answer::NoMemory);
    };
    if *header != complain.post || own.digest != complain.post.digest() {
        return Err(Answer::NoMemory);
    }
    let is_in_post = complain.check_path(parties).is_ok();
    if !is_in_post {
        return Err(Answer::NoMemory);
    }
    let sealed = p2p.iter().find(|(to, _)| *to == complain.index);
    let (_, ciphertext) = sealed.ok_or(Answer::NoMemory)?;
    if p2p_leaf(ciphertext) != complain.leaf {
        return Err(Answer::NoMemory);
    }
    let Some(plaintexts) = &own.plaintexts else {
        return Ok(None);
    };
    let named = plaintexts.iter().find(|(to, _)| *to == complain.index);
    let (_, plaintext) = named.ok_or(Answer::NoMemory)?;
    Ok(Some(plaintext.as_slice()))
}
