//! Differences that the comparison has to notice: what they are, and what in the model each of them changes.

/// A difference: its name, what it replaces, and by what.
pub type Planted = (&'static str, &'static str, &'static str);

/// Those in `docs/proof/Model.v`. Each is there once.
pub const SESSION: [Planted; 13] = [
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

/// Those in `docs/proof/Charters.v`.
pub const CHARTERS: [Planted; 12] = [
    (
        "two thirds are enough",
        "2 * k <? 3 * count who",
        "2 * k <=? 3 * count who",
    ),
    (
        "a minute has to be over",
        "now <? since s + pace",
        "now <=? since s + pace",
    ),
    (
        "a withdrawal begins a minute",
        "Some _ => now | None => before end",
        "Some _ => now | None => now end",
    ),
    (
        "words outlive their term",
        "earlier := force b :: earlier b; words := repeat None (length (operators c))",
        "earlier := force b :: earlier b; words := words b",
    ),
    (
        "a word may skip a number",
        "negb (sequence w =? S so_far)",
        "negb (so_far <? sequence w)",
    ),
    (
        "anybody may sign",
        "negb (signer w =? key)",
        "negb (key =? key)",
    ),
    (
        "a charter's time is over when it comes",
        "now <=? until c",
        "now <? until c",
    ),
    (
        "a charter needn't name the one before it",
        "same (previous c) (hash (force b))",
        "same (previous c) (previous c)",
    ),
    (
        "a charter may be of any term",
        "(number c =? S (number (force b)))",
        "(0 <? number c)",
    ),
    (
        "a word of another term is taken",
        "negb (in_term w =? number (force b))",
        "negb (number (force b) <=? in_term w)",
    ),
    (
        "what is stored already isn't known",
        "(last s =? sequence w) && same_word",
        "(last s <? sequence w) && same_word",
    ),
    (
        "withdrawn is approved still",
        "approves := option_map hash (says w) |}",
        "approves := match says w with Some c => Some (hash c) | None => match of_operator b (place w) with Some s => approves s | None => None end end |}",
    ),
];

/// Those in `docs/proof/Links.v`.
pub const LINKS: [Planted; 13] = [
    (
        "two thirds are enough",
        "2 * length ks <? 3 * count",
        "2 * length ks <=? 3 * count",
    ),
    (
        "a vote for nothing counts",
        "match v with ForBlock _ _ => true | _ => false end",
        "match v with Absent => false | _ => true end",
    ),
    (
        "a vote for another header counts",
        "(p =? key) && same_header h' h",
        "(p =? key)",
    ),
    (
        "anybody may vote for a block",
        "(p =? key) && same_header h' h",
        "same_header h' h",
    ),
    (
        "a vote for nothing may be anybody's",
        "ForNothing p => p =? key",
        "ForNothing p => p =? p",
    ),
    (
        "an era begins a block late",
        "first_level e <=? n",
        "first_level e <? n",
    ),
    (
        "an era begins with its link",
        "first_level := S (level h)",
        "first_level := level h",
    ),
    (
        "a link leads nowhere",
        "|| same (next_set h) (hash (keys e)) then (t, NotTo)",
        "then (t, NotTo)",
    ),
    (
        "a link leads to others than it names",
        "negb (same (next_set h) (hash (newcomers l))) ||",
        "",
    ),
    (
        "a key may be there twice",
        "(a <? b) && ascending",
        "(a <=? b) && ascending",
    ),
    (
        "another link of an era is known",
        "Known else Fork",
        "Known else Known",
    ),
    (
        "the genesis's validators begin a block late",
        "level (head s) <? first_level (origin t)",
        "level (head s) <=? first_level (origin t)",
    ),
    (
        "the last header of an era may hand over to anybody",
        "&& same (next_set (head s)) expected",
        "&& (is_last || same (next_set (head s)) expected)",
    ),
];
