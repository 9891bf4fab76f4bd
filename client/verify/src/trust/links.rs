//! Links: how the eras after the first one are learned, and which state is of which.

use std::sync::{Arc, PoisonError, RwLockReadGuard, atomic::Ordering};

use prost::Message;
use white_city_wire::{Hash, board::BoardRoot, charter::faults, limits::VALIDATORS_MAX, pb};

use super::{BadHeader, SIGNED_HEADER_BYTES_MAX, Trust, VerifiedHeader};
use crate::{
    eras::{Era, Eras, Link},
    header::decode,
    shape::{Limit, limit},
};

/// Most links of one walk, one receipt or one file.
pub const LINKS_MAX: usize = 4_096;
/// Most bytes of them.
pub const LINKS_BYTES_MAX: usize = 64 << 20;

/// Why a link isn't taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadLink {
    /// Its header isn't one of the era before.
    #[error("the link's header: {0}")]
    Header(#[from] BadHeader),
    /// Not the keys of a set of validators.
    #[error("a link has 1 to 256 validators' keys, ascending, each once")]
    Keys,
    /// A header that names the same validators for the next block, or others than the keys'.
    #[error("the link's header doesn't hand over to the validators of its keys")]
    NotTo,
    /// A header of the time of another link, which the validators have signed as well.
    #[error("another link leads to era {}, or is of that time: two histories", .0.era)]
    Fork(Box<LinkFork>),
    /// More than are walked at once.
    #[error("more than {LINKS_MAX} links, or more than {LINKS_BYTES_MAX} bytes of them")]
    TooMany,
}

/// Two links from one era, of which an honest board has one: the validators have signed two histories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFork {
    /// The era that the known link leads to.
    pub era: u32,
    /// The header of the link that is known.
    pub known: Arc<VerifiedHeader>,
    /// The header of the other one.
    pub other: VerifiedHeader,
}

/// Why a certified state isn't of the era of those who certify it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEra {
    /// It is of an era whose link isn't known.
    #[error("a state of era {0}, whose link isn't known")]
    Ahead(u32),
    /// No board has such a state: the validators of another era have signed it, or the era began at another height.
    #[error("a state that isn't of its validators' era")]
    Other,
}

