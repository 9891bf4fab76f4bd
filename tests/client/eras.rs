//! Links between eras, as whoever holds the validators' keys may forge them: a client believes none that more than two thirds of the era
//! before didn't sign, and reads nothing of an era that it hasn't walked to.

use std::sync::Arc;

use tendermint::block::{Header, signed_header::SignedHeader};
use white_city_client::{
    Trust,
    trust::{BadEra, BadLink, LINKS_BYTES_MAX, LINKS_MAX},
    trust::{BadHeader, VerifiedHeader},
    wire::{board::BoardRoot, hash::sha256, pb},
};
use white_city_tests::{
    forger::Forger,
    tampering::{Ballot, Council},
};

use crate::forged::trust;

/// Validators of one set, by its letter.
pub fn set(letter: u8) -> Council {
    Council::new((0..4).map(|seed| [letter + seed; 32]))
}

/// The header of a block whose validators hand over, or stay.
pub fn header(height: u64, own: &Council, next: &Council) -> Header {
    let data = sha256(&height.to_be_bytes());
    Header {
        validators_hash: own.hash(),
        next_validators_hash: next.hash(),
        ..Forger::new().header(height, data)
    }
}

pub fn encoded(signed: SignedHeader) -> Vec<u8> {
    use tendermint_proto::{Protobuf, v0_38::types::SignedHeader as Raw};
    <SignedHeader as Protobuf<Raw>>::encode_vec(signed)
}

pub fn keys(council: &Council) -> Vec<u8> {
    let mut keys = council.keys();
    keys.sort_unstable();
    keys.concat()
}

/// A link at this height, under so many votes.
pub fn link(height: u64, own: &Council, next: &Council, votes: usize) -> pb::Link {
    pb::Link {
        signed_header: encoded(own.sign(header(height, own, next), votes)),
        validators: keys(next),
    }
}

/// The sets of eras 0 to 2, and the links between them.
struct Chain {
    a: Council,
    b: Council,
    c: Council,
    links: [pb::Link; 2],
}

fn chain() -> Chain {
    let forger = Forger::new();
    let a = Council::new((0..4).map(|seed| [100 + seed; 32]));
    assert_eq!(a.keys(), forger.council().keys());
    let (b, c) = (set(10), set(20));
    let links = [link(10, &a, &b, 3), link(20, &b, &c, 3)];
    Chain { a, b, c, links }
}

fn root(eras: u32, era_height: u64) -> BoardRoot {
    let certified = Forger::new().board_root();
    BoardRoot {
        term: eras,
        term_height: era_height,
        eras,
        era_height,
        ..certified
    }
}

#[test]
fn a_client_walks_from_the_genesis_to_the_validators_of_today() {
    let Chain { a, b, c, links } = chain();
    let trust = trust();
    let today = || c.sign(header(30, &c, &c), 3);
    assert!(trust.verify(today()).unwrap_err().is_ahead());
    // The last header of an era may be read before its link is known, the next one may not.
    assert!(trust.verify(a.sign(header(10, &a, &b), 3)).is_ok());
    let next = trust.verify(b.sign(header(11, &b, &b), 3));
    assert!(next.unwrap_err().is_ahead());
    assert_eq!(trust.learn(&links), Ok(2));
    assert_eq!((trust.newest_era(), trust.replicas_in(1)), (2, Some(4)));
    assert!(trust.verify(today()).is_ok());
    // Old headers stay what they were, and whoever shares the trust knows them all.
    for (height, own, next) in [
        (5, &a, &a),
        (10, &a, &b),
        (11, &b, &b),
        (20, &b, &c),
        (21, &c, &c),
    ] {
        let verified = trust.clone().verify(own.sign(header(height, own, next), 3));
        assert!(verified.is_ok(), "{height}");
    }
    // The same links again are nothing new; another commit of the same header is the same link.
    assert_eq!(trust.learn(&links), Ok(0));
    assert_eq!(trust.learn(&[link(10, &a, &b, 4)]), Ok(0));
    assert_eq!(trust.links_from(0), links);
    assert_eq!(trust.links_from(1), links[1..]);
}

