//! TLS of a check: whether it is used, which certificates it trusts, and which name it sends.

use super::super::reading::Reading;
use super::super::statements::Statements;
use crate::finding::rule;
use crate::model::Sni;

/// Whether a kind of check speaks TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Never,
    Always,
    /// With the word `tls`; these words are ours, and name the host that they ask for if nothing else is said.
    IfSaid,
}

/// What a check says about it.
pub(super) struct Tls {
    pub(super) secure: bool,
    pub(super) verify: bool,
    pub(super) sni: Sni,
}

/// Reads it; `verify` is what the block `SSL` says.
pub(super) fn read(reading: &mut Reading<'_>, statements: &Statements<'_>, with: Use, verify: bool) -> Tls {
    let secure = match with {
        Use::Never => false,
        Use::Always => true,
        Use::IfSaid => reading.switch(statements.last("tls")).unwrap_or(false),
    };
    let own = statements.last("tls_verify");
    let said = reading.switch(own);
    if said == Some(true) && !secure {
        reading.report_at(
            &rule::CHECK_TLS,
            own,
            "tls_verify does nothing without tls: there is no certificate to verify",
        );
    }
    let verify = secure && said.unwrap_or(verify);
    let enabled = reading.switch(statements.last("enable_sni"));
    let name = statements.last("sni_name");
    let sni = match (reading.text(name), enabled) {
        (_, Some(false)) => Sni::Off,
        (Some(name), _) => Sni::Name(name),
        // a certificate is good for a name, and many servers have one for each name
        (None, enabled) if enabled == Some(true) || name.is_some() || verify || with == Use::IfSaid => Sni::Host,
        (None, _) => Sni::Off,
    };
    Tls { secure, verify, sni }
}
