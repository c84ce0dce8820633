//! Whether scripts may run: who runs them, whether they are there, and whether others than root could change them.

use super::known_scripts::{DefaultOwner, Found, Process};
use super::reading::Reading;
use super::statements::{Statements, finding_at};
use crate::facts::{Owner, Program, Weakness, WeaknessKind};
use crate::finding::{Finding, Rule, rule};
use crate::keywords::Keyword;
use crate::model::{Command, Config, Script, ScriptUser};
use crate::syntax::{Node, Word};

/// `USER [GROUP]` as it was found.
pub(super) enum ScriptOwner {
    /// Not there.
    Nobody,
    /// A user of this machine.
    User(ScriptUser),
    /// No such user or no such group: who says so leaves the script out.
    Unknown,
}

/// What the user and group are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// keepalived -t complains.
    Reported,
    /// It does not.
    Silent,
}

/// Reads who runs scripts, before any script is read.
pub(super) fn begin(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Option<ScriptUser> {
    reading.scripts.secure = blocks.has("enable_script_security");
    let node = blocks.last("script_user");
    let said = node.map_or(ScriptOwner::Nobody, |node| reading.owner(node, node.arguments()));
    // to ask for a user costs a megabyte of libraries: not for a file without commands
    let is_command = |node: Node<'_>| node.keyword().is_some_and(Keyword::quoted_ok);
    let matters = reading.scripts.secure || reading.tree.statements().any(is_command);
    let standard = ScriptUser { name: STANDARD_USER.to_owned(), group: None };
    let (default_owner, user) = match said {
        ScriptOwner::User(user) => (DefaultOwner::User(user.clone()), Some(user)),
        ScriptOwner::Unknown => (DefaultOwner::Nobody, None),
        ScriptOwner::Nobody if matters && reading.facts.knows_user(STANDARD_USER) => {
            (DefaultOwner::User(standard), None)
        }
        ScriptOwner::Nobody if reading.scripts.secure => (DefaultOwner::Missing, None),
        ScriptOwner::Nobody => (DefaultOwner::Root, None),
    };
    reading.scripts.default_owner = default_owner;
    user
}

/// Who runs scripts unless `script_user` says otherwise, if there is such a user.
const STANDARD_USER: &str = "keepalived_script";

impl Reading<'_> {
    /// Whether `user`, which the words `words` name for `node`, is of this machine.
    pub(super) fn checked_user(&mut self, node: Node<'_>, words: &[Word<'_>], user: ScriptUser) -> ScriptOwner {
        let group = user.group.as_ref().and_then(|group| group.name.as_deref());
        let (what, word) = if !self.facts.knows_user(&user.name) {
            ("user", words.first())
        } else if group.is_some_and(|group| !self.facts.knows_group(group)) {
            ("group", words.get(1))
        } else {
            return ScriptOwner::User(user);
        };
        let strictness = match node.name().as_ref() {
            "script_user" | "user" | "startup_script" | "shutdown_script" => Strictness::Reported,
            _ => Strictness::Silent,
        };
        let said = word.map(|word| word.str().into_owned()).unwrap_or_default();
        let message = format!("{} names {said}, and there is no such {what}", node.name());
        let rule = if strictness == Strictness::Reported { &rule::USER_UNKNOWN } else { &rule::OWNER_UNKNOWN };
        let finding = match word {
            Some(word) => Finding::at(rule, word.span, message),
            None => finding_at(rule, Some(node), message),
        };
        self.report(match node.is("script_user") {
            true => finding.note("scripts without a user of their own are left out"),
            false => finding.note("it is left out"),
        });
        ScriptOwner::Unknown
    }

    /// Whether there is a user that runs the script of `node`, which names none.
    pub(super) fn has_owner(&mut self, node: Node<'_>) -> bool {
        if self.scripts.default_owner == DefaultOwner::Missing {
            self.scripts.default_owner = DefaultOwner::Nobody;
            let message = format!("nobody runs scripts: there is no script_user, and no user {STANDARD_USER}");
            let finding = finding_at(&rule::SCRIPT_OWNER, Some(node), message);
            self.report(finding.note("scripts without a user of their own are left out"));
        }
        self.scripts.default_owner != DefaultOwner::Nobody
    }

    /// Whether `script`, the command after the keyword of `node`, may run; says why not, and keeps in mind that it is
    /// there.
    pub(super) fn may_run(&mut self, node: Node<'_>, script: &Script) -> bool {
        if script.user.is_none() && !self.has_owner(node) {
            return false;
        }
        let program = match script.command() {
            Some(Command::Program { file, .. }) => file.to_owned(),
            Some(Command::Redirection { path, .. }) => {
                let message = format!("{}: /bin/sh is run, which opens {path}", node.name());
                let finding = finding_at(&rule::SCRIPT_SHELL, Some(node), message);
                self.report(finding.help("name a program, if the file is not all that matters"));
                return true;
            }
            Some(Command::Connection { .. }) | None => return true,
        };
        let tracked = node.is("script");
        let found = self.look(&program, script);
        let weakness = match &found {
            Program::Insecure(weakness) => Some(weakness.clone()),
            _ => None,
        };
        if !matches!(found, Program::Unknown | Program::Missing | Program::Unreachable(_)) {
            let place = node.argument().map(|word| word.span);
            let entry = self.scripts.found.entry(Process::of(&node.name()));
            entry.or_insert(Found { place, program: program.clone(), weakness: weakness.clone() });
        }
        let (problem, way_out, rule): (_, _, &'static Rule) = match found {
            Program::Unknown | Program::Present => return true,
            Program::Insecure(weakness) if self.scripts.secure => {
                let rule = if tracked { &rule::SCRIPT_INSECURE } else { &rule::SCRIPT_UNUSABLE };
                (format!("{program} is not safe: {weakness}"), remedy(&weakness), rule)
            }
            Program::Insecure(_) => return true,
            Program::NotExecutable => {
                let way_out = format!("chmod +x {program}, or let a user run it that may");
                (format!("{program} may not be executed"), way_out, &rule::SCRIPT_UNUSABLE)
            }
            Program::Missing => {
                let way_out = "correct the path, or install the program".to_owned();
                (format!("there is no {program}"), way_out, missing(tracked))
            }
            Program::NoFile => {
                let way_out = "name the program with its whole path".to_owned();
                (format!("{program} is no file"), way_out, missing(tracked))
            }
            Program::Unreachable(directory) => {
                let problem = format!("who runs {program} may not enter {directory}");
                let way_out = format!("chmod +x {directory}, or let a user run it that may enter");
                (problem, way_out, missing(tracked))
            }
        };
        // what is only missing may be there when it is needed; and a check is judged again each time that it is made:
        // it fails as long as it is not safe, and its server does not count as live
        let stays = !tracked && (weakness.is_none() || node.is("misc_path"));
        let message = format!("{}: {problem}", node.name());
        let finding = match node.argument() {
            Some(word) => Finding::at(rule, word.span, message),
            None => finding_at(rule, Some(node), message),
        };
        let finding = finding.help(way_out);
        self.report(match (tracked, stays) {
            (true, _) => finding.note("the script is left out, with everything that tracks it"),
            (false, true) => finding.note("as long as that is so, it will fail"),
            (false, false) => finding.note("it is left out"),
        });
        stays
    }

    fn look(&mut self, program: &str, script: &Script) -> Program {
        let user = match (&script.user, &self.scripts.default_owner) {
            (Some(name), _) => Some(ScriptUser { name: name.clone(), group: script.group.clone() }),
            (None, DefaultOwner::User(user)) => Some(user.clone()),
            (None, _) => None,
        };
        let (name, group) =
            user.map_or((None, None), |user| (Some(user.name), user.group.and_then(|group| group.name)));
        let facts = self.facts;
        let entry = self.scripts.programs.entry((program.to_owned(), name.clone(), group.clone()));
        let look = || facts.program(program, Owner { user: name.as_deref(), group: group.as_deref() });
        entry.or_insert_with(look).clone()
    }

    /// Leaves out the `vrrp_script` of this name.
    pub(super) fn leave_out_script(&mut self, name: &str) {
        self.scripts.left_out.insert(name.to_owned());
    }
}

