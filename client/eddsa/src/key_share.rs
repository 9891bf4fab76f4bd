//! One party's share of a threshold key.

use zeroize::Zeroizing;

use crate::message::{self, VERSION};
use crate::polynomial::public_share;
use crate::secret::{Secret, on_clean_stack};
use crate::session::{MAX_PARTIES, MIN_PARTIES, in_range};
use crate::{Backend, Dalek, Error, Malformed, hash};

const OUTCOME: &str = "white-city/eddsa/keygen/outcome/1";

/// The result of key generation for one party: public facts about the key, the same for everybody, and this party's secret share.
pub struct KeyShare {
    pub(crate) context: [u8; 32],
    pub(crate) index: u16,
    pub(crate) parties: u16,
    pub(crate) degree: u16,
    /// Ascending.
    pub(crate) participants: Vec<u16>,
    /// Commitments to the sum of all polynomials: `degree + 1`, the first is the public key.
    pub(crate) commitments: Vec<[u8; 32]>,
    pub(crate) public_key: [u8; 32],
    pub(crate) secret: Secret,
}

impl KeyShare {
    /// The Ed25519 public key that all parties share.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.public_key
    }

    /// This party's index in the key generation's roster, from 0.
    #[must_use]
    pub fn index(&self) -> u16 {
        self.index
    }

    /// The size of the key generation's roster.
    #[must_use]
    pub fn parties(&self) -> u16 {
        self.parties
    }

    /// The polynomial's degree: this many parties know nothing about the key.
    #[must_use]
    pub fn degree(&self) -> u16 {
        self.degree
    }

    /// Number of signers that it takes: `degree + 1`.
    #[must_use]
    pub fn signers_min(&self) -> u16 {
        self.degree.saturating_add(1)
    }

    /// The parties whose dealings the key is made of: indices of the key generation's roster, ascending. Each of them holds a
    /// share, unless somebody dealt wrongly to it: then it has left the session, without a share.
    #[must_use]
    pub fn participants(&self) -> &[u16] {
        &self.participants
    }

    /// A participant's public share: its secret share times the generator.
    ///
    /// # Errors
    /// [`Error::NotAParticipant`]; [`Error::Key`] doesn't happen for a share that this library made or read.
    pub fn public_share(&self, index: u16) -> Result<[u8; 32], Error> {
        if self.participants.binary_search(&index).is_err() {
            return Err(Error::NotAParticipant { index });
        }
        let points = self.points::<Dalek>().map_err(Error::Key)?;
        Ok(Dalek::point_to_bytes(&public_share::<Dalek>(
            &points, index,
        )))
    }

    /// A digest of everything public: the same for all participants, so that they can confirm it to each other.
    #[must_use]
    pub fn outcome(&self) -> [u8; 32] {
        outcome(
            &self.context,
            (self.parties, self.degree),
            &self.participants,
            &self.commitments,
        )
    }

    pub(crate) fn points<B: Backend>(&self) -> Result<Vec<B::Point>, Malformed> {
        // The identity is possible here, in all but the first: no single dealer chose these sums.
        self.commitments
            .iter()
            .map(|c| B::point_from_bytes(c).ok_or(Malformed::Point))
            .collect()
    }

    /// For storage. The bytes are secret and not encrypted: that is the caller's part.
    ///
    /// Version, context (32), index, parties, degree, number of participants, participants (u16 each, big-endian), `degree + 1` points, secret share.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let count = self.participants.len();
        // Sized at once: growing would leave copies of the secret in freed memory.
        let size = 1 + 32 + 8 + 2 * count + 32 * self.commitments.len() + 32;
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.context);
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        for number in [self.index, self.parties, self.degree, count] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for participant in &self.participants {
            bytes.extend_from_slice(&participant.to_be_bytes());
        }
        bytes.extend_from_slice(self.commitments.as_flattened());
        bytes.extend_from_slice(&*self.secret);
        bytes
    }

    /// Reads what [`KeyShare::to_bytes`] wrote, and checks all of it, also that the secret belongs to the public part.
    ///
    /// # Errors
    /// [`Error::Key`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        on_clean_stack(|| {
            let share = Self::decode(bytes).map_err(Error::Key)?;
            share.check().map_err(Error::Key)?;
            Ok(share)
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader {
            all: bytes,
            rest: bytes,
        };
        let [version] = reader.take()?;
        if version != VERSION {
            return Err(Malformed::Version {
                expected: VERSION,
                got: version,
            });
        }
        let context = reader.take()?;
        let [index, parties, degree, count] =
            [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        // Bounds before loops: these numbers are what the bytes claim.
        let participants_range = MIN_PARTIES..=MAX_PARTIES;
        if !participants_range.contains(&count) || !(1..MAX_PARTIES).contains(&degree) {
            return Err(Malformed::Range);
        }
        let participants = (0..count)
            .map(|_| reader.u16())
            .collect::<Result<Vec<_>, _>>()?;
        let commitments = (0..=degree)
            .map(|_| reader.take())
            .collect::<Result<Vec<_>, _>>()?;
        let secret = Secret::copy_of(reader.take_ref()?);
        if !reader.rest.is_empty() {
            return Err(Malformed::Length {
                expected: bytes.len() - reader.rest.len(),
                got: bytes.len(),
            });
        }
        let public_key = commitments.first().copied().unwrap_or_default();
        Ok(Self {
            context,
            index,
            parties,
            degree,
            participants,
            commitments,
            public_key,
            secret,
        })
    }

    fn check(&self) -> Result<(), Malformed> {
        let ascending = self.participants.is_sorted_by(|a, b| a < b);
        let in_roster = self
            .participants
            .last()
            .is_some_and(|&last| last < self.parties);
        let enough = self.participants.len() > usize::from(self.degree);
        let own = self.participants.binary_search(&self.index).is_ok();
        let parties = in_range("parties", self.parties.into(), MIN_PARTIES, MAX_PARTIES).is_ok();
        if !(ascending && in_roster && enough && own && parties) {
            return Err(Malformed::Range);
        }
        let points = self.points::<Dalek>()?;
        let is_key = points.first().is_some_and(|key| *key != Dalek::identity());
        if !is_key || !points.iter().all(Dalek::is_torsion_free) {
            return Err(Malformed::Point);
        }
        let secret = message::scalar::<Dalek>(&self.secret)?;
        if Dalek::mul_base(&secret) != public_share::<Dalek>(&points, self.index) {
            return Err(Malformed::Mismatch);
        }
        Ok(())
    }
}

/// The digest of everything public about a key, also for whoever has no share of it.
pub(crate) fn outcome(
    context: &[u8; 32],
    (parties, degree): (u16, u16),
    participants: &[u16],
    commitments: &[[u8; 32]],
) -> [u8; 32] {
    let numbers: Vec<u8> = [parties, degree]
        .iter()
        .chain(participants)
        .flat_map(|number| number.to_be_bytes())
        .collect();
    hash::digest(OUTCOME, &[context, &numbers, commitments.as_flattened()])
}

impl std::fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyShare")
            .field("public_key", &self.public_key)
            .field("index", &self.index)
            .field("degree", &self.degree)
            .field("participants", &self.participants)
            .finish_non_exhaustive()
    }
}

struct Reader<'a> {
    all: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take_ref().copied()
    }

    fn take_ref<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        match self.rest.split_first_chunk() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(Malformed::Length {
                expected: self.all.len() - self.rest.len() + N,
                got: self.all.len(),
            }),
        }
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.take().map(u16::from_be_bytes)
    }
}
