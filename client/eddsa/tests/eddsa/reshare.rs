//! Other holders for a key.

use std::collections::BTreeSet;

use white_city_eddsa::{
    Error, KeyShare,
    reshare::{self, Held, Plan, Reshared},
};

use crate::harness::{
    Posts, Resharing, agreed, keys, randomness, refresh_parties, run, session, sign_parties,
};

const MESSAGE: &[u8] = b"message";

/// An undisturbed resharing; gives the new shares.
fn reshared(sid: u8, resharing: &Resharing<'_>) -> Vec<KeyShare> {
    let results = run(resharing.all(sid), |_, _| {});
    let all: Vec<Reshared> = results.into_values().map(Result::unwrap).collect();
    let outcomes: BTreeSet<_> = all.iter().map(|new| new.outcome).collect();
    assert_eq!(outcomes.len(), 1, "all have the same");
    let shares: Vec<KeyShare> = all.into_iter().filter_map(|new| new.share).collect();
    let holders: BTreeSet<u16> = shares.iter().map(KeyShare::index).collect();
    assert_eq!(holders, resharing.recipients);
    assert!(
        shares
            .iter()
            .all(|share| outcomes.contains(&share.outcome()))
    );
    shares
}

#[test]
fn the_key_stays_and_any_enough_of_the_new_holders_sign() {
    // Parties of the key, its degree; parties of the session, dealers, recipients, the new degree.
    type Case<'a> = (u16, u16, u16, &'a [(u16, u16)], &'a [u16], u16);
    let cases: [Case<'_>; 6] = [
        // The same again, as a refresh would.
        (3, 1, 3, &[(0, 0), (1, 1), (2, 2)], &[0, 1, 2], 1),
        // As few dealers as there can be, in another order; one is gone, one joins.
        (3, 1, 3, &[(0, 2), (2, 0)], &[0, 1, 2], 1),
        // Nobody stays.
        (2, 1, 5, &[(1, 0), (3, 1)], &[0, 2, 4], 2),
        // Everybody stays, with a higher threshold, then with a lower one.
        (4, 1, 4, &[(0, 0), (1, 1), (2, 2), (3, 3)], &[0, 1, 2, 3], 3),
        (4, 3, 4, &[(0, 0), (1, 1), (2, 2), (3, 3)], &[0, 1, 2, 3], 1),
        (5, 2, 6, &[(5, 4), (0, 1), (2, 3)], &[1, 2, 3, 4], 3),
    ];
    for (parties, degree, size, dealers, recipients, new_degree) in cases {
        let old = keys(parties, degree);
        let resharing = Resharing {
            parties: size,
            keys: &old,
            dealers: dealers.iter().copied().collect(),
            recipients: recipients.iter().copied().collect(),
            degree: new_degree,
        };
        let new = reshared(7, &resharing);
        for share in &new {
            assert_eq!(share.public_key(), old[0].public_key());
            assert_eq!((share.parties(), share.degree()), (size, new_degree));
            assert_eq!(share.participants(), recipients);
            // What is stored reads back: the share fits its commitments.
            KeyShare::from_bytes(&share.to_bytes()).unwrap();
        }
        let enough = usize::from(new_degree) + 1;
        for signers in recipients.windows(enough) {
            let signed = run(sign_parties(8, &new, signers, MESSAGE), |_, _| {});
            assert_eq!(agreed(signed, MESSAGE).public_key, old[0].public_key());
        }
        // They refresh what they have, and pass it on.
        let refreshed = run(refresh_parties(9, &new, recipients), |_, _| {});
        let refreshed: Vec<KeyShare> = refreshed.into_values().map(Result::unwrap).collect();
        let again = Resharing {
            parties: u16::try_from(recipients.len()).unwrap(),
            keys: &refreshed,
            dealers: (0..).zip(recipients.iter().copied()).collect(),
            recipients: (0..).zip(recipients).map(|(index, _)| index).collect(),
            degree: 1,
        };
        assert_eq!(reshared(10, &again)[0].public_key(), old[0].public_key());
    }
}

