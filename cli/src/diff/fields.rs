//! What differs between two values of the model, field by field.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

/// Writes a line for each field in which `old` and `new` differ.
pub(super) fn fields<T: Serialize>(out: &mut String, indent: &str, old: &T, new: &T) {
    let value = |side: &T| serde_json::to_value(side).unwrap_or(Value::Null);
    let (old, new) = (value(old), value(new));
    let mut differing = Vec::new();
    compare("", &old, &new, &mut differing);
    for (path, old, new) in differing {
        // writing to a String cannot fail
        writeln!(out, "{indent}{path}: {} -> {}", shown(old), shown(new)).ok();
    }
}

/// The model is a few levels deep, so this is, too.
fn compare<'a>(path: &str, old: &'a Value, new: &'a Value, out: &mut Vec<(String, &'a Value, &'a Value)>) {
    match (old, new) {
        (Value::Object(before), Value::Object(after)) if duration(old).is_none() => {
            for (key, value) in after {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(&inner, before.get(key).unwrap_or(&Value::Null), value, out);
            }
        }
        _ if old != new => out.push((path.to_owned(), old, new)),
        _ => {}
    }
}

/// How a value of the model is shown; a time as seconds.
fn shown(value: &Value) -> String {
    if let Some(seconds) = duration(value) {
        return format!("{seconds} s");
    }
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let set = fields.iter().filter(|(_, value)| !value.is_null());
            let set: Vec<String> = set.map(|(key, value)| format!("{key} {}", shown(value))).collect();
            format!("{{{}}}", set.join(", "))
        }
        other => other.to_string(),
    }
}

/// The seconds of a `Duration` as serde writes it.
fn duration(value: &Value) -> Option<f64> {
    let fields = value.as_object().filter(|fields| fields.len() == 2)?;
    Some(fields.get("secs")?.as_f64()? + fields.get("nanos")?.as_f64()? / 1e9)
}
