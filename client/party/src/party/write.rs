//! All that a party writes: a join, posts, a finish.

use white_city_wire::{
    Bitmap, Hash, IdentityKey, Signature, SignedTx,
    entry::FinishHeader,
    limits::ENTRY_BYTES,
    payload::{PayloadContext, PayloadKem},
    tx::{Action, Join, Post},
};
use zeroize::Zeroizing;

use super::{Party, Secret, Seen};
use crate::{Error, parts::Parts};

/// Plaintexts for other members, by index.
type Plaintexts = [(u16, Zeroizing<Vec<u8>>)];

impl<K: PayloadKem> Party<K> {
    /// Decides on the join, where none was decided: it consents to the spec and brings a fresh encryption key.
    ///
    /// # Errors
    /// [`Error::NoJournal`] when this party has joined before, elsewhere; [`Error::Late`]; [`Error::Aborted`]; [`Error::Left`];
    /// [`Error::Parts`] for posts in parts of another version, whatever speaks the board's rounds here.
    pub fn join(&mut self, seen: Seen<'_>) -> Result<(), Error> {
        self.check_may_write(seen, 0)?;
        Parts::of(&seen.spec().protocol)?;
        if seen.history.open_round() > 0 {
            return self.check_own_slot(seen, 0);
        }
        let kem = seen.spec().kem;
        let (session, index) = (self.place.session, self.place.index);
        let public = self.secret.seed.encryption_key(kem, &session, index);
        let key = public.map_err(|bad| Error::Random(bad.to_string()))?;
        let join = Join {
            session,
            index,
            key,
        };
        self.decide(0, Action::Join(join), Vec::new())
    }

    /// Whether this may be posted in a round: a broadcast (empty for none) and plaintexts for other members. Gives what it counts.
    ///
    /// # Errors
    /// [`Error::WrongRound`] for any other round than the open one, unless this party has posted in it; [`Error::Recipient`];
    /// [`Error::TooLarge`] and [`Error::Usage`] when the spec has no room for it; [`Error::Late`], [`Error::Out`], [`Error::Aborted`].
    pub fn check_post(
        &mut self,
        seen: Seen<'_>,
        round: u32,
        broadcast: &[u8],
        p2p: &Plaintexts,
    ) -> Result<u64, Error> {
        match self.signed.contains_key(&round) {
            true => self.check_not_failed()?,
            false => self.check_next_round(seen, round)?,
        }
        self.check_room(seen, round, broadcast, p2p)
    }

    /// Decides on a post that [`Party::check_post`] has taken, with its plaintexts as [`Party::seal`] gave them; says whether it was
    /// posted before. A round that this party has posted in takes the same content again and nothing else: sealing is deterministic, so
    /// a protocol that starts anew from the same randomness posts what it posted before, and catches up.
    ///
    /// # Errors
    /// [`Error::Differs`] when this party has posted something else; [`Error::TooLarge`] where this party's share of the session, or a
    /// transaction, has no room for it: nothing is signed then.
    pub fn post(
        &mut self,
        seen: Seen<'_>,
        (round, bytes): (u32, u64),
        broadcast: Vec<u8>,
        sealed: Vec<(u16, Vec<u8>)>,
        p2p: Vec<(u16, Zeroizing<Vec<u8>>)>,
    ) -> Result<bool, Error> {
        let transcript = transcript_before(seen, round)?;
        let place = (self.place.index, self.place.n);
        let post = Post::new(
            self.place.session,
            round,
            place,
            transcript,
            broadcast,
            sealed,
        );
        if let Some(own) = self.signed.get_mut(&round) {
            let signed = own.digest;
            if post.header.digest() != signed {
                return Err(Error::Differs { round });
            }
            own.plaintexts.get_or_insert(p2p);
            return Ok(true);
        }
        self.check_share(seen, "the entry", bytes)?;
        let action = Action::Post(post);
        self.check_transaction(&action)?;
        self.decide(round, action, p2p)?;
        Ok(false)
    }

