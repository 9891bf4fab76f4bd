//! Sealed payloads, complaints about them, and reveals.

use white_city_state_machine::Slot;
use white_city_wire::{
    Complain, EncryptionKey, Hash, NetworkId, Reveal, SessionId, Spec, VerifiedTx,
    entry::p2p_leaf,
    hash::sha256,
    payload::{PayloadContext, seal_with},
    tree::SlotTree,
    tx::{Action, Join, Post},
};

use crate::scene::Scene;

/// The keying material with which an honest sender seals here: another for each plaintext, as [`SessionSeed`] does it.
///
/// [`SessionSeed`]: white_city_wire::payload::SessionSeed
#[must_use]
pub fn ikm_e(plaintext: &[u8]) -> [u8; 32] {
    sha256(&[b"ikm_e", plaintext].concat()).0
}

/// One payload's place.
pub struct PayloadPlace<'a> {
    /// The network.
    pub network: NetworkId,
    /// The session.
    pub session: SessionId,
    /// Its spec.
    pub spec: &'a Spec,
    /// The transcript of the last closed round.
    pub transcript: Hash,
    /// The round.
    pub round: u32,
    /// The sender.
    pub from: u16,
    /// The recipient.
    pub to: u16,
    /// Key that the recipient has joined with.
    pub key: EncryptionKey,
}

impl PayloadPlace<'_> {
    /// Seals a payload as an honest sender does it.
    ///
    /// # Panics
    /// When it is empty or the place isn't in the roster, which is a mistake in the test.
    #[must_use]
    pub fn seal(&self, ikm_e: &[u8; 32], plaintext: &[u8]) -> Vec<u8> {
        let join = Join {
            session: self.session,
            index: self.to,
            key: self.key.clone(),
        };
        let key = |index| self.spec.key(index).expect("in the roster");
        let context = PayloadContext {
            network: self.network,
            session: self.session,
            transcript: self.transcript,
            round: self.round,
            from: self.from,
            to: self.to,
            from_key: key(self.from),
            to_key: key(self.to),
            to_join: join.digest(),
        };
        seal_with(ikm_e, &context, &self.key, plaintext).expect("a key that can be sealed to")
    }
}

/// A post with a payload for each of these parties, given with what they have joined with, that none of them can open: it is
/// sealed for the round after the one that `place` says. Recipient and key of `place` don't matter.
#[must_use]
pub fn unreadable_post(
    place: &PayloadPlace<'_>,
    to: &[(u16, EncryptionKey)],
    plaintext: &[u8],
) -> Post {
    let sealed = to.iter().map(|(to, key)| {
        let elsewhere = PayloadPlace {
            round: place.round + 1,
            to: *to,
            key: key.clone(),
            ..*place
        };
        (*to, elsewhere.seal(&ikm_e(plaintext), plaintext))
    });
    let author = (place.from, place.spec.parties());
    let (round, transcript) = (place.round, place.transcript);
    let sealed = sealed.collect();
    Post::new(
        place.session,
        round,
        author,
        transcript,
        b"all is well".to_vec(),
        sealed,
    )
}

/// The complaint of the party at `index` about a post's payload for it; `None` where there is none.
#[must_use]
pub fn complain_about(post: &Post, index: u16, parties: u16) -> Option<Complain> {
    let (_, ciphertext) = post.p2p.iter().find(|(to, _)| *to == index)?;
    Some(Complain {
        post: post.header.clone(),
        index,
        leaf: p2p_leaf(ciphertext),
        path: SlotTree::new(post.p2p_leaves(parties)).path(index)?,
    })
}

/// The answer to a complaint.
#[must_use]
pub fn reveal_of(complain: &Complain, ikm_e: [u8; 32], plaintext: &[u8]) -> Reveal {
    Reveal {
        session: complain.post.session,
        complaint: complain.digest(),
        index: complain.accused(),
        ikm_e,
        plaintext: plaintext.to_vec(),
    }
}

impl Scene {
    /// The place of a payload of the open round from one party to another.
    ///
    /// # Panics
    /// When the recipient hasn't joined.
    #[must_use]
    pub fn place(&self, from: u16, to: u16) -> PayloadPlace<'_> {
        let Some(Slot::Join { key, .. }) = self.body().slot(0, to) else {
            panic!("party {to} has joined");
        };
        PayloadPlace {
            network: self.network_id(),
            session: self.session,
            spec: &self.body().spec,
            transcript: self.get().leaf.transcript,
            round: self.round(),
            from,
            to,
            key: key.clone(),
        }
    }

    /// Seals a payload of the open round.
    #[must_use]
    pub fn seal(&self, from: u16, to: u16, plaintext: &[u8]) -> Vec<u8> {
        self.place(from, to).seal(&ikm_e(plaintext), plaintext)
    }

    /// The complaint of party `index` about what `post` brought it.
    ///
    /// # Panics
    /// When that is nothing.
    #[must_use]
    pub fn complaint(&self, index: u16, post: &VerifiedTx) -> Complain {
        let Action::Post(post) = post.action() else {
            panic!("a post")
        };
        complain_about(post, index, self.n()).expect("a payload for the one that complains")
    }

    /// A complaint, signed by the party that it names.
    #[must_use]
    pub fn complain(&self, complain: &Complain) -> VerifiedTx {
        self.by(complain.index, Action::Complain(complain.clone()))
    }

    /// The answer of the accused: this plaintext, sealed as an honest sender does it.
    #[must_use]
    pub fn reveal(&self, complain: &Complain, plaintext: &[u8]) -> VerifiedTx {
        let reveal = reveal_of(complain, ikm_e(plaintext), plaintext);
        self.by(complain.accused(), Action::Reveal(reveal))
    }
}
