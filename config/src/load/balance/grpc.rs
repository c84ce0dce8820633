//! `GRPC_CHECK`

use super::super::reading::Reading;
use super::super::statements::Statements;
use super::pace::Habit;
use super::scene::{Scene, Timed, timed};
use super::tls::{self, Use};
use crate::model::{Checker, GrpcCheck};

pub(super) fn read(reading: &mut Reading<'_>, statements: &Statements<'_>, scene: &Scene<'_>) -> Option<Checker> {
    let Timed { schedule, endpoint } = timed(reading, statements, scene, Habit::COMMON)?;
    let tls = tls::read(reading, statements, Use::IfSaid, scene.surroundings.verify);
    Some(Checker::Grpc(Box::new(GrpcCheck {
        schedule,
        endpoint,
        secure: tls.secure,
        verify: tls.verify,
        sni: tls.sni,
        virtualhost: reading.text(statements.last("virtualhost")),
        service: reading.text(statements.last("service")).unwrap_or_default(),
    })))
}
