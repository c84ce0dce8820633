//! `authentication` and `auth_hmac`.

use std::time::Duration;

use keepalived_core::vrrp::authentication::hmac::{Hmac, HmacKey, HmacMode, Replay};
use keepalived_core::vrrp::{Authentication, Family, InitialState, Password, Priority, Version};

use super::super::line::{Wrong, number};
use super::super::reading::Reading;
use super::super::statements::Statements;
use super::draft::Draft;
use crate::facts::KeyFile;
use crate::finding::{Finding, rule};
use crate::syntax::{Node, Word};

/// What decides whether there can be authentication.
#[derive(Clone, Copy)]
pub(super) struct AuthenticationInput {
    pub(super) version: Version,
    pub(super) family: Family,
    pub(super) strict: bool,
    pub(super) initial: InitialState,
    pub(super) priority: Priority,
    pub(super) interval: Duration,
}

/// Reads both blocks.
pub(super) fn read(reading: &mut Reading<'_>, draft: &Draft<'_>, input: AuthenticationInput) -> Authentication {
    let legacy = legacy(reading, draft, input);
    let Some(hmac) = hmac(reading, draft, input) else { return legacy };
    if legacy != Authentication::None {
        let message = "auth_hmac and authentication exclude each other; authentication is ignored";
        draft.report(reading, &rule::AUTHENTICATION_IGNORED, "authentication", message);
    }
    Authentication::Hmac(Box::new(hmac))
}

fn legacy(reading: &mut Reading<'_>, draft: &Draft<'_>, input: AuthenticationInput) -> Authentication {
    let none = Authentication::None;
    let blocks = draft.statements.all("authentication");
    let statements = Statements::of(blocks.flat_map(|block| block.children()));
    let Some(kind) = statements.last("auth_type").and_then(|node| node.argument()) else { return none };
    let header = match kind.text {
        b"PASS" => false,
        b"AH" => true,
        _ => {
            let message = format!("auth_type is PASS or AH, not {}; adverts go without authentication", kind.str());
            reading.report(Finding::at(&rule::AUTH_TYPE_UNKNOWN, kind.span, message));
            return none;
        }
    };
    let pass = statements.last("auth_pass").and_then(|node| node.argument()).filter(|pass| !pass.text.is_empty());
    let reason = if input.version == Version::V3 {
        "version 3 has no authentication"
    } else if input.family == Family::V6 {
        "adverts over IPv6 have no authentication"
    } else if input.strict {
        "strict mode excludes authentication"
    } else if let Some(pass) = pass {
        if pass.text.len() > 8 {
            let length = pass.text.len();
            let message = format!("instance {}: auth_pass has {length} octets; the first 8 are used", draft.name);
            reading.report(Finding::at(&rule::PASSWORD_TRUNCATED, pass.span, message));
        }
        let password = Password::truncated(pass.text);
        if !header {
            return Authentication::Password(password);
        }
        if input.initial == InitialState::Master && !input.priority.is_owner() {
            let message = "with auth_type AH a router listens first: state MASTER is BACKUP";
            draft.report(reading, &rule::AH_MASTER, "state", message);
        }
        return Authentication::Header(password);
    } else {
        "authentication needs auth_pass"
    };
    let message = format!("instance {}: {reason}; it is ignored", draft.name);
    reading.report(Finding::at(&rule::AUTHENTICATION_IGNORED, kind.span, message));
    none
}

/// The fewest and the most octets of a key.
const KEY_LENGTHS: std::ops::RangeInclusive<usize> = 32..=64;
/// The least and the greatest freshness window that is not said.
const WINDOWS: [u64; 2] = [5, 300];

