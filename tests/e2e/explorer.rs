//! The explorer in a real browser, in front of four replicas on CometBFT, one of which comes to lie.
//!
//! Where there is no Chromium, no Node or no target `wasm32-unknown-unknown`, these tests say loudly that they did not run;
//! `WHITE_CITY_REQUIRE_COMETBFT=1` forbids that, as CI does. `WHITE_CITY_SHOTS=FOLDER` keeps pictures.

mod alone;
pub mod browser;
mod forked;

use std::{fs, net::SocketAddr, time::Duration};

use crate::{
    bad_sender,
    charters::Board,
    module,
    world::{Key, PATIENCE, Setup, World, finish, join, keys, outcome, post, world},
};
use browser::Browser;
use serde_json::json;
use tendermint_rpc::{Client as _, HttpClient, client::CompatMode};
use tokio::{net::TcpListener, task::JoinHandle};
use white_city_client::{
    End, Error, Session, SessionId, Signer,
    wire::{
        SignedTx,
        tx::{Action, Post},
    },
};
use white_city_explorer::{Explorer, Replica};
use white_city_tests::tampering::{Proxy, named};

/// An explorer of a board whose first replica is seen through a proxy.
struct Served {
    url: String,
    liar: Option<Proxy>,
    serving: JoinHandle<()>,
}

