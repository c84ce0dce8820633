//! The end that comes from outside: Ctrl-C, SIGTERM, a closed terminal, a reader of our output that has gone.

use crate::daemon::family;
use crate::{ending, namespace};
use rustix::process::{Pid, Signal, getpid, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::Once;
use std::time::{Duration, Instant};

static WATCHING: Once = Once::new();

/// From now on a signal that ends this process first ends all that it has started, and removes its labs.
pub fn tidy_up_on_signals() {
    WATCHING.call_once(|| {
        // without it a signal ends us as it always has, and the next lab removes what is left
        if let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGTERM]) {
            std::thread::spawn(move || {
                if let Some(signal) = signals.forever().next() {
                    end(128 + signal);
                }
            });
        }
    });
}

/// Ends this process with a status, and before it all that it has started: labs, daemons, builds.
pub fn end(status: i32) -> ! {
    if ending::begin() {
        // another thread is at it, and takes this one along
        loop {
            std::thread::park();
        }
    }
    namespace::remove_own();
    let me = getpid();
    let others = || family(me).into_iter().filter(|&pid| pid != me && lives(pid)).collect::<Vec<_>>();
    signal(&others(), Signal::TERM);
    let deadline = Instant::now() + Duration::from_secs(5);
    while !others().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&others(), Signal::KILL);
    namespace::remove_own();
    std::process::exit(status)
}

fn signal(processes: &[Pid], signal: Signal) {
    for pid in processes {
        let _ = kill_process(*pid, signal);
    }
}

/// Whether the process is there, and no zombie.
fn lives(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
