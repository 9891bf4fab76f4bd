use white_city_wire::{
    Bitmap, Hash, Reveal, Signature,
    board::{Offence, Status},
    entry::p2p_leaf,
    payload::{PayloadContext, seal_with},
    tree::SlotTree,
    tx::{Join, Post},
};

use super::*;
use crate::{history::ClosedRound, history::tests::Bench, read::SignedDispute};

const SECRET: &[u8] = b"a share";
const IKM_E: [u8; 32] = [7; 32];

/// A history with a payload of party 0 for party 1 in round 1, sealed for that round or for another one; and what is said
/// about it.
struct Case {
    history: History,
    complain: Complain,
    reveal: Reveal,
}

impl Case {
    fn new(sealed_for: u32) -> Self {
        let bench = Bench::new();
        let mut history = bench.joined();
        let (transcript, join) = (history.transcript(), history.join(1).unwrap().clone());
        let context = context(&history, &join, transcript, sealed_for);
        let sealed = seal_with(&IKM_E, &context, &join.key, SECRET).unwrap();
        let leaf = p2p_leaf(&sealed);
        let post = Post::new(
            bench.id,
            1,
            (0, 4),
            transcript,
            Vec::new(),
            vec![(1, sealed)],
        );
        let digests = vec![Some(post.header.digest()), None, None, None];
        history.push(ClosedRound {
            digests,
            joins: Vec::new(),
            entries: Vec::new(),
            members: Bitmap::full(4),
            root: Hash::ZERO,
            transcript: Hash([3; 32]),
        });
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
            ikm_e: IKM_E,
            plaintext: SECRET.to_vec(),
        };
        Self {
            history,
            complain,
            reveal,
        }
    }

    fn dispute(&self, is_answered: bool) -> SignedDispute {
        let by = Signature([0; 64]);
        SignedDispute {
            complain: (self.complain.clone(), by),
            reveal: is_answered.then(|| (self.reveal.clone(), by)),
        }
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

fn context<'a>(
    history: &'a History,
    join: &Join,
    transcript: Hash,
    round: u32,
) -> PayloadContext<'a> {
    PayloadContext {
        network: history.network,
        session: history.session,
        transcript,
        round,
        from: 0,
        to: 1,
        from_key: history.spec.key(0).unwrap(),
        to_key: history.spec.key(1).unwrap(),
        to_join: join.digest(),
    }
}

fn ended(cause: Cause, by: u16) -> Terminal {
    Terminal {
        status: Status::Aborted,
        cause,
        height: 9,
        board_ms: 9,
        by,
        outcome: Hash::ZERO,
        members: Bitmap::full(4),
        filled: Bitmap::empty(4),
    }
}

#[test]
fn the_verdict_is_the_one_that_the_joins_and_the_post_of_the_history_give() {
    for (sealed_for, verdict) in [(1, Verdict::FalseComplaint), (2, Verdict::BadPayload)] {
        let case = Case::new(sealed_for);
        assert_eq!(case.history.judge(&case.dispute(true)), Ok(Some(verdict)));
        assert_eq!(case.history.judge(&case.dispute(false)), Ok(None));
    }
}

#[test]
fn a_complaint_about_anything_else_than_a_post_of_this_history_is_none() {
    let mut case = Case::new(1);
    let good = case.complain.clone();
    assert_eq!(case.history.check_complaint(&good), Ok(()));
    let changes: [fn(&mut Complain); 7] = [
        |bad| bad.post.session.0[0] ^= 1,
        |bad| bad.post.transcript.0[0] ^= 1,
        |bad| bad.post.round = 0,
        |bad| bad.post.round = 2,
        |bad| bad.post.index = 2,
        |bad| bad.post.p2p_root.0[0] ^= 1,
        |bad| bad.index = 4,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        case.complain = good.clone();
        change(&mut case.complain);
        let judged = case.history.judge(&case.dispute(false));
        assert!(matches!(judged, Err(Contradiction::Dispute(_))), "{number}");
    }
}

#[test]
fn a_session_ends_of_its_dispute_and_of_nothing_else() {
    let case = Case::new(1);
    let check = |answered: bool, cause, by, culprits: &[Culprit]| {
        let dispute = case.dispute(answered);
        let checked = case
            .history
            .check_verdict(Some(&dispute), culprits, &ended(cause, by));
        checked.is_ok()
    };
    let guilty = [case.culprit(1, Offence::FalseComplaint)];
    let framed = [case.culprit(0, Offence::BadPayload)];
    let twofold = [case.culprit(1, Offence::Equivocation)];
    assert!(check(true, Cause::FalseComplaint, 1, &guilty));
    assert!(
        check(true, Cause::FalseComplaint, 1, &twofold),
        "flagged before"
    );
    assert!(check(false, Cause::NoReveal, 0, &[]));
    assert!(!check(true, Cause::FalseComplaint, 1, &[]));
    assert!(!check(true, Cause::FalseComplaint, 0, &guilty));
    assert!(!check(true, Cause::BadPayload, 0, &framed));
    assert!(!check(true, Cause::FalseComplaint, 1, &framed));
    assert!(!check(true, Cause::NoReveal, 0, &[]));
    assert!(!check(true, Cause::TooFew, 1, &guilty));
    assert!(
        !check(false, Cause::NoReveal, 0, &framed),
        "silence convicts nobody"
    );
    assert!(!check(false, Cause::NoReveal, 1, &[]));
    assert!(!check(false, Cause::FalseComplaint, 1, &guilty));
    let without = |cause, culprits: &[Culprit]| {
        let terminal = ended(cause, 0);
        case.history
            .check_verdict(None, culprits, &terminal)
            .is_ok()
    };
    assert!(without(Cause::TooFew, &twofold));
    assert!(!without(Cause::TooFew, &guilty));
    assert!(!without(Cause::BadPayload, &framed));
    assert!(!without(Cause::NoReveal, &[]));
}