fn hmac(reading: &mut Reading<'_>, draft: &Draft<'_>, input: AuthenticationInput) -> Option<Hmac> {
    let block = draft.statements.last("auth_hmac")?;
    let blocks = draft.statements.all("auth_hmac");
    let statements = Statements::of(blocks.flat_map(|block| block.children()));
    let mut keys: Vec<HmacKey> = Vec::new();
    for node in statements.all("key") {
        let result = key(reading, node).and_then(|key| {
            let double = keys.iter().any(|other| other.id == key.id);
            match node.argument().filter(|_| double) {
                Some(word) => Err(Wrong::new(word, format!("there is a key {} already", key.id))),
                None => Ok(key),
            }
        });
        match result {
            Ok(key) => keys.push(key),
            Err(wrong) => {
                let message = format!("instance {}: {}", draft.name, wrong.message);
                let wrong = Wrong { message, ..wrong };
                reading.report(wrong.finding(&rule::HMAC_KEY).note("the key is left out"));
            }
        }
    }
    let active: Option<u8> = reading.integer(statements.last("active_key"));
    let window = reading.integer(statements.last("time_window")).map(Duration::from_secs);
    let monotonic = reading.choice(statements.last("anti_replay")) == Some("monotonic");
    let mode = match reading.choice(statements.last("mode")) {
        Some("permissive") => HmacMode::Permissive,
        Some("receive-only") => HmacMode::ReceiveOnly,
        _ => HmacMode::Enforce,
    };
    let Some(active) = active.filter(|active| keys.iter().any(|key| key.id == *active)) else {
        let is_refused =
            |word: Word<'_>| statements.all("key").filter_map(|node| node.argument()).any(|id| id.text == word.text);
        if statements.last("active_key").and_then(|node| node.argument()).is_some_and(is_refused) {
            // what is wrong with that key has been said
            return None;
        }
        let said = statements.last("active_key").and_then(|node| node.argument());
        let what = said.map_or("active_key is missing".to_owned(), |word| format!("there is no key {}", word.str()));
        let message = format!("instance {}: {what}; adverts go without auth_hmac", draft.name);
        reading.report_at(&rule::HMAC_ACTIVE, statements.last("active_key").or(Some(block)), message);
        return None;
    };
    if input.strict && mode != HmacMode::Enforce {
        draft.report(reading, &rule::STRICT_CONFLICT, "auth_hmac", "strict mode has auth_hmac with mode enforce only");
    }
    let [least, most] = WINDOWS;
    let usual = Duration::from_secs(input.interval.as_secs().saturating_mul(3).clamp(least, most));
    Some(Hmac {
        keys,
        active,
        replay: if monotonic { Replay::Monotonic } else { Replay::Time(window.unwrap_or(usual)) },
        mode: if input.strict { HmacMode::Enforce } else { mode },
    })
}

/// `ID VALUE`: the value is text, `hex:` and digits, or `file:` and a path.
fn key(reading: &mut Reading<'_>, node: Node<'_>) -> Result<HmacKey, Wrong> {
    let mut words = node.arguments();
    let (Some(id), Some(value)) = (words.next(), words.next()) else {
        let first = node.words().next_back().or_else(|| node.first());
        let message = "key needs an id and a value";
        return Err(first.map_or(Wrong::nowhere(message), |word| Wrong::new(word, message)));
    };
    let name = node.first().unwrap_or(id);
    let id = number(name, id, 1, 255)?;
    if let Some(path) = value.text.strip_prefix(b"file:") {
        let path = String::from_utf8_lossy(path).into_owned();
        return Ok(HmacKey { id, secret: file(reading, value, &path)? });
    }
    Ok(HmacKey { id, secret: secret(value, value.text)? })
}

/// The most octets that a key file has: `hex:` and digits, and a little for the end of a line.
const LONGEST_FILE: usize = 4 + 2 * *KEY_LENGTHS.end() + 7;

/// The key in the file `path`, or nothing where the file cannot be looked at.
fn file(reading: &mut Reading<'_>, word: Word<'_>, path: &str) -> Result<Vec<u8>, Wrong> {
    let (content, open) = match reading.facts.key_file(path) {
        KeyFile::Unknown => return Ok(Vec::new()),
        KeyFile::Missing => return Err(Wrong::new(word, format!("the key file {path} cannot be read"))),
        KeyFile::Present { content, open } => (content, open),
    };
    if open {
        let message = format!("others than its owner have rights to the key file {path}");
        let finding = Finding::at(&rule::KEY_FILE_OPEN, word.span, message).note("it is used");
        reading.report(finding.help(format!("chmod go= {path}, and choose another key if others may have seen it")));
    }
    if content.len() > LONGEST_FILE {
        return Err(Wrong::new(word, format!("the key file {path} is too long to be a key")));
    }
    secret(word, content.trim_ascii_end())
}

/// The key that `text` says; `word` is where.
fn secret(word: Word<'_>, text: &[u8]) -> Result<Vec<u8>, Wrong> {
    let octets = match text.strip_prefix(b"hex:") {
        Some(digits) => octets(digits).ok_or_else(|| Wrong::new(word, "hex: needs pairs of hexadecimal digits"))?,
        None => text.to_vec(),
    };
    if !KEY_LENGTHS.contains(&octets.len()) {
        let message =
            format!("a key has {} to {} octets, not {}", KEY_LENGTHS.start(), KEY_LENGTHS.end(), octets.len());
        return Err(Wrong::new(word, message).help("openssl rand -hex 32 makes one: write hex: before it"));
    }
    Ok(octets)
}

fn octets(digits: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits.iter().copied().filter(|digit| !digit.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| {
        let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2)?;
        u8::from_str_radix(text, 16).ok()
    });
    pairs.collect()
}