    /// Decides that this party is done, with the digest of the outcome. Gives the round, and whether it has said so before.
    ///
    /// # Errors
    /// [`Error::WrongRound`] when this party has posted in the open round; [`Error::Differs`] after another outcome; as
    /// [`Party::check_post`]; [`Error::Unknown`] instead of [`Error::Aborted`].
    pub fn finish(&mut self, seen: Seen<'_>, outcome: Hash) -> Result<(u32, bool), Error> {
        let finished = self
            .signed
            .iter()
            .find_map(|(round, own)| match &own.action {
                Action::Finish(finish) => Some((*round, finish.outcome)),
                _ => None,
            });
        if let Some((round, said)) = finished {
            if said != outcome {
                return Err(Error::Differs { round });
            }
            return Ok((round, true));
        }
        let round = seen.history.open_round();
        self.check_next_round(seen, round)?;
        self.check_share(seen, "the entry", ENTRY_BYTES)?;
        let finish = FinishHeader {
            session: self.place.session,
            round,
            index: self.place.index,
            transcript: transcript_before(seen, round)?,
            outcome,
        };
        self.decide(round, Action::Finish(finish), Vec::new())?;
        Ok((round, false))
    }

    /// Whether this round can be written into now.
    fn check_next_round(&mut self, seen: Seen<'_>, round: u32) -> Result<(), Error> {
        self.check_not_failed()?;
        if let Some(ended) = self.ended(seen) {
            return Err(ended);
        }
        let open = seen.history.open_round();
        let wrong = |expected: String| Error::WrongRound {
            asked: round,
            expected,
        };
        if open == 0 {
            return Err(wrong("to wait until joining has closed".into()));
        }
        if self.signed.contains_key(&open) {
            return Err(wrong(format!(
                "to wait until round {open} has closed: this party has written"
            )));
        }
        if round != open {
            return Err(wrong(format!("round {open}, which is open")));
        }
        self.check_may_write(seen, round)?;
        self.check_own_slots_before(seen, round)
    }

    fn check_may_write(&mut self, seen: Seen<'_>, round: u32) -> Result<(), Error> {
        if let Some(ended) = self.ended(seen) {
            return Err(ended);
        }
        // Before asking whether it is a member, which a party that has left isn't for long.
        if self.has_left(seen) {
            return Err(Error::Left);
        }
        if !seen.history.members().contains(self.place.index) {
            return Err(Error::Out { round });
        }
        if self.own_slot(seen, round).is_some() {
            return Err(self.fail(Error::NoJournal { round }));
        }
        Ok(())
    }

    /// Checks a post against the spec before anything is signed, since a slot is signed for once. Gives what it counts.
    fn check_room(
        &self,
        seen: Seen<'_>,
        round: u32,
        broadcast: &[u8],
        p2p: &[(u16, Zeroizing<Vec<u8>>)],
    ) -> Result<u64, Error> {
        let spec = seen.spec();
        let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length(broadcast) > spec.max_bcast.into() {
            return Err(Error::TooLarge {
                what: "the broadcast",
                bytes: length(broadcast),
                max: spec.max_bcast.into(),
                limit: "the spec's max_bcast",
            });
        }
        let mut bytes = ENTRY_BYTES.saturating_add(length(broadcast));
        let members = seen.history.members_of(round);
        for payload @ (_, plaintext) in p2p {
            self.check_recipient(members, p2p, payload)?;
            let sealed = length(plaintext).saturating_add(spec.kem.sealing_bytes().into());
            if sealed > spec.max_p2p.into() {
                return Err(Error::TooLarge {
                    what: "the sealed payload for one party",
                    bytes: sealed,
                    max: spec.max_p2p.into(),
                    limit: "the spec's max_p2p",
                });
            }
            bytes = bytes.saturating_add(sealed);
        }
        Ok(bytes)
    }

