//! JSON Schema, as far as the description uses it.

use serde_json::Value;

/// The gateway's description.
pub struct Description(Value);

impl Description {
    pub fn new(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    /// All calls, as method and path.
    pub fn calls(&self) -> Vec<(String, String)> {
        let paths = self.0["paths"].as_object().unwrap();
        let calls = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(|method| (method.clone(), path.clone()))
        });
        calls.collect()
    }

    /// The named schemas, each with its examples.
    pub fn schemas(&self) -> Vec<(String, Vec<Value>)> {
        let schemas = self.0["components"]["schemas"].as_object().unwrap();
        let all = schemas.iter().map(|(name, schema)| {
            let examples = schema["examples"].as_array().unwrap();
            (name.clone(), examples.clone())
        });
        all.collect()
    }

    /// The schema of an answer with this status.
    pub fn answer(&self, method: &str, path: &str, status: u16) -> Value {
        let responses = &self.0["paths"][path][method]["responses"];
        let said = &responses[status.to_string()];
        let said = if said.is_null() {
            &responses["default"]
        } else {
            said
        };
        let kind = said["content"].as_object().unwrap().values().next();
        kind.unwrap()["schema"].clone()
    }

    /// Why a value isn't what a schema says; nothing where it is.
    pub fn wrong(&self, schema: &Value, value: &Value, at: &str) -> Option<String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit_once('/').unwrap().1;
            return self.wrong(&self.0["components"]["schemas"][name], value, at);
        }
        if let Some(any) = schema["anyOf"].as_array() {
            let mut all = any.iter().map(|one| self.wrong(one, value, at));
            return if all.any(|wrong| wrong.is_none()) {
                None
            } else {
                Some(format!("{at}: none of them"))
            };
        }
        if schema.get("const").is_some_and(|wanted| wanted != value) {
            return Some(format!("{at}: {value}"));
        }
        if schema["enum"]
            .as_array()
            .is_some_and(|words| !words.contains(value))
        {
            return Some(format!("{at}: {value}"));
        }
        let types = match &schema["type"] {
            Value::Array(types) => types.clone(),
            one => vec![one.clone()],
        };
        let name = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_u64() => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        if !types.contains(&name.into()) {
            return Some(format!("{at}: {name}, expected {types:?}"));
        }
        match value {
            Value::Array(items) => items
                .iter()
                .find_map(|item| self.wrong(&schema["items"], item, at)),
            Value::Object(_) => self.wrong_object(schema, value, at),
            Value::String(text)
                if schema["pattern"]
                    .as_str()
                    .is_some_and(|pattern| pattern.contains("{64}")) =>
            {
                let is_hash = text.len() == 64
                    && text
                        .bytes()
                        .all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase());
                (!is_hash).then(|| format!("{at}: {text}"))
            }
            _ => None,
        }
    }

    fn wrong_object(&self, schema: &Value, value: &Value, at: &str) -> Option<String> {
        let fields = value.as_object().unwrap();
        let known = schema["properties"].as_object();
        let required = schema["required"].as_array().into_iter().flatten();
        let mut missing = required.filter(|name| !fields.contains_key(name.as_str().unwrap()));
        if let Some(name) = missing.next() {
            return Some(format!("{at}: {name} is missing"));
        }
        fields.iter().find_map(|(name, field)| {
            let at = format!("{at}.{name}");
            let of_field = known.and_then(|known| known.get(name));
            match of_field.or(schema.get("additionalProperties")) {
                Some(Value::Bool(false)) => Some(format!("{at}: it isn't described")),
                // The description itself, of which nothing is said.
                None | Some(Value::Bool(true)) => None,
                Some(schema) => self.wrong(schema, field, &at),
            }
        })
    }
}

/// The search finds what it looks for.
#[test]
fn what_differs_from_its_description_is_found() {
    let description = Description::new(
        r##"{"components":{"schemas":{"A":{"type":"object","required":["a"],"additionalProperties":false,
        "properties":{"a":{"type":["integer","null"]},"b":{"type":"array","items":{"type":"string","pattern":"^[0-9a-f]{64}$"}}}}}}}"##,
    );
    let schema = serde_json::json!({ "$ref": "#/components/schemas/A" });
    let is_wrong = |text: &str| {
        description
            .wrong(&schema, &serde_json::from_str(text).unwrap(), "a")
            .is_some()
    };
    for good in [r#"{"a":1}"#, r#"{"a":null,"b":[]}"#] {
        assert!(!is_wrong(good), "{good}");
    }
    for bad in [
        "[]",
        "{}",
        r#"{"a":"1"}"#,
        r#"{"a":-1}"#,
        r#"{"a":1,"c":1}"#,
        r#"{"a":1,"b":["ab"]}"#,
        r#"{"a":1,"b":[1]}"#,
    ] {
        assert!(is_wrong(bad), "{bad}");
    }
}
