//! `TCP_CHECK`

use keepalived_config::model::TcpCheck;

use crate::connect;
use crate::failure::Failure;

/// It connects; nothing is said. The connection is closed in the usual way (FIN, not RST), as keepalived does: servers
/// that count aborted connections count none of ours.
///
/// # Errors
/// It does not.
pub async fn tcp(check: &TcpCheck) -> Result<(), Failure> {
    connect::tcp_only(&check.endpoint).await
}
