//! Base64 in JSON, checked before a library parses it whose decoder asserts, in builds with assertions, what its input decides.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

/// Whether every text in a field of this name, however deep, is canonical base64.
pub fn are_base64(json: &Value, field: &str) -> bool {
    match json {
        Value::Object(fields) => fields.iter().all(|(name, value)| match value {
            Value::String(text) if name == field => STANDARD.decode(text).is_ok(),
            deeper => are_base64(deeper, field),
        }),
        Value::Array(items) => items.iter().all(|item| are_base64(item, field)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tendermint::block::Commit;

    use super::*;

    #[test]
    fn whatever_a_replica_says_is_a_signature_is_parsed_or_refused() {
        let commit = |signature: &str| {
            json!({
                "height": "1",
                "round": 0,
                "block_id": {
                    "hash": "00".repeat(32),
                    "parts": { "total": 1, "hash": "00".repeat(32) },
                },
                "signatures": [{
                    "block_id_flag": 2,
                    "validator_address": "00".repeat(20),
                    "timestamp": "2026-01-01T00:00:00Z",
                    "signature": signature,
                }],
            })
        };
        let good = STANDARD.encode([7; 64]);
        assert!(serde_json::from_value::<Commit>(commit(&good)).is_ok());
        let (mut parsed, mut refused) = (0, 0);
        for position in 0..good.len() {
            for other in ["=", "==", "A", "\n", "é", ""] {
                let (before, after) = (&good[..position], &good[position + 1..]);
                let json = commit(&format!("{before}{other}{after}"));
                if are_base64(&json, "signature") {
                    parsed += 1;
                    let _ = serde_json::from_value::<Commit>(json);
                } else {
                    refused += 1;
                }
            }
        }
        assert!(parsed > 50 && refused > 200, "{parsed} {refused}");
        assert!(!are_base64(&json!({ "a": [{ "x": "=A" }] }), "x"));
        assert!(are_base64(&json!({ "a": [{ "y": "=A" }, 1, null] }), "x"));
    }
}
