//! A party in a dispute: it complains about a payload that its key doesn't open, and answers a complaint about its own.
//!
//! Why neither can be made to convict itself is argued in [`white_city_wire::dispute`]; what the argument needs of the two
//! is checked here, before anything is signed.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::time::Instant;
use white_city_wire::{
    Complain, Entry as WireEntry, Hash, Refusal, Reveal,
    dispute::{Verdict, judge},
    entry::p2p_leaf,
    tx::{Action, Join, Post},
};

use super::{Filling, Secret, Session, slot::Goal};
use crate::{Error, sending::is_answer_due};

/// The words that a party has signed in the one dispute that a session can have. Complaint and answer are signed once.
#[derive(Default)]
pub(super) struct Words {
    complaint: Option<(Hash, Arc<Vec<u8>>)>,
    answer: Option<(Hash, Answer)>,
    /// The signed answer, and when it was sent last.
    reveal: Option<(Arc<Vec<u8>>, Option<Instant>)>,
}

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

impl Session {
    /// Complains about the payload that party `from` sent in a closed round, because it can't be opened:
    /// [`Error::Payload`] of [`Session::inbox`]. Returns when the board shows a dispute, this one or another; the session
    /// ends of it, and [`Session::wait_end`] says how. The sender reveals the payload, which everybody can read then, or is
    /// silent, which convicts nobody; if what it reveals isn't what it sent, it is convicted.
    ///
    /// Not for a payload that opens to nonsense: nobody can judge that, so [`Session::abort`] with `about` is for it.
    ///
    /// # Errors
    /// [`Error::Usage`] for a payload that opens, or that was never sent: a complaint would convict this party;
    /// [`Error::WrongRound`] for a round that hasn't closed; [`Error::NoJournal`] or [`Error::SlotTaken`] where this process
    /// doesn't have the key that this party joined with; [`Error::Out`], [`Error::Left`] after leaving; [`Error::Aborted`] or
    /// [`Error::Finished`] when the session has ended; [`Error::Refused`]; as [`Session::inbox`].
    pub async fn complain(&mut self, round: u32, from: u16) -> Result<(), Error> {
        self.check_not_failed()?;
        self.sync().await?;
        if self.is_disputed()? {
            return Ok(());
        }
        self.check_may_complain(round)?;
        let complain = self.complaint_about(round, from).await?;
        let digest = complain.digest();
        let tx = match &self.words.complaint {
            Some((signed, tx)) if *signed == digest => Arc::clone(tx),
            _ => self.sign(Action::Complain(complain)).await?,
        };
        self.words.complaint = Some((digest, Arc::clone(&tx)));
        self.send_until(tx, Goal::Dispute).await
    }

    /// Whether the session is, or was, in dispute.
    ///
    /// # Errors
    /// How it has ended, if it never was.
    pub(super) fn is_disputed(&self) -> Result<bool, Error> {
        let now = self.observer.now();
        if now.is_some_and(|now| now.leaf.dispute != Hash::ZERO) {
            return Ok(true);
        }
        self.ended().map_or(Ok(false), Err)
    }

    fn check_may_complain(&self, round: u32) -> Result<(), Error> {
        let history = self.observer.history();
        let open = history.open_round();
        if round == 0 || round >= open {
            return Err(Error::WrongRound {
                asked: round,
                expected: "a closed round from 1 on".into(),
            });
        }
        let now = self.observer.now();
        if self.leave.is_some() || now.is_some_and(|now| now.leavers().contains(&self.index)) {
            return Err(Error::Left);
        }
        if !history.members().contains(self.index) {
            return Err(Error::Out { round: open });
        }
        // A key that nobody has sealed to opens nothing: a complaint from it would be false.
        let secret = self.joined_secret()?;
        match history.join(self.index) {
            Some(join) if secret.is_of(join) => Ok(()),
            Some(join) => Err(Error::SlotTaken {
                round: 0,
                existing: join.digest(),
            }),
            None => Err(Error::NoJournal { round: 0 }),
        }
    }

    /// The complaint about a payload that this party's key doesn't open.
    async fn complaint_about(&self, round: u32, from: u16) -> Result<Complain, Error> {
        let entries = self.observer.entries_of(round).await?;
        let from_sender = entries.iter().find_map(|entry| match &entry.signed.entry {
            WireEntry::Post(post) if post.index == from => Some((post, entry)),
            _ => None,
        });
        let sent = from_sender.filter(|(_, entry)| !entry.ciphertext.is_empty());
        let Some((post, entry)) = sent else {
            let expected = "about a payload that was sent: everybody sees that there is none";
            return Err(Error::usage("complaint", expected));
        };
        match self.unseal(round, from, &entry.ciphertext) {
            Ok(_) => {
                let expected = "about a payload that can't be opened: this one opens, and a complaint would convict this party";
                Err(Error::usage("complaint", expected))
            }
            Err(Error::Payload { .. }) => Ok(Complain {
                post: post.clone(),
                index: self.index,
                leaf: p2p_leaf(&entry.ciphertext),
                path: entry.p2p_path.clone(),
            }),
            Err(other) => Err(other),
        }
    }

