//! A client that goes on from what it has verified before, and replicas that would take it back, or elsewhere.

use white_city_client::{
    Client, Error, Freshness, Trust,
    receipt::Claim,
    trust::{BadTrustFile, Mark},
    wire::pb,
};
use white_city_tests::{
    forger::{ForgedReplica, Forger, Reign, Story},
    tampering::Council,
};

use crate::{
    eras::{link, set},
    forged::{running, trust},
};

fn at(height: u64) -> Story {
    let mut story = running();
    story.height = height;
    story
}

fn client(trust: &Trust, replica: &ForgedReplica, mark: Option<Mark>) -> Client {
    let builder = Client::builder(trust.clone()).not_behind(mark);
    builder.replicas([replica.url()]).build().unwrap()
}

async fn mark_at(height: u64) -> Mark {
    let replica = ForgedReplica::start(at(height)).await;
    let client = client(&trust(), &replica, None);
    let id = at(height).id;
    let summary = client.summary(id.into()).await.unwrap();
    summary.mark()
}

#[tokio::test]
async fn nothing_below_what_was_verified_before_is_taken_and_everything_from_there_on_is() {
    const HEIGHT: u64 = 50;
    let mark = mark_at(HEIGHT).await;
    for (height, is_taken) in [(HEIGHT - 1, false), (HEIGHT, true), (HEIGHT + 2, true)] {
        let replica = ForgedReplica::start(at(height)).await;
        let client = client(&trust(), &replica, Some(mark.clone()));
        assert_eq!(client.height(), HEIGHT, "before anybody is asked");
        let status = client.status().await.map(|status| status.height());
        let observed = client.observe(at(height).id).await;
        match is_taken {
            true => {
                assert_eq!(status, Ok(height));
                assert_eq!(observed.unwrap().height(), height);
            }
            false => {
                let behind = Error::Behind {
                    shown: height,
                    expected: HEIGHT,
                };
                assert_eq!(status, Err(behind.clone()));
                assert_eq!(observed.err(), Some(behind));
            }
        }
    }
}

/// Seven have followed four. One that left shows those who slept the board of before, whose validators have signed it.
#[tokio::test]
async fn nobody_takes_what_a_leaver_shows_for_new() {
    let [a, ..] = sets();
    let seven = || Council::new((0..7).map(|seed| [30 + seed; 32]));
    let links = vec![link(10, &a, &seven(), 3)];
    let leaver = ForgedReplica::start(at(8)).await;
    let mut today = Vec::new();
    for _ in 0..3 {
        today.push(ruled(20, reign(seven(), (1, 9), links.clone())).await);
    }
    let trust = trust();
    let of = |today: &[ForgedReplica]| {
        let urls = today.iter().map(ForgedReplica::url);
        let builder = Client::builder(trust.clone()).replicas([leaver.url()]);
        builder.replicas(urls).build().unwrap()
    };
    // One of the f + 1 that it takes to know, whatever it shows.
    let asleep = of(&[]);
    assert_eq!(asleep.freshness(), None, "nobody was asked");
    assert_eq!(asleep.status().await.unwrap().height(), 8);
    let told = |answered, needed| Some(Freshness { answered, needed });
    assert_eq!(asleep.freshness(), told(1, 2));
    assert!(!asleep.freshness().unwrap().is_known());
    // Once the era is known it takes more, and the leaver is none of them.
    for count in 1..=3 {
        let client = of(&today[..count]);
        assert_eq!(client.status().await.unwrap().height(), 20);
        assert_eq!(client.freshness(), told(count, 3));
        assert_eq!(client.freshness().unwrap().is_known(), count == 3);
    }
}

/// Replicas that come up may be late: they are waited for.
#[tokio::test]
async fn a_replica_that_catches_up_is_waited_for() {
    let mark = mark_at(50).await;
    let replica = ForgedReplica::start(at(48)).await;
    let client = client(&trust(), &replica, Some(mark));
    let status = client.status();
    let told = async {
        tokio::task::yield_now().await;
        replica.tell(at(0));
    };
    let (status, ()) = tokio::join!(status, told);
    assert_eq!(status.unwrap().height(), 50);
}

