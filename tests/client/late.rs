//! Replicas that come late in a way that costs more than a retry: with one page after the other, one line after the other, with
//! lies before the truth, or with what was true once.

use std::{sync::Arc, time::Duration};

use prost::Message as _;
use tendermint_rpc::Client as _;
use tokio::time::timeout;
use white_city_client::{
    Client, Error, FoundSession, SessionFilter, SessionId,
    read::{Read as _, ReadInbox, SessionRef, check},
    receipt::BadReceipt,
    wire::pb::{self, answer::Body, inbox_item::Entry, query::Question, signed_entry::Header},
};
use white_city_tests::tampering::{Change, Mutator, Proxy, Sort, named};

use crate::world::{PATIENCE, World, closed, post, spec, until, world};

/// Delay of whoever delays: whoever waits for it once waits too long.
const DELAY: Duration = Duration::from_secs(30);
/// Distance that honest replicas may have.
const FAR: Duration = Duration::from_millis(1_200);
/// A broadcast of which a page has room for three.
const LARGE: usize = 500 << 10;

fn of(name: &str) -> Mutator {
    named(name).unwrap()
}

/// A page with its first entry alone.
fn page_of_one() -> Mutator {
    Mutator {
        name: "page-of-one",
        about: "a page that ends after its first entry",
        sort: Sort::Lie,
        change: Change::Answer(|answer, _, _| {
            let Some(Body::Inbox(inbox)) = &mut answer.body else {
                return None;
            };
            inbox.items.truncate(1);
            let index = match inbox.items.first()?.entry.as_ref()? {
                Entry::Join(join) => join.index,
                Entry::Signed(signed) => match signed.header.as_ref()? {
                    Header::Post(post) => post.index,
                    Header::Finish(finish) => finish.index,
                },
            };
            inbox.next_index = index + 1;
            Some(())
        }),
    }
}

/// A list with its first line alone.
fn list_of_one() -> Mutator {
    Mutator {
        name: "list-of-one",
        about: "a page of a list that ends after its first line",
        sort: Sort::Lie,
        change: Change::Answer(|answer, _, _| {
            let Some(Body::Sessions(page)) = &mut answer.body else {
                return None;
            };
            page.sessions.truncate(1);
            page.next_number = page.sessions.first()?.number;
            Some(())
        }),
    }
}

async fn all(client: &Client) -> Result<Vec<FoundSession>, Error> {
    let mut list = client.sessions(SessionFilter::all()).await?;
    list.take(usize::MAX).await
}

fn is_inbox(question: Option<&Question>) -> bool {
    matches!(question, Some(Question::Inbox(_)))
}

fn is_later_page(question: Option<&Question>) -> bool {
    matches!(question, Some(Question::Inbox(inbox)) if inbox.from_index > 0)
}

fn is_list(question: Option<&Question>) -> bool {
    matches!(question, Some(Question::Sessions(_)))
}