impl Trust {
    fn eras(&self) -> RwLockReadGuard<'_, Eras> {
        let eras = self.known_eras().read();
        eras.unwrap_or_else(PoisonError::into_inner)
    }

    /// The era that signs a header of this height, as far as is known, and the one after it, if that is known.
    pub(super) fn era_at(&self, height: u64) -> (Arc<Era>, Option<Arc<Era>>) {
        let eras = self.eras();
        let era = eras.at(height);
        let next = era.number.checked_add(1).and_then(|next| eras.get(next));
        (Arc::clone(era), next.map(Arc::clone))
    }

    /// Number of the era that signs a header, as far as is known.
    #[must_use]
    pub fn era_of(&self, header: &VerifiedHeader) -> u32 {
        self.era_at(header.height()).0.number
    }

    /// Number of the newest era that is known.
    #[must_use]
    pub fn newest_era(&self) -> u32 {
        self.eras().newest().number
    }

    /// Number of replicas in the newest era that is known.
    #[must_use]
    pub fn replicas(&self) -> u16 {
        self.eras().newest().size()
    }

    /// Number of them that may be malicious.
    #[must_use]
    pub fn faults(&self) -> u16 {
        faults(self.replicas())
    }

    /// Number of replicas in an era, if it is known.
    #[must_use]
    pub fn replicas_in(&self, era: u32) -> Option<u16> {
        self.eras().get(era).map(|era| era.size())
    }

    /// Hash of the header of the link that leads to an era, if that is known. None leads to era 0.
    #[must_use]
    pub fn link_to(&self, era: u32) -> Option<Hash> {
        let eras = self.eras();
        let link = eras.get(era)?.link.as_ref()?;
        Some(link.header.hash())
    }

    /// Keys of the validators of an era, ascending, if it is known.
    #[must_use]
    pub fn validators_of(&self, era: u32) -> Option<Vec<[u8; 32]>> {
        let eras = self.eras();
        let infos = eras.get(era)?.validators.validators().iter();
        let mut keys: Vec<[u8; 32]> = infos
            .filter_map(|info| info.pub_key.to_bytes().try_into().ok())
            .collect();
        keys.sort_unstable();
        Some(keys)
    }

    /// The links from an era on, the first of which leads to the era after it.
    #[must_use]
    pub fn links_from(&self, era: u32) -> Vec<pb::Link> {
        self.links_within(era, usize::MAX)
    }

    /// As many of them as fit into so many bytes, and one at least.
    #[must_use]
    pub fn links_within(&self, era: u32, most: usize) -> Vec<pb::Link> {
        let eras = self.eras();
        let links = eras.after(era).iter().filter_map(|era| era.link.as_ref());
        let mut bytes = 0_usize;
        let fits = |link: &pb::Link| {
            let had = bytes;
            bytes = bytes.saturating_add(link.encoded_len());
            had == 0 || bytes <= most
        };
        links.map(pb::Link::from).take_while(fits).collect()
    }

    /// Takes links one after the other, from an era that is known. Says how many were new.
    ///
    /// # Errors
    /// [`BadLink`]; what came before it is known all the same. [`BadLink::Fork`] for another link of an era that is pinned by one.
    pub fn learn(&self, links: &[pb::Link]) -> Result<usize, BadLink> {
        let bytes = links
            .iter()
            .map(|l| l.signed_header.len().saturating_add(l.validators.len()));
        if links.len() > LINKS_MAX || bytes.fold(0, usize::saturating_add) > LINKS_BYTES_MAX {
            return Err(BadLink::TooMany);
        }
        let mut new = 0_usize;
        for link in links {
            new = new.saturating_add(self.learn_one(link)?.into());
        }
        Ok(new)
    }

    fn learn_one(&self, link: &pb::Link) -> Result<bool, BadLink> {
        let keys = keys(&link.validators).ok_or(BadLink::Keys)?;
        let signed = decode(&link.signed_header)?;
        let height = signed.header.height.value();
        let (era, next) = self.era_at(height);
        let first_height = height.checked_add(1).ok_or(BadLink::NotTo)?;
        let header = match next.as_ref().and_then(|next| next.link.as_ref()) {
            None => self.verify(signed)?,
            Some(known) => {
                let other = self.certified(signed, &era)?;
                // Another commit of the same header is the same link: the first one that was verified stays.
                if known.header.hash() == other.hash() {
                    return Ok(false);
                }
                self.beside(&era, &known.header, other)?
            }
        };
        let named = header.signed().header.next_validators_hash;
        let of = Link {
            keys: keys.clone(),
            header: Arc::new(header),
        };
        let number = era.number.saturating_add(1);
        let after = Era::new(number, first_height, keys.into_iter(), Some(of));
        let after = after.ok_or(BadLink::Keys)?;
        if named != after.hash || named == era.hash {
            return Err(BadLink::NotTo);
        }
        match self.put(&era, after) {
            true => Ok(true),
            // Somebody else may have learned it in the meantime: then it is compared with that.
            false => self.learn_one(link),
        }
    }

    /// Whether a header that an era has signed, and that isn't the known link of that era, may be its link all the same. Sets come back,
    /// so somebody may have left eras out: as long as no state has confirmed what is known, an earlier link counts.
    fn beside(
        &self,
        era: &Era,
        known: &Arc<VerifiedHeader>,
        other: VerifiedHeader,
    ) -> Result<VerifiedHeader, BadLink> {
        let is_same_height = known.height() == other.height();
        let hands_over = other.signed().header.next_validators_hash != era.hash;
        if !is_same_height && !hands_over {
            return Err(BadLink::NotTo);
        }
        if !is_same_height && era.number >= self.confirmed_era() {
            return Ok(other);
        }
        Err(BadLink::Fork(Box::new(LinkFork {
            era: era.number.saturating_add(1),
            known: Arc::clone(known),
            other,
        })))
    }

    /// Puts an era behind the one that hands over to it, unless what is known is another since it was looked at. Says whether it did.
    fn put(&self, from: &Arc<Era>, era: Era) -> bool {
        let eras = self.known_eras().write();
        let mut eras = eras.unwrap_or_else(PoisonError::into_inner);
        let is_still = eras
            .get(from.number)
            .is_some_and(|now| Arc::ptr_eq(now, from));
        let is_open = from.number >= self.confirmed_era();
        let is_first = eras
            .get(era.number)
            .is_none_or(|next| next.first_height > era.first_height);
        let is_put = is_still && is_open && is_first;
        if is_put {
            eras.push(era);
        }
        is_put
    }

    /// Number of the newest era that a verified state has been seen to be of, or to lead to. What is known of later ones may leave eras out.
    #[must_use]
    pub fn confirmed_era(&self) -> u32 {
        self.confirmed().load(Ordering::SeqCst)
    }

    /// Notes that a state is of the era of those who certify it: so no era before it was left out. The header's block has to seal it.
    ///
    /// # Errors
    /// [`BadEra`].
    pub(crate) fn confirm(&self, header: &VerifiedHeader, board: &BoardRoot) -> Result<(), BadEra> {
        // Locked: what is confirmed isn't replaced meanwhile.
        let eras = self.eras();
        check_era(&eras, header, board)?;
        let known = eras.newest().number.min(board.eras);
        self.confirmed().fetch_max(known, Ordering::SeqCst);
        Ok(())
    }

    /// Checks that a state is of the era of the validators whose header certifies it: sets may come back, so an era is known by its number
    /// and never by its set.
    ///
    /// # Errors
    /// [`BadEra`].
    pub fn check_era(&self, header: &VerifiedHeader, board: &BoardRoot) -> Result<(), BadEra> {
        check_era(&self.eras(), header, board)
    }
}