#[test]
fn a_second_link_from_one_era_is_a_fork_and_a_block_that_hands_over_to_nobody_is_none() {
    let Chain { a, c, links, .. } = chain();
    let after_one = |link: pb::Link| {
        let trust = trust();
        trust.learn(&links[..1]).unwrap();
        trust.learn(&[link]).unwrap_err()
    };
    // Another link from the time of one that is known: two histories.
    let fork_of = |bad| match bad {
        BadLink::Fork(fork) => (fork.era, fork.known.height(), fork.other.height()),
        other => panic!("{other}"),
    };
    assert_eq!(fork_of(after_one(link(10, &a, &c, 4))), (1, 10, 10));
    // A block of that time that hands over to nobody is no link, and nothing is wrong with its validators.
    let stays = pb::Link {
        validators: keys(&c),
        ..link(9, &a, &a, 4)
    };
    assert_eq!(after_one(stays), BadLink::NotTo);
}

#[test]
fn a_forged_link_is_refused_by_its_reason() {
    let Chain { a, b, c, links } = chain();
    let refused = |link: pb::Link| trust().learn(&[link]).unwrap_err();
    let with = |change: &dyn Fn(&mut pb::Link)| {
        let mut link = links[0].clone();
        change(&mut link);
        refused(link)
    };
    // No more than two thirds of the era before.
    let header_of = |bad| matches!(bad, BadLink::Header(BadHeader::Commit(_)));
    assert!(header_of(refused(link(10, &a, &b, 2))));
    let ballots = [
        Ballot::Block,
        Ballot::Block,
        Ballot::ForgedBlock,
        Ballot::Absent,
    ];
    let forged = header(10, &a, &b);
    let place = (forged.height, Default::default());
    assert!(header_of(refused(pb::Link {
        signed_header: encoded(a.commit(forged, place, &ballots)),
        validators: keys(&b),
    })));
    // Signed by those who come, or by strangers.
    let by_newcomers = encoded(b.sign(header(10, &a, &b), 4));
    assert!(header_of(with(&|l| l
        .signed_header
        .clone_from(&by_newcomers))));
    assert!(matches!(
        refused(link(10, &b, &c, 4)),
        BadLink::Header(BadHeader::Ahead { .. })
    ));
    // A skipped era.
    assert!(matches!(
        refused(links[1].clone()),
        BadLink::Header(BadHeader::Ahead { .. })
    ));
    // A header that hands over to nobody, or to others than the keys'.
    let stays = pb::Link {
        validators: keys(&a),
        ..link(10, &a, &a, 4)
    };
    assert_eq!(refused(stays), BadLink::NotTo);
    assert_eq!(with(&|l| l.validators = keys(&c)), BadLink::NotTo);
    assert_eq!(
        with(&|l| l.validators.truncate(96)),
        BadLink::NotTo,
        "fewer validators"
    );
    // Keys that aren't a set.
    let odd: [&dyn Fn(&mut pb::Link); 5] = [
        &|l| l.validators.clear(),
        &|l| l.validators.truncate(127),
        &|l| l.validators.rotate_left(32),
        &|l| l.validators = [&keys(&b)[..32], &keys(&b)].concat(),
        &|l| l.validators = vec![1; 257 * 32],
    ];
    for (at, change) in odd.into_iter().enumerate() {
        assert_eq!(with(change), BadLink::Keys, "{at}");
    }
    // A validator set of other powers has another hash than that of the keys, each with the one power.
    let mut powers = header(10, &a, &b);
    powers.next_validators_hash = tendermint::Hash::Sha256([7; 32]);
    let powers = encoded(a.sign(powers, 4));
    assert_eq!(
        with(&|l| l.signed_header.clone_from(&powers)),
        BadLink::NotTo
    );
}

