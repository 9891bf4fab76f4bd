//! Receipts: files that prove something about a session to anyone who has the genesis, offline and for ever.
//!
//! A receipt brings all that its check needs: the header with the validators' signatures, the way from it to the session,
//! and what the parties have signed. [`Receipt::verify`] takes nothing else but a [`Trust`], asks nobody, and says in
//! [`Proven`] what is proven and whose signatures that rests on. The replicas' word assumes that no quorum of validator
//! keys has ever leaked; the parties' word doesn't need the replicas.

mod anchor;
mod blame;
mod ceremony;
mod end;
mod error;
mod fork;
mod make;
mod proven;
mod renew;
mod size;
mod submission;

pub use error::BadReceipt;
pub use make::{ceremony_pb, evidence_pb, finishes_pb, slot_pb};
use prost::Message as _;
pub use proven::{Certified, Claim, ForkClaim, Place, Proven};
use white_city_wire::{
    Hash,
    hash::Preimage,
    pb::{self, receipt::Body},
};

use crate::trust::Trust;

/// Largest receipt that is read, bytes.
pub const RECEIPT_BYTES_MAX: usize = 64 << 20;

const VERSION: u32 = 1;

/// The kind of a receipt: what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A party's join or entry is on the board.
    Submission,
    /// The end of a session.
    End,
    /// Everything that was signed in a session, and how it ended.
    Ceremony,
    /// A party signed two entries for one slot.
    Equivocation,
    /// A party's slot stayed empty.
    Absence,
    /// The validators have signed two histories.
    Fork,
}

impl Kind {
    /// The name for people and their programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submission => "submission",
            Self::End => "end",
            Self::Ceremony => "ceremony",
            Self::Equivocation => "equivocation",
            Self::Absence => "absence",
            Self::Fork => "fork",
        }
    }
}

/// A receipt, which nobody has to believe before [`Receipt::verify`] says what it proves.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    network_id: Vec<u8>,
    links: Vec<pb::Link>,
    body: Body,
}

impl Receipt {
    /// A receipt with this content, which nobody has checked, and with all links that are known.
    #[must_use]
    pub fn new(trust: &Trust, body: Body) -> Self {
        Self {
            network_id: trust.network().id.0.to_vec(),
            links: trust.links_from(0),
            body,
        }
    }

    /// The file: the canonical protobuf `Receipt`, then its SHA-256 under a tag.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.to_pb().encode_to_vec();
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum.0);
        bytes
    }

    fn to_pb(&self) -> pb::Receipt {
        pb::Receipt {
            version: VERSION,
            network_id: self.network_id.clone(),
            links: self.links.clone(),
            body: Some(self.body.clone()),
        }
    }

    /// Reads a file. That it is one says nothing about what it claims.
    ///
    /// # Errors
    /// [`BadReceipt`] when it is too large, was changed or cut, or isn't encoded the one canonical way.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadReceipt> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(BadReceipt::TooLarge { got: bytes.len() });
        }
        let (message, sum) = bytes.split_last_chunk().ok_or(BadReceipt::Checksum)?;
        if checksum(message) != Hash(*sum) {
            return Err(BadReceipt::Checksum);
        }
        size::check(message)?;
        let receipt =
            pb::Receipt::decode(message).map_err(|_| BadReceipt::Encoding("not a receipt"))?;
        if receipt.version != VERSION {
            return Err(BadReceipt::Version {
                got: receipt.version,
            });
        }
        if receipt.encode_to_vec() != message {
            return Err(BadReceipt::Encoding(
                "fields out of order, unknown or spelled out",
            ));
        }
        Ok(Self {
            network_id: receipt.network_id,
            links: receipt.links,
            body: receipt.body.ok_or(BadReceipt::Missing("content"))?,
        })
    }

    /// The kind of receipt that it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match &self.body {
            Body::Submission(_) => Kind::Submission,
            Body::End(_) => Kind::End,
            Body::Ceremony(_) => Kind::Ceremony,
            Body::Equivocation(_) => Kind::Equivocation,
            Body::Absence(_) => Kind::Absence,
            Body::Fork(_) => Kind::Fork,
        }
    }

    /// Checks everything that it claims, with nothing but the genesis.
    ///
    /// # Errors
    /// [`BadReceipt`] says what is wrong.
    pub fn verify(&self, trust: &Trust) -> Result<Proven, BadReceipt> {
        let network = trust.network().id;
        if self.network_id != network.0 {
            return Err(BadReceipt::Network);
        }
        // It brings the way from the genesis to the validators of its header. What whoever checks it knows already has to be the same.
        let own = (!self.links.is_empty()).then(|| trust.apart());
        if let Some(own) = &own {
            own.learn(&self.links)?;
        }
        let trust = own.as_ref().unwrap_or(trust);
        match &self.body {
            Body::Submission(receipt) => submission::verify(receipt, trust),
            Body::End(receipt) => end::verify(receipt, trust),
            Body::Ceremony(receipt) => ceremony::verify(receipt, trust),
            Body::Equivocation(receipt) => blame::verify_equivocation(receipt, trust),
            Body::Absence(receipt) => blame::verify_absence(receipt, trust),
            Body::Fork(receipt) => fork::verify(receipt, trust),
        }
    }
}

/// The checksum that follows the protobuf in a file: changes by accident are told from lies.
#[must_use]
pub fn checksum(message: &[u8]) -> Hash {
    Preimage::new("white-city/receipt/1").raw(message).finish()
}