#[test]
fn old_and_new_shares_dont_sign_together() {
    let old = keys(3, 1);
    let mut mixed = reshared(
        7,
        &Resharing {
            parties: 3,
            keys: &old,
            dealers: [(0, 0), (1, 1), (2, 2)].into(),
            recipients: [0, 1, 2].into(),
            degree: 1,
        },
    );
    let [_, stale, _] = <[KeyShare; 3]>::try_from(old).unwrap();
    mixed[1] = stale;
    let results = run(sign_parties(8, &mixed, &[0, 1], MESSAGE), |_, _| {});
    assert!(results.values().all(Result::is_err));
}

/// Two holders of three deal to all of four parties, of whom two are new.
fn two_join(keys: &[KeyShare]) -> Resharing<'_> {
    Resharing {
        parties: 4,
        keys,
        dealers: [(0, 0), (1, 1)].into(),
        recipients: [0, 1, 2, 3].into(),
        degree: 1,
    }
}

#[test]
fn whoever_deals_another_share_than_its_own_is_named_by_dealers_and_gets_nothing_done() {
    let (ours, others) = (keys(3, 1), keys(3, 2));
    // The second dealer's share is of another sharing: a refreshed one, which is of the same key.
    let refreshed = run(refresh_parties(6, &ours, &[0, 1, 2]), |_, _| {});
    let refreshed: Vec<KeyShare> = refreshed.into_values().map(Result::unwrap).collect();
    assert_ne!(others[0].public_key(), ours[0].public_key());
    let mut parties = two_join(&ours).all(7);
    parties.insert(
        1,
        two_join(&refreshed).step::<white_city_eddsa::Dalek>(7, 1),
    );
    let results = run(parties, |_, _| {});
    let error = |party: u16| results[&party].as_ref().unwrap_err().clone();
    assert_eq!(error(0), Error::OtherShare { party: 1 });
    assert_eq!(error(1), Error::OtherShare { party: 0 });
    for newcomer in [2, 3] {
        assert_eq!(error(newcomer), Error::OtherKey);
        assert_eq!(error(newcomer).culprit(), None);
    }
}

#[test]
fn whoever_deals_and_is_absent_ends_it_and_is_no_culprit() {
    let old = keys(3, 1);
    for at in 1..=2 {
        let results = run(two_join(&old).all(7), |round, posts: &mut Posts| {
            if round == at {
                posts.remove(&1);
            }
        });
        let absent = Error::Absent {
            party: 1,
            round: at,
        };
        for party in [0, 2, 3] {
            assert_eq!(results[&party].as_ref().unwrap_err(), &absent);
        }
        assert_eq!(absent.culprit(), None);
    }
}

#[test]
fn whoever_has_nothing_to_deal_and_deals_is_named() {
    let old = keys(3, 1);
    for at in 1..=2 {
        let results = run(two_join(&old).all(7), |round, posts: &mut Posts| {
            if round == at {
                let broadcast = posts[&1].broadcast.clone();
                posts.get_mut(&2).unwrap().broadcast = broadcast;
            }
        });
        let expected = Error::Unexpected {
            party: 2,
            round: at,
        };
        for party in [0, 1, 3] {
            assert_eq!(results[&party].as_ref().unwrap_err(), &expected);
        }
    }
}

#[test]
fn the_payloads_are_exactly_as_large_as_announced() {
    for degree in [1, 3] {
        let old = keys(4, 1);
        let resharing = Resharing {
            degree,
            ..two_join(&old)
        };
        let (mut broadcast, mut p2p) = (0, 0);
        run(resharing.all(7), |_, posts: &mut Posts| {
            for post in posts.values() {
                broadcast = broadcast.max(post.broadcast.len());
                let payloads = post.p2p.values().map(|payload| payload.len());
                p2p = p2p.max(payloads.max().unwrap_or(0));
            }
        });
        assert_eq!(broadcast, reshare::max_broadcast_bytes(degree) as usize);
        assert_eq!(p2p, reshare::max_p2p_bytes() as usize);
    }
}

