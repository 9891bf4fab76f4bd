//! Parties that don't follow the protocol: they sign what they like, and send it past their client.

use tendermint_rpc::Client as _;
use white_city_client::{
    Observer, Signer,
    read::ReadInbox,
    wire::{
        Complain, Entry, SignedTx,
        entry::p2p_leaf,
        tx::{Action, Post},
    },
};
use white_city_tests::complaints::{self, PayloadPlace};

use crate::world::{World, key};

/// Secret that a bad payload was sealed from, for the wrong place.
pub const SECRET: &[u8] = b"a share";

impl World {
    /// Signs something as a party, sends it, and gives the board's code.
    pub async fn send(&self, party: u8, action: Action) -> u32 {
        let network = self.trust().network().id;
        let signature = key(party).sign(&action, &network).await.unwrap();
        let tx = SignedTx::new(action, signature).unwrap().encode();
        let reply = self.rpc().broadcast_tx_sync(tx).await.unwrap();
        reply.code.value()
    }
}

/// A post of the open round with a payload for each of these parties, which none of them can open.
pub fn unreadable_post(world: &World, observer: &Observer, from: u16, to: &[u16]) -> Post {
    let history = observer.history();
    let key = |to: &u16| (*to, history.join(*to).unwrap().key.clone());
    let to: Vec<_> = to.iter().map(key).collect();
    let place = PayloadPlace {
        network: world.trust().network().id,
        session: observer.id(),
        spec: observer.spec(),
        transcript: history.transcript(),
        round: history.open_round(),
        from,
        to: to[0].0,
        key: to[0].1.clone(),
    };
    complaints::unreadable_post(&place, &to, SECRET)
}

/// The complaint of party `by` about the payload that `from` sent it in a closed round, whatever it is.
pub async fn complaint(
    world: &World,
    observer: &Observer,
    by: u16,
    from: u16,
    round: u32,
) -> Complain {
    let read = ReadInbox {
        id: observer.id(),
        spec: observer.spec(),
        round,
        reader: Some(by),
        from_index: 0,
    };
    let page = world.client(0).read(&read, 0).await.unwrap().into_value();
    let sent = page.entries.into_iter().find_map(|entry| {
        let leaf = p2p_leaf(&entry.ciphertext);
        match entry.signed.entry {
            Entry::Post(post) if post.index == from => Some((post, leaf, entry.p2p_path)),
            _ => None,
        }
    });
    let (post, leaf, path) = sent.unwrap();
    Complain {
        post,
        index: by,
        leaf,
        path,
    }
}
