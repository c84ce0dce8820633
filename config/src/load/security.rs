//! Whether scripts are there, and whether anybody said that they may run.

use super::statements::{Reading, Statements, finding_at};
use crate::facts::Program;
use crate::finding::rule;
use crate::keywords::Value;
use crate::model::Config;
use crate::syntax::Node;

/// Checks the scripts of `config`; those of `vrrp_script` that are not there are left out, with what tracks them.
pub(super) fn check(reading: &mut Reading<'_>, config: &mut Config) {
    let missing = missing_scripts(reading, config);
    config.scripts.retain(|script| !missing.contains(&script.name));
    let tracks = config.instances.iter_mut().map(|instance| &mut instance.tracks);
    let tracks = tracks.chain(config.sync_groups.iter_mut().map(|group| &mut group.tracks));
    for tracks in tracks.flatten() {
        tracks.scripts.retain(|track| !missing.contains(&track.name));
    }
    // keepalived does not come to the scripts of instances that cannot run, and one thing at a time is enough
    if config.global.scripts.security || reading.findings.are_fatal() {
        return;
    }
    let present = first_present(reading);
    if let Some((node, program)) = present {
        let message = format!("{program} is run, but enable_script_security is not set");
        let finding = finding_at(&rule::SCRIPT_SECURITY, Some(node), message);
        let finding = finding.note("without it, a script that others may write could run as root");
        reading
            .report(finding.help("add enable_script_security to global_defs, and script_user with who runs scripts"));
    }
}

fn missing_scripts(reading: &mut Reading<'_>, config: &Config) -> Vec<String> {
    let mut missing = Vec::new();
    for script in &config.scripts {
        let Some(program) = script.script.argv.first().filter(|program| program.starts_with('/')) else { continue };
        if reading.facts.program(program) != Program::Missing {
            continue;
        }
        let block = reading.tree.roots().find(|node| {
            node.is("vrrp_script") && node.argument().is_some_and(|word| word.str() == script.name.as_str())
        });
        let node = block.and_then(|block| Statements::of(block.children()).last("script"));
        let message = format!("vrrp_script {}: there is no {program}", script.name);
        let finding = finding_at(&rule::SCRIPT_MISSING, node, message);
        reading.report(finding.note("the script is left out, with everything that tracks it"));
        missing.push(script.name.clone());
    }
    missing
}

/// The first statement with a command that is there, and its program.
fn first_present<'a>(reading: &Reading<'a>) -> Option<(Node<'a>, String)> {
    let commands = reading.tree.statements().filter(|node| {
        // what pipes are read by is not looked at by `-t`, nor what the daemon runs once
        node.keyword().is_some_and(|keyword| keyword.value == Value::Command)
    });
    commands.into_iter().find_map(|node| {
        let word = node.argument()?;
        let argv = crate::command::argv(word.text).ok()?;
        let program = String::from_utf8(argv.into_iter().next()?).ok()?;
        (program.starts_with('/') && reading.facts.program(&program) == Program::Present).then_some((node, program))
    })
}
