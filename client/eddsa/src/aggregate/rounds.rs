//! The rounds of aggregated signing.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::key::{AggregateKey, KeyPair, Weighted, subgroup_point};
use crate::message::{self, KeyAndCommitment, Nonce, Partial};
use crate::randomness::Deriver;
use crate::secret::on_clean_stack;
use crate::session::{in_range, opaque_debug};
use crate::{Backend, Error, Outgoing, Randomness, Session, Signed, hash};

const CONTEXT: &str = "white-city/eddsa/aggregate/context/1";
const COMMIT: &str = "white-city/eddsa/aggregate/commit/1";
const DERIVE: &str = "white-city/eddsa/aggregate/derive/1";

/// The hash of everything that such a session is about.
pub(crate) fn context(session: &Session, message: &[u8]) -> [u8; 32] {
    session.context(CONTEXT, &[message])
}

/// The part that stays the same from round to round.
struct Common {
    session: Session,
    context: [u8; 32],
    message: Vec<u8>,
}

impl Common {
    fn commitment(&self, party: u16, key: &[u8; 32], nonce: &Nonce) -> [u8; 32] {
        let party = party.to_be_bytes();
        hash::digest(
            COMMIT,
            &[&self.context, &party, key, &nonce.point, &nonce.blind],
        )
    }

    /// One message of each party of the roster, no more and no less, the own unchanged.
    fn everybody<T: AsRef<[u8]>>(
        &self,
        round: u16,
        sent: &[u8],
        broadcasts: &BTreeMap<u16, T>,
    ) -> Result<(), Error> {
        let parties = self.session.parties();
        self.session
            .check_senders(round, sent, broadcasts, |party| party < parties)?;
        match (0..parties).find(|party| !broadcasts.contains_key(party)) {
            Some(party) => Err(Error::Absent { party, round }),
            None => Ok(()),
        }
    }
}

/// Round 1 is open, its message is made.
pub struct Round1<B: Backend> {
    common: Common,
    expected: Option<Vec<[u8; 32]>>,
    secret: Box<Zeroizing<B::Scalar>>,
    nonce_secret: Box<Zeroizing<B::Scalar>>,
    nonce: Nonce,
    sent: Vec<u8>,
}

impl<B: Backend> Round1<B> {
    pub(super) fn start(
        session: Session,
        key_pair: &KeyPair,
        expected: Option<&[[u8; 32]]>,
        message: &[u8],
        randomness: &Randomness,
    ) -> Result<(Self, Outgoing), Error> {
        on_clean_stack(|| Self::started(session, key_pair, expected, message, randomness))
    }

    fn started(
        session: Session,
        key_pair: &KeyPair,
        expected: Option<&[[u8; 32]]>,
        message: &[u8],
        randomness: &Randomness,
    ) -> Result<(Self, Outgoing), Error> {
        let (index, parties) = (session.index(), session.parties());
        if let Some(keys) = expected {
            in_range("number of expected keys", keys.len(), parties, parties)?;
            if keys.get(usize::from(index)) != Some(&key_pair.public_key()) {
                return Err(Error::OwnKey);
            }
        }
        let context = context(&session, message);
        let common = Common {
            session,
            context,
            message: message.to_vec(),
        };
        let (secret, prefix) = key_pair.expand::<B>();
        let derive = Deriver {
            tag: DERIVE,
            context: &context,
            index,
            hedge: &*prefix,
            randomness,
        };
        let nonce_secret = derive.scalar::<B>("nonce", 0);
        let point = B::point_to_bytes(&B::mul_base(&nonce_secret));
        let nonce = Nonce {
            point,
            blind: derive.blind(),
        };
        let key = key_pair.public_key();
        let commitment = common.commitment(index, &key, &nonce);
        let sent = KeyAndCommitment { key, commitment }.encode();
        let outgoing = Outgoing::broadcast(sent.clone());
        let expected = expected.map(<[_]>::to_vec);
        Ok((
            Self {
                common,
                expected,
                secret: Box::new(secret),
                nonce_secret: Box::new(nonce_secret),
                nonce,
                sent,
            },
            outgoing,
        ))
    }

    /// Takes everybody's key and commitment, the own included; gives what to post in round 2.
    ///
    /// # Errors
    /// [`Error::OwnMessage`], [`Error::Absent`], [`Error::Identity`], and with a culprit: [`Error::Unexpected`], [`Error::Malformed`],
    /// [`Error::WrongKey`], [`Error::Torsion`].
    pub fn close<T: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
    ) -> Result<(Round2<B>, Outgoing), Error> {
        self.common.everybody(1, &self.sent, broadcasts)?;
        let mut keys = Vec::with_capacity(broadcasts.len());
        let mut commitments = Vec::with_capacity(broadcasts.len());
        for (&party, bytes) in broadcasts {
            let message = KeyAndCommitment::decode(bytes.as_ref());
            let KeyAndCommitment { key, commitment } = message.map_err(Error::malformed(party))?;
            let expected = self
                .expected
                .as_ref()
                .map(|keys| keys.get(usize::from(party)));
            if expected.is_some_and(|expected| expected != Some(&key)) {
                return Err(Error::WrongKey { party });
            }
            keys.push(key);
            commitments.push(commitment);
        }
        let weighted = Weighted::<B>::new(&keys)?;
        let sent = self.nonce.encode();
        let outgoing = Outgoing::broadcast(sent.clone());
        let Self {
            common,
            secret,
            nonce_secret,
            ..
        } = self;
        Ok((
            Round2 {
                common,
                weighted,
                commitments,
                secret,
                nonce_secret,
                sent,
            },
            outgoing,
        ))
    }
}