fn missing(tracked: bool) -> &'static Rule {
    if tracked { &rule::SCRIPT_MISSING } else { &rule::SCRIPT_UNUSABLE }
}

fn remedy(weakness: &Weakness) -> String {
    let path = &weakness.path;
    match weakness.kind {
        WeaknessKind::Owner { .. } => format!("chown -h root {path}, or let another user than root run it"),
        WeaknessKind::Writable { .. } => format!("chmod go-w {path}, or let another user than root run it"),
    }
}

/// Leaves out what may not run, and says whether security is asked for.
pub(super) fn check(reading: &mut Reading<'_>, config: &mut Config) {
    let left_out = std::mem::take(&mut reading.scripts.left_out);
    config.scripts.retain(|script| !left_out.contains(&script.name));
    let tracks = config.instances.iter_mut().map(|instance| &mut instance.tracks);
    let tracks = tracks.chain(config.sync_groups.iter_mut().map(|group| &mut group.tracks));
    for tracks in tracks.flatten() {
        tracks.scripts.retain(|track| !left_out.contains(&track.name));
    }
    if reading.scripts.secure {
        return;
    }
    let has = |name: &str| reading.tree.roots().any(|node| node.is(name));
    // keepalived ends before it looks at scripts if an interface is missing
    let vrrp = has("vrrp_instance") && !reading.scripts.absent_interface.get();
    let checker = has("virtual_server");
    let runs = |process: Process| match process {
        Process::Supervisor => true,
        Process::Vrrp => vrrp,
        Process::Checker => checker,
        Process::Either => vrrp || checker,
    };
    let found = std::mem::take(&mut reading.scripts.found);
    let found = found.into_iter().filter(|(process, _)| runs(*process)).map(|(_, found)| found);
    let Some(found) = found.min_by_key(|found| found.place.map(|place| (place.file, place.start))) else { return };
    let message = format!("{} is run, but enable_script_security is not set", found.program);
    let finding = match found.place {
        Some(place) => Finding::at(&rule::SCRIPT_SECURITY, place, message),
        None => Finding::anywhere(&rule::SCRIPT_SECURITY, message),
    };
    let finding = match found.weakness {
        Some(weakness) => finding.note(format!("and it is not safe: {weakness}")),
        None => finding.note("without it, a script that others may write could run as root"),
    };
    reading.report(finding.help("add enable_script_security to global_defs, and script_user with who runs scripts"));
}
