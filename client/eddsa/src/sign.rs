//! Threshold signing, after Stinson and Strobl: the signers generate a nonce as they once generated the key, and add up.
//!
//! 1. broadcast: a commitment to one's dealing of the nonce;
//! 2. broadcast: the dealing; p2p: a share of it for each other signer;
//! 3. nothing: a confirmation;
//! 4. broadcast: the partial signature, `share of the nonce + challenge * share of the key`.
//!
//! **Why round 3 is there.** If all servers of the board are malicious, they can show two groups of signers two different second rounds, hence
//! two challenges. One partial signature for each would be two equations for the two unknowns that `degree` corrupt signers are missing: the
//! key. A board's fork can't get past its next round unnoticed, so a round without content is put between what may fork and what may
//! not be revealed twice. Post an empty entry, wait until round 3 has closed with a quorum, and only then call [`Round3::close`].
//!
//! **Why everybody who commits has to reveal.** Were the nonce made of whatever is revealed, a corrupt signer could look at the others' dealings
//! and then choose between two nonces, by revealing or not. A few hundred concurrent sessions with one such choice each give a forgery (the
//! ROS attack of Benhamouda et al.). Here a missing opening ends the session. After round 2 any `degree + 1` signers suffice.
//!
//! Indices are those of the signing session's roster, also in errors; `signers` says which party of the key generation each one is.

mod finish;
mod job;
pub mod many;

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

pub use finish::Round4;
use job::Job;
pub(crate) use job::context;

use crate::dealing::{self, Commitments, Dealer, Domain, Recipient};
use crate::message::{self, Opening, Partial, Share};
use crate::secret::on_clean_stack;
use crate::session::opaque_debug;
use crate::{Backend, Dalek, Error, KeyShare, Outgoing, Randomness, Session, hash};

/// The number of rounds in which parties post; round 3 has no content.
pub const ROUNDS: u16 = 4;

/// The largest broadcast of any round, in bytes, for a key of this degree.
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
/// `signers`: for each index of this session's roster, the index in the key generation's roster. `message`: what is signed, of any length.
///
/// # Errors
/// [`Error::Parameter`] if `signers` isn't as long as the roster or shorter than [`KeyShare::signers_min`], [`Error::Repeated`],
/// [`Error::NotAParticipant`], [`Error::WrongShare`] if the share isn't the one of this session's own index.
pub fn start(
    session: Session,
    key: &KeyShare,
    signers: &[u16],
    message: &[u8],
    randomness: Randomness,
) -> Result<(Round1<Dalek>, Outgoing), Error> {
    start_with(session, key, signers, message, randomness)
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
    signers: &[u16],
    message: &[u8],
    randomness: Randomness,
) -> Result<(Round1<B>, Outgoing), Error> {
    let context = context(&session, &key.outcome(), signers, message);
    let job = Job::<B>::new(session, key, signers, message, context)?;
    Ok(begin(job, key, &randomness))
}

/// Draws the nonce, and gives what to post in round 1.
fn begin<B: Backend>(
    job: Job<B>,
    key: &KeyShare,
    randomness: &Randomness,
) -> (Round1<B>, Outgoing) {
    let domain = Domain {
        commit: "white-city/eddsa/sign/commit/1",
        proof: "white-city/eddsa/sign/proof/1",
        derive: "white-city/eddsa/sign/derive/1",
        context: job.context,
        degree: key.degree(),
    };
    let index = job.session.index();
    let dealer = on_clean_stack(|| Dealer::new(&domain, index, &*key.secret, randomness));
    let outgoing = Outgoing::broadcast(dealer.commitment.clone());
    let round = Round1 {
        job,
        domain,
        dealer,
    };
    (round, outgoing)
}

/// Round 1 is open, its message is made.
pub struct Round1<B: Backend> {
    job: Job<B>,
    domain: Domain,
    dealer: Dealer<B>,
}

