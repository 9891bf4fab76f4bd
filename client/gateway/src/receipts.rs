//! Receipts of sessions, for whoever asks for them.

use std::path::Path;

use serde::Deserialize;
use white_city_client::{Client, Fork, SessionId, files::create_public, wire::hash::sha256};

use crate::{api::Proof, failure::Failure, shown::Base64};

/// The receipt that is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    kind: Option<Kind>,
    round: Option<u32>,
    party: Option<u16>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Ceremony,
    End,
    Submission,
    Absence,
    Equivocation,
}

/// Makes a receipt. It verifies.
pub(crate) async fn make(
    client: &Client,
    session: SessionId,
    wanted: &Wanted,
) -> Result<Proof, Failure> {
    let expected =
        |what: &str| Failure::request(format!("expected {what} behind the question mark"));
    let round = || wanted.round.ok_or_else(|| expected("round=R"));
    let observer = client.observe(session).await?;
    let parties = observer.spec().parties();
    let party = || {
        let party = wanted.party.filter(|party| *party < parties);
        party.ok_or_else(|| {
            expected(&format!(
                "party=I, one of the session's {parties} from 0 on"
            ))
        })
    };
    let receipt = match wanted.kind.unwrap_or(Kind::Ceremony) {
        Kind::Ceremony => observer.ceremony_receipt().await?,
        Kind::End => observer.end_receipt().await?,
        Kind::Submission => observer.submission_receipt_of(round()?, party()?).await?,
        Kind::Absence => observer.absence_receipt(round()?, party()?).await?,
        Kind::Equivocation => observer.equivocation_receipt(party()?).await?,
    };
    Ok(Proof {
        session,
        kind: receipt.kind().name(),
        receipt: Base64(receipt.to_bytes().into()),
    })
}

/// Keeps the proof that the replicas have signed two histories, which convinces anybody.
pub(crate) fn keep_fork(client: &Client, fork: &Fork, folder: &Path) {
    let Some(receipt) = fork.receipt(client.trust()) else {
        tracing::error!(%fork, "two histories, without a proof that convinces others");
        return;
    };
    let bytes = receipt.to_bytes();
    let name = sha256(&bytes).to_string();
    let file = folder.join(format!("fork-{}.receipt", name.get(..16).unwrap_or(&name)));
    if file.exists() {
        return;
    }
    match create_public(&file, &bytes) {
        Ok(()) => {
            tracing::error!(%fork, file = %file.display(), "two histories: here is the proof")
        }
        Err(error) => tracing::error!(%fork, %error, "two histories: the proof can't be kept"),
    }
}
