//! The event of a new block, as a replica tells those who follow it: hints.

use std::collections::BTreeMap;

use serde::Deserialize;
use white_city_wire::{
    SessionId,
    board::Status,
    read::{KEY_HINT_BYTES, SESSION_EVENT, Standing},
};

/// Beginning of an identity key: what events have of it.
pub(crate) type KeyHint = [u8; KEY_HINT_BYTES];

/// Whether all that has changed since is that more slots of the same round are filled.
pub(crate) fn is_filled_further(now: &Standing, before: &Standing) -> bool {
    let filled = before.filled;
    now.filled > filled && Standing { filled, ..*now } == *before
}

/// A new block, how the sessions stand that it has changed, and for whom it has opened some.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockEvent {
    pub(crate) height: u64,
    pub(crate) sessions: BTreeMap<SessionId, Standing>,
    pub(crate) parties: Vec<KeyHint>,
}

impl BlockEvent {
    /// `None` for whatever doesn't speak of a block, or not in the way that is expected.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let message: Message = serde_json::from_str(text).ok()?;
        let block = message.result.data?.value;
        let changed = block.events.iter();
        let changed = changed.filter(|event| event.kind == SESSION_EVENT);
        let mut parties = Vec::new();
        for event in changed.clone() {
            parties.extend(event.parties()?);
        }
        Some(Self {
            height: block.height.parse().ok()?,
            sessions: changed.map(Event::session).collect::<Option<_>>()?,
            parties,
        })
    }

    /// Measure of what is remembered of it: a session that it has changed takes as much as several beginnings of keys.
    pub(crate) fn weight(&self) -> usize {
        self.sessions.len().saturating_add(self.parties.len() / 8)
    }
}

#[derive(Deserialize)]
struct Message {
    result: MessageResult,
}

#[derive(Deserialize)]
struct MessageResult {
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    value: Block,
}

#[derive(Deserialize)]
struct Block {
    height: String,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    value: String,
}

impl Event {
    fn session(&self) -> Option<(SessionId, Standing)> {
        let mut id = [0; 32];
        hex::decode_to_slice(self.value("id")?, &mut id).ok()?;
        let standing: Standing = serde_json::from_str(self.value("standing")?).ok()?;
        Status::from_number(standing.status.into())?;
        Some((SessionId(id), standing))
    }

    /// None where the session wasn't opened by this block.
    fn parties(&self) -> Option<Vec<KeyHint>> {
        let Some(parties) = self.value("parties") else {
            return Some(Vec::new());
        };
        let bytes = hex::decode(parties).ok()?;
        let (hints, rest) = bytes.as_chunks::<KEY_HINT_BYTES>();
        rest.is_empty().then(|| hints.to_vec())
    }

    fn value(&self, key: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|attribute| attribute.key == key)?;
        Some(&found.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(status: &str) -> String {
        with_parties(status, None)
    }

    fn with_parties(status: &str, parties: Option<&str>) -> String {
        let id = "ab".repeat(32);
        let attribute = |key: &str, value: &str| {
            format!(r#"{{"key":"{key}","value":"{value}","index":false}}"#)
        };
        let standing = format!(
            r#"{{\"culprits\":1,\"filled\":5,\"left\":0,\"number\":3,\"open_round\":4,\"status\":{status}}}"#
        );
        let mut attributes = vec![attribute("id", &id), attribute("standing", &standing)];
        attributes.extend(parties.map(|parties| attribute("parties", parties)));
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"query":"tm.event='NewBlockEvents'","data":{{"type":"tendermint/event/NewBlockEvents","value":{{"height":"4711","events":[{{"type":"other","attributes":[]}},{{"type":"white_city.session","attributes":[{}]}}],"num_txs":"2"}}}},"events":{{}}}}}}"#,
            attributes.join(",")
        )
    }

    #[test]
    fn an_event_names_its_height_and_what_has_changed() {
        let block = BlockEvent::parse(&event("2")).unwrap();
        assert_eq!(block.height, 4711);
        let standing = Standing {
            status: 2,
            open_round: 4,
            filled: 5,
            left: 0,
            culprits: 1,
            number: 3,
        };
        // What replicas write and clients read, for ever.
        let golden = r#"{"culprits":1,"filled":5,"left":0,"number":3,"open_round":4,"status":2}"#;
        assert_eq!(serde_json::to_string(&standing).unwrap(), golden);
        assert_eq!(
            block.sessions,
            BTreeMap::from([(SessionId([0xab; 32]), standing)])
        );
        assert_eq!(block.parties, Vec::<KeyHint>::new());
        let quiet = r#"{"result":{"data":{"value":{"height":"1","num_txs":"1"}}}}"#;
        assert_eq!(BlockEvent::parse(quiet).unwrap().sessions, BTreeMap::new());
    }

    #[test]
    fn an_event_of_an_opening_has_the_beginnings_of_keys() {
        let (a, b) = ("0001020304050607", "f0f1f2f3f4f5f6f7");
        let opened = |parties: &str| BlockEvent::parse(&with_parties("1", Some(parties)));
        let found = opened(&format!("{a}{b}")).unwrap();
        let a = [0, 1, 2, 3, 4, 5, 6, 7];
        assert_eq!(found.parties, [a, a.map(|byte| byte + 0xf0)]);
        assert_eq!(found.weight(), 1);
        assert_eq!(opened("").unwrap().parties, Vec::<KeyHint>::new());
        for other in ["0", "00010203040506", "000102030405060x"] {
            assert_eq!(opened(other), None, "{other}");
        }
    }

    #[test]
    fn what_says_nothing_certain_is_no_event() {
        let confirmation = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        for other in [confirmation, "", "[]", &event("9"), &event("x")] {
            assert_eq!(BlockEvent::parse(other), None, "{other}");
        }
    }
}
