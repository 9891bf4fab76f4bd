//! Eras: from the validators of the genesis to those of today, a link after the other. There is no trusting period and no skipping, since
//! parties sleep for months.

use std::sync::Arc;

use tendermint::{Hash as TendermintHash, PublicKey, validator, vote};
use white_city_wire::{limits::VALIDATOR_POWER, pb};

use crate::{
    header::VerifiedHeader,
    votes::{self, Hasher},
};

/// The validators of one era.
pub(crate) struct Era {
    /// Its number, from 0.
    pub(crate) number: u32,
    /// Height of the first header that they sign.
    pub(crate) first_height: u64,
    /// The set.
    pub(crate) validators: validator::Set,
    /// Its hash, which headers name it by.
    pub(crate) hash: TendermintHash,
    /// The link that leads to it; none to era 0.
    pub(crate) link: Option<Link>,
}

/// The step from one era to the next: a header that the old validators have signed and that names the new ones, and their keys.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) header: Arc<VerifiedHeader>,
    pub(crate) keys: Vec<[u8; 32]>,
}

impl From<&Link> for pb::Link {
    fn from(link: &Link) -> Self {
        Self {
            signed_header: link.header.encode(),
            validators: link.keys.concat(),
        }
    }
}

impl Era {
    /// Era 0; `None` for keys that are none.
    pub(crate) fn first(keys: impl Iterator<Item = [u8; 32]>, first_height: u64) -> Option<Self> {
        Self::new(0, first_height, keys, None)
    }

    pub(crate) fn new(
        number: u32,
        first_height: u64,
        keys: impl Iterator<Item = [u8; 32]>,
        link: Option<Link>,
    ) -> Option<Self> {
        let power = vote::Power::try_from(VALIDATOR_POWER).ok()?;
        let infos = keys.map(|key| {
            let key = PublicKey::from_raw_ed25519(&key)?;
            Some(votes::validator(key, power))
        });
        let validators = validator::Set::without_proposer(infos.collect::<Option<_>>()?);
        Some(Self {
            number,
            first_height,
            hash: validators.hash_with::<Hasher>(),
            validators,
            link,
        })
    }

    pub(crate) fn size(&self) -> u16 {
        u16::try_from(self.validators.validators().len()).unwrap_or(u16::MAX)
    }
}

/// All eras that are known.
pub(crate) struct Eras {
    first: Arc<Era>,
    /// Those after it, in order.
    later: Vec<Arc<Era>>,
}

impl Eras {
    /// Era 0 alone.
    pub(crate) fn new(first: Era) -> Self {
        Self {
            first: Arc::new(first),
            later: Vec::new(),
        }
    }

    pub(crate) fn newest(&self) -> &Arc<Era> {
        self.later.last().unwrap_or(&self.first)
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Arc<Era>> {
        match number.checked_sub(1) {
            None => Some(&self.first),
            Some(place) => self.later.get(usize::try_from(place).ok()?),
        }
    }

    pub(crate) fn at(&self, height: u64) -> &Arc<Era> {
        let after = self.later.partition_point(|era| era.first_height <= height);
        let place = after.checked_sub(1);
        let later = place.and_then(|place| self.later.get(place));
        later.unwrap_or(&self.first)
    }

    /// The same without those after this one.
    pub(crate) fn up_to(&self, number: u32) -> Self {
        let kept = usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            first: Arc::clone(&self.first),
            later: self.later.iter().take(kept).map(Arc::clone).collect(),
        }
    }

    /// The eras after this one.
    pub(crate) fn after(&self, number: u32) -> &[Arc<Era>] {
        let from = usize::try_from(number).unwrap_or(usize::MAX);
        self.later.get(from..).unwrap_or_default()
    }

    /// Puts an era behind the one before it, in the place of whatever is known from there on.
    pub(crate) fn push(&mut self, era: Era) {
        let place = era.number.checked_sub(1);
        let place = place.and_then(|place| usize::try_from(place).ok());
        self.later.truncate(place.unwrap_or(usize::MAX));
        self.later.push(Arc::new(era));
    }
}
