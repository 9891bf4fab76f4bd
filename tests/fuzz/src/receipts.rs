//! Receipts, and the headers in them: as somebody could hand them over, and as validators could certify them.

use std::{collections::BTreeSet, fs, path::PathBuf, sync::LazyLock};

use prost::Message as _;
use serde_json::json;
use tendermint::block::{Round, signed_header::SignedHeader};
use tendermint_proto::{Protobuf, v0_38::types::SignedHeader as RawSignedHeader};
use white_city_client::{
    Receipt, Trust,
    receipt::{Claim, Proven, checksum},
};
use white_city_tests::{
    forger::certify_leaf,
    tampering::{Ballot, Council},
};
use white_city_wire::{
    Hash,
    pb::{self, receipt::Body},
    proof::{SessionProof, StateProof},
    protocol,
    tree::{append_root_from_path, full_path},
};

use crate::{Target, golden};

/// Memory for a receipt, which is decoded, encoded again and checked, bytes.
const RECEIPT_BYTES: u64 = 4 << 20;

/// Receipts with the right checksum: nothing is proven but what the frozen ones prove.
pub const RECEIPTS: Target = Target::new("receipts", seeds, take)
    .within(RECEIPT_BYTES)
    .costing(10);

/// Receipts whose session the validators certify as it is there: nothing is proven that the parties haven't signed.
pub const CERTIFIED: Target = Target::new("certified-receipts", seeds, take_certified)
    .within(RECEIPT_BYTES)
    .costing(10);

/// Headers under the validators' signatures.
pub const HEADERS: Target = Target::new("headers", headers, take_header).costing(10);

/// The key of the one validator of the frozen receipts.
const VALIDATOR_SEED: [u8; 32] = [77; 32];
const CHECKSUM_BYTES: usize = 32;

static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let genesis = golden::read("golden/receipts/genesis.json");
    Trust::genesis_json(&genesis).expect("a genesis")
});

static COUNCIL: LazyLock<Council> = LazyLock::new(|| Council::new([VALIDATOR_SEED]));

/// Everything that the frozen receipts prove.
struct Known {
    /// Session, opening and claim.
    statements: BTreeSet<String>,
    /// Heights and times of blocks.
    blocks: BTreeSet<String>,
    /// Hashes of blocks.
    headers: BTreeSet<Hash>,
    /// Digests and outcomes that parties have signed.
    signed: BTreeSet<Hash>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let mut known = Known {
        statements: BTreeSet::new(),
        blocks: BTreeSet::new(),
        headers: BTreeSet::new(),
        signed: BTreeSet::new(),
    };
    for message in seeds() {
        let proven = prove(&message).expect("a frozen receipt");
        known.blocks.extend(blocks(&proven));
        known.signed.extend(signed(&proven.claim));
        known.statements.extend(statements(&proven));
    }
    for header in headers() {
        let header = TRUST
            .decode_header(&header)
            .expect("a header of the frozen receipts");
        known.headers.insert(header.hash());
    }
    known
});

/// The frozen receipts without their checksums.
fn seeds() -> Vec<Vec<u8>> {
    let folder = fs::read_dir(golden::path("golden/receipts")).expect("frozen receipts");
    let mut files: Vec<PathBuf> = folder.map(|file| file.expect("a file").path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "receipt"));
    files.sort();
    let messages = files.iter().map(|path| {
        let mut bytes = fs::read(path).expect("a receipt");
        bytes.truncate(bytes.len() - CHECKSUM_BYTES);
        bytes
    });
    messages.collect()
}

/// Reads and verifies a receipt's message, which gets its checksum here; text says why it proves nothing.
fn prove(message: &[u8]) -> Result<Proven, String> {
    let file = [message, &checksum(message).0].concat();
    let receipt = Receipt::from_bytes(&file).map_err(|bad| bad.to_string())?;
    assert_eq!(receipt.to_bytes(), file, "two encodings of one receipt");
    let proven = receipt.verify(&TRUST).map_err(|bad| bad.to_string())?;
    assert!(!proven.to_string().is_empty());
    Ok(proven)
}

/// The statement of a receipt, and those that are parts of it.
fn statements(proven: &Proven) -> Vec<String> {
    let statement = |claim: &Claim| format!("{:?} {:?} {claim:?}", proven.session, proven.open);
    let mut statements = vec![statement(&proven.claim)];
    if let Claim::End {
        terminal: Some(terminal),
        finished: Some(finished),
    } = &proven.claim
    {
        statements.push(statement(&Claim::End {
            terminal: Some(terminal.clone()),
            finished: None,
        }));
        statements.push(statement(&Claim::End {
            terminal: None,
            finished: Some(finished.clone()),
        }));
    }
    statements
}

