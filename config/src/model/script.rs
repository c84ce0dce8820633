//! Commands that are run for the administrator, and on whose behalf.

use serde::{Deserialize, Serialize};

/// A command with what it runs as.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Script {
    /// The program and its arguments; at least the program. See [`Script::command`] for what is run.
    pub argv: Vec<String>,
    /// Who runs it; `Global::script_user` if absent.
    pub user: Option<String>,
    /// The group that it runs with; the user's own if absent. Never without `user`.
    pub group: Option<ScriptGroup>,
}

/// What is run for a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command<'a> {
    /// A program. No shell is between.
    Program {
        /// Its file, or a name that is looked for in `PATH`.
        file: &'a str,
        /// What follows it.
        arguments: &'a [String],
    },
    /// `<FILE [PROGRAM ARGUMENT...]`: a shell opens the file, and the program, if any, reads it.
    Redirection {
        /// What is opened.
        path: &'a str,
        /// The program that reads it and its arguments.
        reader: &'a [String],
    },
    /// `</dev/tcp/HOST/PORT [PROGRAM ARGUMENT...]`: connects; only some shells know it, so none is needed.
    Connection {
        /// A name or an address.
        host: &'a str,
        /// The port.
        port: u16,
        /// The program that reads what comes, and its arguments.
        reader: &'a [String],
    },
}

impl Script {
    /// What is run: as with keepalived, a first word that begins with `<` and goes on with a path has a shell open
    /// that.
    pub fn command(&self) -> Option<Command<'_>> {
        let (first, rest) = self.argv.split_first()?;
        let path = first.strip_prefix('<').map(|path| path.trim_start_matches([' ', '\t']));
        let Some(path) = path.filter(|path| path.starts_with('/')) else {
            return Some(Command::Program { file: first, arguments: rest });
        };
        let connection = path.strip_prefix("/dev/tcp/").and_then(|peer| peer.split_once('/'));
        let connection = connection.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        Some(match connection.filter(|(host, port)| !host.is_empty() && *port != 0) {
            Some((host, port)) => Command::Connection { host, port, reader: rest },
            None => Command::Redirection { path, reader: rest },
        })
    }
}

/// What is written after the user: `GROUP`, `:GROUP` or `:`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScriptGroup {
    /// The group; the user's own if absent.
    pub name: Option<String>,
    /// The colon: the command also has the user's supplementary groups.
    pub supplementary: bool,
}

/// `script_user` and `user`: the user of scripts that name none themselves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScriptUser {
    /// Name of the user.
    pub name: String,
    /// The group that it runs with; the user's own if absent.
    pub group: Option<ScriptGroup>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observed with keepalived 2.2.7: `</etc/hostname` ends with 0, `</nonexistent` with 2, words after it are a
    /// program and its arguments; `< /etc/hostname` names a program `<`.
    #[test]
    fn a_word_that_begins_with_a_redirection_is_no_program() {
        let check = |words: &[&str], expected: Command<'_>| {
            let script =
                Script { argv: words.iter().map(|word| (*word).to_owned()).collect(), user: None, group: None };
            assert_eq!(script.command(), Some(expected), "{words:?}");
        };
        let program = |file| Command::Program { file, arguments: &[] };
        check(&["/bin/true"], program("/bin/true"));
        check(&["<"], program("<"));
        check(&["<hostname"], program("<hostname"));
        check(&["</etc/hostname"], Command::Redirection { path: "/etc/hostname", reader: &[] });
        check(&["< /etc/hostname"], Command::Redirection { path: "/etc/hostname", reader: &[] });
        let cat = ["cat".to_owned(), "-".to_owned()];
        check(&["</etc/hostname", "cat", "-"], Command::Redirection { path: "/etc/hostname", reader: &cat });
        check(&["</dev/tcp/10.0.0.1/80"], Command::Connection { host: "10.0.0.1", port: 80, reader: &[] });
        check(
            &["</dev/tcp/2001:db8::1/80", "cat", "-"],
            Command::Connection { host: "2001:db8::1", port: 80, reader: &cat },
        );
        for path in ["/dev/tcp/10.0.0.1/http", "/dev/tcp/10.0.0.1", "/dev/tcp//80", "/dev/tcp/h/0", "/dev/tcp/h/80/9"] {
            check(&[&format!("<{path}")], Command::Redirection { path, reader: &[] });
        }
    }
}
