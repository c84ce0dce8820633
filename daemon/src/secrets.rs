//! What stands in files that only root can read. The supervisor's thread that reads the configuration reads these, too, and the observer,
//! which is another user, gets what it needs.

use std::fmt;
use std::path::Path;

use keepalived_config::model::Global;
use keepalived_kernel::files::read_text;
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
}

impl Secrets {
    /// Reads those that are configured. The files may be slow.
    pub fn read(global: &Global) -> Self {
        let first_line = |path: &String| {
            let text = read_text(Path::new(path), LARGEST).map_err(|error| error.to_string())?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        };
        Self { mail_password: global.mail.password_file.as_ref().map(first_line) }
    }
}

/// They are not to appear anywhere.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}
