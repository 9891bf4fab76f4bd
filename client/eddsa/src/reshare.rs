//! Resharing: the same key, held by others, with another threshold. A party that left, or was lost, isn't counted on any more; one that came is.
//!
//! Redistribution after Desmedt and Jajodia, verifiable as Wong, Wang and Wing have it. Enough holders, the *dealers*, each deal their share times its
//! Lagrange coefficient among them, by a polynomial of the new degree, to the *recipients*; what a recipient was dealt adds up to its share of the
//! key. A party may be both. In two rounds:
//!
//! 1. broadcast, of dealers: a commitment to one's dealing;
//! 2. broadcast, of dealers: the dealing with a proof that one knows its secret; p2p: a share for each other recipient.
//!
//! **All dealers take part**, in all rounds: the coefficients are of all of them. Where one is absent another session does without it.
//!
//! Dealers see whether each of them has dealt its own share, and name who hasn't. A recipient without a share knows the public key only, and sees
//! whether all of them together have dealt that: who is at fault the dealers say.
//!
//! **Old shares still sign**, with one another, until they are deleted: `degree` + 1 of the old holders who keep theirs have the key for ever. What it
//! takes to have the key is from then on that many old shares or that many new ones. A party that doesn't trust the others to delete theirs wants a new
//! key.
//!
//! Indices are those of the session's roster, also in errors; it is the roster that the new shares belong to.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use crate::dealing::{self, Commitments, Dealer, Domain, Recipient};
use crate::key_share;
use crate::message::{self, Opening, Share};
use crate::polynomial::{lagrange, public_share};
use crate::secret::{Secret, on_clean_stack};
use crate::session::{MIN_PARTIES, in_range, opaque_debug};
use crate::{Backend, Dalek, Error, KeyShare, Malformed, Outgoing, Randomness, Session};

/// The number of rounds in which parties post.
pub const ROUNDS: u16 = 2;

/// The largest broadcast of any round, in bytes, for a new key of this degree.
#[must_use]
pub const fn max_broadcast_bytes(degree: u16) -> u32 {
    // `as`: at most 32 * 65 539 + 1, and `From` isn't const.
    Opening::bytes(degree) as u32
}

/// The largest p2p plaintext, in bytes.
#[must_use]
pub const fn max_p2p_bytes() -> u32 {
    Share::BYTES as u32
}

/// What a resharing is about: the same for all of its parties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    public_key: [u8; 32],
    /// Ascending.
    dealers: Vec<u16>,
    /// Ascending.
    recipients: Vec<u16>,
    degree: u16,
}

impl Plan {
    /// `public_key`: of the key that is dealt. `dealers`: the parties that deal their shares of it. `recipients`: those that get new ones. `degree`: one
    /// less than the signers needed from then on, 1 to one less than there are recipients.
    ///
    /// # Errors
    /// [`Error::Parameter`] if there are too few or too many of them, or the degree is out of range; [`Error::Key`] if that is no key.
    pub fn new(
        public_key: [u8; 32],
        dealers: &BTreeSet<u16>,
        recipients: &BTreeSet<u16>,
        degree: u16,
    ) -> Result<Self, Error> {
        in_range("number of dealers", dealers.len(), MIN_PARTIES, u16::MAX)?;
        let recipients_max = crate::MAX_PARTIES;
        let most = in_range(
            "number of recipients",
            recipients.len(),
            MIN_PARTIES,
            recipients_max,
        )?;
        in_range("degree", degree.into(), 1, most.saturating_sub(1))?;
        let point = Dalek::point_from_bytes(&public_key);
        let is_key = |point: &_| *point != Dalek::identity() && Dalek::is_torsion_free(point);
        point.filter(is_key).ok_or(Error::Key(Malformed::Point))?;
        Ok(Self {
            public_key,
            dealers: dealers.iter().copied().collect(),
            recipients: recipients.iter().copied().collect(),
            degree,
        })
    }

    fn deals(&self, party: u16) -> bool {
        self.dealers.binary_search(&party).is_ok()
    }

