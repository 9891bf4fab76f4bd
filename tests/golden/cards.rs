//! Operators' cards.

use serde_json::{Value, json};
use white_city_client::LocalKey;
use white_city_node::card::{Card, Statement};

use crate::case::Case;

pub fn card(case: &Case) {
    let input = case.input();
    let statement: Statement = serde_json::from_value(input.get("card").clone()).unwrap();
    let key = LocalKey::from_seed(&input.bytes32("seed")).unwrap();
    let card = Card::sign(statement.clone(), &key).unwrap();
    assert_eq!(card.says(), &statement);
    let text = card.text();
    assert_eq!(Card::parse(&text).unwrap(), card);
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&file["version"], &file["card"]),
        (&json!(1), input.get("card"))
    );
    case.expect([("signature", file["signature"].clone())]);
}