#[test]
fn an_endless_chain_of_links_is_not_walked() {
    let Chain { links, .. } = chain();
    let many = vec![links[0].clone(); LINKS_MAX];
    assert_eq!(trust().learn(&many), Ok(1));
    let many = vec![links[0].clone(); LINKS_MAX + 1];
    assert_eq!(trust().learn(&many), Err(BadLink::TooMany));
    let mut large = links[0].clone();
    large.signed_header = vec![0; LINKS_BYTES_MAX];
    assert_eq!(trust().learn(&[large]), Err(BadLink::TooMany));
}

#[test]
fn a_header_above_its_eras_last_one_is_refused_whoever_has_signed_it() {
    let Chain { a, b, links, .. } = chain();
    let trust = trust();
    trust.learn(&links).unwrap();
    for (height, own, next) in [
        // The first set goes on above its link, or hands over to somebody else.
        (11, &a, &a),
        (15, &a, &a),
        (10, &a, &a),
        // The second one begins too early.
        (10, &b, &b),
        (5, &b, &b),
    ] {
        let refused = trust
            .verify(own.sign(header(height, own, next), 4))
            .unwrap_err();
        assert!(
            matches!(refused, BadHeader::Validators { .. }),
            "{height}: {refused}"
        );
    }
}

#[test]
fn a_state_is_of_the_era_of_those_who_certify_it() {
    let Chain { a, b, links, .. } = chain();
    let trust = trust();
    let verified = |trust: &Trust, height, own: &Council| -> Arc<VerifiedHeader> {
        Arc::new(trust.verify(own.sign(header(height, own, own), 3)).unwrap())
    };
    let early = verified(&trust, 5, &a);
    assert_eq!(trust.check_era(&early, &root(0, 0)), Ok(()));
    // It says that it is of a later era: the links are missing, or it lies.
    assert_eq!(trust.check_era(&early, &root(1, 3)), Err(BadEra::Ahead(1)));
    trust.learn(&links).unwrap();
    assert_eq!(trust.check_era(&early, &root(1, 3)), Err(BadEra::Other));
    assert_eq!(
        trust.check_era(&early, &root(0, 3)),
        Err(BadEra::Other),
        "an era without a change"
    );
    let second = verified(&trust, 15, &b);
    assert_eq!(trust.check_era(&second, &root(1, 9)), Ok(()));
    for (eras, era_height) in [(0, 0), (2, 9), (1, 8), (1, 10), (1, 14), (3, 9)] {
        let other = trust.check_era(&second, &root(eras, era_height));
        assert_eq!(other, Err(BadEra::Other), "{eras} {era_height}");
    }
    // In the two blocks after a change the old validators sign: the state is of the next era already.
    assert_eq!(
        trust.check_era(&verified(&trust, 9, &a), &root(1, 9)),
        Ok(())
    );
    assert_eq!(
        trust.check_era(&verified(&trust, 8, &a), &root(1, 9)),
        Err(BadEra::Other),
        "to come"
    );
    let last = Arc::new(trust.verify(a.sign(header(10, &a, &b), 3)).unwrap());
    assert_eq!(trust.check_era(&last, &root(1, 9)), Ok(()));
}

#[test]
fn a_set_that_comes_back_is_another_era() {
    let Chain { a, b, .. } = chain();
    let trust = trust();
    let there_and_back = [link(10, &a, &b, 3), link(20, &b, &a, 3)];
    // Before the links are known, a header of the third era looks like one of the first: its state says that it isn't.
    let later = Arc::new(trust.verify(a.sign(header(25, &a, &a), 3)).unwrap());
    assert_eq!(trust.check_era(&later, &root(2, 19)), Err(BadEra::Ahead(2)));
    assert_eq!(trust.learn(&there_and_back), Ok(2));
    assert_eq!(trust.check_era(&later, &root(2, 19)), Ok(()));
    assert_eq!(trust.check_era(&later, &root(0, 0)), Err(BadEra::Other));
}
