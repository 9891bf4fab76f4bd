//! Refresh of shares: the same key, other shares. Whoever learns some shares before and others after it knows nothing more than from one
//! time alone, once the old ones are deleted.
//!
//! Proactive secret sharing after Herzberg, Jarecki, Krawczyk and Yung: everybody deals a polynomial whose value at zero is zero, and each share
//! grows by the sum of what it was dealt. Such a polynomial is `x * g(x)` for any `g` of a degree lower by one, so what is dealt here is
//! `g`, as key generation deals keys: a value at zero other than zero can't be said at all. In two rounds:
//!
//! 1. broadcast: a commitment to one's own dealing;
//! 2. broadcast: the dealing with a proof that one knows its first coefficient; p2p: a share of it for each other holder.
//!
//! **Everybody who holds a share takes part**, in all rounds: a share that isn't refreshed doesn't fit the others any more, and a party without one of
//! the new shares may be one that the threshold counts on. Where a holder is lost for good, those who are left [reshare](crate::reshare).
//!
//! **An attacker in a party while it refreshes** has its shares of both times: such a party counts as corrupt before and after.
//!
//! Indices are those of the refreshing session's roster, also in errors; `holders` says which party of the key each one is.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::dealing::{self, Commitments, Dealer, Domain, Recipient};
use crate::message::{self, Opening, Share};
use crate::polynomial::coordinate;
use crate::secret::{Secret, on_clean_stack};
use crate::session::{in_range, opaque_debug};
use crate::{Backend, Dalek, Error, KeyShare, Outgoing, Randomness, Session};

/// The number of rounds in which parties post.
pub const ROUNDS: u16 = 2;

/// The largest broadcast of any round, in bytes, for a key of this degree.
#[must_use]
pub const fn max_broadcast_bytes(degree: u16) -> u32 {
    // `as`: at most 32 * 65 539 + 1, and `From` isn't const.
    Opening::bytes(degree.saturating_sub(1)) as u32
}

/// The largest p2p plaintext, in bytes.
#[must_use]
pub const fn max_p2p_bytes() -> u32 {
    Share::BYTES as u32
}

/// Begins: gives what to post in round 1.
///
/// `holders`: for each index of this session's roster, the index in the roster of the key; all of [`KeyShare::participants`], in any order.
///
/// # Errors
/// [`Error::Parameter`] if `holders` isn't as long as the roster, or as the key has participants, [`Error::Repeated`],
/// [`Error::NotAParticipant`], [`Error::WrongShare`] if the share isn't the one of this session's own index.
pub fn start(
    session: Session,
    key: &KeyShare,
    holders: &[u16],
    randomness: Randomness,
) -> Result<(Round1<Dalek>, Outgoing), Error> {
    start_with(session, key, holders, randomness)
}

/// [`start`] on a backend of choice.
///
/// # Errors
/// As [`start`].
#[expect(
    clippy::needless_pass_by_value,
    reason = "randomness serves once: taking it says so"
)]
pub fn start_with<B: Backend>(
    session: Session,
    key: &KeyShare,
    holders: &[u16],
    randomness: Randomness,
) -> Result<(Round1<B>, Outgoing), Error> {
    let all = in_range("participants", key.participants().len(), 0, u16::MAX)?;
    in_range("number of parties", session.parties().into(), all, all)?;
    let roster: Vec<u16> = (0..session.parties()).collect();
    let own_holder = session.place_of(key, &roster, holders)?;
    let holder_bytes: Vec<u8> = holders.iter().flat_map(|h| h.to_be_bytes()).collect();
    let domain = Domain {
        commit: "white-city/eddsa/refresh/commit/1",
        proof: "white-city/eddsa/refresh/proof/1",
        derive: "white-city/eddsa/refresh/derive/1",
        context: session.context(
            "white-city/eddsa/refresh/context/1",
            &[&key.outcome(), &holder_bytes],
        ),
        degree: key.degree().saturating_sub(1),
    };
    let index = session.index();
    let dealer = on_clean_stack(|| Dealer::new(&domain, index, &*key.secret, &randomness));
    let outgoing = Outgoing::broadcast(dealer.commitment.clone());
    let job = Job {
        session,
        domain,
        own_holder,
        holders: holders.to_vec(),
        parties: key.parties(),
        degree: key.degree(),
        participants: key.participants().to_vec(),
        commitments: key.points::<B>().map_err(Error::Key)?,
        secret: key.secret.clone(),
    };
    Ok((Round1 { job, dealer }, outgoing))
}

