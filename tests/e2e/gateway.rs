//! Parties in Rust, Go, Python and TypeScript in one session over four replicas, each through a gateway of its own; gateways and
//! parties are killed at random moments, and everybody ends with the same outcome.

mod languages;
mod process;
mod threshold;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use white_city_client::{
    Client, End, Error, Hash, IdentityKey, LocalKey, Session, SessionId, Signer, SpecBuilder,
    wire::hash::sha256,
};
use white_city_testnet::binaries::Binaries;
use white_city_tests::rng::Rng;

use self::{languages::Languages, process::Party};
use crate::world::{PATIENCE, Setup, World, world};

/// Sessions, and deaths in each of them at least.
const SESSIONS: usize = 2;
const DEATHS: usize = 6;

/// The party in Rust: what the examples of the clients do.
async fn coin(session: &mut Session) -> Result<Hash, Error> {
    session.join().await?;
    session.wait_ready().await?;
    let mine = *session.randomness("coin");
    let told = |bits: &[u8], to: u16| {
        let to = u8::try_from(to).unwrap();
        sha256(&[bits, &[to]].concat()).0.to_vec()
    };
    let me = session.index();
    let others = (0..session.n()).filter(|to| *to != me);
    let p2p = others.map(|to| (to, told(&mine, to).into())).collect();
    session.post(1, sha256(&mine).0.to_vec(), p2p).await?;
    let promised = session.inbox(1).await?;
    session.post(2, mine.to_vec(), Vec::new()).await?;
    let shown = session.inbox(2).await?.broadcasts;
    for (who, bits) in &shown {
        assert_eq!(promised.broadcasts[who], sha256(bits).0);
        if *who != me {
            assert_eq!(*promised.p2p[who], told(bits, me));
        }
    }
    let all: Vec<u8> = shown.into_values().flatten().collect();
    let outcome = sha256(&all);
    session.finish(outcome).await?;
    assert_eq!(session.wait_end().await?, End::Finished { outcome });
    Ok(outcome)
}

fn client(world: &World, key: LocalKey) -> Client {
    let builder = Client::builder(world.trust()).replicas(world.net.rpc_urls().iter().cloned());
    builder.signer(key).build().unwrap()
}

async fn open(client: &Client, roster: Vec<IdentityKey>) -> SessionId {
    let minute = Duration::from_secs(60);
    let spec = SpecBuilder::new("white-city/coin", 1, roster)
        .max_rounds(4)
        .payloads(64, 64)
        .times(3 * minute, 3 * minute, minute);
    client.open(spec.build().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parties_in_four_languages_finish_one_session_however_they_and_their_gateways_are_killed() {
    if !Languages::are_possible() {
        return;
    }
    let Some(world) = world(Setup::default()).await else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let program = Binaries::find().await.unwrap().cli().unwrap();
    let languages = Languages::build(dir.path());
    // Moments depend on the machine anyway; the victims are told by the seed.
    let seed = std::env::var("WHITE_CITY_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut rng = Rng::new(seed);
    let key = LocalKey::from_seed(&[7; 32]).unwrap();
    let mut roster = vec![key.identity()];
    let mut parties = Vec::new();
    for (number, command) in languages.coins().into_iter().enumerate() {
        let party = Party::new(dir.path(), number, &program, &world.net, command);
        roster.push(party.identity());
        parties.push(party);
    }
    let client = client(&world, key);
    let mut deaths = 0;
    for _ in 0..SESSIONS {
        let id = open(&client, roster.clone()).await;
        let mut session = client.session(id).await.unwrap();
        let ours = tokio::spawn(async move { coin(&mut session).await });
        for party in &mut parties {
            party.begin(id);
        }
        let until = Instant::now() + PATIENCE;
        let mut now = 0;
        while parties.iter_mut().any(|party| !party.is_done()) {
            assert!(
                Instant::now() < until,
                "WHITE_CITY_SEED={seed}: it doesn't get on"
            );
            sleep(Duration::from_millis(rng.below(400))).await;
            if now < DEATHS {
                let victim = usize::try_from(rng.below(6)).unwrap();
                now += usize::from(parties[victim / 2].kill(victim % 2 == 0));
            }
        }
        deaths += now;
        let outcome = timeout(PATIENCE, ours).await.unwrap().unwrap().unwrap();
        for party in &mut parties {
            assert_eq!(party.said(), outcome.to_string(), "WHITE_CITY_SEED={seed}");
        }
        let evidence = client.evidence(id).await.unwrap();
        assert!(evidence.culprits.is_empty(), "{:?}", evidence.culprits);
    }
    assert!(deaths >= DEATHS, "{deaths}");
    for party in parties {
        party.end();
    }
    world.stop().await;
}
