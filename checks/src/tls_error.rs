//! What an error of TLS says.

use std::io;

/// What an error of TLS says, and the way out if the server may be too old for rustls.
pub(crate) fn in_words(error: &io::Error) -> String {
    use rustls::{AlertDescription as Alert, Error};
    // rustls wraps its errors so
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let nothing_in_common = matches!(
        inner,
        Some(
            Error::PeerIncompatible(_)
                | Error::AlertReceived(Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity)
        )
    );
    if nothing_in_common && !cfg!(feature = "openssl") {
        format!("{error}; servers that know only TLS 1.1 or old ciphers need a build with --features openssl")
    } else {
        error.to_string()
    }
}

#[cfg(all(test, not(feature = "openssl")))]
mod tests {
    use super::*;

    #[test]
    fn for_servers_that_are_too_old_there_is_a_way_out() {
        use rustls::{AlertDescription, Error, PeerIncompatible};
        let says = |error: Error| in_words(&io::Error::new(io::ErrorKind::InvalidData, error));
        let way_out = "openssl";
        for alert in [AlertDescription::ProtocolVersion, AlertDescription::HandshakeFailure] {
            assert!(says(Error::AlertReceived(alert)).contains(way_out), "{alert:?}");
        }
        assert!(says(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered)).contains(way_out));
        assert!(!says(Error::AlertReceived(AlertDescription::UnrecognisedName)).contains(way_out));
    }
}
