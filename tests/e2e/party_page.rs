//! Parties in a real browser, in front of four replicas on CometBFT: three tabs make a key and sign with it, also beside a replica that
//! lies; and a tab beside parties of the client library that is closed again and again.

use std::{fs, net::SocketAddr, time::Duration};

use crate::{
    explorer::browser::{self, Browser},
    module,
    world::{PATIENCE, Setup, World, keys, world},
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};
use white_city_client::{End, IdentityKey, Session, SessionId, SpecBuilder, wire::Hash};
use white_city_eddsa::{
    KeyShare, Randomness, keygen,
    run::{Heard, Next, Run},
};
use white_city_explorer::{Explorer, Replica};
use white_city_tests::tampering::{Proxy, named};

const KEYGEN: &str = "white-city/eddsa-keygen";
const SIGN: &str = "white-city/eddsa-sign";

/// The server of a user's machine, in front of a board whose first replica is seen through a proxy.
struct Served {
    url: String,
    liar: Proxy,
    serving: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(world: &World) -> Served {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let urls = world.net.rpc_urls();
    let liar = Proxy::start(&urls[0], anywhere, 1).await.unwrap();
    let replicas = std::iter::once(format!("north={}", liar.url())).chain(urls[1..].to_vec());
    let replicas: Vec<Replica> = replicas.map(|one| one.parse().unwrap()).collect();
    let [verifier, party] = [module::module(), module::party()].map(|file| fs::read(file).unwrap());
    let explorer = Explorer::new(replicas, verifier).unwrap();
    let explorer = explorer.with_party(party).unwrap();
    let listener = TcpListener::bind(anywhere).await.unwrap();
    Served {
        url: format!("http://{}/party.html", listener.local_addr().unwrap()),
        liar,
        serving: tokio::spawn(explorer.serve(listener)),
    }
}

fn is_possible() -> bool {
    module::is_possible() && browser::is_possible()
}

fn setup() -> Setup {
    Setup {
        heartbeat_ms: Some(1_000),
        ..Setup::default()
    }
}

/// Opens the page of somebody in a tab of its own, with the passphrase.
fn open_page(browser: &mut Browser, world: &World, served: &Served, who: &str, hash: &str) {
    browser.tab(who);
    // Another address first, or a `#` alone would load nothing.
    browser.tell(&json!(["goto", "about:blank"]));
    browser.tell(&json!(["goto", format!("{}?as={who}{hash}", served.url)]));
    browser.sees("h1", "Open");
    let genesis = fs::read_to_string(world.net.dir().join("genesis.json")).unwrap();
    browser.tell(&json!(["fill", "#genesis", genesis]));
    browser.tell(&json!(["fill", "#passphrase", format!("{who}'s horse")]));
    browser.tell(&json!(["click", "#open"]));
}

/// The identity of whoever's page is open.
fn identity(browser: &mut Browser) -> IdentityKey {
    browser.sees("h1", "Party");
    let shown = browser.eval("document.querySelector('#identity').innerText");
    let key = hex::decode(shown.as_str().unwrap()).unwrap();
    IdentityKey::from_bytes(&key).unwrap()
}

/// Looks at a session, and joins.
fn join(browser: &mut Browser, who: &str, id: SessionId) {
    browser.tab(who);
    browser.tell(&json!(["fill", "#session", id.to_string()]));
    browser.tell(&json!(["click", "#look"]));
    browser.sees("h2", &id.to_string());
    browser.tell(&json!(["click", "#join"]));
}

/// What came of it.
fn made(browser: &mut Browser, who: &str) -> String {
    browser.tab(who);
    let made = browser.until("document.querySelector('#made')?.innerText");
    made.as_str().unwrap().to_owned()
}

/// Opens a session of a protocol, by somebody who isn't in it.
async fn open(
    world: &World,
    protocol: &str,
    roster: Vec<IdentityKey>,
    input: serde_json::Value,
    previous: Option<SessionId>,
) -> SessionId {
    let client = world.client(&keys(9)[8]);
    let time = Duration::from_secs(120);
    let quorum = u16::try_from(roster.len()).unwrap();
    let spec = SpecBuilder::new(protocol, 1, roster)
        .max_rounds(5)
        .payloads(512, 2_048)
        .quorum(quorum)
        .input(input.to_string().into_bytes())
        .times(time, time, time);
    let spec = match previous {
        Some(previous) => spec.previous(previous),
        None => spec,
    };
    client.open(spec.build().unwrap()).await.unwrap()
}

/// A replica that refuses or can't be reached is no trouble of the page's.
fn no_troubles(browser: &mut Browser) {
    let troubles = browser.tell(&json!(["troubles"]));
    let all = troubles.as_array().unwrap().iter();
    let own = all.filter(|one| !one.as_str().unwrap().starts_with("Failed to load resource"));
    assert_eq!(own.collect::<Vec<_>>(), Vec::<&serde_json::Value>::new());
}

fn key_of(text: &str) -> ed25519_dalek::VerifyingKey {
    let bytes: [u8; 32] = hex::decode(text).unwrap().try_into().unwrap();
    ed25519_dalek::VerifyingKey::from_bytes(&bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_tabs_make_a_key_and_sign_with_it_beside_a_replica_that_lies() {
    if !is_possible() {
        return;
    }
    let Some(world) = world(setup()).await else {
        return;
    };
    let served = serve(&world).await;
    let mut browser = Browser::start();
    let people = ["alice", "bob", "carol"];
    let mut roster = Vec::new();
    for who in people {
        open_page(&mut browser, &world, &served, who, "");
        roster.push(identity(&mut browser));
        browser.shot(&format!("party-{who}"));
    }
    // Of one identity one tab acts.
    open_page(&mut browser, &world, &served, "alice", "");
    identity(&mut browser);
    browser.tab("second");
    browser.tell(&json!(["goto", format!("{}?as=alice", served.url)]));
    browser.sees("h1", "Open");
    browser.tell(&json!(["fill", "#passphrase", "another horse"]));
    browser.tell(&json!(["click", "#open"]));
    browser.sees("#alarms", "wrong passphrase");
    browser.tell(&json!(["fill", "#passphrase", "alice's horse"]));
    browser.tell(&json!(["click", "#open"]));
    browser.sees("#alarms", "another tab acts as this identity");
    browser.tell(&json!(["close", "second"]));

    let input = json!({ "threshold": 2 });
    let keygen = open(&world, KEYGEN, roster.clone(), input, None).await;
    for who in people {
        join(&mut browser, who, keygen);
    }
    let key = made(&mut browser, "alice");
    for who in people {
        assert_eq!(made(&mut browser, who), key, "{who}");
        browser.shot(&format!("party-made-{who}"));
    }

    let lie = named("leaf-open-round").unwrap();
    served.liar.tamper(&[lie], 100);
    let message = b"hello from a browser";
    let input = json!({ "public_key": key, "message_hex": hex::encode(message) });
    let signers = vec![roster[2], roster[0]];
    let signing = open(&world, SIGN, signers, input, Some(keygen)).await;
    for who in ["alice", "carol"] {
        open_page(&mut browser, &world, &served, who, "");
        identity(&mut browser);
        join(&mut browser, who, signing);
    }
    let signature = made(&mut browser, "carol");
    assert_eq!(made(&mut browser, "alice"), signature);
    browser.sees("#alarms", "Replica 0 (north) lies");
    assert!(served.liar.count(&lie) > 0);
    let bytes: [u8; 64] = hex::decode(&signature).unwrap().try_into().unwrap();
    let bytes = ed25519_dalek::Signature::from_bytes(&bytes);
    key_of(&key).verify_strict(message, &bytes).unwrap();
    no_troubles(&mut browser);
    drop(browser);
    world.stop().await;
}

/// Some milliseconds, other ones in each run.
fn moment() -> u32 {
    getrandom::u32().unwrap() % 800
}

/// A party of the client library that makes a key; `turn` is waited for before each post.
async fn native(mut session: Session, mut turn: tokio::sync::mpsc::Receiver<()>) -> KeyShare {
    session.join().await.unwrap();
    session.wait_ready().await.unwrap();
    let roster = session.spec().roster.iter();
    let roster: Vec<[u8; 32]> = roster.map(|key| *key.as_bytes()).collect();
    let me = white_city_eddsa::Session::new(session.id().0, &roster, session.index()).unwrap();
    let seed = Randomness::from_seed(*session.randomness("white-city/eddsa"));
    let started = keygen::start(me, 1, session.spec().quorum, seed);
    let (first, mut outgoing) = started.unwrap();
    let mut run = Run::from(first);
    let share = loop {
        turn.recv().await.unwrap();
        let round = session.history().open_round();
        let p2p = outgoing.p2p.into_iter().collect();
        session.post(round, outgoing.broadcast, p2p).await.unwrap();
        let inbox = session.inbox(round).await.unwrap();
        let heard = Heard {
            posted: inbox.posted.into_iter().collect(),
            broadcasts: inbox.broadcasts,
            p2p: inbox.p2p,
        };
        match run.close(&heard).unwrap() {
            Next::Post(next, post) => (run, outgoing) = (next, post),
            Next::Made(share) => break share,
        }
    };
    turn.recv().await.unwrap();
    session.finish(Hash(share.outcome())).await.unwrap();
    let end = session.wait_end().await.unwrap();
    assert!(matches!(end, End::Finished { .. }), "{end:?}");
    share
}

/// Closes the page so many milliseconds later, wherever it is then, and opens it again: it goes on by itself with what it has joined, and
/// is told once more to join where it wasn't kept.
fn reload(browser: &mut Browser, world: &World, served: &Served, id: SessionId, ms: u32) {
    browser.eval(&format!("new Promise((then) => setTimeout(then, {ms}))"));
    open_page(browser, world, served, "dave", &format!("#{id}"));
    browser.sees("h2", &id.to_string());
    browser.until(
        "document.querySelector('#join')?.click(), document.querySelector('#state')?.innerText !== ''",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_is_closed_again_and_again_makes_a_key_with_parties_of_the_library() {
    if !is_possible() {
        return;
    }
    let Some(world) = world(setup()).await else {
        return;
    };
    let served = serve(&world).await;
    let mut browser = Browser::start();
    open_page(&mut browser, &world, &served, "dave", "");
    let dave = identity(&mut browser);
    let natives = &keys(2);
    let roster = vec![natives[0].identity(), dave, natives[1].identity()];
    let input = json!({ "threshold": 2 });
    let id = open(&world, KEYGEN, roster, input, None).await;
    let (mut turns, mut running) = (Vec::new(), Vec::new());
    for key in natives {
        let (turn, turned) = tokio::sync::mpsc::channel(4);
        turns.push(turn);
        running.push(tokio::spawn(native(world.session(key, id).await, turned)));
    }
    join(&mut browser, "dave", id);
    for _ in 0..3 {
        reload(&mut browser, &world, &served, id, moment());
        for turn in &turns {
            turn.send(()).await.unwrap();
        }
        reload(&mut browser, &world, &served, id, moment());
    }
    let key = made(&mut browser, "dave");
    for native in running {
        let share = tokio::time::timeout(PATIENCE, native)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(hex::encode(share.public_key()), key);
    }
    let evidence = world.client(&natives[0]).evidence(id).await.unwrap();
    assert!(evidence.culprits.is_empty(), "{evidence:?}");
    // What was made is there, and the journal isn't.
    reload_made(&mut browser, &world, &served, id, &key);
    no_troubles(&mut browser);
    drop(browser);
    world.stop().await;
}

fn reload_made(browser: &mut Browser, world: &World, served: &Served, id: SessionId, key: &str) {
    open_page(browser, world, served, "dave", &format!("#{id}"));
    assert_eq!(made(browser, "dave"), key);
    let journals = browser.eval(
        "new Promise((resolve) => {
            const open = indexedDB.open('white-city-party/dave');
            open.onsuccess = () => {
                const count = open.result.transaction('journals').objectStore('journals').count();
                count.onsuccess = () => resolve(count.result);
            };
        })",
    );
    assert_eq!(journals, json!(0));
}

/// A protocol of somebody else's compiles against the types of `party.js`.
#[test]
fn the_types_hold() {
    let compiler = module::root().join("client/typescript/node_modules/typescript/bin/tsc");
    if !compiler.is_file() {
        module::missing("`npm ci --prefix client/typescript --ignore-scripts`");
        return;
    }
    let compiled = std::process::Command::new("node")
        .arg(compiler)
        .args([
            "--noEmit", "--strict", "--target", "es2022", "--module", "esnext",
        ])
        .args(["--moduleResolution", "bundler", "--lib", "es2022,dom"])
        .arg(module::root().join("tests/explorer/party.ts"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&compiled.stdout);
    assert!(compiled.status.success(), "{said}");
}
