use white_city_wire::{
    SessionId,
    entry::p2p_leaf,
    tree::SlotTree,
    tx::{Post, bytes_to_sign},
};

use super::*;
use crate::history::tests::{Bench, NETWORK};

/// A complaint of party 1 about a payload of party 0, its answer, and a leaf that has the complaint.
struct Case {
    bench: Bench,
    complain: Complain,
    reveal: Reveal,
    leaf: SessionLeaf,
}

impl Case {
    fn new() -> Self {
        let bench = Bench::new();
        let payload = vec![1; 50];
        let leaf = p2p_leaf(&payload);
        let before = Hash([2; 32]);
        let post = Post::new(bench.id, 1, (0, 4), before, Vec::new(), vec![(1, payload)]);
        let complain = Complain {
            path: SlotTree::new(post.p2p_leaves(4)).path(1).unwrap(),
            post: post.header,
            index: 1,
            leaf,
        };
        let reveal = Reveal {
            session: bench.id,
            complaint: complain.digest(),
            index: 0,
            ikm_e: [3; 32],
            plaintext: vec![4],
        };
        let mut leaf = bench.leaf(2, Hash::ZERO, Hash::ZERO);
        leaf.dispute = complain.digest();
        leaf.status = white_city_wire::board::Status::Aborted;
        Self {
            bench,
            complain,
            reveal,
            leaf,
        }
    }

    fn tx(&self, by: u16, action: Action) -> pb::Tx {
        assert!(bytes_to_sign(&action, &NETWORK).is_some());
        let signature = self.bench.sign(by, &action);
        tx_pb(action, &signature).unwrap()
    }

    fn complain_tx(&self) -> pb::Tx {
        self.tx(1, Action::Complain(self.complain.clone()))
    }

    fn reveal_tx(&self) -> pb::Tx {
        self.tx(0, Action::Reveal(self.reveal.clone()))
    }

    fn check(
        &self,
        culprits: &[Culprit],
        complain: Option<&pb::Tx>,
        reveal: Option<&pb::Tx>,
    ) -> Result<Option<SignedDispute>, Lie> {
        let parties = Parties {
            id: self.bench.id,
            spec: &self.bench.open.spec,
            network: &NETWORK,
        };
        parties.dispute(&self.leaf, culprits, (complain, reveal))
    }

    fn culprit(&self, index: u16, offence: Offence) -> Culprit {
        Culprit {
            index,
            offence,
            round: 1,
            a: self.complain.digest(),
            b: self.reveal.digest(),
        }
    }
}

#[test]
fn a_dispute_is_read_with_its_signatures_and_can_be_written_again() {
    let case = Case::new();
    let (complain, reveal) = (case.complain_tx(), case.reveal_tx());
    let guilty = [case.culprit(0, Offence::BadPayload)];
    let read = case.check(&guilty, Some(&complain), Some(&reveal));
    let read = read.unwrap().unwrap();
    assert_eq!(read.to_pb(), (Some(complain.clone()), Some(reveal)));
    let parties = read.parties();
    assert_eq!((parties.by, parties.accused, parties.round), (1, 0, 1));
    let silent = case.check(&[], Some(&complain), None).unwrap().unwrap();
    assert_eq!(silent.reveal, None);
}

#[test]
fn a_session_without_a_complaint_has_no_verdict_and_one_with_it_shows_it() {
    let mut case = Case::new();
    let (complain, reveal) = (case.complain_tx(), case.reveal_tx());
    assert!(case.check(&[], None, None).is_err());
    case.leaf.dispute = Hash::ZERO;
    assert_eq!(case.check(&[], None, None), Ok(None));
    assert!(case.check(&[], Some(&complain), None).is_err());
    assert!(case.check(&[], None, Some(&reveal)).is_err());
    let guilty = [case.culprit(0, Offence::BadPayload)];
    assert!(case.check(&guilty, None, None).is_err());
    let twofold = [case.culprit(0, Offence::Equivocation)];
    assert_eq!(case.check(&twofold, None, None), Ok(None));
}

#[test]
fn a_complaint_of_another_session_author_or_digest_is_none() {
    let good = Case::new();
    let changes: [fn(&mut Complain); 4] = [
        |bad| bad.post.session = SessionId([9; 32]),
        |bad| bad.post.round = 2,
        |bad| bad.leaf.0[0] ^= 1,
        |bad| bad.path[0].0[0] ^= 1,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut bad = Case::new();
        change(&mut bad.complain);
        let tx = bad.complain_tx();
        assert!(good.check(&[], Some(&tx), None).is_err(), "{number}");
        // As malicious validators would certify it.
        bad.leaf.dispute = bad.complain.digest();
        let is_elsewhere = number != 1;
        let certified = bad.check(&[], Some(&tx), None);
        assert_eq!(certified.is_err(), is_elsewhere, "{number}");
    }
    let by_another = good.tx(2, Action::Complain(good.complain.clone()));
    assert!(good.check(&[], Some(&by_another), None).is_err());
    let reveal = good.reveal_tx();
    assert!(good.check(&[], Some(&reveal), None).is_err());
}

#[test]
fn only_the_answer_of_the_accused_to_this_complaint_is_one_and_it_convicts_one_of_the_two() {
    let case = Case::new();
    let complain = case.complain_tx();
    let guilty = [case.culprit(0, Offence::BadPayload)];
    let changes: [fn(&mut Reveal); 3] = [
        |bad| bad.session = SessionId([9; 32]),
        |bad| bad.complaint.0[0] ^= 1,
        |bad| bad.index = 2,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut bad = Case::new();
        change(&mut bad.reveal);
        let tx = bad.tx(bad.reveal.index, Action::Reveal(bad.reveal.clone()));
        let named = [bad.culprit(0, Offence::BadPayload)];
        let checked = case.check(&named, Some(&complain), Some(&tx));
        assert!(checked.is_err(), "{number}");
    }
    let reveal = case.reveal_tx();
    let check = |culprits: &[Culprit]| case.check(culprits, Some(&complain), Some(&reveal)).is_ok();
    assert!(check(&guilty));
    assert!(check(&[case.culprit(1, Offence::FalseComplaint)]));
    assert!(check(&[case.culprit(1, Offence::Equivocation)]));
    assert!(!check(&[]), "it convicts nobody");
    assert!(!check(&[case.culprit(2, Offence::Equivocation)]));
    assert!(!check(&[case.culprit(1, Offence::BadPayload)]));
    assert!(!check(&[case.culprit(0, Offence::FalseComplaint)]));
    let mut other = case.culprit(0, Offence::BadPayload);
    other.b.0[0] ^= 1;
    assert!(!check(&[other]));
    let unanswered = case.check(&guilty, Some(&complain), None);
    assert!(unanswered.is_err());
    let by_another = case.tx(2, Action::Reveal(case.reveal.clone()));
    assert!(
        case.check(&guilty, Some(&complain), Some(&by_another))
            .is_err()
    );
    let mut live = Case::new();
    live.leaf.status = white_city_wire::board::Status::Dispute;
    let early = live.check(&guilty, Some(&complain), Some(&reveal));
    assert!(early.is_err(), "an answer ends the session");
}
