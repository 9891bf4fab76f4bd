//! Values of the specification: read from traces in the Informal Trace Format, written as Quint.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value as Json;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Value>),
    Set(BTreeSet<Value>),
    Map(BTreeMap<Value, Value>),
    Record(BTreeMap<String, Value>),
    /// A case of a sum type, and what it holds.
    Case(String, Option<Box<Value>>),
    /// An expression, only ever written.
    Expression(String),
}

/// An integer.
pub fn int(number: impl TryInto<i64>) -> Value {
    Value::Int(number.try_into().unwrap_or(i64::MAX))
}

/// A record with these fields.
pub fn record<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    Value::Record(BTreeMap::from(fields))
}

/// A case that holds nothing.
pub fn bare(name: &str) -> Value {
    Value::Case(name.to_owned(), None)
}

/// A case that holds a value.
pub fn case(name: &str, value: Value) -> Value {
    Value::Case(name.to_owned(), Some(Box::new(value)))
}

/// A map with integers as keys.
pub fn map(pairs: impl IntoIterator<Item = (u16, Value)>) -> Value {
    let pairs = pairs.into_iter().map(|(key, value)| (int(key), value));
    Value::Map(pairs.collect())
}

/// A set of integers.
pub fn set(numbers: impl IntoIterator<Item = u16>) -> Value {
    Value::Set(numbers.into_iter().map(int).collect())
}

impl Value {
    /// The value in a trace.
    ///
    /// # Panics
    /// When a trace has something else, which the format excludes.
    pub fn from_itf(json: &Json) -> Self {
        let all = |json: &Json| -> Vec<Self> {
            let items = json.as_array().expect("a list");
            items.iter().map(Self::from_itf).collect()
        };
        match json {
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Int(number.as_i64().expect("a small number")),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(_) => Self::List(all(json)),
            Json::Object(fields) => {
                if let Some(number) = fields.get("#bigint") {
                    let number = number.as_str().and_then(|text| text.parse().ok());
                    return Self::Int(number.expect("a number of 64 bits"));
                }
                if let Some(items) = fields.get("#set") {
                    return Self::Set(all(items).into_iter().collect());
                }
                if let Some(items) = fields.get("#tup") {
                    return Self::List(all(items));
                }
                if let Some(pairs) = fields.get("#map") {
                    let pairs = pairs.as_array().expect("pairs").iter();
                    let pair = |pair: &Json| (Self::from_itf(&pair[0]), Self::from_itf(&pair[1]));
                    return Self::Map(pairs.map(pair).collect());
                }
                if let (Some(tag), Some(value)) = (fields.get("tag"), fields.get("value")) {
                    let tag = tag.as_str().expect("a name").to_owned();
                    let empty = Self::List(Vec::new());
                    let held = Self::from_itf(value);
                    let holds = value.get("#tup").is_none() || held != empty;
                    return Self::Case(tag, holds.then(|| Box::new(held)));
                }
                let fields = fields.iter();
                let field = |(name, value): (&String, &Json)| (name.clone(), Self::from_itf(value));
                Self::Record(fields.map(field).collect())
            }
            Json::Null => panic!("null in a trace"),
        }
    }

    /// A field of a record.
    ///
    /// # Panics
    /// When there is none of this name.
    pub fn field(&self, name: &str) -> &Self {
        let Self::Record(fields) = self else {
            panic!("{self} has no {name}");
        };
        let field = fields.get(name);
        field.unwrap_or_else(|| panic!("{self} has no {name}"))
    }

    /// The name of a case, and what it holds.
    ///
    /// # Panics
    /// When it is no case.
    pub fn case(&self) -> (&str, Option<&Self>) {
        match self {
            Self::Case(name, held) => (name, held.as_deref()),
            other => panic!("{other} is no case"),
        }
    }

    /// An integer, as whatever type is wanted.
    ///
    /// # Panics
    /// When it is none of that type.
    pub fn number<T: TryFrom<i64>>(&self) -> T {
        let number = match self {
            Self::Int(number) => T::try_from(*number).ok(),
            _ => None,
        };
        number.unwrap_or_else(|| panic!("{self} isn't such a number"))
    }

    /// The items of a list.
    ///
    /// # Panics
    /// When it is none.
    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            other => panic!("{other} is no list"),
        }
    }

    /// The items of a set.
    ///
    /// # Panics
    /// When it is none.
    pub fn set(&self) -> &BTreeSet<Self> {
        match self {
            Self::Set(items) => items,
            other => panic!("{other} is no set"),
        }
    }

    /// The pairs of a map.
    ///
    /// # Panics
    /// When it is none.
    pub fn pairs(&self) -> &BTreeMap<Self, Self> {
        match self {
            Self::Map(pairs) => pairs,
            other => panic!("{other} is no map"),
        }
    }

    /// The first place where this differs from another value, with both.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let inner = match (self, other) {
            (Self::Record(one), Self::Record(two)) if one.keys().eq(two.keys()) => {
                let mut names = one.keys();
                names.find_map(|name| Some((name.clone(), one[name].difference(&two[name])?)))
            }
            (Self::Map(one), Self::Map(two)) if one.keys().eq(two.keys()) => {
                let mut keys = one.keys();
                keys.find_map(|key| Some((key.to_string(), one[key].difference(&two[key])?)))
            }
            (Self::Case(name, Some(one)), Self::Case(other, Some(two))) if name == other => {
                one.difference(two).map(|inner| (name.clone(), inner))
            }
            _ => None,
        };
        Some(inner.map_or_else(
            || format!("{self} in the specification, {other} on the board"),
            |(name, inner)| format!("{name}: {inner}"),
        ))
    }
}

fn joined(out: &mut fmt::Formatter<'_>, items: impl IntoIterator<Item = String>) -> fmt::Result {
    let items: Vec<String> = items.into_iter().collect();
    out.write_str(&items.join(", "))
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = |items: &[Self]| items.iter().map(Self::to_string).collect::<Vec<_>>();
        match self {
            Self::Bool(value) => write!(out, "{value}"),
            Self::Int(number) => write!(out, "{number}"),
            Self::Text(text) => write!(out, "{text:?}"),
            Self::Expression(text) => out.write_str(text),
            Self::List(items) => {
                out.write_str("[")?;
                joined(out, texts(items))?;
                out.write_str("]")
            }
            Self::Set(items) => {
                out.write_str("Set(")?;
                joined(out, items.iter().map(Self::to_string))?;
                out.write_str(")")
            }
            Self::Map(pairs) => {
                out.write_str("Map(")?;
                joined(
                    out,
                    pairs.iter().map(|(key, value)| format!("{key} -> {value}")),
                )?;
                out.write_str(")")
            }
            Self::Record(fields) => {
                out.write_str("{ ")?;
                joined(
                    out,
                    fields
                        .iter()
                        .map(|(name, value)| format!("{name}: {value}")),
                )?;
                out.write_str(" }")
            }
            Self::Case(name, None) => out.write_str(name),
            Self::Case(name, Some(held)) => write!(out, "{name}({held})"),
        }
    }
}
