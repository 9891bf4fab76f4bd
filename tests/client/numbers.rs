//! Rules of a number that the client doesn't know: what the validators have signed, and what only a replica says.

use std::sync::Arc;

use prost::Message as _;
use tendermint::block::{Header, header::Version, signed_header::SignedHeader};
use white_city_client::{
    Trust,
    read::{Lie, ReadSession, check},
    trust::NewerRules,
    wire::{
        pb::{self, answer::Body},
        proof::StateProof,
        protocol::{Known, NEXT},
    },
};
use white_city_tests::forger::{Forger, Story};

use crate::forged::{running, trust};

const OLD: u32 = NEXT - 1;

/// A true answer about a session, of a state by rules of this number, and the header that seals it, which names another one.
fn sealed(story: &Story, protocol: u32, app: u64) -> (pb::Answer, SignedHeader) {
    let forger = Forger::new();
    let certified = forger.certify(story.height, &story.leaf);
    let mut answer = certified.answer(None, Body::SessionNow(story.now()));
    answer.state.as_mut().unwrap().protocol = protocol;
    let state = answer.state.as_ref().unwrap();
    let state = StateProof::from_pb(state, forger.network(), Known::WITH_NEXT).unwrap();
    let header = Header {
        version: Version { block: 11, app },
        ..forger.header(story.height, state.data_hash())
    };
    (answer, forger.council().sign(header, 4))
}

/// Whether the header's rules are known, and what comes of the answer.
fn read(trust: &Trust, protocol: u32, app: u64) -> (Result<(), NewerRules>, Result<(), Lie>) {
    let story = running();
    let (answer, header) = sealed(&story, protocol, app);
    let header = Arc::new(trust.verify(header).unwrap());
    let read = ReadSession {
        id: story.id,
        spec: story.spec(),
    };
    let read = check(&read, trust, &answer.encode_to_vec(), &header);
    (trust.check_rules(&header), read.map(drop))
}

#[test]
fn a_number_that_the_validators_have_signed_is_told_from_one_that_a_replica_says() {
    let (old, new) = (trust(), trust().knowing(Known::WITH_NEXT));
    for trust in [&old, &new] {
        assert_eq!(read(trust, OLD, OLD.into()), (Ok(()), Ok(())));
    }
    // The board has moved on: whoever doesn't know how is told so.
    let (rules, answer) = read(&old, NEXT, NEXT.into());
    let newer = NewerRules {
        protocol: NEXT.into(),
        known: OLD,
        height: running().height,
    };
    assert_eq!(rules, Err(newer));
    assert!(answer.unwrap_err().0.contains("a newer program is needed"));
    assert_eq!(read(&new, NEXT, NEXT.into()), (Ok(()), Ok(())));
    // A state by rules that the header doesn't name is a lie, though it is sealed.
    let (rules, answer) = read(&old, NEXT, OLD.into());
    assert_eq!(rules, Ok(()));
    assert!(answer.unwrap_err().0.starts_with("the state's proof"));
    // What comes after the next one isn't known to anybody.
    let (rules, _) = read(&new, NEXT, u64::from(NEXT) + 1);
    assert_eq!(rules.unwrap_err().known, NEXT);
    let (rules, _) = read(&old, OLD, u64::MAX);
    assert_eq!(rules.unwrap_err().protocol, u64::MAX);
}