fn blocks(proven: &Proven) -> impl Iterator<Item = String> {
    let certified = proven.certified.iter();
    certified.map(|block| format!("{} {:?}", block.height, block.time))
}

/// What a claim rests on that only parties can have signed.
fn signed(claim: &Claim) -> Vec<Hash> {
    match claim {
        Claim::Submission { digest, .. } => vec![*digest],
        Claim::End {
            finished: Some((outcome, _)),
            ..
        } => vec![*outcome],
        Claim::Equivocation { digests, .. } => digests.to_vec(),
        _ => Vec::new(),
    }
}

fn take(input: &[u8]) -> bool {
    // As a whole file, too, whose checksum is hardly ever right.
    let _ = Receipt::from_bytes(input);
    let Ok(proven) = prove(input) else {
        return false;
    };
    let statements = statements(&proven);
    let is_known = statements.iter().all(|one| KNOWN.statements.contains(one));
    assert!(is_known, "proven, and not true: {}", statements[0]);
    assert!(blocks(&proven).all(|block| KNOWN.blocks.contains(&block)));
    true
}

fn take_certified(input: &[u8]) -> bool {
    let Some(receipt) = pb::Receipt::decode(input).ok().and_then(certify) else {
        return false;
    };
    let Ok(proven) = prove(&receipt.encode_to_vec()) else {
        return false;
    };
    let signed = signed(&proven.claim);
    assert!(
        signed.iter().all(|digest| KNOWN.signed.contains(digest)),
        "forged: {proven}"
    );
    true
}

/// Has the validators certify the session that a receipt tells of, if it tells of one.
fn certify(mut receipt: pb::Receipt) -> Option<pb::Receipt> {
    let anchor = match receipt.body.as_mut()? {
        Body::Submission(receipt) => receipt.anchor.as_mut(),
        Body::End(receipt) => receipt.anchor.as_mut(),
        Body::Ceremony(receipt) => receipt.anchor.as_mut(),
        Body::Absence(receipt) => receipt.anchor.as_mut(),
        Body::Equivocation(_) | Body::Fork(_) => None,
    }?;
    let network = TRUST.network();
    let session = SessionProof::try_from(anchor.session.as_ref()?).ok()?;
    let state =
        StateProof::from_pb(anchor.state.as_ref()?, network, protocol::Known::RELEASED).ok()?;
    let path = full_path(session.number, state.board.sessions, &session.path)?;
    append_root_from_path(session.leaf.hash(), session.number, &path)?;
    decode(&anchor.signed_header)?;
    certify_leaf(&COUNCIL, anchor, network);
    Some(receipt)
}

fn decode(header: &[u8]) -> Option<SignedHeader> {
    <SignedHeader as Protobuf<RawSignedHeader>>::decode(header).ok()
}

/// Headers of the frozen receipts.
fn headers() -> Vec<Vec<u8>> {
    let receipts = seeds().into_iter();
    let receipts =
        receipts.filter_map(|message| pb::Receipt::decode(message.as_slice()).ok()?.body);
    let anchors = receipts.filter_map(|body| match body {
        Body::Submission(receipt) => receipt.anchor,
        Body::End(receipt) => receipt.anchor,
        Body::Ceremony(receipt) => receipt.anchor,
        Body::Absence(receipt) => receipt.anchor,
        Body::Equivocation(_) | Body::Fork(_) => None,
    });
    let headers: BTreeSet<Vec<u8>> = anchors.map(|anchor| anchor.signed_header).collect();
    headers.into_iter().collect()
}

/// Whether a header is one of the network, as it is or after its validator has signed whatever it says.
fn take_header(input: &[u8]) -> bool {
    if let Ok(header) = TRUST.decode_header(input) {
        assert!(KNOWN.headers.contains(&header.hash()), "a forged header");
    }
    let Some(signed) = decode(input) else {
        return false;
    };
    let place = (signed.commit.height, Round::default());
    if place.0 != signed.header.height {
        return false;
    }
    let signed = COUNCIL.commit(signed.header, place, &[Ballot::Block]);
    let Ok(header) = TRUST.verify(signed) else {
        return false;
    };
    let again = TRUST.decode_header(&header.encode());
    let again = again.expect("what was encoded");
    assert_eq!(again.hash(), header.hash());
    // As the engine's RPC answers with it.
    let answer = json!({ "result": { "signed_header": decode(&header.encode()) } });
    let again = TRUST.header_json(answer.to_string().as_bytes());
    assert_eq!(again.expect("the same in JSON").hash(), header.hash());
    true
}
