//! Receipts of sessions, for whoever asks for them.

use serde::Deserialize;
use white_city_client::{Client, SessionId};

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
