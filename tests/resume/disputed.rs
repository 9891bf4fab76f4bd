//! A party that comes back to a complaint about what it sent before.

use tendermint_rpc::{Client as _, HttpClient, client::CompatMode};
use white_city_client::{
    Answer, End, Session, Signer,
    read::ReadInbox,
    wire::{
        Complain, Entry, SignedTx,
        board::{Cause, Offence},
        entry::p2p_leaf,
        tx::Action,
    },
};

use crate::{
    refused::{post, resume, two},
    world::{PATIENCE, World, world},
};

/// A false complaint of party 1 about what party 0 has sent it in round 1, signed and sent past its client.
async fn complain_falsely(world: &World, session: &Session) {
    let read = ReadInbox {
        id: session.id(),
        spec: session.spec(),
        round: 1,
        reader: Some(1),
        from_index: 0,
    };
    let page = world.client().read(&read, 0).await.unwrap().into_value();
    let sent = page.entries.into_iter().find_map(|entry| {
        let leaf = p2p_leaf(&entry.ciphertext);
        match entry.signed.entry {
            Entry::Post(post) if post.index == 0 => Some((post, leaf, entry.p2p_path)),
            _ => None,
        }
    });
    let (post, leaf, path) = sent.unwrap();
    let action = Action::Complain(Complain {
        post,
        index: 1,
        leaf,
        path,
    });
    let network = world.trust().network().id;
    let signature = world.key(1).sign(&action, &network).await.unwrap();
    let tx = SignedTx::new(action, signature).unwrap().encode();
    let board = HttpClient::builder(world.url().parse().unwrap());
    let board = board.compat_mode(CompatMode::V0_38).build().unwrap();
    let reply = board.broadcast_tx_sync(tx).await.unwrap();
    assert!(reply.code.is_ok(), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_that_was_killed_still_proves_what_it_had_sent() {
    let world = world().await;
    let (id, mut first, mut second) = two(&world).await;
    tokio::join!(async { post(&mut first, 1).await.unwrap() }, async {
        post(&mut second, 1).await.unwrap()
    });
    second.wait_round_closed(1).await.unwrap();
    drop(first);
    complain_falsely(&world, &second).await;
    let mut first = resume(&world, 0, id).await;
    // Its journal doesn't hold what it has sent. It says nothing until its protocol has sent it again.
    while first.dispute().is_none() {
        first.sync().await.unwrap();
    }
    assert_eq!(first.answer(), None);
    first.join().await.unwrap();
    post(&mut first, 1).await.unwrap();
    let end = tokio::time::timeout(PATIENCE, first.wait_end()).await;
    let End::Aborted(record) = end.unwrap().unwrap() else {
        panic!("{:?}", first.end());
    };
    assert_eq!(first.answer(), Some(Answer::Reveal));
    assert_eq!(record.record.cause, Cause::FalseComplaint);
    let culprits: Vec<_> = record
        .culprits
        .iter()
        .map(|c| (c.index, c.offence))
        .collect();
    assert_eq!(culprits, [(1, Offence::FalseComplaint)]);
    world.net.stop().await.unwrap();
}
