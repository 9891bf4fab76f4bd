//! Differences that the comparison has to notice: what they are, and what in the model each of them changes.

/// A difference: its name, what it replaces, and by what.
pub type Planted = (&'static str, &'static str, &'static str);

/// All of them. Each is there once in `docs/proof/Model.v`.
pub const PLANTED: [Planted; 13] = [
    (
        "a quorum of one more",
        "quorum sp <=? count (authors",
        "quorum sp <? count (authors",
    ),
    (
        "finishes with two outcomes are one group",
        "Finishes p => o =? p",
        "Finishes p => true",
    ),
    (
        "who joined and left counts while joining",
        " && negb (is_joining st))) in",
        ")) in",
    ),
    (
        "f is half of k",
        "(validators sp - 1) / 3",
        "(validators sp - 1) / 2",
    ),
    (
        "last call begins at the deadline",
        "deadline st <? ms b",
        "deadline st <=? ms b",
    ),
    (
        "any transcript is taken",
        "same t (transcript st)",
        "same t t",
    ),
    (
        "a post's digest hasn't its transcript",
        "hash (MPost (session_id sp) r i t c)",
        "hash (MPost (session_id sp) r i (session_id sp) c)",
    ),
    (
        "an ended session is kept for its retention only",
        "max (ms b + retention_ms sp) (open_by_ms sp)",
        "(ms b + retention_ms sp)",
    ),
    (
        "a leaf hasn't its deadline",
        "    (deadline st) (call_blocks st) (callers st)\n    (match",
        "    0 (call_blocks st) (callers st)\n    (match",
    ),
    (
        "a block with an entry counts for its proposer",
        "Some p => if carried then callers st else put",
        "Some p => put",
    ),
    (
        "who left is awaited",
        "(filled (slots st)) i) && negb (has_left st i) in\n  count (map waits",
        "(filled (slots st)) i) in\n  count (map waits",
    ),
    (
        "who lost a round stays a member",
        "members := who;",
        "members := members st;",
    ),
    (
        "a second entry replaces the first",
        "(i <? parties sp) && negb (is_filled (nth i (slots st) None)) && negb",
        "(i <? parties sp) && negb",
    ),
];