impl<B: Backend> Round1<B> {
    /// Takes the commitments of all who take part, the own included; gives what to post in round 2.
    ///
    /// # Errors
    /// [`Error::OwnMessage`], [`Error::Unexpected`], [`Error::Malformed`], [`Error::TooFew`].
    pub fn close<T: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
    ) -> Result<(Round2<B>, Outgoing), Error> {
        let Self {
            job,
            domain,
            dealer,
        } = self;
        let index = job.session.index();
        job.session
            .check_senders(1, &dealer.commitment, broadcasts, |party| {
                job.signer(party).is_some()
            })?;
        let committed = dealing::read_commitments(broadcasts)?;
        job.enough(1, committed.len())?;
        let recipients = committed
            .keys()
            .filter_map(|&party| Some((party, job.signer(party)?)));
        let (outgoing, own) = dealer.deal((index, job.own_signer), recipients);
        let sent = outgoing.broadcast.clone();
        Ok((
            Round2 {
                job,
                domain,
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
    domain: Domain,
    committed: Commitments,
    own: Box<Zeroizing<B::Scalar>>,
    sent: Vec<u8>,
}

impl<B: Backend> Round2<B> {
    /// Takes everybody's openings, the own included, and the shares sent to this party, opened. In round 3 post an entry without content.
    ///
    /// # Errors
    /// [`Error::OwnMessage`], [`Error::Absent`] if somebody who committed didn't reveal, [`Error::Identity`], and with a culprit:
    /// [`Error::Unexpected`], [`Error::Malformed`], [`Error::BadOpening`], [`Error::BadProof`], [`Error::Torsion`], [`Error::MissingShare`],
    /// [`Error::BadShare`].
    pub fn close<T: AsRef<[u8]>, S: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
        p2p: &BTreeMap<u16, S>,
    ) -> Result<Round3<B>, Error> {
        on_clean_stack(|| self.closed(broadcasts, p2p))
    }

    fn closed<T: AsRef<[u8]>, S: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
        p2p: &BTreeMap<u16, S>,
    ) -> Result<Round3<B>, Error> {
        let Self {
            job,
            domain,
            committed,
            own,
            sent,
        } = self;
        job.session
            .check_senders(2, &sent, broadcasts, |party| committed.contains_key(&party))?;
        if let Some(&party) = committed
            .keys()
            .find(|&party| !broadcasts.contains_key(party))
        {
            return Err(Error::Absent { party, round: 2 });
        }
        let me = Recipient::<B> {
            index: job.session.index(),
            shamir_index: job.own_signer,
            own,
        };
        let dealt = dealing::collect::<B, T, S>(&domain, &committed, &me, broadcasts, p2p)?;
        let dealers = committed.keys().copied().collect();
        Ok(Round3 {
            job,
            dealers,
            nonce: dealt.commitments,
            nonce_share: Box::new(dealt.share),
        })
    }
}

/// Round 3 is open; it has no message. It must have closed, for everybody in the same way, before this value is used.
pub struct Round3<B: Backend> {
    job: Job<B>,
    dealers: BTreeSet<u16>,
    nonce: Vec<B::Point>,
    nonce_share: Box<Zeroizing<B::Scalar>>,
}

impl<B: Backend> Round3<B> {
    /// Takes the indices of all who posted in round 3, the own included; gives what to post in round 4: the partial signature.
    ///
    /// # Errors
    /// [`Error::OwnMessage`] if this party isn't among them, [`Error::Unexpected`], [`Error::TooFew`].
    pub fn close(self, confirmed: &BTreeSet<u16>) -> Result<(Round4<B>, Outgoing), Error> {
        on_clean_stack(|| self.closed(confirmed))
    }

    fn closed(self, confirmed: &BTreeSet<u16>) -> Result<(Round4<B>, Outgoing), Error> {
        let Self {
            job,
            dealers,
            nonce,
            nonce_share,
        } = self;
        if !confirmed.contains(&job.session.index()) {
            return Err(Error::OwnMessage { round: 3 });
        }
        if let Some(&party) = confirmed.difference(&dealers).next() {
            return Err(Error::Unexpected { party, round: 3 });
        }
        job.enough(3, confirmed.len())?;
        let nonce_bytes = nonce
            .first()
            .map(B::point_to_bytes)
            .ok_or(Error::Identity)?;
        let challenge = B::scalar_from_wide(&hash::challenge(
            &nonce_bytes,
            &job.public_key,
            &job.message,
        ));
        let secret = message::scalar::<B>(&job.secret).map_err(Error::Key)?;
        let product = Zeroizing::new(B::scalar_mul(&challenge, &secret));
        let partial = B::scalar_add(&nonce_share, &product);
        let sent = Partial(B::scalar_to_bytes(&partial)).encode();
        // A signer's nonce commitment plus the challenge times its key commitment, for all signers at once: coefficient by coefficient.
        let expected = nonce
            .iter()
            .zip(&job.key)
            .map(|(nonce, key)| B::point_add(nonce, &B::mul_public(&challenge, key)));
        let expected = expected.collect();
        let outgoing = Outgoing::broadcast(sent.clone());
        let public = job.into_public();
        Ok((
            Round4 {
                public,
                dealers,
                nonce: nonce_bytes,
                expected,
                sent,
            },
            outgoing,
        ))
    }
}

opaque_debug!(Round1, Round2, Round3, Round4);
