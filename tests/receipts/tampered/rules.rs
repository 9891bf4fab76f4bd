//! Everything that was signed, with replicas that certify every lie: the parties' own signatures and the closing rules are left.

use super::*;

const LIES: [Lie<pb::CeremonyReceipt>; 13] = [
    (
        "nothing changed, but a forged signature",
        |c, trust| {
            entry(c, 2, 1).signature[9] ^= 1;
            certify_ceremony(c, trust);
        },
        "signature of party 1",
    ),
    (
        "an entry for another past",
        |c, trust| {
            drop(c.joins.pop());
            certify_ceremony(c, trust);
        },
        "signature of party 0",
    ),
    (
        "too few joins",
        |c, trust| {
            c.joins.truncate(1);
            sign_entries(c, trust);
            certify_ceremony(c, trust);
        },
        "round 0: 1 entries, 2 are needed",
    ),
    (
        "too few posts",
        |c, trust| {
            c.rounds[0].entries.truncate(1);
            sign_entries(c, trust);
            certify_ceremony(c, trust);
        },
        "round 1: 1 entries, 2 are needed",
    ),
    (
        "an entry of somebody who hasn't joined",
        |c, trust| {
            c.joins.remove(1);
            sign_entries(c, trust);
            certify_ceremony(c, trust);
        },
        "party 1 isn't a member",
    ),
    (
        "an entry of somebody who was absent before",
        |c, trust| {
            let mut back = entry(c, 2, 1).clone();
            back.index = 2;
            c.rounds[1].entries.push(back);
            sign_entries(c, trust);
            certify_ceremony(c, trust);
        },
        "party 2 isn't a member",
    ),
    (
        "too few finishes with the outcome",
        |c, trust| {
            entry(c, 2, 1).content = Some(Content::Outcome(vec![6; 32]));
            sign_entries(c, trust);
            certify_ceremony(c, trust);
        },
        "round 2: 1 entries, 2 are needed",
    ),
    (
        "posts that win a round past the last one",
        |c, trust| {
            let posts = c.rounds[0].clone();
            c.rounds.insert(0, posts);
            sign_entries(c, trust);
            certify_ceremony(c, trust);
        },
        "past the spec's last",
    ),
    (
        "a record with other members",
        |c, trust| {
            terminal(c).members = vec![0b111];
            certify_ceremony(c, trust);
        },
        "other members",
    ),
    (
        "a record with other filled slots",
        |c, trust| {
            terminal(c).filled = vec![0b001];
            certify_ceremony(c, trust);
        },
        "other filled slots",
    ),
    (
        "another transcript",
        |c, trust| {
            change_leaf(&mut c.anchor, trust, |leaf| leaf.transcript[0] ^= 1);
        },
        "certified transcript",
    ),
    (
        "a live session",
        |c, trust| {
            change_leaf(&mut c.anchor, trust, |leaf| {
                leaf.status = Status::Running.number().into()
            });
        },
        "hasn't ended",
    ),
    (
        "a culprit without a signed word",
        |c, trust| {
            c.culprits[0].index = 0;
            certify_ceremony(c, trust);
        },
        "no signed evidence against party 0",
    ),
];

const NEVER_RAN: [Lie<pb::CeremonyReceipt>; 1] = [(
    "an outcome of joining",
    |c, trust| {
        let terminal = terminal(c);
        (terminal.status, terminal.cause) = (Status::Finished.number().into(), 0);
        change_leaf(&mut c.anchor, trust, |leaf| {
            leaf.status = Status::Finished.number().into()
        });
        certify_ceremony(c, trust);
    },
    "never ran",
)];

/// With replicas that certify every lie: the parties' own signatures and the closing rules are left.
#[test]
fn a_ceremony_that_breaks_the_rules_is_refused_even_if_all_replicas_certify_it() {
    refuse(&content!("ceremony", Ceremony), Body::Ceremony, &LIES);
    refuse(
        &content!("ceremony that never ran", Ceremony),
        Body::Ceremony,
        &NEVER_RAN,
    );
}