    /// The answer of this party to the complaint against it, once there is one and it was read.
    #[must_use]
    pub fn answer(&self) -> Option<Answer> {
        self.words.answer.as_ref().map(|(_, answer)| *answer)
    }

    /// Answers a complaint against this party, and sends the answer again after a while: whoever follows the session calls
    /// this with each look at the board, until that shows the end.
    pub(super) async fn answer_complaint(&mut self) {
        let Some(complain) = self.observer.open_complaint().cloned() else {
            return;
        };
        if complain.accused() != self.index {
            return;
        }
        let digest = complain.digest();
        if self.words.answer.is_none_or(|(to, _)| to != digest) {
            self.words.reveal = None;
            let Some(answer) = self.sign_answer(&complain).await else {
                return;
            };
            self.words.answer = Some((digest, answer));
        }
        let Some((tx, sent)) = &mut self.words.reveal else {
            return;
        };
        if !is_answer_due(*sent, Instant::now()) {
            return;
        }
        *sent = Some(Instant::now());
        let tx = Arc::clone(tx);
        self.observer.hurry();
        let replies = self.client().replicas().submit(&tx).await;
        if let Some((_, refusal)) = replies.refusal(self.client().replicas().witnesses()) {
            // The answer that this refusal comes for may be on the board already: the next look says so.
            tracing::debug!(%refusal, "the answer to the complaint isn't taken");
        }
    }

    /// Decides what is said to a complaint; `None` when the signer fails, who is asked again, and for an entry from the journal until
    /// the protocol has posted it again.
    async fn sign_answer(&mut self, complain: &Complain) -> Option<Answer> {
        let (by, round) = (complain.index, complain.post.round);
        let reveal = match self.reveal_for(complain) {
            Ok(Some(reveal)) => reveal,
            Ok(None) => return None,
            Err(answer) => {
                tracing::warn!(
                    by,
                    round,
                    ?answer,
                    "a complaint about a payload of this party can't be answered"
                );
                return Some(answer);
            }
        };
        tracing::warn!(
            by,
            round,
            "a party complains about a payload that it can open: it is revealed"
        );
        match self.sign(Action::Reveal(reveal)).await {
            Ok(tx) => {
                self.words.reveal = Some((tx, None));
                Some(Answer::Reveal)
            }
            Err(error) => {
                tracing::warn!(%error, "the answer to a complaint isn't signed; trying again");
                None
            }
        }
    }

    /// The one payload that a complaint is about, if this party has signed the post that it names.
    /// `None` for a post from the journal, which doesn't hold what was sealed.
    fn reveal_for(&self, complain: &Complain) -> Result<Option<Reveal>, Answer> {
        let (round, to) = (complain.post.round, complain.index);
        let own = self.signed.get(&round).ok_or(Answer::NoMemory)?;
        let Some(plaintext) = named_payload(own, complain, self.n())? else {
            return Ok(None);
        };
        let reveal = self.sealed_from(complain, plaintext);
        let reveal = reveal.map_err(|_| Answer::Differs)?;
        let join = self.observer.history().join(to).ok_or(Answer::Differs)?;
        let network = &self.client().network().id;
        let verdict = judge(network, self.spec(), &join.key, complain, &reveal);
        check_acquitted(verdict)?;
        Ok(Some(reveal))
    }

    fn sealed_from(&self, complain: &Complain, plaintext: &[u8]) -> Result<Reveal, Error> {
        let context = self.payload_context(complain.post.round, self.index, complain.index)?;
        Ok(Reveal {
            session: self.id(),
            complaint: complain.digest(),
            index: self.index,
            ikm_e: *self.secret.seed.ikm_e(self.spec().kem, &context, plaintext),
            plaintext: plaintext.to_vec(),
        })
    }
}

impl Secret {
    /// Whether this is the key that a party has joined with.
    fn is_of(&self, join: &Join) -> bool {
        let kem = join.key.kem();
        let key = self.seed.encryption_key(kem, &join.session, join.index);
        key.as_ref() == Ok(&join.key)
    }
}

/// Everybody else will judge a reveal like this: what would convict this party is never signed.
fn check_acquitted(verdict: Result<Verdict, Refusal>) -> Result<(), Answer> {
    match verdict {
        Ok(Verdict::FalseComplaint) => Ok(()),
        Ok(Verdict::BadPayload) | Err(_) => Err(Answer::Differs),
    }
}

/// The plaintext that was sealed under the leaf that a complaint names, if that is a leaf of the post that this party has signed;
/// `None` for a post from the journal, until the protocol has posted it again.
fn named_payload<'a>(
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
