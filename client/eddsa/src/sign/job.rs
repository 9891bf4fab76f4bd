//! The subject of a signing session: who signs which message with which key.

use crate::secret::Secret;
use crate::session::in_range;
use crate::{Backend, Error, KeyShare, Session};

/// The public part.
pub(crate) struct Public {
    pub session: Session,
    pub context: [u8; 32],
    pub public_key: [u8; 32],
    pub message: Vec<u8>,
    /// Session index to key generation index.
    pub signers: Vec<u16>,
    pub signers_min: u16,
}

impl Public {
    /// A signer's index in the key generation's roster, by its index in this session's.
    pub(crate) fn signer(&self, index: u16) -> Option<u16> {
        self.signers.get(usize::from(index)).copied()
    }

    /// Are there enough signers left?
    pub(crate) fn enough(&self, round: u16, got: usize) -> Result<(), Error> {
        let needed = usize::from(self.signers_min);
        if got < needed {
            Err(Error::TooFew { round, got, needed })
        } else {
            Ok(())
        }
    }
}

/// The hash of everything that a signing session is about.
pub(crate) fn context(
    session: &Session,
    key_outcome: &[u8; 32],
    signers: &[u16],
    message: &[u8],
) -> [u8; 32] {
    let signers: Vec<u8> = signers.iter().flat_map(|s| s.to_be_bytes()).collect();
    let parts: [&[u8]; 3] = [key_outcome, &signers, message];
    session.context("white-city/eddsa/sign/context/1", &parts)
}

/// All of it, for one signer.
pub(crate) struct Job<B: Backend> {
    public: Public,
    /// This signer's index in the key generation's roster.
    pub own_signer: u16,
    /// Commitments to the key's polynomial.
    pub key: Vec<B::Point>,
    pub secret: Secret,
}

impl<B: Backend> std::ops::Deref for Job<B> {
    type Target = Public;

    fn deref(&self) -> &Public {
        &self.public
    }
}

impl<B: Backend> Job<B> {
    pub(crate) fn new(
        session: Session,
        key: &KeyShare,
        signers: &[u16],
        message: &[u8],
        context: [u8; 32],
    ) -> Result<Self, Error> {
        in_range(
            "number of parties",
            session.parties().into(),
            key.signers_min(),
            key.parties(),
        )?;
        let roster: Vec<u16> = (0..session.parties()).collect();
        let own_signer = session.place_of(key, &roster, signers)?;
        let public = Public {
            session,
            context,
            public_key: key.public_key(),
            message: message.to_vec(),
            signers: signers.to_vec(),
            signers_min: key.signers_min(),
        };
        Ok(Self {
            public,
            own_signer,
            key: key.points::<B>().map_err(Error::Key)?,
            secret: key.secret.clone(),
        })
    }

    /// Forgets the secrets.
    pub(crate) fn into_public(self) -> Public {
        self.public
    }
}
