//! What stands in files that only root can read. The supervisor's thread that reads the configuration reads these, too, and the observer,
//! which is another user, gets what it needs.

use std::fmt;
use std::path::Path;

use keepalived_config::model::Global;
use keepalived_kernel::files::{read_private, read_text};
use serde::{Deserialize, Serialize};

/// The largest file.
const LARGEST: u64 = 4096;

/// One secret, or why it is not known.
pub type Secret = Result<String, String>;

/// All of them; none if it is not configured.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Secrets {
    /// What `smtp_password_file` holds.
    pub mail_password: Option<Secret>,
    /// What `page_token_file` holds.
    pub page_token: Option<Secret>,
}

/// The shortest token: with letters and digits at random, nobody guesses it.
const SHORTEST_TOKEN: usize = 16;

/// The longest, for the head of a request.
const LONGEST_TOKEN: usize = 1024;

impl Secrets {
    /// Reads those that are configured. The files may be slow.
    pub fn read(global: &Global) -> Self {
        let first_line = |path: &String| -> Secret {
            let text = read_text(Path::new(path), LARGEST).map_err(|error| error.to_string())?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        };
        Self {
            mail_password: global.mail.password_file.as_ref().map(first_line),
            page_token: global.control.token_file.as_ref().map(|path| token(Path::new(path))),
        }
    }
}

fn token(path: &Path) -> Secret {
    let text = read_private(path, LARGEST).map_err(|error| error.to_string())?;
    let token = text.trim_end_matches(['\r', '\n']);
    if !token.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Err("a token is one line of letters, digits and signs, without blanks".to_owned());
    }
    if !(SHORTEST_TOKEN..=LONGEST_TOKEN).contains(&token.len()) {
        return Err(format!(
            "a token has {SHORTEST_TOKEN} to {LONGEST_TOKEN} letters; `openssl rand -hex 16` makes one"
        ));
    }
    Ok(token.to_owned())
}

/// No log and no dump has them.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}
