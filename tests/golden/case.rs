//! One case of a golden file, and readers of its fields that say which field is wrong.

use std::{fs, path::Path};

use serde_json::Value;
use white_city_wire::{EncryptionKey, Hash, IdentityKey, Kem, NetworkId, SessionId, Signature};

/// A case, or an object within one.
#[derive(Debug, Clone)]
pub struct Case {
    name: String,
    input: Value,
    output: Value,
}

/// The cases of one file.
pub fn read(path: &Path) -> Vec<Case> {
    let text = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let cases: Vec<Value> = serde_json::from_slice(&text).unwrap();
    cases
        .into_iter()
        .map(|case| {
            let keys: Vec<&String> = case.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["in", "name", "out"]);
            Case {
                name: case["name"].as_str().unwrap().to_owned(),
                input: case["in"].clone(),
                output: case["out"].clone(),
            }
        })
        .collect()
}

impl Case {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Values that go in.
    pub fn input(&self) -> Fields<'_> {
        Fields(&self.input)
    }

    /// Compares everything that comes out, by name, with what the file says: no more, no less.
    pub fn expect<const N: usize>(&self, found: [(&str, Value); N]) {
        let found: Value = found.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        assert_eq!(found, self.output, "{}", self.name);
    }

    /// Values that should come out, for checks that have to walk through them.
    pub fn output(&self) -> Fields<'_> {
        Fields(&self.output)
    }

    /// The case once for each expected value, with that value changed.
    pub fn with_each_expectation_changed(&self) -> Vec<Self> {
        let mut places = Vec::new();
        leaves(&self.output, String::new(), &mut places);
        places
            .iter()
            .map(|place| {
                let mut changed = self.clone();
                change(changed.output.pointer_mut(place).unwrap());
                changed
            })
            .collect()
    }
}

fn leaves(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                leaves(item, format!("{at}/{i}"), places);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                leaves(field, format!("{at}/{name}"), places);
            }
        }
        _ => places.push(at),
    }
}

fn change(value: &mut Value) {
    *value = match value.take() {
        Value::String(text) => {
            let last = if text.ends_with('0') { "1" } else { "0" };
            Value::String(format!("{}{last}", &text[..text.len().saturating_sub(1)]))
        }
        Value::Bool(yes) => Value::Bool(!yes),
        Value::Number(number) => Value::from(number.as_u64().unwrap() ^ 1),
        _ => Value::from("00".repeat(32)),
    };
}

/// The fields of an object.
#[derive(Clone, Copy)]
pub struct Fields<'a>(pub &'a Value);

impl<'a> Fields<'a> {
    pub fn get(&self, field: &str) -> &'a Value {
        self.0
            .get(field)
            .unwrap_or_else(|| panic!("no field {field} in {}", self.0))
    }

    pub fn text(&self, field: &str) -> &'a str {
        self.get(field)
            .as_str()
            .unwrap_or_else(|| panic!("{field} isn't a text"))
    }

    /// A number of any width.
    pub fn number<T: TryFrom<u64>>(&self, field: &str) -> T {
        let number = self
            .get(field)
            .as_u64()
            .unwrap_or_else(|| panic!("{field} isn't a number"));
        T::try_from(number).unwrap_or_else(|_| panic!("{field} is too large: {number}"))
    }

    pub fn signed(&self, field: &str) -> i64 {
        self.get(field).as_i64().unwrap()
    }

    /// A number, or `none` for null.
    pub fn number_or(&self, field: &str, none: u16) -> u16 {
        if self.get(field).is_null() {
            none
        } else {
            self.number(field)
        }
    }

    pub fn numbers(&self, field: &str) -> Vec<u16> {
        self.list(field)
            .map(|item| item.0.as_u64().unwrap().try_into().unwrap())
            .collect()
    }

    /// Hex; null is nothing.
    pub fn bytes(&self, field: &str) -> Vec<u8> {
        bytes(self.get(field))
    }

    pub fn bytes32(&self, field: &str) -> [u8; 32] {
        self.bytes(field)
            .try_into()
            .unwrap_or_else(|_| panic!("{field} isn't 32 bytes"))
    }

    pub fn hash(&self, field: &str) -> Hash {
        Hash(self.bytes32(field))
    }

    pub fn session(&self) -> SessionId {
        SessionId(self.bytes32("session_id"))
    }

    pub fn network(&self) -> NetworkId {
        NetworkId(self.bytes32("network_id"))
    }

    pub fn key(&self, field: &str) -> IdentityKey {
        IdentityKey::from_bytes(&self.bytes(field)).unwrap()
    }

    /// The kind of encryption key that is meant.
    pub fn kem(&self) -> Kem {
        Kem::from_number(self.number("kem")).unwrap()
    }

    pub fn encryption_key(&self, field: &str) -> EncryptionKey {
        EncryptionKey::from_bytes(self.kem(), &self.bytes(field)).unwrap()
    }

    pub fn signature(&self) -> Signature {
        Signature::from_slice(&self.bytes("signature")).unwrap()
    }

    pub fn list(&self, field: &str) -> impl Iterator<Item = Fields<'a>> + use<'a> {
        self.get(field)
            .as_array()
            .unwrap_or_else(|| panic!("{field} isn't a list"))
            .iter()
            .map(Fields)
    }

    pub fn object(&self, field: &str) -> Fields<'a> {
        Fields(self.get(field))
    }
}

/// Hex; null is nothing.
pub fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => Vec::new(),
        other => hex::decode(other.as_str().unwrap()).unwrap(),
    }
}

/// Bytes as a golden file has them.
pub fn hexed(bytes: impl AsRef<[u8]>) -> Value {
    Value::from(hex::encode(bytes))
}

/// SHA-256 of each index as a u32: leaves and digests that aren't listed.
pub fn numbered(n: u32) -> Vec<Hash> {
    (0..n)
        .map(|i| white_city_wire::hash::sha256(&i.to_be_bytes()))
        .collect()
}
