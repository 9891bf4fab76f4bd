//! The event of a new block, as a replica tells those who follow it: hints.

use std::collections::BTreeMap;

use serde::Deserialize;
use white_city_wire::{
    SessionId,
    board::Status,
    read::{SESSION_EVENT, Standing},
};

/// Whether all that has changed since is that more slots of the same round are filled.
pub(crate) fn is_filled_further(now: &Standing, before: &Standing) -> bool {
    let filled = before.filled;
    now.filled > filled && Standing { filled, ..*now } == *before
}

/// A new block, and how the sessions stand that it has changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BlockEvent {
    pub(crate) height: u64,
    pub(crate) sessions: BTreeMap<SessionId, Standing>,
}

impl BlockEvent {
    /// `None` for whatever doesn't speak of a block, or not in the way that is expected.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let message: Message = serde_json::from_str(text).ok()?;
        let block = message.result.data?.value;
        let changed = block
            .events
            .iter()
            .filter(|event| event.kind == SESSION_EVENT);
        Some(Self {
            height: block.height.parse().ok()?,
            sessions: changed.map(Event::session).collect::<Option<_>>()?,
        })
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
        let id = "ab".repeat(32);
        let attribute = |key: &str, value: &str| {
            format!(r#"{{"key":"{key}","value":"{value}","index":false}}"#)
        };
        let standing = format!(
            r#"{{\"culprits\":1,\"filled\":5,\"left\":0,\"number\":3,\"open_round\":4,\"status\":{status}}}"#
        );
        let attributes = [attribute("id", &id), attribute("standing", &standing)];
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
        let quiet = r#"{"result":{"data":{"value":{"height":"1","num_txs":"1"}}}}"#;
        assert_eq!(BlockEvent::parse(quiet).unwrap().sessions, BTreeMap::new());
    }

    #[test]
    fn what_says_nothing_certain_is_no_event() {
        let confirmation = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        for other in [confirmation, "", "[]", &event("9"), &event("x")] {
            assert_eq!(BlockEvent::parse(other), None, "{other}");
        }
    }
}
