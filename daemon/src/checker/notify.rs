//! Notifications about servers: scripts and named pipes (interfaces.md sections 1 and 2).

use keepalived_config::model::{Config, Script};

use super::report::Report;
use crate::programs::{Fifos, Notice, Programs};

/// Runs the scripts and writes to the FIFOs that are configured for `report`.
pub(super) fn tell(report: &Report, config: &Config, programs: &mut Programs, fifos: &mut Fifos) {
    match report {
        Report::Server { service, server, name, service_name, up, .. } => {
            let number = usize::try_from(service.0).unwrap_or(usize::MAX);
            let virtual_server = config.virtual_servers.get(number);
            let real = virtual_server.zip(*server).and_then(|(of, place)| of.real_servers.get(place));
            let extras = real.and_then(|real| real.settings.extras.as_ref());
            if let Some(script) =
                extras.and_then(|extras| if *up { extras.notify_up.as_ref() } else { extras.notify_down.as_ref() })
            {
                programs.notify(notice(script, format!("RS {name} {service_name}")));
            }
            fifos.write(&format!("RS {name} {service_name} {}\n", state(*up)));
        }
        Report::Quorum { service, service_name, quorum, .. } => {
            let number = usize::try_from(service.0).unwrap_or(usize::MAX);
            if let Some(virtual_server) = config.virtual_servers.get(number) {
                let settings = &virtual_server.settings;
                let script = if quorum.up { &settings.quorum_up } else { &settings.quorum_down };
                if let Some(script) = script {
                    programs.notify(notice(script, format!("VS {service_name}")));
                }
            }
            fifos.write(&format!("VS {service_name} {}\n", state(quorum.up)));
        }
        _ => {}
    }
}

/// These scripts get no arguments of ours.
const fn notice(script: &Script, about: String) -> Notice<'_> {
    Notice { script, extra: Vec::new(), environment: Vec::new(), about }
}

const fn state(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}
