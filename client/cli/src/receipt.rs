//! Writing receipts and evidence, and what they prove.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use white_city_client::{
    Client, End, Fork, Observer, Receipt, SessionId,
    files::{create_public, refuse_existing},
    receipt::{Certified, Claim, ForkClaim, Proven},
    wire::{board::Terminal, json},
};

use crate::{
    args::{NetworkArgs, ReceiptArgs, ReceiptKind},
    failure::Failure,
    network,
    output::{Output, shown},
    progress::dispute_json,
};

/// A block that certifies something, for machines.
pub fn certified_json(certified: &Certified) -> Value {
    json!({
        "height": certified.height,
        "header_ms": certified.time.millis(),
        "board_ms": certified.board_ms,
        "era": certified.era,
        "term": certified.term,
    })
}

/// The content of a receipt that verifies, for machines.
pub fn proven_json(receipt: &Receipt, proven: &Proven, min_era: u32) -> Value {
    let certified: Vec<Value> = proven.certified.iter().map(certified_json).collect();
    json!({
        "min_era": min_era,
        "unrenewed": proven.is_unrenewed(min_era),
        "verified": true,
        "kind": receipt.kind().name(),
        "session": proven.session,
        "claim": claim_json(&proven.claim),
        "certified": certified,
        "rests_on": proven.rests_on(),
        "text": proven.to_string(),
    })
}

/// The claim that a receipt proves, for machines.
pub fn claim_json(claim: &Claim) -> Value {
    match claim {
        Claim::Submission {
            place,
            digest,
            closed,
        } => json!({
            "round": place.round, "index": place.index, "key": place.key.to_string(),
            "digest": digest, "closed": closed,
        }),
        Claim::End { terminal, finished } => json!({
            "end": terminal.as_ref().map(json::Terminal::from),
            "outcome": finished.as_ref().map(|(outcome, _)| *outcome)
                .or(terminal.as_ref().and_then(|terminal| json::Terminal::from(terminal).outcome)),
            "signed_by": finished.as_ref().map(|(_, parties)| parties.iter().collect::<Vec<_>>()),
        }),
        Claim::Ceremony {
            joins,
            rounds,
            entries,
            culprits,
            left,
            dispute,
            terminal,
        } => json!({
            "join_count": joins, "open_round": rounds, "entry_count": entries, "culprits": culprits, "left": left,
            "dispute": dispute.as_ref().map(dispute_json), "end": json::Terminal::from(&**terminal),
        }),
        Claim::Equivocation { place, digests } => json!({
            "round": place.round, "index": place.index, "key": place.key.to_string(), "digests": digests,
        }),
        Claim::Absence { place, ended } => json!({
            "round": place.round, "index": place.index, "key": place.key.to_string(), "ended": ended,
        }),
        Claim::Fork(ForkClaim::Headers {
            heights,
            hashes,
            convicted,
        }) => {
            let convicted: Vec<String> = convicted.iter().map(hex::encode_upper).collect();
            json!({ "heights": heights, "hashes": hashes, "validators": convicted })
        }
        Claim::Fork(ForkClaim::Back { rounds, undone }) => {
            json!({ "open_rounds": rounds, "undone": undone })
        }
        Claim::Fork(ForkClaim::Session { round, transcripts }) => {
            json!({ "round": round, "transcripts": transcripts })
        }
        _ => Value::Null,
    }
}

/// Writes one receipt.
pub async fn write(client: &Client, args: &ReceiptArgs, output: &Output) -> Result<(), Failure> {
    refuse_existing(&args.out)?;
    let observer = client.observe(args.session).await?;
    let parties = observer.spec().parties();
    if let Some(index) = args.party.filter(|index| *index >= parties) {
        return Err(Failure::usage(format!(
            "--party {index}: the session has {parties} parties, 0 to {}",
            parties.saturating_sub(1)
        )));
    }
    let round = || args.round.ok_or_else(|| Failure::usage("expected --round"));
    let party = || args.party.ok_or_else(|| Failure::usage("expected --party"));
    let receipt = match args.kind {
        ReceiptKind::Ceremony => observer.ceremony_receipt().await?,
        ReceiptKind::End => observer.end_receipt().await?,
        ReceiptKind::Submission => observer.submission_receipt_of(round()?, party()?).await?,
        ReceiptKind::Absence => observer.absence_receipt(round()?, party()?).await?,
        ReceiptKind::Equivocation => observer.equivocation_receipt(party()?).await?,
    };
    let bytes = receipt.to_bytes();
    create_public(&args.out, &bytes)?;
    let (kind, file, size) = (receipt.kind().name(), args.out.display(), bytes.len());
    output.result(
        &json!({ "session": args.session, "kind": kind, "file": shown(&args.out), "bytes": size }),
        &format!("{kind} receipt of {size} bytes in {file}"),
    )
}

