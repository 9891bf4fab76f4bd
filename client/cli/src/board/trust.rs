//! `white-city board trust …`

use serde_json::{Value, json};
use white_city_client::{Hash, trust::TrustFile};

use crate::{
    args::{NetworkArgs, TrustCommand},
    failure::Failure,
    keeping, network,
    output::Output,
};

/// Runs a command.
pub async fn run(
    command: TrustCommand,
    args: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    match command {
        TrustCommand::Show { file } => {
            let found = network::trust_file(&file)?;
            if let Some(mut known) = network::known(args)? {
                keeping::merge(&mut known, &found, &file)?;
            }
            output.result(&value(&found), &told(&found))
        }
        TrustCommand::Export { out } => {
            let client = network::reader(args)?;
            // Of all replicas, so that the newest state counts, and with it the links to its era.
            client.status().await?;
            let trust = client.trust();
            let kept = client.keep_trust(&out);
            let kept = kept.map_err(|error| keeping::failure(error, trust))?;
            output.note(&format!("kept in {}", out.display()));
            output.result(&value(&kept), &told(&kept))
        }
    }
}

/// The content of a trust file, for machines.
pub fn value(file: &TrustFile) -> Value {
    let trust = file.trust();
    let era = trust.newest_era();
    let mark = file.mark();
    json!({
        "network": trust.network().id,
        "chain_id": trust.network().chain_id,
        "era": era,
        "validators": validators(file),
        "height": mark.map(|mark| mark.height()),
        "hash": mark.map(|mark| mark.header().hash()),
        "header_ms": mark.map(|mark| mark.header().time().millis()),
        "board_ms": mark.map(|mark| mark.board_ms()),
        "term": mark.map(|mark| mark.term()),
        "addresses": file.addresses().collect::<Vec<_>>(),
    })
}

fn validators(file: &TrustFile) -> Vec<Hash> {
    let trust = file.trust();
    let keys = trust.validators_of(trust.newest_era()).unwrap_or_default();
    keys.into_iter().map(Hash).collect()
}

/// The same for people.
fn told(file: &TrustFile) -> String {
    let trust = file.trust();
    let network = trust.network();
    let mut lines = vec![format!(
        "network {}, chain {}",
        network.id, network.chain_id
    )];
    lines.push(match trust.newest_era() {
        0 => "era 0: the validators of the genesis".into(),
        era => format!("era {era}: links from the genesis to it, each of which verifies"),
    });
    lines.extend(
        validators(file)
            .iter()
            .map(|key| format!("  validator {key}")),
    );
    lines.push(match file.mark() {
        None => "no state was verified yet".into(),
        Some(mark) => format!(
            "highest state: height {}, term {}, block {}",
            mark.height(),
            mark.term(),
            mark.header().hash()
        ),
    });
    lines.extend(
        file.addresses()
            .map(|address| format!("address, a hint: {address}")),
    );
    lines.join("\n")
}
