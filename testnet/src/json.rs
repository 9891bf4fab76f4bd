//! JSON whose form isn't certain

use serde_json::Value;

static NULL: Value = Value::Null;

/// The value at a path like `/params/height`; null where there is none.
pub(crate) fn at<'a>(json: &'a Value, path: &str) -> &'a Value {
    json.pointer(path).unwrap_or(&NULL)
}
