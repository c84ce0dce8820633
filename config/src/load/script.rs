//! Commands: `SCRIPT [user [[:]group]]`, and users alone.

use super::reading::Reading;
use super::security::ScriptOwner;
use super::statements::Statements;
use crate::command;
use crate::finding::{Finding, rule};
use crate::keywords::Value;
use crate::model::{Script, ScriptGroup, ScriptUser};
use crate::syntax::{Node, Word, Words};

impl Reading<'_> {
    /// The command after the keyword of `node`, if it may run; `None` without one. A missing one has been reported
    /// where it is needed.
    pub(super) fn script(&mut self, node: Option<Node<'_>>) -> Option<Script> {
        let node = node?;
        node.keyword().filter(|keyword| keyword.value == Value::Command)?;
        let (command, owner) = node.arguments().split_first()?;
        let argv = self.argv(node, command)?;
        let script = match self.owner(node, owner) {
            ScriptOwner::User(ScriptUser { name, group }) => Script { argv, user: Some(name), group },
            ScriptOwner::Nobody => Script { argv, user: None, group: None },
            ScriptOwner::Unknown => return None,
        };
        self.may_run(node, &script).then_some(script)
    }

    /// The command of `path` as the line `user` of the same block has it run, and whether it may.
    pub(super) fn script_of(&mut self, path: Option<Node<'_>>, user: Option<Node<'_>>) -> Option<(Script, bool)> {
        let node = path?;
        let (command, extra) = node.arguments().split_first()?;
        let argv = self.argv(node, command);
        if let Some(extra) = extra.clone().next() {
            let message = format!("{} ignores {} and what follows", node.name(), extra.str());
            let finding = Finding::at(&rule::EXTRA_WORDS, extra.span, message);
            self.report(finding.help("put a command and its arguments into one pair of quotes"));
        }
        let owner = user.map_or(ScriptOwner::Nobody, |user| self.owner(user, user.arguments()));
        let argv = argv?;
        Some(match owner {
            ScriptOwner::User(ScriptUser { name, group }) => {
                self.judged(node, Script { argv, user: Some(name), group })
            }
            ScriptOwner::Nobody => self.judged(node, Script { argv, user: None, group: None }),
            ScriptOwner::Unknown => (Script { argv, user: None, group: None }, false),
        })
    }

    fn judged(&mut self, node: Node<'_>, script: Script) -> (Script, bool) {
        let may_run = self.may_run(node, &script);
        (script, may_run)
    }

    /// The first script `name` of a block: of these, keepalived does not take a second one.
    pub(super) fn first_script(&mut self, statements: &Statements<'_>, name: &str) -> Option<Script> {
        let node = statements.first(name);
        self.script(node)
    }

    /// The program and its arguments that `command` says, for `node`.
    fn argv(&mut self, node: Node<'_>, command: Word<'_>) -> Option<Vec<String>> {
        let words = command::argv(command.text)
            .map(|words| words.into_iter().map(String::from_utf8).collect::<Result<Vec<_>, _>>());
        let problem = match words {
            Ok(Ok(argv)) if argv.first().is_some_and(|program| !program.is_empty()) => {
                self.check_shell(node, command, &argv);
                return Some(argv);
            }
            Ok(Ok(_)) => "is empty".to_owned(),
            Ok(Err(_)) => "is not UTF-8".to_owned(),
            Err(error) => format!("cannot be read: {error}"),
        };
        let message = format!("the command of {} {problem}", node.name());
        self.report(Finding::at(&rule::COMMAND_INVALID, command.span, message).note("it is left out"));
        None
    }

    /// Says where a command is written for a shell, which nothing here is read by.
    fn check_shell(&mut self, node: Node<'_>, command: Word<'_>, argv: &[String]) {
        // what is opened and not run; and who calls a shell knows
        let is_shell = |word: &String| SHELLS.contains(&word.rsplit('/').next().unwrap_or_default());
        if argv.iter().any(is_shell) || argv.first().is_some_and(|program| program.starts_with('<')) {
            return;
        }
        let is_sign = |word: &String| {
            matches!(
                word.as_str(),
                "|" | "||" | "&" | "&&" | ";" | ">" | ">>" | "<" | "2>" | "2>&1" | "&>" | ">/dev/null" | "2>/dev/null"
            ) || word.contains("$(")
                || word.contains('`')
        };
        let program_ends = |word: &&String| word.len() > 1 && word.ends_with(';');
        let Some(sign) = argv.iter().skip(1).find(|word| is_sign(word)).or(argv.first().filter(program_ends)) else {
            return;
        };
        let message = format!("{}: no shell reads the command, so {sign} is a word like others", node.name());
        let finding = Finding::at(&rule::NO_SHELL, command.span, message);
        self.report(finding.help("put the line into a script, or call a shell: /bin/sh -c '...'"));
    }

    /// `USER [[:]GROUP]` at the start of `words`.
    pub(super) fn owner(&mut self, node: Node<'_>, mut words: Words<'_>) -> ScriptOwner {
        let said: Vec<Word<'_>> = words.clone().take(2).collect();
        let Some(user) = words.next() else { return ScriptOwner::Nobody };
        if !user.text.iter().all(|octet| octet.is_ascii_alphanumeric() || b"._-$@\\+".contains(octet))
            || user.text.starts_with(b"-")
        {
            let message = format!("{} takes {} for the name of a user", node.name(), user.str());
            let finding = Finding::at(&rule::SCRIPT_USER, user.span, message);
            self.report(finding.help("put a command and its arguments into one pair of quotes"));
        }
        let group = words.next().map(|word| group(&word.str()));
        if let Some(extra) = words.next() {
            let message = format!("{} ignores {} and what follows", node.name(), extra.str());
            let finding = Finding::at(&rule::EXTRA_WORDS, extra.span, message);
            self.report(finding.help("put a command and its arguments into one pair of quotes"));
        }
        self.checked_user(node, &said, ScriptUser { name: user.str().into_owned(), group })
    }
}

/// Programs that read what a command says.
const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "ksh", "zsh", "busybox", "env"];

fn group(word: &str) -> ScriptGroup {
    let (supplementary, name) = word.strip_prefix(':').map_or((false, word), |name| (true, name));
    ScriptGroup { name: (!name.is_empty()).then(|| name.to_owned()), supplementary }
}
