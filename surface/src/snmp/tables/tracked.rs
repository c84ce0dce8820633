//! What instances and sync groups track, a table for each kind and either of them.

use keepalived_config::model::{Tracks, Weight};

use super::below;
use super::instances::instance;
use crate::snmp::tree::{Rows, Table, columns};
use crate::snmp::value::{integer, text, truth};
use crate::snmp::world::{Scene, place};

fn of_instance<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<&'a Tracks> {
    instance(scene, index)?.config.tracks.as_deref()
}

fn of_group<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<&'a Tracks> {
    scene.config().sync_groups.get(place(*index.first()?)?)?.tracks.as_deref()
}

macro_rules! tracked {
    (
        $entry:literal, $all:ident, $owner:ident, $field:ident,
        $first:literal $name:ident $second:literal $weight:ident $third:literal $reverse:ident
    ) => {
        Table {
            entry: below!(keepalived, 2, $entry, 1),
            rows: Rows::Places {
                levels: 2,
                first: 1,
                count: |scene, index| match index {
                    [] => scene.config().$all.len(),
                    index => $owner(scene, index).map_or(0, |tracks| tracks.$field.len()),
                },
            },
            columns: {
                fn line<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<(&'a [u8], Weight)> {
                    let line = $owner(scene, index)?.$field.get(place(*index.get(1)?)?)?;
                    Some((line.name.as_bytes(), line.weight))
                }
                columns! { line as line in scene;
                    $first $name = text(line.0);
                    $second $weight = integer(line.1.value);
                    $third $reverse = truth(line.1.reverse);
                }
            },
        }
    };
}

pub(super) const TABLES: &[Table] = &[
    tracked!(4, instances, of_instance, interfaces,
        1 vrrpTrackedInterfaceName 2 vrrpTrackedInterfaceWeight 3 vrrpTrackedInterfaceWgtRev),
    tracked!(5, instances, of_instance, scripts,
        2 vrrpTrackedScriptName 3 vrrpTrackedScriptWeight 4 vrrpTrackedScriptWgtRev),
    tracked!(12, instances, of_instance, files,
        2 vrrpTrackedFileName 3 vrrpTrackedFileWeight 4 vrrpTrackedFileWgtRev),
    tracked!(17, instances, of_instance, bfds,
        2 vrrpTrackedBfdName 3 vrrpTrackedBfdWeight 4 vrrpTrackedBfdWgtRev),
    tracked!(20, instances, of_instance, processes,
        2 vrrpTrackedProcessName 3 vrrpTrackedProcessWeight 4 vrrpTrackedProcessWgtRev),
    tracked!(14, sync_groups, of_group, interfaces,
        1 vrrpSyncTrackedInterfaceName 2 vrrpSyncTrackedInterfaceWeight 3 vrrpSyncTrackedInterfaceWgtRev),
    tracked!(15, sync_groups, of_group, scripts,
        2 vrrpSyncTrackedScriptName 3 vrrpSyncTrackedScriptWeight 4 vrrpSyncTrackedScriptWgtRev),
    tracked!(16, sync_groups, of_group, files,
        2 vrrpSyncTrackedFileName 3 vrrpSyncTrackedFileWeight 4 vrrpSyncTrackedFileWgtRev),
    tracked!(19, sync_groups, of_group, bfds,
        2 vrrpSyncTrackedBfdName 3 vrrpSyncTrackedBfdWeight 4 vrrpSyncTrackedBfdWgtRev),
    tracked!(22, sync_groups, of_group, processes,
        2 vrrpSyncTrackedProcessName 3 vrrpSyncTrackedProcessWeight 4 vrrpSyncTrackedProcessWgtRev),
];