#[test]
fn a_plan_is_within_its_bounds() {
    let set = |parties: &[u16]| parties.iter().copied().collect::<BTreeSet<u16>>();
    let key = keys(2, 1)[0].public_key();
    let plan = |dealers: &[u16], recipients: &[u16], degree| {
        Plan::new(key, &set(dealers), &set(recipients), degree).map(drop)
    };
    // The identity, a point of small order, and no point: dealings of any sum could be made to fit one.
    let (mut identity, mut no_point) = ([0; 32], [0xff; 32]);
    (identity[0], no_point[31]) = (1, 0x7f);
    for none in [identity, [0; 32], no_point] {
        let refused = Plan::new(none, &set(&[0, 1]), &set(&[0, 1]), 1);
        assert!(matches!(refused, Err(Error::Key(_))), "{refused:?}");
    }
    assert_eq!(plan(&[0, 1], &[2, 3, 4], 1), Ok(()));
    assert_eq!(plan(&[0, 1], &[2, 3, 4], 2), Ok(()));
    let all: Vec<u16> = (0..1024).collect();
    assert_eq!(plan(&[0, 1], &all, 1023), Ok(()));
    let more: Vec<u16> = (0..1025).collect();
    for (dealers, recipients, degree) in [
        (&[0][..], &[2, 3, 4][..], 1),
        (&[0, 1], &[2], 1),
        (&[0, 1], &[2, 3, 4], 0),
        (&[0, 1], &[2, 3, 4], 3),
        (&[0, 1], &more, 1),
    ] {
        let refused = plan(dealers, recipients, degree);
        assert!(
            matches!(refused, Err(Error::Parameter { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn only_enough_holders_each_with_its_own_share_deal_and_everybody_has_a_part() {
    let old = keys(3, 1);
    let other = keys(3, 2);
    let start = |size, index, held: Option<(&KeyShare, &[u16])>, plan: Plan| {
        let held = held.map(|(key, holders)| Held { key, holders });
        reshare::start(session(7, size, index), plan, held, randomness(7, 0)).map(drop)
    };
    let plan = || two_join(&old).plan();
    let parameter = |refused: Result<(), Error>| {
        assert!(
            matches!(refused, Err(Error::Parameter { .. })),
            "{refused:?}"
        );
    };
    assert_eq!(start(4, 0, Some((&old[0], &[0, 1])), plan()), Ok(()));
    assert_eq!(start(4, 3, None, plan()), Ok(()));
    // Others than the session's parties.
    parameter(start(3, 0, Some((&old[0], &[0, 1])), plan()));
    parameter(start(5, 0, Some((&old[0], &[0, 1])), plan()));
    // A dealer without a share, one with a share that deals nothing, one holder too few or too many.
    parameter(start(4, 0, None, plan()));
    parameter(start(4, 2, Some((&old[0], &[0, 1])), plan()));
    parameter(start(4, 0, Some((&old[0], &[0])), plan()));
    parameter(start(4, 0, Some((&old[0], &[0, 1, 2])), plan()));
    // The key takes three.
    let too_few = two_join(&other);
    parameter(start(4, 0, Some((&other[0], &[0, 1])), too_few.plan()));
    assert_eq!(
        start(4, 0, Some((&old[0], &[0, 3])), plan()),
        Err(Error::NotAParticipant { index: 3 })
    );
    assert_eq!(
        start(4, 0, Some((&old[0], &[0, 0])), plan()),
        Err(Error::Repeated { index: 1 })
    );
    let wrong = Error::WrongShare {
        expected: 1,
        got: 0,
    };
    assert_eq!(start(4, 0, Some((&old[0], &[1, 0])), plan()), Err(wrong));
    assert_eq!(
        start(4, 0, Some((&other[0], &[0, 1])), plan()),
        Err(Error::OtherKey)
    );
}
