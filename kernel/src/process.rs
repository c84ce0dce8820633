//! Processes: start, watch and end them; become a daemon; rights, scheduling and limits of the calling one.

mod account;
mod background;
mod calls;
mod confine;
mod events;
mod list;
mod memory;
mod module;
mod namespace;
mod pid_file;
mod privilege;
mod program;
mod roster;
mod schedule;
mod spawn;

pub use account::{Account, find_group, find_user, supplementary_groups};
pub use background::{Background, daemonise, silence_standard_streams};
pub use calls::{allowed_calls, give_up_calls};
pub use confine::give_up_files;
pub use events::{ProcessEvent, ProcessEvents};
pub use list::{Watched, command_line, list, short_name};
pub use memory::{give_back_memory, map_large_buffers};
pub use module::load_module;
pub use namespace::{NetworkNamespace, enter_network_namespace};
pub use pid_file::{PidFile, PidFileRefused};
pub use privilege::{Capability, become_user, drop_capabilities, effective_uid, holds, set_umask};
pub use program::{Identity, Orphaned, Program, signal_group, start};
pub use roster::{Entered, Roster};
pub use schedule::{
    Realtime, limit_core, lock_memory, pin_to_cpus, precise_timers, raise_descriptor_limit, run_in_short_turns,
    set_nice, set_realtime,
};
pub use spawn::{
    Child, Exit, Launch, Pid, adopt_orphans, die_with_parent, inherited, own_pid, reap_orphans, set_name, spawn,
};

pub use crate::reactor::uptime;
