//! TLS with servers that others run, whose certificates are believed if an authority that this system trusts has signed them.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, crypto};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The client's side of TLS. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Reads the authorities of this system, which takes some milliseconds.
    ///
    /// # Errors
    /// There is no version of TLS that can be spoken.
    pub fn read() -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let builder = ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?;
        Ok(Self(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
    }

    /// Agrees on TLS with `host`, a name or an address, which its certificate has to name.
    ///
    /// # Errors
    /// `host` is neither, the certificate is not believed, or the connection broke.
    pub async fn connect<S>(&self, host: &str, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| io::Error::other(error.to_string()))?;
        TlsConnector::from(Arc::clone(&self.0)).connect(name, stream).await
    }
}
