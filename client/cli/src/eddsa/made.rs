//! The end of a session that has made a share: it is on the disk before anybody is told, and has its name once all agree.

use std::path::Path;

use serde_json::json;
use white_city_client::{Client, Observer, SessionId, vault::Unlock};

use super::{
    party::Party,
    result::{self, Done},
    share_file::ShareFile,
};
use crate::{
    args::PartyArgs,
    failure::Failure,
    output::{Output, shown},
    progress::parties,
};

/// Keeps the share, finishes with its outcome, and gives the share its name once the others agree.
pub async fn finish(
    party: &mut Party<'_>,
    share: ShareFile,
    out: &Path,
    unlock: &Unlock,
) -> Result<Done, Failure> {
    let outcome = share.share.outcome();
    let pending = share.store_pending(out, unlock)?;
    let key = Key::of(&share);
    drop(share);
    party.result_is_safe(outcome);
    if let Err(mut failure) = party.finish(outcome).await {
        if failure.is_waiting() {
            return Err(failure);
        }
        failure.text = format!(
            "{} (the share is kept in {}: others may have seen the session finish)",
            failure.text,
            pending.path().display()
        );
        return Err(failure);
    }
    pending.confirm()?;
    Ok(done(out, &key, Some(&party.session), party.output))
}

/// The share that an earlier run of the same command has made, once more.
pub async fn again(
    client: &Client,
    party: &PartyArgs,
    out: &Path,
    (share, unlock): (&ShareFile, &Unlock),
    output: &Output,
) -> Done {
    result::tidy_up(client, party, unlock, output).await;
    // Nobody can say any more who has no share once the session is erased.
    let observer = client.observe(party.session).await.ok();
    done(out, &Key::of(share), observer.as_ref(), output)
}

/// The part of a share that anybody may know.
struct Key {
    session: SessionId,
    public_key: [u8; 32],
    parties: u16,
    participants: Vec<u16>,
    signers_min: u16,
}

impl Key {
    fn of(share: &ShareFile) -> Self {
        Self {
            session: share.session,
            public_key: share.share.public_key(),
            parties: share.share.parties(),
            participants: share.share.participants().to_vec(),
            signers_min: share.share.signers_min(),
        }
    }
}

/// The key, and who may have no share of it: whoever didn't finish with the others has told nobody that it has one.
fn done(out: &Path, key: &Key, observer: Option<&Observer>, output: &Output) -> Done {
    let public_key = hex::encode(key.public_key);
    let finished = observer.map(Observer::finished);
    let is_silent = |index: &u16| {
        let finished = finished.as_ref();
        finished.is_some_and(|finished| !finished.contains(index))
    };
    let without: Option<Vec<u16>> = finished.as_ref().map(|_| {
        let has_one = |index: &u16| key.participants.contains(index) && !is_silent(index);
        (0..key.parties).filter(|index| !has_one(index)).collect()
    });
    // Whoever gave its share to others has said so.
    let unconfirmed: Vec<u16> = (0..key.parties).filter(is_silent).collect();
    if !unconfirmed.is_empty() {
        output.warning(&format!(
            "no share was confirmed by parties {}: they may have none, and it takes {} to sign",
            parties(&unconfirmed),
            key.signers_min
        ));
    }
    let value = json!({
        "public_key": public_key,
        "share": shown(out),
        "session": key.session,
        "without_share": without,
    });
    Done {
        value,
        text: public_key,
    }
}