async fn serve(world: &World) -> Served {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let urls = world.net.rpc_urls();
    let liar = Proxy::start(&urls[0], anywhere, 1).await.unwrap();
    let liar_named = format!("north={}", liar.url());
    let others = urls[1..].iter().cloned();
    let replicas = std::iter::once(liar_named).chain(others);
    let replicas: Vec<Replica> = replicas.map(|one| one.parse().unwrap()).collect();
    let verifier = fs::read(module::module()).unwrap();
    let explorer = Explorer::new(replicas, verifier).unwrap();
    let listener = TcpListener::bind(anywhere).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    Served {
        url,
        liar: Some(liar),
        serving: tokio::spawn(explorer.serve(listener)),
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The sign in the slot of a party and a round of the grid.
fn slot(party: u16, round: u32) -> String {
    format!(
        "[...document.querySelectorAll('[role=gridcell]')].find((cell) => cell.ariaLabel?.startsWith('party {party}, round {round}:'))?.innerText"
    )
}

/// Signs another post for the slot of round 1 that the party has filled, and hands it to a replica.
async fn equivocate(world: &World, key: &Key, session: &Session, id: SessionId) {
    let network = world.client(key).network().id;
    let transcript = session.history().transcript();
    let slot = (session.index(), 4);
    let other = Post::new(id, 1, slot, transcript, b"other".to_vec(), vec![]);
    let action = Action::Post(other);
    let signature = key.local().sign(&action, &network).await.unwrap();
    let tx = SignedTx::new(action, signature).unwrap().encode();
    let url = world.net.rpc_urls()[1].parse().unwrap();
    let rpc = HttpClient::builder(url).compat_mode(CompatMode::V0_38);
    let answer = rpc.build().unwrap().broadcast_tx_sync(tx).await.unwrap();
    assert_ne!(answer.code.value(), 0);
}

/// Gives the page the genesis: another board's first, and what is none.
fn trust(browser: &mut Browser, world: &World, url: &str) {
    browser.tell(&json!(["goto", url]));
    browser.sees("h1", "Genesis");
    browser.shot("genesis");
    browser.tell(&json!(["fill", "#genesis", "{}"]));
    browser.tell(&json!(["click", "main button"]));
    browser.sees(".trouble", "isn't a genesis that can be trusted");
    let genesis = fs::read_to_string(world.net.dir().join("genesis.json")).unwrap();
    let chain = world.trust().network().chain_id.clone();
    let other = genesis.replace(&chain, "another-chain");
    browser.tell(&json!(["fill", "#genesis", other]));
    browser.tell(&json!(["click", "main button"]));
    browser.sees(
        "#alarms",
        "serves another network than the genesis describes",
    );
    browser.sees("#pulse", "nothing is verified");
    browser.tell(&json!(["eval", "localStorage.clear()"]));
    browser.tell(&json!(["goto", url]));
    browser.sees("h1", "Genesis");
    let file = world.net.dir().join("genesis.json");
    browser.tell(&json!(["file", "#genesis-file", file]));
    browser.sees(".empty", "The board is empty");
    browser.sees("#pulse", "4 of 4 replicas answer");
    browser.sees("#pulse", "✓ verified");
    browser.shot("empty");
}

/// Finds the session in the list and goes there, by keyboard alone.
fn go_by_keyboard(browser: &mut Browser) {
    browser.sees("tbody tr", "✓ verified");
    browser.sees("tbody tr", "white-city/test");
    browser.tab_to("tbody a[href='#/session/0']");
    browser.shot("list");
    browser.press("Enter");
    browser.sees("h1", "Session 0");
}

/// The four are seen to join and to write, one after the other, and the last one to be awaited.
async fn a_round_fills(browser: &mut Browser, world: &World, sessions: &mut [Session], key: &Key) {
    for (index, session) in (0_u16..).zip(sessions.iter_mut()) {
        session.join().await.unwrap();
        browser.until(&format!("{} === 'J'", slot(index, 0)));
    }
    for session in sessions.iter_mut() {
        session.wait_ready().await.unwrap();
    }
    for (index, session) in (0_u16..).zip(&mut sessions[..3]) {
        post(session, 1).await.unwrap();
        browser.sees(".now", &format!("{} of 4 slots are filled", index + 1));
        browser.until(&format!("{} === '•'", slot(index, 1)));
    }
    browser.sees(".now", "Awaited: party 3");
    browser.sees(".now", "Waiting for");
    browser.sees(".now", "left (until");
    browser.until(&format!("{} === '…'", slot(3, 1)));
    let id = sessions[0].id();
    equivocate(world, key, &sessions[0], id).await;
    browser.sees("li", "Party 0 signed two different entries for one slot");
    browser.sees("li", "evidence checked");
    browser.until(&format!("{} === '•!'", slot(0, 1)));
    browser.shot("awaited");
    post(&mut sessions[3], 1).await.unwrap();
    browser.until(&format!(
        "{} === 'P' && {} === 'P!'",
        slot(3, 1),
        slot(0, 1)
    ));
}

/// What every view has to be: no wider than a phone, all of it reached by Tab, and of other colours in the dark.
fn looks(browser: &mut Browser) {
    for (name, view) in [
        ("list", "#/"),
        ("session", "#/session/0"),
        ("aborted", "#/session/1"),
        ("replicas", "#/replicas"),
        ("charter", "#/charter"),
        ("genesis", "#/genesis"),
    ] {
        browser.tell(&json!(["size", 390, 844]));
        browser.eval(&format!("location.hash = {}", json!(view)));
        browser.until("document.querySelector('main .mark') !== null");
        let width = browser.eval("document.documentElement.scrollWidth");
        assert!(width.as_u64().unwrap() <= 390, "{view}: {width}");
        browser.shot(&format!("phone-{name}"));
        browser.tell(&json!(["size", 1200, 900]));
        let all = "[...document.querySelectorAll('a, button, input, select, textarea, summary, [tabindex=\"0\"]')]
            .filter((node) => node.checkVisibility() && !node.disabled && (node.type !== 'radio' || node.checked)).length";
        let all = browser.eval(all).as_u64().unwrap();
        browser.eval("document.activeElement.blur(), window.reached = new Set()");
        for _ in 0..all + 8 {
            browser.press("Tab");
            browser.eval("reached.add(document.activeElement), null");
        }
        let missed = browser.eval(
            "[...document.querySelectorAll('a, button, input, select, textarea, summary, [tabindex=\"0\"]')]
                .filter((node) => node.checkVisibility() && !node.disabled && (node.type !== 'radio' || node.checked))
                .filter((node) => !reached.has(node)).map((node) => node.outerHTML)",
        );
        assert_eq!(missed, json!([]), "{view}");
        let colours = "getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color";
        let bright = browser.eval(colours);
        browser.tell(&json!(["scheme", "dark"]));
        assert_ne!(browser.eval(colours), bright, "{view}");
        browser.shot(&format!("dark-{name}"));
        browser.tell(&json!(["scheme", "light"]));
    }
}

/// The arrow keys go through the grid, and the slot that is reached says what it holds.
fn the_grid_by_keyboard(browser: &mut Browser) {
    browser.tab_to("[role=gridcell]");
    for key in ["Control+Home", "ArrowDown", "ArrowRight"] {
        browser.press(key);
    }
    let label = browser.eval("document.activeElement.ariaLabel");
    assert_eq!(label, "party 1, round 1: post, signature checked");
    browser.sees(".detail", "party 1, round 1: post, signature checked");
    browser.sees(".detail", "Digest");
    browser.press("Control+End");
    let label = browser.eval("document.activeElement.ariaLabel");
    assert_eq!(label, "party 3, round 2: finish, signature checked");
    browser.sees(".detail", "Outcome");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceremony_is_seen_as_it_goes_on_and_a_replica_that_lies_is_told() {
    if !module::is_possible() || !browser::is_possible() {
        return;
    }
    let setup = Setup {
        heartbeat_ms: Some(1_000),
        ..Setup::default()
    };
    let Some(world) = world(setup).await else {
        return;
    };
    let mut served = serve(&world).await;
    let mut browser = Browser::start();
    trust(&mut browser, &world, &served.url);
    let keys = keys(4);
    let long = Duration::from_secs(600);
    let id = world
        .open(&keys, |spec| spec.quorum(4).times(long, long, long))
        .await;
    go_by_keyboard(&mut browser);
    let mut sessions = Vec::new();
    for key in &keys {
        sessions.push(world.session(key, id).await);
    }
    a_round_fills(&mut browser, &world, &mut sessions, &keys[0]).await;

    let liar = served.liar.as_ref().unwrap();
    let lie = named("leaf-open-round").unwrap();
    liar.tamper(&[lie], 100);
    browser.sees("#alarms", "Replica 0 (north) lies");
    assert!(liar.count(&lie) > 0);
    assert_eq!(browser.eval(&slot(3, 1)), "P", "nothing of it is shown");
    browser.shot("liar");
    for session in &mut sessions {
        session.wait_round_closed(1).await.unwrap();
    }
    let ends: Vec<_> = sessions.iter_mut().map(finish).collect();
    let ended = tokio::time::timeout(PATIENCE, futures::future::join_all(ends)).await;
    for end in ended.unwrap() {
        assert!(matches!(end, Ok(End::Finished { .. })), "{end:?}");
    }
    browser.sees(".now", "Finished");
    browser.sees(".now", &outcome(&sessions[0]).to_string());
    browser.sees(".now", "by a quorum of the parties");
    browser.until(&format!("{} === 'F'", slot(2, 2)));
    browser.shot("finished");
    the_grid_by_keyboard(&mut browser);

    aborted(&mut browser, &world, &keys).await;
    disputed(&mut browser, &world, &keys[..3]).await;
    served.liar = None;
    browser.sees("#alarms", "Replica 0: no answer");
    browser.eval("location.hash = '#/replicas'");
    browser.sees(".replicas tr", "lied");
    browser.shot("replicas");
    looks(&mut browser);
    handed_over(&mut browser, &world, &served.url).await;
    assert_eq!(browser.tell(&json!(["troubles"])), json!([]));
    drop(browser);
    world.stop().await;
}

/// Joins, and writes in round 1, unless it is the last one of three.
async fn comes(session: &mut Session) {
    join(session).await.unwrap();
    if session.index() < 2 {
        let posted = session.post(1, b"words".to_vec(), Vec::new()).await;
        posted.unwrap();
    }
}

/// A session in which one doesn't come, and one that leaves.
async fn aborted(browser: &mut Browser, world: &World, keys: &[Key]) {
    let short = Duration::from_secs(10);
    let id = world
        .open(&keys[..3], |spec| {
            spec.times(Duration::from_secs(60), short, short).quorum(3)
        })
        .await;
    let mut sessions = Vec::new();
    for key in &keys[..3] {
        sessions.push(world.session(key, id).await);
    }
    futures::future::join_all(sessions.iter_mut().map(comes)).await;
    browser.eval("location.hash = '#/session/1'");
    browser.sees(".now", "Aborted: too few filled their slots in time");
    browser.sees(".now", "Empty when it ended, in round 1: party 2");
    browser.until(&format!("{} === '–' && {} === 'P'", slot(2, 1), slot(1, 1)));
    browser.shot("aborted");
}

/// A complaint, its answer, and whom that convicts: the page judges it itself.
async fn disputed(browser: &mut Browser, world: &World, keys: &[Key]) {
    let [bad, mut one, mut two] = bad_sender::joined(world, keys).await;
    browser.eval("location.hash = '#/session/2'");
    let sent = bad_sender::posts(world, &keys[0], &bad).await;
    for session in [&mut one, &mut two] {
        post(session, 1).await.unwrap();
    }
    one.wait_round_closed(1).await.unwrap();
    let unread = one.inbox(1).await.unwrap_err();
    assert_eq!(unread, Error::Payload { from: 0, round: 1 });
    one.complain(1, 0).await.unwrap();
    browser.sees(".head", "dispute");
    let complaint = "party 1 complained about the payload that party 0 sent it in round 1";
    browser.sees(".now", complaint);
    browser.sees(".now", "Awaited: party 0");
    browser.sees(".now", "for the answer");
    browser.sees("li", "It was not answered");
    browser.shot("dispute");
    bad_sender::reveals(world, &keys[0], &sent, 1).await;
    browser.sees(".now", "Aborted: ");
    browser.sees(
        "li",
        "Party 0 sent a p2p payload that was proven bad, in round 1.",
    );
    browser.sees("li", "It was answered");
    browser.sees("li", "judged here");
    browser.shot("judged");
}

/// The validators hand over to others: a page that is open goes on, and one that begins anew walks there from the genesis.
async fn handed_over(browser: &mut Browser, world: &World, url: &str) {
    let board = Board::new(world);
    let last = board.validator(3);
    let next = board.next(|charter| charter.replicas.retain(|one| one.validator != last));
    let next = next.await;
    browser.eval("location.hash = '#/charter'");
    let row = |name: &str, value: &str| {
        format!(
            "[...document.querySelectorAll('dt')].some((dt) => dt.innerText === {} && dt.nextElementSibling.innerText.startsWith({}))",
            json!(name),
            json!(value)
        )
    };
    browser.until(&row("Era of its validators", "0"));
    board.enact(&[0, 1, 2], &[], &next).await;
    browser.until(&row("Era of its validators", "1"));
    browser.until(&row("Term", "1, since block "));
    assert_eq!(
        browser.eval("document.querySelectorAll('.operators tbody tr').length"),
        3
    );
    browser.tell(&json!(["eval", "localStorage.clear()"]));
    browser.tell(&json!(["goto", url]));
    browser.sees("h1", "Genesis");
    let file = world.net.dir().join("genesis.json");
    browser.tell(&json!(["file", "#genesis-file", file]));
    browser.sees("tbody tr", "✓ verified");
    browser.eval("location.hash = '#/session/0'");
    browser.sees(".now", "by a quorum of the parties");
    browser.eval("location.hash = '#/charter'");
    browser.until(&row("Era of its validators", "1"));
    browser.shot("era");
    let alarms = browser.eval("document.querySelector('#alarms').innerText");
    assert_eq!(
        alarms.as_str().unwrap().matches("Replica").count(),
        1,
        "{alarms}"
    );
}
