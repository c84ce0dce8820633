//! TLS for `SSL_GET`: the certificate that we show, and the certificates that we trust.

use std::fmt;
use std::fs;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use keepalived_config::model::Ssl;
use keepalived_kernel::files::read_regular;
use keepalived_kernel::shortage::is_shortage;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::failure::Failure;
use crate::peer_text::PeerText;

mod anyone;
#[cfg(feature = "openssl")]
mod legacy;

/// Whose certificates are believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Trust {
    /// Any certificate, as keepalived does: a health check asks whether a server answers.
    #[default]
    Anyone,
    /// Certificates that `ca` has signed; without it, those that this system trusts. They must name what we ask for:
    /// the name in the handshake, or the address.
    Authorities,
}

/// Why there is no TLS: a file, and what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadTls {
    /// The keyword.
    pub keyword: &'static str,
    /// Its value.
    pub file: String,
    /// What is wrong.
    pub why: String,
    /// This machine was short of something: the file may be read a moment later.
    pub is_shortage: bool,
}

impl fmt::Display for BadTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SSL: {} {}: {}", self.keyword, self.file, self.why)
    }
}

impl std::error::Error for BadTls {}

/// The client's side of TLS, made once for all checks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tls {
    #[cfg(not(feature = "openssl"))]
    http1: Arc<ClientConfig>,
    #[cfg(feature = "openssl")]
    http1: openssl::ssl::SslContext,
    http2: Arc<ClientConfig>,
}

/// Where distributions keep what the system trusts.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

impl Tls {
    /// Reads the files that `ssl` names.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn new(ssl: &Ssl, trust: Trust) -> Result<Self, BadTls> {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| BadTls {
            keyword: "SSL",
            file: String::new(),
            why: error.to_string(),
            is_shortage: false,
        })?;
        let builder = match trust {
            Trust::Anyone => builder.dangerous().with_custom_certificate_verifier(Arc::new(anyone::Anyone(provider))),
            Trust::Authorities => builder.with_root_certificates(authorities(ssl.ca.as_deref())?),
        };
        let mut config = match (&ssl.certificate, &ssl.key) {
            (Some(certificate), Some(key)) => {
                let chain = certificates("certificate", certificate)?;
                let secret = private_key(key, ssl.password.as_deref())?;
                builder.with_client_auth_cert(chain, secret).map_err(|error| bad("key", key, error))?
            }
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), None) => return Err(bad("certificate", certificate, "it is of no use without a key")),
            (None, Some(key)) => return Err(bad("key", key, "it is of no use without a certificate")),
        };
        // a check looks at the whole handshake; and what one server gave would be shown to others of the same name
        config.resumption = Resumption::disabled();
        let mut http2 = config.clone();
        http2.alpn_protocols = vec![b"h2".to_vec()];
        #[cfg(not(feature = "openssl"))]
        let http1 = Arc::new(config);
        #[cfg(feature = "openssl")]
        let http1 = legacy::context(ssl, trust)?;
        Ok(Self { http1, http2: Arc::new(http2) })
    }

    /// Agrees on TLS for HTTP/1. Without a name, none is sent.
    #[cfg(not(feature = "openssl"))]
    pub(crate) fn handshake(
        &self,
        stream: TcpStream,
        name: Option<&str>,
        address: IpAddr,
    ) -> Result<impl Future<Output = io::Result<TlsStream<TcpStream>>> + use<>, Failure> {
        Ok(TlsConnector::from(Arc::clone(&self.http1)).connect(server_name(name, address)?, stream))
    }

    /// Agrees on TLS for HTTP/1. Without a name, none is sent.
    #[cfg(feature = "openssl")]
    pub(crate) fn handshake(
        &self,
        stream: TcpStream,
        name: Option<&str>,
        address: IpAddr,
    ) -> Result<impl Future<Output = io::Result<tokio_openssl::SslStream<TcpStream>>> + use<>, Failure> {
        legacy::handshake(&self.http1, stream, &server_name(name, address)?, address)
    }

    /// Agrees on TLS for HTTP/2 (`h2` in ALPN, RFC 9113 §3.2).
    pub(crate) fn handshake_http2(
        &self,
        stream: TcpStream,
        name: Option<&str>,
        address: IpAddr,
    ) -> Result<impl Future<Output = io::Result<TlsStream<TcpStream>>> + use<>, Failure> {
        Ok(TlsConnector::from(Arc::clone(&self.http2)).connect(server_name(name, address)?, stream))
    }
}

