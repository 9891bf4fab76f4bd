//! Parties that only write: what the others of a session look like to a party whose peers have machines of their own.

use futures::future::join_all;
use white_city_client::{
    LocalKey, Observer, SessionId, Signer,
    wire::{
        Hash, Kem, NetworkId, SignedTx,
        payload::SessionSeed,
        tx::{Action, Join, Post},
    },
};

use crate::{
    sender::Sender,
    world::{Key, World},
};

/// Members of one session.
pub struct Crowd {
    sender: Sender,
    network: NetworkId,
    session: SessionId,
    n: u16,
    members: Vec<(u16, LocalKey)>,
}

impl Crowd {
    /// Everybody of a roster from this index on.
    pub async fn new(world: &World, keys: &[Key], from: usize, like: &Observer) -> Self {
        let members = (0_u16..).zip(keys).skip(from);
        Self {
            sender: Sender::new(world).await,
            network: world.client(&keys[0]).network().id,
            session: like.id(),
            n: like.spec().parties(),
            members: members.map(|(index, key)| (index, key.local())).collect(),
        }
    }

    /// Whether it is nobody.
    pub const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// All of them join.
    pub async fn join(&self) {
        let join = |index| {
            let public =
                SessionSeed::new([7; 32]).encryption_key(Kem::X25519, &self.session, index);
            Action::Join(Join {
                session: self.session,
                index,
                key: public.unwrap(),
            })
        };
        self.send(self.signed(join).await).await;
    }

    /// All of them post a broadcast of so many bytes, after this transcript.
    pub async fn post(&self, round: u32, transcript: Hash, bytes: u32) {
        self.send(self.posts(round, transcript, bytes).await).await;
    }

    /// Posts that they would make.
    pub async fn posts(&self, round: u32, transcript: Hash, bytes: u32) -> Vec<Vec<u8>> {
        let post = |index: u16| {
            let words = vec![index.to_be_bytes()[1]; bytes as usize];
            let place = (index, self.n);
            Action::Post(Post::new(
                self.session,
                round,
                place,
                transcript,
                words,
                Vec::new(),
            ))
        };
        self.signed(post).await
    }

    async fn signed(&self, action: impl Fn(u16) -> Action) -> Vec<Vec<u8>> {
        let mut signed = Vec::new();
        for (index, key) in &self.members {
            let action = action(*index);
            let signature = key.sign(&action, &self.network).await.unwrap();
            signed.push(SignedTx::new(action, signature).unwrap().encode());
        }
        signed
    }

    /// Each begins with another replica.
    async fn send(&self, txs: Vec<Vec<u8>>) {
        let sending = self
            .members
            .iter()
            .zip(&txs)
            .map(|((index, _), tx)| self.sender.send(usize::from(*index), tx));
        join_all(sending).await;
    }
}