/// Round 2 is open, its message is made. The keys are known.
pub struct Round2<B: Backend> {
    common: Common,
    weighted: Weighted<B>,
    commitments: Vec<[u8; 32]>,
    secret: Box<Zeroizing<B::Scalar>>,
    nonce_secret: Box<Zeroizing<B::Scalar>>,
    sent: Vec<u8>,
}

impl<B: Backend> Round2<B> {
    /// The key that the signature will verify under. A caller that passed no expected keys can look at it before going on.
    #[must_use]
    pub fn key(&self) -> &AggregateKey {
        &self.weighted.aggregate
    }

    /// Takes everybody's nonce, the own included; gives what to post in round 3.
    ///
    /// # Errors
    /// [`Error::OwnMessage`], [`Error::Absent`], [`Error::Identity`], and with a culprit: [`Error::Unexpected`], [`Error::Malformed`],
    /// [`Error::BadOpening`], [`Error::Torsion`].
    pub fn close<T: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
    ) -> Result<(Round3<B>, Outgoing), Error> {
        on_clean_stack(|| self.closed(broadcasts))
    }

    fn closed<T: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
    ) -> Result<(Round3<B>, Outgoing), Error> {
        let Self {
            common,
            weighted,
            commitments,
            secret,
            nonce_secret,
            sent,
        } = self;
        common.everybody(2, &sent, broadcasts)?;
        let mut sum = B::identity();
        let mut nonces = Vec::with_capacity(broadcasts.len());
        // Everybody's message is there, in every round: places in these lists are indices.
        let committed = commitments.iter().zip(weighted.aggregate.keys());
        for ((&party, bytes), (commitment, key)) in broadcasts.iter().zip(committed) {
            let nonce = Nonce::decode(bytes.as_ref()).map_err(Error::malformed(party))?;
            if common.commitment(party, key, &nonce) != *commitment {
                return Err(Error::BadOpening { party });
            }
            let point = subgroup_point::<B>(party, &nonce.point)?;
            sum = B::point_add(&sum, &point);
            nonces.push(point);
        }
        if sum == B::identity() {
            return Err(Error::Identity);
        }
        let nonce = B::point_to_bytes(&sum);
        let public_key = weighted.aggregate.public_key();
        let challenge = B::scalar_from_wide(&hash::challenge(&nonce, &public_key, &common.message));
        let own = weighted.parts.get(usize::from(common.session.index()));
        let (weight, _) = own.ok_or(Error::OwnMessage { round: 1 })?;
        let factor = B::scalar_mul(&challenge, weight);
        let product = Zeroizing::new(B::scalar_mul(&factor, &secret));
        let partial = B::scalar_add(&nonce_secret, &product);
        let sent = Partial(B::scalar_to_bytes(&partial)).encode();
        let expected = nonces
            .iter()
            .zip(&weighted.parts)
            .map(|(nonce, (_, key))| B::point_add(nonce, &B::mul_public(&challenge, key)));
        let expected = expected.collect();
        let outgoing = Outgoing::broadcast(sent.clone());
        Ok((
            Round3 {
                common,
                public_key,
                nonce,
                expected,
                sent,
            },
            outgoing,
        ))
    }
}

/// Round 3 is open, its message is made. Holds no secret any more.
pub struct Round3<B: Backend> {
    common: Common,
    public_key: [u8; 32],
    nonce: [u8; 32],
    /// The points that the parties' partial signatures times the generator must be.
    expected: Vec<B::Point>,
    sent: Vec<u8>,
}

impl<B: Backend> Round3<B> {
    /// Takes everybody's partial signature, the own included; gives the signature.
    ///
    /// # Errors
    /// [`Error::OwnMessage`], [`Error::Absent`], and with a culprit: [`Error::Unexpected`], [`Error::Malformed`], [`Error::BadPartial`].
    pub fn close<T: AsRef<[u8]>>(self, broadcasts: &BTreeMap<u16, T>) -> Result<Signed, Error> {
        self.common.everybody(3, &self.sent, broadcasts)?;
        let mut sum = B::scalar_from_small(0);
        for ((&party, bytes), expected) in broadcasts.iter().zip(&self.expected) {
            let malformed = Error::malformed(party);
            let partial = Partial::decode(bytes.as_ref()).map_err(&malformed)?;
            let scalar = message::scalar::<B>(&partial.0).map_err(&malformed)?;
            if B::mul_base(&scalar) != *expected {
                return Err(Error::BadPartial { party });
            }
            sum = B::scalar_add(&sum, &scalar);
        }
        let Common {
            context, message, ..
        } = &self.common;
        let response = B::scalar_to_bytes(&sum);
        Signed::verified(
            context,
            &self.nonce,
            &response,
            self.public_key,
            message,
            Vec::new(),
        )
    }
}

opaque_debug!(Round1, Round2, Round3);