/// A name that can be sent, which an address is not: RFC 6066 §3.
fn server_name(name: Option<&str>, address: IpAddr) -> Result<ServerName<'static>, Failure> {
    let Some(name) = name else { return Ok(ServerName::IpAddress(address.into())) };
    // a virtualhost may carry a port
    let bare = match name.rsplit_once(':') {
        Some((bare, port)) if !bare.contains(':') && port.bytes().all(|octet| octet.is_ascii_digit()) => bare,
        _ => name,
    };
    ServerName::try_from(bare.trim_matches(['[', ']']))
        .map(|name| name.to_owned())
        .map_err(|error| Failure::Unusable("the name for TLS", PeerText::show(&format_args!("{name}: {error}"))))
}

fn bad(keyword: &'static str, file: &str, why: impl fmt::Display) -> BadTls {
    BadTls { keyword, file: file.to_owned(), why: why.to_string(), is_shortage: false }
}

fn unread(keyword: &'static str, file: &str, error: &io::Error) -> BadTls {
    BadTls { is_shortage: is_shortage(error), ..bad(keyword, file, error) }
}

/// Octets of a file with certificates or a key; those of all authorities are a few hundred thousand.
const LARGEST: u64 = 16 * 1024 * 1024;

fn authorities(ca: Option<&str>) -> Result<RootCertStore, BadTls> {
    let file = match ca {
        Some(file) => file,
        None => {
            let exists = |file: &&str| fs::exists(file).unwrap_or(false);
            SYSTEM_BUNDLES.into_iter().find(exists).ok_or_else(|| bad("ca", "", "there is none, and no system's"))?
        }
    };
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(certificates("ca", file)?);
    if usable == 0 { Err(bad("ca", file, "it holds no certificate of an authority")) } else { Ok(roots) }
}

fn certificates(keyword: &'static str, file: &str) -> Result<Vec<CertificateDer<'static>>, BadTls> {
    let octets = read_regular(Path::new(file), LARGEST).map_err(|error| unread(keyword, file, &error))?;
    match CertificateDer::pem_slice_iter(&octets).collect::<Result<Vec<_>, _>>() {
        Ok(chain) if chain.is_empty() => Err(bad(keyword, file, "it holds no certificate")),
        Ok(chain) => Ok(chain),
        Err(error) => Err(bad(keyword, file, error)),
    }
}

#[cfg(feature = "openssl")]
use legacy::private_key;

#[cfg(not(feature = "openssl"))]
fn private_key(file: &str, password: Option<&str>) -> Result<rustls::pki_types::PrivateKeyDer<'static>, BadTls> {
    use keepalived_kernel::files::read_text;
    use pkcs8::der::Decode as _;
    use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

    let text = read_text(Path::new(file), LARGEST).map_err(|error| unread("key", file, &error))?;
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        let way_out = "its encryption is of the old kind; openssl pkcs8 -topk8 -in OLD -out NEW makes a new one";
        return Err(bad("key", file, way_out));
    }
    let encrypted = text.find("-----BEGIN ENCRYPTED PRIVATE KEY-----").and_then(|start| text.get(start..));
    let Some(encrypted) = encrypted else {
        return PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| bad("key", file, error));
    };
    let Some(password) = password else { return Err(bad("key", file, "it is encrypted, and there is no password")) };
    let (_, document) = SecretDocument::from_pem(encrypted.trim_end()).map_err(|error| bad("key", file, error))?;
    let info = EncryptedPrivateKeyInfoRef::from_der(document.as_bytes()).map_err(|error| bad("key", file, error))?;
    let secret = info.decrypt(password).map_err(|error| bad("key", file, error))?;
    Ok(PrivatePkcs8KeyDer::from(secret.as_bytes().to_vec()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_told_from_a_file_that_is_wrong() {
        // EMFILE and ENOENT
        for (errno, expected) in [(24, true), (2, false)] {
            assert_eq!(unread("key", "/k", &io::Error::from_raw_os_error(errno)).is_shortage, expected, "{errno}");
        }
        let missing = Ssl { ca: Some("/nonexistent/ca".into()), ..Ssl::default() };
        assert!(Tls::new(&missing, Trust::Authorities).is_err_and(|error| !error.is_shortage));
    }

    #[test]
    fn a_name_for_tls_has_no_port() {
        let check = |name, sent| {
            let name = server_name(Some(name), IpAddr::from([192, 0, 2, 1])).ok();
            assert_eq!(name.map(|name| name.to_str().into_owned()).as_deref(), sent);
        };
        check("www.example.org", Some("www.example.org"));
        check("www.example.org:8443", Some("www.example.org"));
        check("a_b.example", Some("a_b.example"));
        check("[2001:db8::1]", Some("2001:db8::1"));
        check("192.0.2.7", Some("192.0.2.7"));
        check("not a name", None);
    }
}