    fn receives(&self, party: u16) -> bool {
        self.recipients.binary_search(&party).is_ok()
    }

    /// The domain of the dealing in a session, of which everybody in the plan is a party, and everybody of which is in the plan.
    fn domain(&self, session: &Session) -> Result<Domain, Error> {
        let all: BTreeSet<u16> = self
            .dealers
            .iter()
            .chain(&self.recipients)
            .copied()
            .collect();
        let parties = session.parties();
        in_range("number of parties", all.len(), parties, parties)?;
        let last = all.last().copied().unwrap_or_default();
        in_range("index", last.into(), 0, parties.saturating_sub(1))?;
        let bytes = |parties: &[u16]| -> Vec<u8> {
            parties
                .iter()
                .flat_map(|party| party.to_be_bytes())
                .collect()
        };
        Ok(Domain {
            commit: "white-city/eddsa/reshare/commit/1",
            proof: "white-city/eddsa/reshare/proof/1",
            derive: "white-city/eddsa/reshare/derive/1",
            context: session.context(
                "white-city/eddsa/reshare/context/1",
                &[
                    &self.public_key,
                    &bytes(&self.dealers),
                    &bytes(&self.recipients),
                    &self.degree.to_be_bytes(),
                ],
            ),
            degree: self.degree,
        })
    }
}

/// The share that a dealer deals.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// The share.
    pub key: &'a KeyShare,
    /// For each of the plan's dealers, ascending, its index in the roster of the key.
    pub holders: &'a [u16],
}

/// What a party has in the end.
#[derive(Debug)]
pub struct Reshared {
    /// The digest of everything public about the new shares, as [`KeyShare::outcome`]: the same for all parties.
    pub outcome: [u8; 32],
    /// The new share, if this party is a recipient.
    pub share: Option<KeyShare>,
}

/// Begins: gives what to post in round 1; nothing, if this party isn't a dealer.
///
/// `held`: this party's share, if it is a dealer, and nothing if it isn't.
///
/// # Errors
/// [`Error::Parameter`] if the plan isn't about exactly the parties of this session, or has fewer dealers than the key takes signers, or if `held` is
/// there without need, or isn't; [`Error::Repeated`], [`Error::NotAParticipant`]; [`Error::WrongShare`] if the share isn't the one of this party;
/// [`Error::OtherKey`] if it is one of another key than the plan's.
pub fn start(
    session: Session,
    plan: Plan,
    held: Option<Held<'_>>,
    randomness: Randomness,
) -> Result<(Round1<Dalek>, Outgoing), Error> {
    start_with(session, plan, held, randomness)
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
    plan: Plan,
    held: Option<Held<'_>>,
    randomness: Randomness,
) -> Result<(Round1<B>, Outgoing), Error> {
    let domain = plan.domain(&session)?;
    let deals = u16::from(plan.deals(session.index()));
    in_range(
        "number of shares to deal",
        held.iter().count(),
        deals,
        deals,
    )?;
    let mut outgoing = Outgoing::default();
    let (mut dealer, mut dealt) = (None, BTreeMap::new());
    if let Some(held) = held {
        let weights = Weights::<B>::of(&session, &plan, held)?;
        let made = on_clean_stack(|| weights.dealer(&domain, held.key, &randomness))?;
        outgoing.broadcast.clone_from(&made.commitment);
        (dealer, dealt) = (Some(made), weights.constants()?);
    }
    let job = Job {
        session,
        plan,
        domain,
        dealt,
    };
    Ok((Round1 { job, dealer }, outgoing))
}

/// The dealers' Lagrange coefficients.
struct Weights<B: Backend> {
    /// By the dealer's index in this session: its index in the roster of the key, and its coefficient.
    all: BTreeMap<u16, (u16, B::Scalar)>,
    own: B::Scalar,
    /// Commitments to the key's polynomial.
    commitments: Vec<B::Point>,
}

