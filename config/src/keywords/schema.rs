//! The configuration as a JSON document, and its schema (JSON Schema 2020-12), made from the table.
//!
//! A block is an object; a keyword is a property of it. What may stand several times is an array. A block with a name
//! has it as the property `name`. `keepalivedctl expand --json` prints configurations in this form.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Keyword, Kind, ROOT, Status, Value, all, block_opened};

/// A schema, or a part of one.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    dialect: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<f64>,
    #[serde(rename = "enum", skip_serializing_if = "Option::is_none")]
    words: Option<&'static [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Box<Schema>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecated: Option<bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    properties: BTreeMap<&'static str, Schema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_properties: Option<bool>,
}

/// The schema of a whole configuration.
pub fn schema() -> Schema {
    Schema {
        dialect: Some("https://json-schema.org/draft/2020-12/schema"),
        title: Some("keepalived.conf"),
        ..block(ROOT)
    }
}

fn block(path: &'static str) -> Schema {
    let rows = all().filter(|row| row.block == path && row.kind == Kind::Keyword);
    let mut properties: BTreeMap<_, _> = rows.map(|row| (row.name, described(row))).collect();
    if path != ROOT {
        let name = Schema { items: Some(Box::new(of_kind("string"))), ..of_kind("array") };
        // `name` is a keyword of DNS_CHECK, which has no name of its own
        properties.entry("name").or_insert(name);
    }
    Schema { properties, additional_properties: Some(false), ..of_kind("object") }
}

fn described(row: &'static Keyword) -> Schema {
    let default = if row.default.is_empty() { String::new() } else { format!(" Default: {}.", row.default) };
    let details = row.details.map(|details| format!(" {details}")).unwrap_or_default();
    let old = matches!(row.status, Status::Deprecated { .. } | Status::Obsolete { .. });
    Schema {
        description: Some(format!("{}.{details}{default}", row.meaning)),
        deprecated: old.then_some(true),
        ..valued(row)
    }
}

fn valued(row: &'static Keyword) -> Schema {
    match row.value {
        Value::None | Value::Switch => of_kind("boolean"),
        Value::Integer { least, most, .. } => {
            // JSON has one kind of number; all of these are exact in it
            let bound = |number: i64| number.to_string().parse().ok();
            Schema { minimum: bound(least), maximum: bound(most), ..of_kind("integer") }
        }
        Value::Seconds { least, most } => time(least, most, 1e6),
        Value::Millis { least, most } => time(least, most, 1e3),
        Value::Choice(words) => Schema { words: Some(words), ..of_kind("string") },
        Value::Text => of_kind("string"),
        Value::Interface => Schema { max_length: Some(15), ..of_kind("string") },
        Value::Address => of_kind("string"),
        Value::Command | Value::Words => list(of_kind("string")),
        Value::Lines(_) => list(list(of_kind("string"))),
        Value::Block => list(block_opened(row.block, row.name).map_or_else(|| of_kind("object"), block)),
    }
}

fn time(least: u64, most: u64, unit: f64) -> Schema {
    let bound = |number: u64| number.to_string().parse::<f64>().ok().map(|number| number / unit);
    Schema { minimum: bound(least), maximum: bound(most), ..of_kind("number") }
}

fn list(items: Schema) -> Schema {
    Schema { items: Some(Box::new(items)), ..of_kind("array") }
}

fn of_kind(kind: &'static str) -> Schema {
    Schema { kind: Some(kind), ..Schema::default() }
}
