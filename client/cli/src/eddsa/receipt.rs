//! The receipt of a session that has finished, for whoever wants one with its result.

use std::path::Path;

use white_city_client::{
    Client, Observer, Receipt,
    files::{create_whole, read_public},
    receipt::RECEIPT_BYTES_MAX,
};

use crate::{args::PartyArgs, failure::Failure, output::Output};

/// Refuses a name that something else has than a receipt that an earlier run of the same command has made.
pub fn check_free(args: &PartyArgs) -> Result<(), Failure> {
    let Some(path) = args.receipt.as_ref().filter(|path| path.exists()) else {
        return Ok(());
    };
    let bytes = read_public(path, RECEIPT_BYTES_MAX as u64)?;
    let session = Receipt::from_bytes(&bytes).and_then(|receipt| receipt.anchored_session());
    match session {
        Ok(session) if session == args.session => Ok(()),
        _ => Err(Failure::usage(format!(
            "--receipt {}: something else is there, and is not overwritten",
            path.display()
        ))),
    }
}

/// Writes it. A result is no less the result without.
pub async fn keep(path: &Path, observer: &Observer, output: &Output) {
    if path.exists() {
        return;
    }
    let kept = async {
        let receipt = observer.ceremony_receipt().await?;
        Ok::<_, Failure>(create_whole(path, &receipt.to_bytes())?)
    };
    if let Err(failure) = kept.await {
        output.warning(&format!(
            "no receipt: {}; `session receipt` makes one as long as the board keeps the session",
            failure.text
        ));
    }
}

/// The same for a result that an earlier run has made.
pub async fn keep_again(client: &Client, args: &PartyArgs, output: &Output) {
    if let Some(path) = args.receipt.as_ref().filter(|path| !path.exists()) {
        match client.observe(args.session).await {
            Ok(observer) => keep(path, &observer, output).await,
            Err(error) => output.warning(&format!("no receipt: {error}")),
        }
    }
}