/// The subject: which shares of which key.
struct Job<B: Backend> {
    session: Session,
    domain: Domain,
    /// This party's index in the roster of the key.
    own_holder: u16,
    /// Session index to index in the roster of the key.
    holders: Vec<u16>,
    parties: u16,
    degree: u16,
    participants: Vec<u16>,
    commitments: Vec<B::Point>,
    secret: Secret,
}

impl<B: Backend> Job<B> {
    fn holder(&self, index: u16) -> Option<u16> {
        self.holders.get(usize::from(index)).copied()
    }

    /// The party that posted nothing, if there is one.
    fn all_there<T>(&self, round: u16, broadcasts: &BTreeMap<u16, T>) -> Result<(), Error> {
        let missing = (0..self.session.parties()).find(|party| !broadcasts.contains_key(party));
        missing.map_or(Ok(()), |party| Err(Error::Absent { party, round }))
    }
}

/// Round 1 is open, its message is made.
pub struct Round1<B: Backend> {
    job: Job<B>,
    dealer: Dealer<B>,
}

impl<B: Backend> Round1<B> {
    /// Takes everybody's commitments, the own included; gives what to post in round 2.
    ///
    /// # Errors
    /// [`Error::OwnMessage`], [`Error::Unexpected`], [`Error::Malformed`], [`Error::Absent`].
    pub fn close<T: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
    ) -> Result<(Round2<B>, Outgoing), Error> {
        let Self { job, dealer } = self;
        let index = job.session.index();
        let is_holder = |party| job.holder(party).is_some();
        job.session
            .check_senders(1, &dealer.commitment, broadcasts, is_holder)?;
        let committed = dealing::read_commitments(broadcasts)?;
        job.all_there(1, broadcasts)?;
        let recipients = (0..).zip(job.holders.iter().copied());
        let (outgoing, own) = dealer.deal((index, job.own_holder), recipients);
        let sent = outgoing.broadcast.clone();
        Ok((
            Round2 {
                job,
                committed,
                own,
                sent,
            },
            outgoing,
        ))
    }
}

/// Round 2 is open, its messages are made.
pub struct Round2<B: Backend> {
    job: Job<B>,
    committed: Commitments,
    own: Box<Zeroizing<B::Scalar>>,
    sent: Vec<u8>,
}

impl<B: Backend> Round2<B> {
    /// Takes everybody's openings, the own included, and the shares sent to this party, opened; gives the new share of the same key.
    ///
    /// # Errors
    /// [`Error::OwnMessage`], [`Error::Absent`], [`Error::Identity`], and with a culprit: [`Error::Unexpected`], [`Error::Malformed`],
    /// [`Error::BadOpening`], [`Error::BadProof`], [`Error::Torsion`], [`Error::MissingShare`], [`Error::BadShare`].
    pub fn close<T: AsRef<[u8]>, S: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
        p2p: &BTreeMap<u16, S>,
    ) -> Result<KeyShare, Error> {
        on_clean_stack(|| self.closed(broadcasts, p2p))
    }

    fn closed<T: AsRef<[u8]>, S: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
        p2p: &BTreeMap<u16, S>,
    ) -> Result<KeyShare, Error> {
        let Self {
            job,
            committed,
            own,
            sent,
        } = self;
        let is_dealer = |party| committed.contains_key(&party);
        job.session.check_senders(2, &sent, broadcasts, is_dealer)?;
        job.all_there(2, broadcasts)?;
        let me = Recipient::<B> {
            index: job.session.index(),
            shamir_index: job.own_holder,
            own,
        };
        let dealt = dealing::collect::<B, T, S>(&job.domain, &committed, &me, broadcasts, p2p)?;
        // Of `x * g(x)`: its value here, and its coefficients, of which the first is zero.
        let x = B::scalar_from_small(coordinate(job.own_holder));
        let growth = Zeroizing::new(B::scalar_mul(&x, &dealt.share));
        let old = Zeroizing::new(message::scalar::<B>(&job.secret).map_err(Error::Key)?);
        let new = Zeroizing::new(B::scalar_add(&old, &growth));
        let mut commitments = job.commitments;
        for (commitment, growth) in commitments.iter_mut().skip(1).zip(&dealt.commitments) {
            *commitment = B::point_add(commitment, growth);
        }
        let commitments: Vec<_> = commitments.iter().map(B::point_to_bytes).collect();
        Ok(KeyShare {
            context: job.domain.context,
            index: job.own_holder,
            parties: job.parties,
            degree: job.degree,
            participants: job.participants,
            public_key: commitments.first().copied().ok_or(Error::Identity)?,
            commitments,
            secret: Secret::copy_of(&Zeroizing::new(B::scalar_to_bytes(&new))),
        })
    }
}

opaque_debug!(Round1, Round2);