    /// Whether one of a post's payloads is something, and for another one of these members, who gets no other one.
    ///
    /// # Errors
    /// [`Error::Usage`], [`Error::Recipient`].
    pub fn check_recipient(
        &self,
        members: &Bitmap,
        p2p: &[(u16, Zeroizing<Vec<u8>>)],
        (to, plaintext): &(u16, Zeroizing<Vec<u8>>),
    ) -> Result<(), Error> {
        if plaintext.is_empty() {
            let expected = "at least one byte: to send nothing, leave it out";
            return Err(Error::usage("p2p payload", expected));
        }
        let twice = p2p.iter().filter(|(other, _)| other == to).count() > 1;
        if *to == self.place.index || twice || !members.contains(*to) {
            return Err(Error::Recipient { to: *to });
        }
        Ok(())
    }

    /// Whether what is left of this party's share of the session has room for so many bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`], of `what`.
    pub fn check_share(&self, seen: Seen<'_>, what: &'static str, bytes: u64) -> Result<(), Error> {
        let left = seen.spec().share_bytes().saturating_sub(self.used_bytes());
        if bytes > left {
            return Err(Error::TooLarge {
                what,
                bytes,
                max: left,
                limit: "what is left of this party's share of the spec's max_bytes",
            });
        }
        Ok(())
    }

    /// Whether the transaction would fit, before anything is signed for the slot.
    fn check_transaction(&self, action: &Action) -> Result<(), Error> {
        let unsigned = SignedTx::new(action.clone(), Signature([0; 64])).map_err(Error::Spec)?;
        let max = self.place.max_tx;
        if unsigned.bytes() > max {
            return Err(Error::TooLarge {
                what: "the post as one transaction",
                bytes: unsigned.bytes().into(),
                max: max.into(),
                limit: "the genesis's max_tx",
            });
        }
        Ok(())
    }

    /// Seals a plaintext for another member, to the key that it has joined with.
    ///
    /// # Errors
    /// [`Error::Recipient`]; [`Error::NoJournal`] where the key that this party joined with isn't this one.
    pub fn seal(
        &self,
        seen: Seen<'_>,
        round: u32,
        to: u16,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let secret = self.joined_secret(seen)?;
        let join = seen.history.join(to);
        let key = &join.ok_or(Error::Recipient { to })?.key;
        let context = self.payload_context(seen, round, self.place.index, to)?;
        secret
            .seed
            .seal::<K>(&context, key, plaintext)
            .map_err(|_| Error::Recipient { to })
    }

    /// The secret with which this party has joined.
    pub(super) fn joined_secret(&self, seen: Seen<'_>) -> Result<&Secret<K>, Error> {
        let joined = seen.history.round(0);
        let joined =
            joined.and_then(|joined| *joined.digests.get(usize::from(self.place.index))?);
        let own = self.signed.get(&0).map(|own| own.digest);
        if own.is_some() && joined == own {
            return Ok(&self.secret);
        }
        Err(Error::NoJournal { round: 0 })
    }

    /// The place that a payload belongs to.
    pub(super) fn payload_context<'a>(
        &self,
        seen: Seen<'a>,
        round: u32,
        from: u16,
        to: u16,
    ) -> Result<PayloadContext<'a>, Error> {
        let (history, spec) = (seen.history, seen.history.spec());
        let key = |index: u16| -> Result<&'a IdentityKey, Error> {
            spec.key(index).map_err(|_| Error::Recipient { to: index })
        };
        let join = history.join(to).ok_or(Error::Recipient { to })?;
        Ok(PayloadContext {
            network: self.place.network,
            session: self.place.session,
            transcript: transcript_before(seen, round)?,
            round,
            from,
            to,
            from_key: key(from)?,
            to_key: key(to)?,
            to_join: join.digest(),
        })
    }
}

/// The transcript that entries of a round name.
fn transcript_before(seen: Seen<'_>, round: u32) -> Result<Hash, Error> {
    let before = seen.history.transcript_before(round);
    before.ok_or_else(|| Error::WrongRound {
        asked: round,
        expected: "a round that is open or closed".into(),
    })
}