impl<B: Backend> Weights<B> {
    fn of(session: &Session, plan: &Plan, held: Held<'_>) -> Result<Self, Error> {
        let Held { key, holders } = held;
        if key.public_key() != plan.public_key {
            return Err(Error::OtherKey);
        }
        let least = key.signers_min();
        in_range("number of dealers", plan.dealers.len(), least, u16::MAX)?;
        let own = session.place_of(key, &plan.dealers, holders)?;
        let set: BTreeSet<u16> = holders.iter().copied().collect();
        // They are all different: an inverse is there.
        let weight = |holder: u16| {
            lagrange::<B>(&set, holder).ok_or(Error::NotAParticipant { index: holder })
        };
        let all = plan.dealers.iter().zip(holders);
        let all = all.map(|(&dealer, &holder)| Ok((dealer, (holder, weight(holder)?))));
        Ok(Self {
            all: all.collect::<Result<_, Error>>()?,
            own: weight(own)?,
            commitments: key.points::<B>().map_err(Error::Key)?,
        })
    }

    /// Deals this party's share.
    fn dealer(
        &self,
        domain: &Domain,
        key: &KeyShare,
        randomness: &Randomness,
    ) -> Result<Dealer<B>, Error> {
        let share = Zeroizing::new(message::scalar::<B>(&key.secret).map_err(Error::Key)?);
        let secret = Zeroizing::new(B::scalar_mul(&self.own, &share));
        let index = self
            .all
            .iter()
            .find(|(_, (holder, _))| *holder == key.index());
        let index = index.map_or(0, |(dealer, _)| *dealer);
        // What is dealt depends on these, so what is drawn for its proof has to.
        let mut hedge = Zeroizing::new(Vec::with_capacity(64 + 2 * self.all.len()));
        hedge.extend_from_slice(&*key.secret);
        hedge.extend_from_slice(&key.outcome());
        hedge.extend(
            self.all
                .values()
                .flat_map(|(holder, _)| holder.to_be_bytes()),
        );
        Ok(Dealer::of(domain, index, Some(secret), &hedge, randomness))
    }

    /// What each dealer has to deal, times the generator.
    fn constants(&self) -> Result<BTreeMap<u16, [u8; 32]>, Error> {
        let of = |(dealer, (holder, weight)): (&u16, &(u16, B::Scalar))| {
            let share = public_share::<B>(&self.commitments, *holder);
            (*dealer, B::point_to_bytes(&B::mul_public(weight, &share)))
        };
        Ok(self.all.iter().map(of).collect())
    }
}

/// The subject.
struct Job {
    session: Session,
    plan: Plan,
    domain: Domain,
    /// What each dealer has to deal, times the generator; nothing for whoever had no share.
    dealt: BTreeMap<u16, [u8; 32]>,
}

impl Job {
    /// Refuses messages of whoever deals nothing, and where one of the dealers posted none.
    fn check<T: AsRef<[u8]>>(
        &self,
        round: u16,
        sent: &[u8],
        broadcasts: &BTreeMap<u16, T>,
    ) -> Result<(), Error> {
        let deals = |party| self.plan.deals(party);
        if let Some(&party) = broadcasts.keys().find(|&&party| !deals(party)) {
            return Err(Error::Unexpected { party, round });
        }
        if deals(self.session.index()) {
            self.session.check_senders(round, sent, broadcasts, deals)?;
        }
        let mut dealers = self.plan.dealers.iter();
        let missing = dealers.find(|dealer| !broadcasts.contains_key(dealer));
        missing.map_or(Ok(()), |&party| Err(Error::Absent { party, round }))
    }

    /// Checks that each dealer has dealt its own share, as far as this party knows it, and that all of them have dealt the key.
    fn check_dealt<B: Backend, T: AsRef<[u8]>>(
        &self,
        openings: &BTreeMap<u16, T>,
        sums: &[B::Point],
    ) -> Result<(), Error> {
        for (&party, expected) in &self.dealt {
            let opening = openings
                .get(&party)
                .ok_or(Error::Absent { party, round: 2 })?;
            let opening = Opening::decode(opening.as_ref(), self.domain.degree);
            let opening = opening.map_err(Error::malformed(party))?;
            if opening.points.first() != Some(expected) {
                return Err(Error::OtherShare { party });
            }
        }
        match sums.first().map(B::point_to_bytes) {
            Some(key) if key == self.plan.public_key => Ok(()),
            _ => Err(Error::OtherKey),
        }
    }
}

