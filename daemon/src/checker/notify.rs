//! Who is told what happens: scripts and named pipes (interfaces.md sections 1 and 2).

use std::path::Path;

use keepalived_config::model::{Config, Fifo as FifoSettings, Script};
use keepalived_kernel::fifo::Fifo;
use keepalived_kernel::process;

use super::programs::Programs;
use super::report::Report;

/// Tells scripts and named pipes.
#[derive(Debug)]
pub(super) struct Notifier {
    programs: Programs,
    fifos: Vec<Fifo>,
}

impl Notifier {
    /// Opens the named pipes of `config`, and starts the programs that read them.
    pub(super) fn new(config: &Config, programs: Programs) -> Self {
        let mut notifier = Self { programs, fifos: Vec::new() };
        let fifos = &config.global.fifos;
        notifier.open(&fifos.all);
        // one path for both: one of them is enough
        if fifos.lvs.path != fifos.all.path {
            notifier.open(&fifos.lvs);
        }
        notifier
    }

    fn open(&mut self, settings: &FifoSettings) {
        let Some(path) = &settings.path else { return };
        let owner = settings.user.as_ref().and_then(|user| {
            let account = process::user(&user.name)?;
            let named = user.group.as_ref().and_then(|group| group.name.as_deref());
            Some((account.uid, named.map_or(Some(account.gid), process::group)?))
        });
        if let Some(script) = &settings.script {
            tokio::task::spawn_local(keep_running(self.programs.clone(), script.clone(), path.clone()));
        }
        match Fifo::open(Path::new(path), owner) {
            Ok(fifo) => self.fifos.push(fifo),
            Err(error) => tracing::error!("notify FIFO {path}: {error}"),
        }
    }

    /// Tells of `report` whoever wants to know.
    pub(super) fn tell(&mut self, config: &Config, report: &Report) {
        match report {
            Report::Server { service, server, name, service_name, up, .. } => {
                let number = usize::try_from(service.0).unwrap_or(usize::MAX);
                let virtual_server = config.virtual_servers.get(number);
                let real = virtual_server.zip(*server).and_then(|(of, place)| of.real_servers.get(place));
                let extras = real.and_then(|real| real.settings.extras.as_ref());
                if let Some(script) =
                    extras.and_then(|extras| if *up { extras.notify_up.as_ref() } else { extras.notify_down.as_ref() })
                {
                    self.programs.start(script, Vec::new());
                }
                self.write(&format!("RS {name} {service_name} {}\n", state(*up)));
            }
            Report::Quorum { service, service_name, quorum, .. } => {
                let number = usize::try_from(service.0).unwrap_or(usize::MAX);
                if let Some(virtual_server) = config.virtual_servers.get(number) {
                    let settings = &virtual_server.settings;
                    let script = if quorum.up { &settings.quorum_up } else { &settings.quorum_down };
                    if let Some(script) = script {
                        self.programs.start(script, Vec::new());
                    }
                }
                self.write(&format!("VS {service_name} {}\n", state(quorum.up)));
            }
            _ => {}
        }
    }

    /// Each line is followed by a NUL: keepalived's readers know it.
    fn write(&mut self, line: &str) {
        for fifo in &mut self.fifos {
            if let Err(error) = fifo.write(format!("{line}\0").as_bytes()) {
                tracing::warn!("notify FIFO {}: {error}; a line is lost", fifo.path().display());
            }
        }
    }

    /// The end: named pipes that are ours go.
    pub(super) fn close(self) {
        for fifo in self.fifos {
            fifo.remove();
        }
    }
}

const fn state(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

/// How long to wait before a reader that ended is started again.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// `*_notify_fifo_script`: with the path as its last argument, and again when it ends.
async fn keep_running(programs: Programs, mut script: Script, path: String) {
    script.argv.push(path);
    loop {
        let how = programs.run(&script, None).await;
        tracing::warn!("script {} ended ({how:?}); starting it again", script.argv.first().map_or("", String::as_str));
        tokio::time::sleep(PAUSE).await;
    }
}
