//! Distributed key generation: a key that nobody ever holds, any `degree + 1` parties can use, and `degree` know nothing about.
//!
//! Feldman's verifiable secret sharing by every party at once, after Gennaro, Jarecki, Krawczyk and Rabin, in two rounds:
//!
//! 1. broadcast: a commitment to one's own dealing;
//! 2. broadcast: the dealing (Feldman commitments) with a proof that one knows its secret; p2p: a share for each other party.
//!
//! Who committed but didn't reveal is not part of the key, as long as `quorum` parties remain. A corrupt party can bias the key a little by
//! choosing whether to reveal; for Schnorr signatures that does no harm (Gennaro et al., *Secure Applications of Pedersen's Distributed Key
//! Generation Protocol*). A party that dealt wrongly is named, and the key generation fails for whom it dealt wrongly to.
//!
//! # Why a wrong share convicts nobody
//!
//! [`Error::BadShare`] is what the recipient knows, and nobody else. The judge would be a pure function, `share * G` against the dealer's
//! commitments, but it needs the share, and certainty that it is the one that the dealer has sealed. Two parties could give it that:
//!
//! * *The recipient*, by publishing what opens its payloads. Its key of the session opens all of them, and together they are its share: a
//!   false dealer would make a share public for each party that it cheats. To open one payload alone, the recipient would have to prove
//!   which Diffie-Hellman value is behind it, and the sealing (HPKE) comes without such proofs: new cryptography for this one purpose.
//! * *The dealer*, by publishing that one share when it is accused, as it reveals a payload that can't be opened. But the board knows of no
//!   commitments. A complaint about a payload that opens is a false one there, and convicts its author; so the state machine would have to
//!   know this protocol, or this protocol would need two rounds more, for accusations and for answers. In those a dealer that keeps silent
//!   could only be left out, not convicted, since silence convicts nobody; so a false dealer would never answer with a wrong share.
//!
//! So it stays a claim: the recipient leaves with it, everybody sees who blames whom, and where everybody has to take part the key
//! generation ends. Where it goes on, the recipient has no share and doesn't finish with the others, who can see that.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::dealing::{self, Commitments, Dealer, Domain, Recipient};
use crate::message::{Opening, Share};
use crate::secret::{Secret, on_clean_stack};
use crate::session::{in_range, opaque_debug};
use crate::{Backend, Dalek, Error, KeyShare, Outgoing, Randomness, Session};

/// The number of rounds in which parties post.
pub const ROUNDS: u16 = 2;

/// The largest broadcast of any round, in bytes, for polynomials of this degree.
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

/// Begins: gives what to post in round 1.
///
/// `degree`: one less than the signers needed, 1 to `parties - 1`. `quorum`: how many parties must have a share in the end, `degree + 1` to
/// `parties`; a session in which everybody must take part passes `parties`.
///
/// # Errors
/// [`Error::Parameter`] if one of them is out of range.
pub fn start(
    session: Session,
    degree: u16,
    quorum: u16,
    randomness: Randomness,
) -> Result<(Round1<Dalek>, Outgoing), Error> {
    start_with(session, degree, quorum, randomness)
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
    degree: u16,
    quorum: u16,
    randomness: Randomness,
) -> Result<(Round1<B>, Outgoing), Error> {
    let parties = session.parties();
    in_range("degree", degree.into(), 1, parties - 1)?;
    in_range("quorum", quorum.into(), degree + 1, parties)?;
    let domain = Domain {
        commit: "white-city/eddsa/keygen/commit/1",
        proof: "white-city/eddsa/keygen/proof/1",
        derive: "white-city/eddsa/keygen/derive/1",
        context: session.context(
            "white-city/eddsa/keygen/context/1",
            &[&degree.to_be_bytes(), &quorum.to_be_bytes()],
        ),
        degree,
    };
    let dealer = on_clean_stack(|| Dealer::new(&domain, session.index(), &[], &randomness));
    let outgoing = Outgoing::broadcast(dealer.commitment.clone());
    Ok((
        Round1 {
            session,
            domain,
            quorum,
            dealer,
        },
        outgoing,
    ))
}

/// Round 1 is open, its message is made.
pub struct Round1<B: Backend> {
    session: Session,
    domain: Domain,
    quorum: u16,
    dealer: Dealer<B>,
}

impl<B: Backend> Round1<B> {
    /// Takes everybody's commitments, the own included; gives what to post in round 2.
    ///
    /// # Errors
    /// [`Error::OwnMessage`], [`Error::Unexpected`], [`Error::Malformed`], [`Error::TooFew`].
    pub fn close<T: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
    ) -> Result<(Round2<B>, Outgoing), Error> {
        let Self {
            session,
            domain,
            quorum,
            dealer,
        } = self;
        let is_member = |party| party < session.parties();
        session.check_senders(1, &dealer.commitment, broadcasts, is_member)?;
        let committed = dealing::read_commitments(broadcasts)?;
        enough(1, committed.len(), quorum)?;
        let index = session.index();
        let recipients = committed.keys().map(|&party| (party, party));
        let (outgoing, own) = dealer.deal((index, index), recipients);
        let sent = outgoing.broadcast.clone();
        Ok((
            Round2 {
                session,
                domain,
                quorum,
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
    session: Session,
    domain: Domain,
    quorum: u16,
    committed: Commitments,
    own: Box<Zeroizing<B::Scalar>>,
    sent: Vec<u8>,
}

impl<B: Backend> Round2<B> {
    /// Takes everybody's openings, the own included, and the shares sent to this party, opened; gives the key.
    ///
    /// # Errors
    /// [`Error::OwnMessage`], [`Error::TooFew`], [`Error::Identity`], and with a culprit: [`Error::Unexpected`], [`Error::Malformed`],
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
            session,
            domain,
            quorum,
            committed,
            own,
            sent,
        } = self;
        session.check_senders(2, &sent, broadcasts, |party| committed.contains_key(&party))?;
        enough(2, broadcasts.len(), quorum)?;
        let index = session.index();
        let me = Recipient::<B> {
            index,
            shamir_index: index,
            own,
        };
        let dealt = dealing::collect::<B, T, S>(&domain, &committed, &me, broadcasts, p2p)?;
        let commitments: Vec<_> = dealt.commitments.iter().map(B::point_to_bytes).collect();
        Ok(KeyShare {
            context: domain.context,
            index,
            parties: session.parties(),
            degree: domain.degree,
            participants: broadcasts.keys().copied().collect(),
            public_key: commitments.first().copied().ok_or(Error::Identity)?,
            commitments,
            secret: Secret::copy_of(&Zeroizing::new(B::scalar_to_bytes(&dealt.share))),
        })
    }
}

fn enough(round: u16, got: usize, needed: u16) -> Result<(), Error> {
    let needed = usize::from(needed);
    if got < needed {
        Err(Error::TooFew { round, got, needed })
    } else {
        Ok(())
    }
}

opaque_debug!(Round1, Round2);