fn check_era(eras: &Eras, header: &VerifiedHeader, board: &BoardRoot) -> Result<(), BadEra> {
    let height = header.height();
    let era = eras.at(height);
    let since = board.era_height.saturating_add(2);
    let signing = match board.eras {
        0 => 0,
        eras if height >= since => eras,
        eras => eras.saturating_sub(1),
    };
    if signing > era.number && eras.newest().number == era.number {
        return Err(BadEra::Ahead(signing));
    }
    let begins = |number: u32| {
        let known = eras.get(number);
        known.is_none_or(|era| number == 0 || era.first_height == since)
    };
    let good = signing == era.number
        && header.signed().header.validators_hash == era.hash
        && (board.eras > 0 || board.era_height == 0)
        && board.eras <= board.term
        && board.era_height <= board.term_height
        && board.term_height <= height
        && begins(board.eras);
    good.then_some(()).ok_or(BadEra::Other)
}

/// Limits of a link's parts, for whoever decodes one.
pub(crate) const LINK: [Limit; 2] = [
    limit(1, 1, 0, SIGNED_HEADER_BYTES_MAX),
    limit(2, 1, 0, 32 * VALIDATORS_MAX as usize),
];

/// The keys of a set of validators: ascending, each once, 1 to 256.
fn keys(bytes: &[u8]) -> Option<Vec<[u8; 32]>> {
    let (keys, rest) = bytes.as_chunks::<32>();
    let most = usize::try_from(VALIDATORS_MAX).unwrap_or(usize::MAX);
    let good = rest.is_empty()
        && (1..=most).contains(&keys.len())
        && keys.is_sorted_by(|one, next| one < next);
    good.then(|| keys.to_vec())
}