#[tokio::test]
async fn another_block_beside_what_was_verified_before_is_a_fork() {
    let mark = mark_at(50).await;
    // Another session, so another state: at the height of the mark.
    let mut other = Story::new(&Forger::new(), 4, 3);
    other.height = 50;
    let replica = ForgedReplica::start(other).await;
    let client = client(&trust(), &replica, Some(mark));
    let fork = client.status().await.unwrap_err();
    let Error::Fork(fork) = fork else {
        panic!("{fork}");
    };
    let proof = fork.receipt(&trust()).unwrap();
    assert!(matches!(
        proof.verify(&trust()).unwrap().claim,
        Claim::Fork(_)
    ));
}

/// Sets A, B and C, the first of which is the genesis'.
fn sets() -> [Council; 3] {
    let a = Council::new((0..4).map(|seed| [100 + seed; 32]));
    [a, set(10), set(20)]
}

fn reign(council: Council, (era, era_height): (u32, u64), links: Vec<pb::Link>) -> Reign {
    Reign {
        council,
        era,
        era_height,
        links,
        repeats_links: false,
    }
}

async fn ruled(height: u64, reign: Reign) -> ForgedReplica {
    let replica = ForgedReplica::start(at(height)).await;
    replica.hand_over(reign);
    replica
}

#[tokio::test]
async fn another_link_of_an_era_that_is_pinned_is_a_fork_with_its_proof() {
    let trust = trust();
    let [a, b, c] = sets();
    let known = link(10, &a, &b, 3);
    let other = link(10, &a, &c, 3);
    let honest = ruled(20, reign(b, (1, 9), vec![known.clone()])).await;
    assert!(client(&trust, &honest, None).status().await.is_ok());
    assert_eq!(trust.confirmed_era(), 1);
    let branch = Reign {
        repeats_links: true,
        ..reign(c, (1, 9), vec![other])
    };
    let branch = ruled(30, branch).await;
    let fork = client(&trust, &branch, None).status().await.unwrap_err();
    let Error::Fork(fork) = fork else {
        panic!("{fork}");
    };
    assert!(fork.what.contains("two links to era 1"), "{fork}");
    // Whoever has nothing but the genesis is convinced.
    let proof = fork.receipt(&trust).unwrap();
    let proven = proof.verify(&crate::forged::trust()).unwrap();
    assert!(proven.to_string().contains("convicted"), "{proven}");
    // And what is pinned stays.
    assert_eq!(trust.links_from(0), [known]);
}

/// A set that comes back lets one replica leave eras out, with nothing but true links. Who has met it isn't lost to the others.
#[tokio::test]
async fn a_replica_that_leaves_out_eras_keeps_nobody_from_the_true_way() {
    let trust = trust();
    let [a, b, c] = sets();
    let true_links = vec![
        link(10, &a, &c, 3),
        link(20, &c, &a, 3),
        link(30, &a, &b, 3),
    ];
    let left_out = vec![true_links[2].clone()];
    let [_, b_too, _] = sets();
    let liar = ruled(40, reign(b_too, (3, 29), left_out)).await;
    let refused = client(&trust, &liar, None).status().await;
    assert!(
        matches!(refused, Err(Error::ReplicaLied { .. })),
        "{refused:?}"
    );
    assert_eq!((trust.newest_era(), trust.confirmed_era()), (1, 0));
    let honest = ruled(42, reign(b, (3, 29), true_links.clone())).await;
    assert!(client(&trust, &honest, None).status().await.is_ok());
    assert_eq!((trust.newest_era(), trust.confirmed_era()), (3, 3));
    assert_eq!(trust.links_from(0), true_links);
    // From now on a state has confirmed them, and the liar has nothing to say any more.
    assert!(client(&trust, &liar, None).status().await.is_ok());
    assert_eq!(trust.links_from(0), true_links);
}

#[tokio::test]
async fn what_was_trusted_without_its_genesis_is_kept_in_no_file() {
    let replica = ForgedReplica::start(at(5)).await;
    let kept = client(&trust(), &replica, None).trust_file();
    assert!(matches!(kept, Err(BadTrustFile::NoGenesis)));
}
