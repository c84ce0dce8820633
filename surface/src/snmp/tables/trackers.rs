//! What can be tracked: scripts, files, processes, BFD sessions.

use std::time::Duration;

use keepalived_config::model::{BfdInstance, ParameterMatch, TrackFile, TrackProcess, TrackScript};
use keepalived_core::vrrp::tracking::{Detail, TrackerKind, TrackerState};

use super::{below, command, program};
use crate::snmp::tree::{Column, Rows, Table, columns};
use crate::snmp::value::{gauge, integer, micros, text, truth};
use crate::snmp::world::{Scene, place};

pub(super) const TABLES: &[Table] = &[
    Table {
        entry: below!(keepalived, 2, 9, 1),
        rows: Rows::Places { levels: 1, first: 1, count: |scene, _| scene.config().scripts.len() },
        columns: SCRIPTS,
    },
    Table {
        entry: below!(keepalived, 2, 13, 1),
        rows: Rows::Places { levels: 1, first: 1, count: |scene, _| scene.config().files.len() },
        columns: FILES,
    },
    Table {
        entry: below!(keepalived, 2, 18, 1),
        rows: Rows::Places { levels: 1, first: 1, count: |scene, _| sessions(scene).count() },
        columns: SESSIONS,
    },
    Table {
        entry: below!(keepalived, 2, 21, 1),
        rows: Rows::Places { levels: 1, first: 1, count: |scene, _| scene.config().processes.len() },
        columns: PROCESSES,
    },
];

fn script<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<&'a TrackScript> {
    scene.config().scripts.get(place(*index.first()?)?)
}

fn file<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<&'a TrackFile> {
    scene.config().files.get(place(*index.first()?)?)
}

fn process<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<&'a TrackProcess> {
    scene.config().processes.get(place(*index.first()?)?)
}

fn sessions<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a BfdInstance> {
    scene.config().bfd_instances.iter().filter(|session| session.tells_vrrp)
}

fn session<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<&'a BfdInstance> {
    sessions(scene).nth(place(*index.first()?)?)
}

fn state(scene: &Scene<'_>, kind: TrackerKind, name: &str) -> TrackerState {
    scene.tracker(kind, name).map_or(TrackerState::Initial, |tracker| tracker.state)
}

const SCRIPTS: &[Column] = columns! { script as script in scene;
    2 vrrpScriptName = text(&script.name);
    3 vrrpScriptCommand = command(Some(&script.script));
    4 vrrpScriptInterval = integer(script.interval.as_secs());
    5 vrrpScriptWeight = integer(script.weight.value);
    6 vrrpScriptResult = integer(match state(scene, TrackerKind::Script, &script.name) {
        TrackerState::Initial if script.init_fail => 5,
        TrackerState::Initial => 1,
        TrackerState::Down | TrackerState::Number(_) => 2,
        TrackerState::Up => 3,
    });
    7 vrrpScriptRise = gauge(script.rise);
    8 vrrpScriptFall = gauge(script.fall);
    9 vrrpScriptWgtRev = truth(script.weight.reverse);
    10 vrrpScriptPath = program(Some(&script.script));
    11 vrrpScriptIntervalUsec = micros(script.interval);
    // the same as the interval is what it is without a word about it
    12 vrrpScriptTimeoutUsec = micros(if script.timeout == script.interval { Duration::ZERO } else { script.timeout });
};

const FILES: &[Column] = columns! { file as file in scene;
    2 vrrpFileName = text(&file.name);
    3 vrrpFilePath = text(&file.path);
    4 vrrpFileResult = integer(match state(scene, TrackerKind::File, &file.name) {
        TrackerState::Number(number) => number,
        TrackerState::Initial | TrackerState::Up | TrackerState::Down => 0,
    });
    5 vrrpFileWeight = integer(file.weight.value);
    6 vrrpFileWgtRev = truth(file.weight.reverse);
};

const SESSIONS: &[Column] = columns! { session as session in scene;
    2 vrrpBfdName = text(&session.name);
    3 vrrpBfdResult = integer(u8::from(state(scene, TrackerKind::Bfd, &session.name) == TrackerState::Up));
    4 vrrpBfdWeight = integer(session.weight);
    5 vrrpBfdWgtRev = truth(session.reverse);
};

const PROCESSES: &[Column] = columns! { process as process in scene;
    2 vrrpProcessName = text(&process.name);
    3 vrrpProcessPath = text(&process.process);
    4 vrrpProcessParams = text(process.parameters.join(" "));
    5 vrrpProcessParamMatch = integer(match process.parameter_match {
        ParameterMatch::None => 0,
        ParameterMatch::Exact => 1,
        ParameterMatch::Partial => 2,
        ParameterMatch::Initial => 3,
    });
    6 vrrpProcessWeight = integer(process.weight.value);
    7 vrrpProcessWgtRev = truth(process.weight.reverse);
    8 vrrpProcessQuorum = gauge(process.quorum);
    9 vrrpProcessQuorumMax = process.quorum_max.map_or(integer(-1), integer);
    10 vrrpProcessForkDelay = micros(process.fork_delay);
    11 vrrpProcessTerminateDelay = micros(process.terminate_delay);
    12 vrrpProcessFullCommand = truth(process.full_command);
    13 vrrpProcessCurProc =
        integer(match scene.tracker(TrackerKind::Process, &process.name).map(|tracker| &tracker.detail) {
            Some(Detail::Processes { count, .. }) => *count,
            Some(Detail::Nothing | Detail::Words(_)) | None => 0,
        });
    14 vrrpProcessResult = truth(state(scene, TrackerKind::Process, &process.name) == TrackerState::Up);
};
