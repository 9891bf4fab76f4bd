//! What a replica has to find out after it was restored from a snapshot, before it votes: the hash and time of the block that the
//! snapshot is of, by its header; and whether its engine has the board's parameters, which state sync takes from one server.

use std::{path::Path, time::Duration};

use serde_json::Value;
use tokio::time::timeout;
use white_city_verify::genesis::GENESIS_BYTES_MAX;

use crate::{app::Replica, engine, files::read_limited};

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer about parameters, bytes.
const PARAMS_BYTES_MAX: usize = 64 << 10;

/// Finds it out, on a thread of its own: at the RPC `own` of this replica's engine, and at those of `others`.
///
/// # Errors
/// When the thread can't be started.
pub fn watch(replica: Replica, own: String, others: Vec<String>) -> std::io::Result<()> {
    engine::watch("joined", LOOK, async move || {
        let (genesis, missing) = replica.unfinished();
        if let Some(genesis) = genesis {
            check_parameters(&replica, &own, &genesis).await;
        }
        if let Some(height) = missing {
            find_header(&replica, &others, height).await;
        }
    })
}

async fn find_header(replica: &Replica, others: &[String], height: u64) {
    for other in others {
        let found = match timeout(PATIENCE, engine::commit(other, height)).await {
            Ok(Ok(Some(signed))) => replica.complete_tip(signed),
            Ok(Ok(None)) => Err("it doesn't have it".into()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".into()),
        };
        match found {
            Ok(()) => {
                return tracing::info!(height, other, "the header of the restored state is found");
            }
            Err(error) => tracing::debug!(height, other, error, "no header of the restored state"),
        }
    }
}

/// Halts the replica on a difference.
async fn check_parameters(replica: &Replica, own: &str, genesis: &Path) {
    let asked = timeout(
        PATIENCE,
        engine::get(own, "/consensus_params", PARAMS_BYTES_MAX),
    )
    .await;
    let Ok(Ok(answer)) = asked else {
        return;
    };
    let compared = read_limited(genesis, GENESIS_BYTES_MAX)
        .map_err(|error| error.to_string())
        .and_then(|genesis| compare(&answer, &genesis));
    match compared {
        Ok(true) => replica.parameters_are_checked(),
        // The engine doesn't know them yet.
        Ok(false) => {}
        Err(difference) => replica.halt().halt(format!(
            "the engine's consensus parameters aren't the board's: {difference}. State sync takes them from the first of `rpc_servers` \
             in CometBFT's config.toml, which is wrong or lies: put another one there, wipe this replica, and restore it again"
        )),
    }
}

/// Compares what an engine says of the parameters with a genesis: all but the version, which charters change. Says whether the engine
/// says anything.
fn compare(answer: &[u8], genesis: &[u8]) -> Result<bool, String> {
    let parse = |json| serde_json::from_slice::<Value>(json).map_err(|error| error.to_string());
    let (answer, genesis) = (parse(answer)?, parse(genesis)?);
    let Some(found) = answer.pointer("/result/consensus_params") else {
        return Ok(false);
    };
    for section in ["block", "evidence", "validator", "abci"] {
        let expected = genesis.pointer(&format!("/consensus_params/{section}"));
        // What the genesis leaves out has the engine's own default.
        let Some(expected) = expected.and_then(Value::as_object) else {
            continue;
        };
        for (key, expected) in expected {
            let found = found.pointer(&format!("/{section}/{key}"));
            if found != Some(expected) {
                let found = found.map_or_else(|| "nothing".into(), Value::to_string);
                return Err(format!("{section}.{key} is {found}, expected {expected}"));
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compared(change: impl FnOnce(&mut Value)) -> Result<bool, String> {
        let params = json!({
            "block": { "max_bytes": "22020096", "max_gas": "-1" },
            "evidence": { "max_age_num_blocks": "100000" },
            "validator": { "pub_key_types": ["ed25519"] },
            "version": { "app": "2" },
        });
        let genesis = json!({ "consensus_params": params }).to_string();
        let mut answer = json!({ "result": { "consensus_params": params } });
        answer["result"]["consensus_params"]["abci"] =
            json!({ "vote_extensions_enable_height": "0" });
        change(&mut answer);
        compare(answer.to_string().as_bytes(), genesis.as_bytes())
    }

    #[test]
    fn the_engines_parameters_are_the_genesis_ones_but_for_the_version() {
        let set = |path: &'static str, value: &'static str| {
            compared(move |answer| *answer.pointer_mut(path).unwrap() = json!(value))
        };
        assert_eq!(compared(|_| {}), Ok(true));
        assert_eq!(set("/result/consensus_params/version/app", "3"), Ok(true));
        for key in [
            "block/max_bytes",
            "evidence/max_age_num_blocks",
            "validator/pub_key_types",
        ] {
            let path = Box::leak(format!("/result/consensus_params/{key}").into_boxed_str());
            let error = set(path, "7").unwrap_err();
            assert!(error.contains(&key.replace('/', ".")), "{error}");
        }
        assert_eq!(
            compared(|answer| *answer = json!({ "error": "no" })),
            Ok(false)
        );
    }
}
