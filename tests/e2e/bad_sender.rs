//! A sender whose payloads nobody can open, past the client, which doesn't seal such things.

use std::time::Duration;

use tendermint_rpc::{Client as _, HttpClient, client::CompatMode};
use tokio::time::Instant;
use white_city_client::{
    Session, Signer,
    wire::{
        Refusal, SignedTx,
        tx::{Action, Post},
    },
};
use white_city_tests::complaints::{
    PayloadPlace, complain_about, ikm_e, reveal_of, unreadable_post,
};

use crate::world::{Key, PATIENCE, World, join};

const SECRET: &[u8] = b"a share";

/// The RPC of a replica that is up.
pub fn rpc(world: &World) -> HttpClient {
    let url = world.net.rpc_urls()[1].parse().unwrap();
    let builder = HttpClient::builder(url).compat_mode(CompatMode::V0_38);
    builder.build().unwrap()
}

/// Signs and sends past the client, to one replica that is up.
async fn send(world: &World, key: &Key, action: Action) {
    let network = world.client(key).network().id;
    let signature = key.local().sign(&action, &network).await.unwrap();
    let tx = SignedTx::new(action, signature).unwrap().encode();
    let until = Instant::now() + PATIENCE;
    loop {
        let reply = rpc(world).broadcast_tx_sync(tx.clone()).await.unwrap();
        if reply.code.is_ok() {
            return;
        }
        // This replica may be a block behind the one that the test has looked at.
        let is_behind = Refusal::is_about_state(reply.code.value());
        assert!(is_behind && Instant::now() < until, "{}", reply.log);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A session of three that all have joined; the first is the bad sender.
pub async fn joined(world: &World, keys: &[Key]) -> [Session; 3] {
    let long = Duration::from_secs(600);
    let id = world.open(keys, |spec| spec.times(long, long, long)).await;
    let mut bad = world.session(&keys[0], id).await;
    let mut one = world.session(&keys[1], id).await;
    let mut two = world.session(&keys[2], id).await;
    let joined = tokio::join!(join(&mut bad), join(&mut one), join(&mut two));
    assert_eq!(joined, (Ok(()), Ok(()), Ok(())));
    [bad, one, two]
}

/// The bad sender posts in round 1.
pub async fn posts(world: &World, key: &Key, bad: &Session) -> Post {
    let history = bad.history();
    let place = PayloadPlace {
        network: world.client(key).network().id,
        session: bad.id(),
        spec: bad.spec(),
        transcript: history.transcript(),
        round: 1,
        from: 0,
        to: 1,
        key: history.join(1).unwrap().key.clone(),
    };
    let to = [1, 2].map(|to| (to, history.join(to).unwrap().key.clone()));
    let post = unreadable_post(&place, &to, SECRET);
    send(world, key, Action::Post(post.clone())).await;
    post
}

/// It answers the complaint of the party at this index.
pub async fn reveals(world: &World, key: &Key, post: &Post, by: u16) {
    let complain = complain_about(post, by, 3).unwrap();
    let reveal = reveal_of(&complain, ikm_e(SECRET), SECRET);
    send(world, key, Action::Reveal(reveal)).await;
}