/// Round 1 is open, its message is made.
pub struct Round1<B: Backend> {
    job: Job,
    dealer: Option<Dealer<B>>,
}

impl<B: Backend> Round1<B> {
    /// Takes all dealers' commitments, the own included; gives what to post in round 2.
    ///
    /// # Errors
    /// [`Error::OwnMessage`], [`Error::Unexpected`], [`Error::Malformed`], [`Error::Absent`].
    pub fn close<T: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
    ) -> Result<(Round2<B>, Outgoing), Error> {
        let Self { job, dealer } = self;
        let sent = dealer.as_ref().map(|dealer| dealer.commitment.clone());
        job.check(1, &sent.unwrap_or_default(), broadcasts)?;
        let committed = dealing::read_commitments(broadcasts)?;
        let index = job.session.index();
        let recipients = job.plan.recipients.iter().map(|&party| (party, party));
        let (outgoing, own) = match dealer {
            Some(dealer) => dealer.deal((index, index), recipients),
            None => {
                let zero = Zeroizing::new(B::scalar_from_small(0));
                (Outgoing::default(), Box::new(zero))
            }
        };
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
    job: Job,
    committed: Commitments,
    own: Box<Zeroizing<B::Scalar>>,
    sent: Vec<u8>,
}

impl<B: Backend> Round2<B> {
    /// Takes all dealers' openings, the own included, and the shares sent to this party, opened; gives the new share of the same key.
    ///
    /// # Errors
    /// [`Error::OwnMessage`], [`Error::Absent`], [`Error::OtherKey`], and with a culprit: [`Error::Unexpected`], [`Error::Malformed`],
    /// [`Error::BadOpening`], [`Error::BadProof`], [`Error::Torsion`], [`Error::OtherShare`], [`Error::MissingShare`], [`Error::BadShare`].
    pub fn close<T: AsRef<[u8]>, S: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
        p2p: &BTreeMap<u16, S>,
    ) -> Result<Reshared, Error> {
        on_clean_stack(|| self.closed(broadcasts, p2p))
    }

    fn closed<T: AsRef<[u8]>, S: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
        p2p: &BTreeMap<u16, S>,
    ) -> Result<Reshared, Error> {
        let Self {
            job,
            committed,
            own,
            sent,
        } = self;
        job.check(2, &sent, broadcasts)?;
        let sums = dealing::open_all::<B, T>(&job.domain, &committed, broadcasts)?;
        job.check_dealt::<B, T>(broadcasts, &sums)?;
        let commitments: Vec<_> = sums.iter().map(B::point_to_bytes).collect();
        let index = job.session.index();
        let share = if job.plan.receives(index) {
            let me = Recipient::<B> {
                index,
                shamir_index: index,
                own,
            };
            let share = dealing::take_share(&job.domain, &sums, &me, broadcasts, p2p)?;
            let secret = Secret::copy_of(&Zeroizing::new(B::scalar_to_bytes(&share)));
            Some(job.share(commitments.clone(), secret))
        } else {
            None
        };
        Ok(Reshared {
            outcome: key_share::outcome(
                &job.domain.context,
                (job.session.parties(), job.plan.degree),
                &job.plan.recipients,
                &commitments,
            ),
            share,
        })
    }
}

impl Job {
    fn share(&self, commitments: Vec<[u8; 32]>, secret: Secret) -> KeyShare {
        KeyShare {
            context: self.domain.context,
            index: self.session.index(),
            parties: self.session.parties(),
            degree: self.plan.degree,
            participants: self.plan.recipients.clone(),
            public_key: self.plan.public_key,
            commitments,
            secret,
        }
    }
}

opaque_debug!(Round1, Round2);
