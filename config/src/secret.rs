//! Words that are secrets: no text that others may see has them.

use crate::keywords;

/// What follows one of these in a line is a secret, wherever it stands: a password is one even in a block where it does not belong. Who
/// knows the URL of a receiver may speak to it.
const KEYWORDS: [&str; 3] = ["auth_pass", "password", "webhook"];

/// What follows this is a key of `auth_hmac`.
const KEY: &str = "key";

/// Parts of words that are no keywords, and were to be one of a secret.
const TELLTALE: [&str; 5] = ["pas", "secret", "token", "hook", "key"];

/// Goes through a line, word by word.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Secrets {
    follows_secret: bool,
    follows_key: bool,
}

impl Secrets {
    /// At the beginning of a line whose first word is no keyword there. If it looks like one of a secret, what follows is hidden.
    pub(crate) fn after_unknown(first: &[u8]) -> Self {
        let first = String::from_utf8_lossy(first).to_ascii_lowercase();
        let is_like = TELLTALE.iter().any(|part| first.contains(part))
            || keywords::nearest(&first, KEYWORDS.into_iter().chain([KEY])).is_some();
        Self { follows_secret: is_like, follows_key: false }
    }

    /// Whether `word` is a secret. `has_paths`: a key is the path of a file here.
    pub(crate) fn hides(&mut self, word: &[u8], has_paths: bool) -> bool {
        let is_number = word.len() <= 3 && word.iter().all(u8::is_ascii_digit);
        let is_key = self.follows_key && !is_number && !word.starts_with(b"file:") && word != KEY.as_bytes();
        let hides = self.follows_secret || is_key;
        self.follows_secret |= KEYWORDS.iter().any(|keyword| keyword.as_bytes() == word);
        self.follows_key |= !has_paths && word == KEY.as_bytes();
        hides
    }
}

/// Puts stars in the place of each secret in a line of a file, without the blocks around it: of two readings the one with more secrets
/// counts. The line keeps its length.
pub(crate) fn mask(line: &mut [u8]) {
    let first: Vec<u8> = line.trim_ascii_start().iter().copied().take_while(|octet| !ends_word(*octet)).collect();
    // the value of a definition may be a password somewhere
    let is_definition = first.starts_with(b"$");
    let is_known = std::str::from_utf8(&first).is_ok_and(|name| keywords::all().any(|keyword| keyword.name == name));
    let mut secrets = if is_known { Secrets::default() } else { Secrets::after_unknown(&first) };
    let mut is_first = true;
    for word in line.split_mut(|octet| ends_word(*octet)).filter(|word| !word.is_empty()) {
        let hides = secrets.hides(word, false);
        let value = if is_definition && is_first { word.iter().position(|octet| *octet == b'=') } else { None };
        match value {
            Some(at) => word.get_mut(at.saturating_add(1)..).unwrap_or_default().fill(b'*'),
            None if !is_first && (hides || is_definition) => word.fill(b'*'),
            None => {}
        }
        is_first = false;
    }
}

const fn ends_word(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | b'{' | b'}' | b'"' | b'\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(line: &str) -> String {
        let mut octets = line.as_bytes().to_vec();
        mask(&mut octets);
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn what_follows_a_keyword_of_a_secret_is_hidden() {
        for (line, shown) in [
            ("  auth_pass verysecret", "  auth_pass **********"),
            ("auth_type PASS auth_pass \"a b\" }", "auth_type PASS auth_pass \"* *\" }"),
            ("password SSLSECRET two", "password ********* ***"),
            ("webhook https://u:s@h/x", "webhook ***************"),
            ("active_key 1 key 1 hex:abab", "active_key 1 key 1 ********"),
            ("key 1 short key 2 file:/etc/k", "key 1 ***** key 2 file:/etc/k"),
            ("auth_pas TYPO", "auth_pas ****"),
            ("smtp_password TYPO", "smtp_password ****"),
            ("webhok https://h/S", "webhok ***********"),
            ("$P=abc", "$P=***"),
            ("$P= abc d", "$P= *** *"),
            ("priority 100", "priority 100"),
            ("smtp_password_file /etc/p", "smtp_password_file /etc/p"),
            ("priorty 100", "priorty 100"),
            ("", ""),
        ] {
            assert_eq!(masked(line), shown);
        }
    }
}