/// Writes everything that speaks against parties, and how the session aborted.
pub async fn write_evidence(
    client: &Client,
    session: SessionId,
    folder: &Path,
    output: &Output,
) -> Result<(), Failure> {
    let observer = client.observe(session).await?;
    let receipts = evidence(client, &observer).await?;
    let mut files = Vec::new();
    if !receipts.is_empty() {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::usage(format!("{}: {error}", folder.display())))?;
    }
    for (name, receipt) in &receipts {
        let file = folder.join(format!("{name}.receipt"));
        create_public(&file, &receipt.to_bytes())?;
        files.push(shown(&file));
    }
    let text = if files.is_empty() {
        "no evidence: nobody signed two entries for a slot, no closed round has an empty slot, and the session hasn't aborted".into()
    } else {
        files.join("\n")
    };
    output.result(&json!({ "session": session, "files": files }), &text)
}

async fn evidence(client: &Client, observer: &Observer) -> Result<Vec<(String, Receipt)>, Failure> {
    let mut receipts = Vec::new();
    let known = client.evidence(observer.id()).await?.into_value();
    for (culprit, pair) in &known.culprits {
        if pair.is_some() {
            let index = culprit.index;
            let receipt = observer.equivocation_receipt(index).await?;
            receipts.push((format!("equivocation-{index}"), receipt));
        }
    }
    for (round, index) in absent(observer) {
        let receipt = observer.absence_receipt(round, index).await?;
        receipts.push((format!("absence-{round}-{index}"), receipt));
    }
    if matches!(observer.end(), Some(End::Aborted(_) | End::Unknown(_))) {
        receipts.push(("abort".into(), observer.end_receipt().await?));
    }
    Ok(receipts)
}

/// Slots of members that stayed empty: in closed rounds, and in the one that was open when the session ended, if they were late in it.
fn absent(observer: &Observer) -> Vec<(u32, u16)> {
    let history = observer.history();
    let mut members: Vec<u16> = (0..history.spec().parties()).collect();
    let mut absent = Vec::new();
    for round in 0..history.open_round() {
        let Some(closed) = history.round(round) else {
            break;
        };
        let digests = (0_u16..).zip(&closed.digests);
        let empty = digests.filter(|(_, digest)| digest.is_none());
        absent.extend(
            empty
                .filter(|(index, _)| members.contains(index))
                .map(|(index, _)| (round, index)),
        );
        members = closed.members.iter().collect();
    }
    if let (Some(End::Aborted(_) | End::Unknown(_)), Some(now)) = (observer.end(), observer.now())
        && now.terminal.as_ref().is_some_and(Terminal::was_waited_for)
    {
        let (filled, left) = (now.filled(), now.leavers());
        let empty = members
            .iter()
            .filter(|index| !filled.contains(**index) && !left.contains(index));
        absent.extend(empty.map(|index| (now.leaf.open_round, *index)));
    }
    absent
}

/// Keeps the proof that the replicas have signed two histories, and says where; or says that there is none.
pub fn keep_fork(
    fork: &Fork,
    folder: Option<&Path>,
    args: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    // Whoever met it knows the links to the era that it is of.
    let trust = match args.keeping.trust() {
        Some(trust) => trust,
        None => network::trust(args)?,
    };
    let Some(receipt) = fork.receipt(&trust) else {
        output.warning("there is no proof of the fork that convinces others");
        return Ok(());
    };
    let receipt = receipt.to_bytes();
    // The end of the file is its checksum: another proof has another name, and the same one is written once.
    let name: String = receipt
        .iter()
        .rev()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let file = folder.map_or_else(PathBuf::new, Path::to_owned);
    let file = file.join(format!("white-city-fork-{name}.receipt"));
    if !file.exists() {
        create_public(&file, &receipt)?;
    }
    output.warning(&format!(
        "the proof of the fork is in {}; whoever has the genesis can check it: white-city verify",
        file.display()
    ));
    Ok(())
}
