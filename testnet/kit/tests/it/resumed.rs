//! A protocol of `round-based` whose party loses everything but its journal, again and again.

use std::{path::Path, time::Duration};

use futures::{SinkExt as _, StreamExt as _};
use white_city_client::{
    Client, Hash, SessionId,
    delivery::{
        DeliveryError,
        round_based::{Delivery as _, Mpc, Outgoing},
    },
    wire::hash::sha256,
};
use white_city_kit::Board;

const ROUNDS: u32 = 6;
const PARTIES: u16 = 3;

/// In each round everybody says something that depends on its randomness and on all that was said before.
async fn chain<M>(party: M, mine: [u8; 32]) -> Result<[u8; 32], DeliveryError>
where
    M: Mpc<ProtocolMessage = [u8; 32], SendError = DeliveryError, ReceiveError = DeliveryError>,
{
    let (mut incomings, mut outgoings) = party.into_party().delivery.split();
    let mut all = [0; 32];
    for _ in 0..ROUNDS {
        let word = sha256(&[mine, all].concat()).0;
        outgoings.send(Outgoing::broadcast(word)).await?;
        let mut words = vec![word];
        for _ in 1..PARTIES {
            words.push(incomings.next().await.expect("it has no end")?.msg);
        }
        words.sort_unstable();
        all = sha256(&words.concat()).0;
    }
    Ok(all)
}

/// From the journal to the end of the session.
async fn whole_party(client: &Client, id: SessionId, journal: &Path) -> [u8; 32] {
    let mut session = client.resume(id, journal).await.unwrap();
    session.join().await.unwrap();
    session.wait_ready().await.unwrap();
    let mine = *session.randomness("chain");
    let mut delivery = session.delivery();
    let all = delivery.run(|party| chain(party, mine)).await.unwrap();
    drop(delivery);
    session.finish(Hash(all)).await.unwrap();
    session.wait_end().await.unwrap();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protocol_goes_on_from_the_journal_of_a_party_that_was_killed() {
    let board = Board::solo().await.unwrap();
    let spec = board.spec("kit/test", PARTIES).max_rounds(ROUNDS + 2);
    let id = board.open(spec).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let parties = (0..PARTIES).map(|party| {
        let client = board.client(party).unwrap();
        let journal = dir.path().join(party.to_string());
        async move {
            let mut killed = 0;
            let mut patience = Duration::from_millis(15);
            loop {
                let whole = whole_party(&client, id, &journal);
                match tokio::time::timeout(patience, whole).await {
                    Ok(all) => return (all, killed),
                    Err(_) => killed += 1,
                }
                // Ever longer, so that it gets to the end some time, and on a slow machine soon.
                patience = patience.mul_f64(1.3);
            }
        }
    });
    let ended = futures::future::join_all(parties);
    let ended = tokio::time::timeout(Duration::from_secs(120), ended)
        .await
        .unwrap();
    assert!(ended.iter().all(|(all, _)| *all == ended[0].0));
    assert!(
        ended.iter().map(|(_, killed)| killed).sum::<u32>() > 3,
        "{ended:?}"
    );
    let evidence = board.client(0).unwrap().evidence(id).await.unwrap();
    assert!(evidence.culprits.is_empty());
    board.stop().await.unwrap();
}
