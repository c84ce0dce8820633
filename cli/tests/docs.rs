//! The committed manual page and completions are what the command line is. `UPDATE_DOCS=1 cargo test -p keepalived-cli --test docs`
//! writes them.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

fn check(name: &str, expected: &[u8]) {
    let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read(&path).unwrap_or_default();
    assert!(found == expected, "{name} is out of date; run with UPDATE_DOCS=1");
}

/// What the page says after the commands.
const REST: &str = "\
.SH EXIT STATUS
.TP
0
Nothing to complain about. For
.BR status :
all is well.
.TP
1
.BR status :
there are warnings.
.BR diff :
something would change.
.TP
2
.BR status :
there are problems.
.TP
3
The daemon does not run, or has another control socket.
.TP
4
The request failed; why is on standard error.
.TP
64
The command line is wrong.
.PP
.BR check ,
.BR explain ,
.BR fmt
and
.B expand
exit with the statuses of
.BR \"keepalived \\-t\" ,
or with 1 if they could not do their work.
.SH JSON
.B status \\-\\-json
prints one object. Its
.B version
is 1: members may be added to any object, and none changes its meaning as long as the version is the same. Times are seconds since 1970, durations are
seconds, and what is not known is
.BR null .
.B events \\-\\-json
prints an object in each line.
.SH FILES
.TP
.I /run/keepalived.sock
The control socket of a daemon with the usual pid file.
.SH SEE ALSO
.BR keepalived (8),
.BR keepalived.conf (5)
";

/// One page: each command is a section of it.
fn page(command: &Command) -> Vec<u8> {
    let mut page = Vec::new();
    let man = Man::new(command.clone()).section("1").date("").source("keepalived-rs");
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    page.extend_from_slice(b".SH COMMANDS\n");
    for of in command.get_subcommands().filter(|of| of.get_name() != "help") {
        let mut part = Vec::new();
        let is_everywhere = |id: &str| matches!(id, "color" | "help");
        let man = Man::new(of.clone().mut_args(|arg| {
            let hide = is_everywhere(arg.get_id().as_str());
            arg.hide(hide)
        }));
        man.render_synopsis_section(&mut part).unwrap();
        man.render_description_section(&mut part).unwrap();
        man.render_options_section(&mut part).unwrap();
        let part = String::from_utf8(part).unwrap();
        // what introduces the sections is the name of the command
        let lines = part.lines().filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el "));
        page.extend(format!(".SS {}\n", of.get_name()).bytes());
        let kept = lines.filter(|line| !matches!(*line, ".SH SYNOPSIS" | ".SH OPTIONS"));
        let kept = kept.map(|line| if line == ".SH DESCRIPTION" { ".PP" } else { line });
        page.extend(kept.flat_map(|line| [line, "\n"]).collect::<String>().bytes());
    }
    page.extend_from_slice(REST.as_bytes());
    page
}

#[test]
fn the_man_page_is_up_to_date() {
    let mut command = keepalived_cli::command();
    command.build();
    check("docs/keepalivedctl.1", &page(&command));
}

#[test]
fn the_completions_are_up_to_date() {
    for (shell, name) in [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut keepalived_cli::command(), "keepalivedctl", &mut text);
        check(&format!("contrib/completions/keepalivedctl.{name}"), &text);
    }
}