/// A session of four parties whose first round has two pages.
async fn two_pages(world: &World) -> SessionId {
    let large = u32::try_from(LARGE).unwrap();
    // There is room for one round.
    let room = 4 * (u64::from(large) + 1_024);
    let id = world
        .open(spec(4).payloads(large, 64).max_bytes(room))
        .await;
    let mut sessions = world.joined(id, 4).await;
    for session in &mut sessions {
        session.post(1, vec![1; LARGE], Vec::new()).await.unwrap();
    }
    closed(&mut sessions, 1).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_late_with_each_later_page_is_not_waited_for() {
    let world = world().await;
    let id = two_pages(&world).await;
    let late = world.proxy().await;
    late.be_late(DELAY, is_later_page);
    let client = world.patient(&[late.url(), world.url()]);
    // Whichever answers first is asked for the next page: the late one, sooner or later.
    until("the late one to be asked for a later page", async || {
        let reading = timeout(DELAY, client.observe(id)).await;
        let observer = reading.expect("another replica's page").unwrap();
        assert_eq!(observer.history().open_round(), 2);
        late.requests().get("abci_query 0").copied().unwrap_or(0) > 4
    })
    .await;
    assert_eq!(client.lies(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_ends_before_it_is_full_is_a_lie() {
    let world = world().await;
    let id = two_pages(&world).await;
    let liar = world.proxy().await;
    liar.tamper(&[page_of_one()], 100);
    let alone = world.client_of(&[liar.url()], 0).observe(id).await;
    assert!(
        matches!(&alone, Err(Error::ReplicaLied { what, .. }) if what.contains("page")),
        "{:?}",
        alone.err()
    );
    liar.be_late(DELAY, is_inbox);
    let client = world.patient(&[liar.url(), world.url()]);
    let observed = timeout(DELAY, client.observe(id)).await;
    let observer = observed.expect("the honest replica's pages").unwrap();
    assert_eq!(observer.history().open_round(), 2);
    // A page that is as full as it can be is none.
    let honest = world.client(0).observe(id).await.unwrap();
    assert_eq!(honest.history().open_round(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_comes_line_by_line_is_left_for_another_one() {
    let world = world().await;
    for _ in 0..3 {
        world.open(spec(1)).await;
    }
    let late = world.proxy().await;
    // Whoever stays with it needs more than the bound only for a list of three pages.
    late.be_late(DELAY * 2 / 5, is_list);
    for way in [Some(list_of_one()), None] {
        late.tamper(way.as_slice(), 100);
        let client = world.patient(&[late.url(), world.url()]);
        let listed = timeout(DELAY, all(&client)).await;
        let listed = listed.expect("the list of the other one").unwrap();
        assert_eq!(listed.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_goes_on_when_it_is_full_is_a_lie() {
    let world = world().await;
    let id = two_pages(&world).await;
    let spec = world.client(0).open_of(id).await.unwrap().spec;
    let read = |from_index| ReadInbox {
        id,
        spec: &spec,
        round: 1,
        reader: None,
        from_index,
    };
    let mut answer = world.ask(read(0).question()).await;
    let mut later = world.ask(read(3).question()).await;
    let height = u32::try_from(answer.height).unwrap();
    let signed = world.rpc().commit(height).await.unwrap().signed_header;
    let header = Arc::new(world.trust().verify(signed).unwrap());
    let is_lie = |answer: &pb::Answer| {
        let checked = check(&read(0), &world.trust(), &answer.encode_to_vec(), &header);
        checked.is_err_and(|lie| lie.to_string().contains("page"))
    };
    let (Some(Body::Inbox(inbox)), Some(Body::Inbox(rest))) = (&mut answer.body, &mut later.body)
    else {
        panic!("{answer:?}");
    };
    assert_eq!((inbox.items.len(), inbox.next_index), (3, 3));
    assert_eq!((rest.items.len(), rest.next_index), (1, 4));
    let mut whole = inbox.clone();
    whole.items.append(&mut rest.items);
    whole.next_index = 4;
    assert!(!is_lie(&answer));
    answer.body = Some(Body::Inbox(whole));
    assert!(is_lie(&answer));
}

/// A later page without its entries.
fn emptied_later_page() -> Mutator {
    Mutator {
        name: "later-page-emptied",
        about: "a page after the first one without its entries",
        sort: Sort::Lie,
        change: Change::Answer(|answer, around, _| {
            let Some(Body::Inbox(inbox)) = &mut answer.body else {
                return None;
            };
            is_later_page(Some(around.question)).then(|| inbox.items.clear())
        }),
    }
}

/// A later page with as much as a transaction could have brought, and more than this session's could.
fn heavy_later_page() -> Mutator {
    Mutator {
        name: "later-page-heavy",
        about: "a page after the first one with larger broadcasts",
        sort: Sort::Lie,
        change: Change::Answer(|answer, around, _| {
            let Some(Body::Inbox(inbox)) = &mut answer.body else {
                return None;
            };
            is_later_page(Some(around.question)).then_some(())?;
            inbox.items.first_mut()?.broadcast = vec![1; 700 << 10].into();
            Some(())
        }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_spec_has_room_for_is_a_lie_before_all_of_it_is_read() {
    let world = world().await;
    let id = two_pages(&world).await;
    let liar = world.proxy().await;
    liar.tamper(&[heavy_later_page()], 100);
    let told = world.client_of(&[liar.url()], 0).observe(id).await;
    assert!(
        matches!(&told, Err(Error::ReplicaLied { what, .. }) if what.contains("more bytes")),
        "{:?}",
        told.err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gave_a_later_page_that_is_wrong_is_named_and_not_who_gave_the_first_one() {
    let world = world().await;
    let id = two_pages(&world).await;
    let (honest, liar) = (world.proxy().await, world.proxy().await);
    // It gives the first page, and leaves the other one to whoever is faster.
    honest.be_late(Duration::from_secs(4), is_later_page);
    liar.be_late(Duration::from_secs(4), |question| {
        is_inbox(question) && !is_later_page(question)
    });
    liar.tamper(&[emptied_later_page()], 100);
    let client = world.patient(&[honest.url(), liar.url()]);
    let observer = client.observe(id).await.unwrap();
    assert_eq!(observer.history().open_round(), 2);
    let lies = client.lies();
    assert!(!lies.is_empty());
    assert!(lies.iter().all(|lie| lie.replica == liar.url()), "{lies:?}");
}

/// Lists that can't be: in another order, or with a page after which something is left out.
fn wrong_lists() -> [Mutator; 2] {
    let list = |name, change| Mutator {
        name,
        about: "",
        sort: Sort::Lie,
        change: Change::Answer(change),
    };
    [
        list("list-order", |answer, _, _| match &mut answer.body {
            Some(Body::Sessions(page)) => {
                page.sessions.reverse();
                Some(())
            }
            _ => None,
        }),
        list("list-gap", |answer, around, _| {
            let (Some(Body::Sessions(page)), Question::Sessions(query)) =
                (&mut answer.body, around.question)
            else {
                return None;
            };
            let line = page.sessions.first()?.clone();
            let numbers = query.from_number..query.from_number + 100;
            let lines = numbers.map(|number| pb::SessionLine {
                number,
                ..line.clone()
            });
            page.sessions = lines.collect();
            page.next_number = query.from_number + 200;
            Some(())
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_in_another_order_or_with_a_gap_is_a_lie() {
    let world = world().await;
    for _ in 0..2 {
        world.open(spec(1)).await;
    }
    let liar = world.proxy().await;
    for way in wrong_lists() {
        liar.tamper(&[way], 100);
        let listed = all(&world.client_of(&[liar.url()], 0)).await;
        assert!(
            matches!(listed, Err(Error::ReplicaLied { .. })),
            "{way:?}: {listed:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_says_nothing_at_all_is_waited_for_by_nobody() {
    let world = world().await;
    let silent = world.proxy().await;
    silent.be_late(Duration::from_secs(600), |_| true);
    let honest = [world.proxy().await, world.proxy().await];
    let mut urls = vec![silent.url()];
    urls.extend(honest.iter().map(Proxy::url));
    let running = async {
        // Nobody knows the session until its block is there: all are asked, the silent one, too.
        let client = world.patient(&urls);
        let id = client.open(spec(1).build().unwrap()).await.unwrap();
        let mut session = client.session(id).await.unwrap();
        session.join().await.unwrap();
        session.wait_ready().await.unwrap();
        for round in 1..=3 {
            post(std::slice::from_mut(&mut session), round).await;
            closed(std::slice::from_mut(&mut session), round).await;
        }
        assert_eq!(all(&client).await.unwrap().len(), 1);
        client.summary(id.into()).await.unwrap();
    };
    // Sooner than one question that it is asked takes in vain.
    timeout(PATIENCE, running)
        .await
        .expect("to wait for nobody");
}

/// Three honest replicas that are far away, and one that isn't.
async fn far(world: &World) -> (Vec<Proxy>, Proxy) {
    let mut honest = Vec::new();
    for _ in 0..3 {
        let proxy = world.proxy().await;
        proxy.be_late(FAR, |question| question.is_some());
        honest.push(proxy);
    }
    (honest, world.proxy().await)
}

fn of_all(world: &World, honest: &[Proxy], liar: &Proxy) -> Client {
    let urls: Vec<String> = [liar].into_iter().chain(honest).map(Proxy::url).collect();
    let builder = Client::builder(world.trust()).replicas(urls);
    builder.timeout(Duration::from_secs(20)).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_lies_at_once_does_not_count_as_those_that_are_far_away() {
    let world = world().await;
    let id = world.open(spec(2)).await;
    let mut sessions = world.joined(id, 2).await;
    post(&mut sessions, 1).await;
    closed(&mut sessions, 1).await;
    let (honest, liar) = far(&world).await;
    for name in ["broadcast", "slots"] {
        liar.tamper(&[of(name)], 100);
        let client = of_all(&world, &honest, &liar);
        let observer = client.observe(id).await;
        let observer = observer.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(observer.history().open_round(), 2, "{name}");
        let summary = client.summary(SessionRef::Id(id)).await;
        assert!(summary.is_ok(), "{name}: {summary:?}");
        let state = client.state(id).await;
        assert!(state.is_ok(), "{name}: {state:?}");
        assert!(client.lies().iter().all(|lie| lie.replica == liar.url()));
    }
}

/// An older answer to the same question, except how far the board is.
fn replay_all_but_the_status() -> Mutator {
    Mutator {
        name: "replay-all-but-the-status",
        about: "an older answer to any question but how far the board is",
        sort: Sort::Stale,
        change: Change::Answer(|answer, around, rng| {
            if matches!(around.question, Question::Params(_)) {
                return None;
            }
            let height = answer.height;
            let older = around.memory.pick(rng, |exchange| {
                exchange.question == *around.question && exchange.answer.height < height
            });
            *answer = older?.answer.clone();
            Some(())
        }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_true_once_hides_nothing_from_who_asks_once() {
    let world = world().await;
    let id = world.open(spec(2)).await;
    let mut sessions = world.joined(id, 2).await;
    post(&mut sessions[..1], 1).await;
    let old = world.proxy().await;
    let only = world.client_of(&[old.url()], 0);
    assert!(only.evidence(id).await.unwrap().culprits.is_empty());
    let before = only.round(id, 1).await.unwrap().slots.clone();
    only.state(id).await.unwrap();
    only.summary(id.into()).await.unwrap();
    let receipt = world.client(0).observe(id).await.unwrap();
    let receipt = receipt.submission_receipt_of(0, 0).await.unwrap();
    only.renew(receipt.clone()).await.unwrap();
    world.equivocate(&sessions[0], 0).await;
    until("the evidence to be on the board", async || {
        let evidence = world.client(0).evidence(id).await.unwrap();
        evidence.culprits.len() == 1
    })
    .await;
    post(&mut sessions[1..], 1).await;
    closed(&mut sessions, 1).await;
    // How far the board is it says truly, and so it is asked first: the other one says it later.
    let replay = replay_all_but_the_status();
    old.tamper(&[replay], 100);
    let other = world.proxy().await;
    other.be_late(Duration::from_millis(500), |question| {
        matches!(question, Some(Question::Params(_)))
    });
    let urls = [old.url(), other.url()];
    for time in 0..2 {
        let client = || world.client_of(&urls, 0);
        let evidence = client().evidence(id).await.unwrap();
        assert_eq!(evidence.culprits.len(), 1, "{time}");
        assert_ne!(client().round(id, 1).await.unwrap().slots, before, "{time}");
        assert_eq!(client().state(id).await.unwrap().leaf.open_round, 2);
        let summary = client().summary(id.into()).await.unwrap();
        assert_eq!(summary.leaf.open_round, 2, "{time}");
        let renewed = client().renew(receipt.clone()).await;
        let moved_on = Error::Receipt(BadReceipt::MovedOn);
        assert_eq!(renewed, Err(moved_on), "{time}");
    }
    assert!(old.count(&replay) > 0);
}
