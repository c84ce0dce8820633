//! `keepalivedctl expand`: what a configuration says when includes, definitions and sequences are written out.

use std::path::PathBuf;

use keepalived_config::span::{Files, Span};
use keepalived_config::syntax::{Expanded, ExpandedLine, Node};
use keepalived_config::{expand, render};
use keepalived_daemon::files::FileSource;
use serde_json::{Map, Value, json};

use crate::input::{Reading, caution, described};
use crate::{Answer, Failure, eprint_all, json as written};

/// What `expand` is given.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Say after each line where it comes from
    #[arg(long, conflicts_with = "json")]
    origin: bool,
    /// As a document of docs/keepalived.conf.schema.json
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reading: Reading,
}

pub(crate) fn run(arguments: &Arguments) -> Answer {
    let expanded = expand(&FileSource, &arguments.file, &arguments.reading.options());
    let files = expanded.parsed.tree.files();
    if files.is_empty() {
        return Err(Failure(format!("cannot read {}", arguments.file.display())));
    }
    let findings = expanded.parsed.findings.clone().sorted();
    findings.iter().for_each(|finding| eprint_all(&format!("{}\n\n", render(finding, files))));
    let loaded = arguments.reading.load(&arguments.file)?;
    eprint_all(&caution(&arguments.file, &loaded).unwrap_or_default());
    let text = if arguments.json {
        written(&document(&expanded))?.into_bytes()
    } else if arguments.origin {
        with_origins(&expanded)
    } else {
        expanded.text()
    };
    Ok((text, described(&loaded)))
}

/// Where the origins stand if the lines leave room.
const COLUMN: usize = 60;

fn with_origins(expanded: &Expanded) -> Vec<u8> {
    let files = expanded.parsed.tree.files();
    let text = expanded.text();
    let mut out = Vec::new();
    for (line, said) in expanded.lines.iter().zip(text.split(|octet| *octet == b'\n')) {
        out.extend_from_slice(said);
        out.extend(std::iter::repeat_n(b' ', COLUMN.saturating_sub(said.len()).max(1)));
        out.extend(format!("# {}\n", origin(line, files)).bytes());
    }
    out
}

/// `FILE:LINE`, with the definition that it is a line of, and the includes that led there.
fn origin(line: &ExpandedLine, files: &Files) -> String {
    let place = |span: Span| format!("{}:{}", files.path(span).display(), files.position(span).line);
    let includer = |span: Span| files.get(span.file).and_then(|file| file.included_at);
    let mut text = match line.defined {
        Some(defined) => format!("{}, used at {}", place(defined), place(line.at)),
        None => place(line.at),
    };
    for at in std::iter::successors(includer(line.at), |at| includer(*at)).take(8) {
        text.push_str(&format!(", included at {}", place(at)));
    }
    text
}

/// The statements as the schema has them.
fn document(expanded: &Expanded) -> Value {
    Value::Object(object(expanded.parsed.tree.roots()))
}

/// A block of keywords; unknown ones are left out. The reader keeps nesting shallow, so this cannot go deep.
fn object<'a>(nodes: impl Iterator<Item = Node<'a>>) -> Map<String, Value> {
    use keepalived_config::keywords::Value as Kind;
    let mut out = Map::new();
    for node in nodes {
        let Some(keyword) = node.keyword() else { continue };
        let words = || node.arguments().map(|word| Value::from(word.str().into_owned())).collect::<Vec<_>>();
        let first = || node.argument().map(|word| word.str().into_owned()).unwrap_or_default();
        let value = match keyword.value {
            Kind::None => Value::Bool(true),
            Kind::Switch => Value::Bool(!matches!(first().as_str(), "off" | "false" | "no")),
            Kind::Integer { .. } | Kind::Seconds { .. } | Kind::Millis { .. } => number(&first()),
            Kind::Choice(_) | Kind::Text | Kind::Interface | Kind::Address => Value::from(first()),
            Kind::Command | Kind::Words => Value::Array(words()),
            Kind::Lines(_) => {
                let line = |line: Node<'_>| line.words().map(|word| Value::from(word.str().into_owned())).collect();
                append(&mut out, keyword.name, node.children().map(line).collect());
                continue;
            }
            Kind::Block => {
                let mut block = object(node.children());
                if !node.arguments().is_empty() {
                    block.entry("name").or_insert(Value::Array(words()));
                }
                append(&mut out, keyword.name, vec![Value::Object(block)]);
                continue;
            }
        };
        // the last one counts
        out.insert(keyword.name.to_owned(), value);
    }
    out
}

fn append(out: &mut Map<String, Value>, name: &str, values: Vec<Value>) {
    match out.entry(name).or_insert_with(|| json!([])) {
        Value::Array(list) => list.extend(values),
        other => *other = Value::Array(values),
    }
}

fn number(text: &str) -> Value {
    let whole = text.trim_start_matches('+').parse::<i64>().map(Value::from);
    whole.or_else(|_| text.parse::<f64>().map(Value::from)).unwrap_or_else(|_| Value::from(text))
}
