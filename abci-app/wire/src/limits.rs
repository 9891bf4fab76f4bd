//! Every limit that holds on every board, whatever its genesis says. Units are in the names.

/// Most parties in a roster.
pub const ROSTER_PARTIES_MAX: u16 = 1_024;
/// Most rounds of a session.
pub const ROUNDS_MAX: u32 = 1 << 16;
/// Largest transaction: its base64 fits the RPC's default body of 1 000 000 bytes.
pub const TX_BYTES_MAX: u32 = 700 * 1_024;
/// Largest spec input.
pub const INPUT_BYTES_MAX: u32 = 16 * 1_024;
/// Longest protocol name.
pub const PROTOCOL_BYTES_MAX: u32 = 64;
/// Most validators: last call's bitmap has 256 bits.
pub const VALIDATORS_MAX: u32 = 256;
/// Weight of an entry beside its payloads.
pub const ENTRY_BYTES: u64 = 256;
/// Bytes that sealing to an X25519 key adds to a payload: encapsulated key 32, tag 16.
pub const X25519_SEALING_BYTES: u32 = 32 + 16;
/// Bytes that sealing to an X-Wing key adds to a payload: ML-KEM-768's ciphertext 1 088, ephemeral key 32, tag 16.
pub const XWING_SEALING_BYTES: u32 = 1_088 + 32 + 16;
/// Smallest sealed payload of any session: of at least one byte of plaintext.
pub const CIPHERTEXT_BYTES_MIN: u32 = X25519_SEALING_BYTES + 1;
/// Depth of the trees of sessions and openers.
pub const APPEND_TREE_DEPTH: u8 = 32;
/// Size of a block's seal.
pub const SEAL_BYTES: u32 = 84;
/// The least that a genesis may allow as the size of one transaction: the largest charter fits, with its signatures.
pub const TX_BYTES_MIN: u32 = 256 * 1_024;
/// Most openers that a charter may list.
pub const CHARTER_OPENERS_MAX: u32 = 4_096;
/// Most leading zero bits that a charter may ask of a stamp: days of a machine's time.
pub const STAMP_BITS_MAX: u8 = 40;
/// Board time after an operator's approval before which it approves no other charter, ms.
pub const APPROVAL_PACE_MS: u64 = 60_000;
/// Voting power of every validator. It is even: with an odd one a single hostile clock could stop the chain.
pub const VALIDATOR_POWER: u64 = 10;
/// The least that a genesis may allow as the work of one block: room for the dearest transaction, a charter of 256 replicas and
/// 4 096 openers.
pub const BLOCK_WORK_MIN: u32 = 1 + 2 * VALIDATORS_MAX + CHARTER_OPENERS_MAX;
/// Work that a block must have had left for an entry, or it doesn't count for a session in last call: that of the dearest one.
pub const ENTRY_WORK_MAX: u32 = REVEAL_WORK;
/// Work of evidence and of a complaint: two signatures, or one and a path of hashes.
pub const EVIDENCE_WORK: u32 = 2;
/// Work of a reveal: a signature, and sealing once more what it shows.
pub const REVEAL_WORK: u32 = 8;
/// Most sessions whose last call goes on in one block.
pub const LAST_CALLS_MAX: u32 = 4_096;
/// Most sessions that one block erases.
pub const ERASURES_MAX: u32 = 4_096;
/// A roster index that means *nobody*.
pub const NOBODY: u16 = 0xffff;
/// Version of the transactions, queries and answers.
pub const WIRE_VERSION: u32 = 1;
/// Version of the state machine's rules.
pub const PROTOCOL: u32 = 2;

const _: () = assert!(ROSTER_PARTIES_MAX < NOBODY);
const _: () = assert!(BLOCK_WORK_MIN > 1 + 1_024);
const _: () = assert!(TX_BYTES_MAX / 3 * 4 < 1_000_000);
