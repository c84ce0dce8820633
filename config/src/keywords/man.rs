//! keepalived.conf(5), made from the table.

use std::fmt::Write as _;

use super::manual::state_of;
use super::{ANYWHERE, Keyword, Kind, ROOT, Value, all};

/// What the page says before its list of keywords.
const INTRODUCTION: &str = r#".SH NAME
keepalived.conf \- configuration file of keepalived
.SH DESCRIPTION
One statement stands on a line: a keyword, then its values, separated by blanks. A block is a statement followed by
.B {
and the statements up to the matching
.BR } ;
braces may stand anywhere on a line. The order of the statements in a block does not matter unless a keyword says so; of a keyword that is
given twice the last one counts.
.PP
.B #
and
.B !
start a comment, except between double quotes;
.B \e#
and
.B \e!
are the characters themselves. Double quotes make one word of what stands between them. In commands single quotes do so too, and a command
with arguments is one quoted word:
.PP
.nf
    notify "/usr/local/bin/say 'hello world'" nobody
.fi
.SS Values
A switch
.RI ( BOOL )
is
.BR on ", " true ", " yes ", " off ", " false " or " no ,
in lower case; without a value it is on. Numbers are decimal. Times are seconds with up to six decimals unless something else is said. Addresses are
numeric. WHOLE_SECONDS have no decimals.
.SS Lines that depend on the machine
.TP
.BI @ ID " STATEMENT"
counts only if
.I ID
is the configuration id: that of
.B \-\-config\-id
or else the host name up to its first dot.
.TP
.BI @^ ID " STATEMENT"
counts only if it is not.
.SS Definitions
.TP
.BI $ NAME = VALUE
defines
.IR NAME ,
of letters, digits and underscores.
.BI ${ NAME }
stands for its value from there on, anywhere in a line; so does
.BI $ NAME
before a blank, a comma, a closing parenthesis or the end of the line. A value that ends in a backslash goes on on the next line, and the definition then
stands for several lines.
.TP
.BI ~SEQ( VAR ,\  START ,\  STEP ,\  END )\  TEXT
stands for one line for each number, with
.BI $ VAR
as the number;
.B ~SEQx
counts in hexadecimal.
.TP
.BI ~LST( VAR ,\  VALUE ,\  VALUE ... )\  TEXT
stands for one line for each value.
.PP
Always defined:
.BR _PWD " (directory of the file), " _INSTANCE " (configuration id), " _ENV
.IR NAME ", "
.B _RANDOM
.RI [ MIN " [" MAX ]],
.BR _HASH " (#) and " _BANG " (!)."
.SH KEYWORDS
"#;

/// keepalived.conf(5) as roff.
pub fn man_page() -> String {
    let mut out = String::from(
        ".\\\" generated from the keyword table (config/src/keywords/) by cargo xtask docs; do not edit\n\
         .TH KEEPALIVED.CONF 5 \"\" \"keepalived-rs\" \"File formats\"\n",
    );
    out.push_str(INTRODUCTION);
    let mut block = "";
    for row in all() {
        if row.block != block {
            block = row.block;
            let _ = writeln!(out, ".SS {}", escaped(&heading(block)));
        }
        entry(&mut out, row);
    }
    out.push_str(".SH SEE ALSO\n.BR keepalived (8),\n.BR keepalivedctl (1)\n");
    out
}

fn heading(block: &str) -> String {
    match block {
        ROOT => "At the top level".to_owned(),
        ANYWHERE => "Anywhere, obeyed while reading".to_owned(),
        _ => match block.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
            Some(line) => format!("In each {line}"),
            None => format!("In {}", block.replace('/', ", ")),
        },
    }
}

fn entry(out: &mut String, row: &Keyword) {
    let arguments =
        if row.arguments == "none" { String::new() } else { format!(" \\fI{}\\fR", escaped(row.arguments)) };
    let _ = writeln!(out, ".TP\n\\fB{}\\fR{arguments}", escaped(row.name));
    let mut sentence = |text: &str| {
        if !text.is_empty() {
            let end = if text.ends_with('.') { "" } else { "." };
            let _ = writeln!(out, "{}{end}", escaped(text));
        }
    };
    sentence(row.meaning);
    sentence(row.details.unwrap_or_default());
    // what a switch and a directive take is said above
    let range = if matches!(row.value, Value::Switch) { String::new() } else { row.value.to_string() };
    if !range.is_empty() && row.kind != Kind::Directive {
        sentence(&format!("Values: {range}"));
    }
    sentence(&capital(row.values));
    match (row.default, row.value) {
        ("" | "none", _) | ("off", Value::None) => {}
        ("required", _) => sentence("Required"),
        (default, _) => sentence(&format!("Default: {default}")),
    }
    if !row.history.is_empty() {
        sentence(&format!("History: {}", row.history));
    }
    if let Some(version) = row.since {
        sentence(&format!("Since {version}"));
    }
    sentence(&state_of(row));
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// Text that roff prints as it is; what stands between backticks is bold.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let pieces = text.split('`').enumerate();
    let text: String =
        pieces.map(|(at, piece)| if at % 2 == 1 { format!("\\fB{piece}\\fR") } else { piece.to_owned() }).collect();
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
