//! OpenSSL instead of rustls, for servers that speak nothing newer than TLS 1.1, RSA key exchange, DHE or CBC: rustls
//! has none of these on purpose, and under keepalived such servers are up.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;

use keepalived_config::model::Ssl;
use keepalived_kernel::files::read_regular;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{self, ErrorCode, SslContext, SslContextBuilder, SslMethod, SslOptions, SslVerifyMode};
use openssl::x509::X509;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::{BadTls, LARGEST, Trust, bad, certificates, unread};
use crate::failure::Failure;
use crate::peer_text::PeerText;

/// The client's side.
pub(super) fn context(files: &Ssl, trust: Trust) -> Result<SslContext, BadTls> {
    let broken = |error: ErrorStack| bad("OpenSSL", "", error);
    let mut builder = SslContext::builder(SslMethod::tls_client()).map_err(broken)?;
    // below what the system's openssl.cnf wants: these servers are old
    builder.set_min_proto_version(None).map_err(broken)?;
    builder.set_cipher_list("DEFAULT:@SECLEVEL=0").map_err(broken)?;
    builder.set_options(SslOptions::IGNORE_UNEXPECTED_EOF);
    builder.set_verify(match trust {
        Trust::Anyone => SslVerifyMode::NONE,
        Trust::Authorities => SslVerifyMode::PEER,
    });
    match &files.ca {
        Some(ca) => trust_in(&mut builder, ca)?,
        None => builder.set_default_verify_paths().map_err(broken)?,
    }
    show(&mut builder, files)?;
    Ok(builder.build())
}

/// OpenSSL opens files in its own way, which may wait: it gets what they hold.
fn trust_in(builder: &mut SslContextBuilder, ca: &str) -> Result<(), BadTls> {
    for authority in certificates("ca", ca)? {
        let added = X509::from_der(&authority).and_then(|authority| builder.cert_store_mut().add_cert(authority));
        added.map_err(|error| bad("ca", ca, error))?;
    }
    Ok(())
}

fn show(builder: &mut SslContextBuilder, files: &Ssl) -> Result<(), BadTls> {
    // that both are given has been seen to
    let (Some(certificate), Some(key)) = (&files.certificate, &files.key) else { return Ok(()) };
    for (place, der) in certificates("certificate", certificate)?.iter().enumerate() {
        let added = X509::from_der(der).and_then(|one| match place {
            0 => builder.set_certificate(&one),
            _ => builder.add_extra_chain_cert(one),
        });
        added.map_err(|error| bad("certificate", certificate, error))?;
    }
    let secret = secret(key, files.password.as_deref())?;
    builder.set_private_key(&secret).map_err(|error| bad("key", key, error))
}

fn secret(file: &str, password: Option<&str>) -> Result<PKey<Private>, BadTls> {
    let text = read_regular(Path::new(file), LARGEST).map_err(|error| unread("key", file, &error))?;
    // without a password given, OpenSSL would ask on the terminal
    let password = password.unwrap_or_default().as_bytes();
    PKey::private_key_from_pem_passphrase(&text, password).map_err(|error| bad("key", file, error))
}

/// The key of a file of any kind that OpenSSL reads.
pub(super) fn private_key(file: &str, password: Option<&str>) -> Result<PrivateKeyDer<'static>, BadTls> {
    let der = secret(file, password)?.private_key_to_pkcs8().map_err(|error| bad("key", file, error))?;
    Ok(PrivatePkcs8KeyDer::from(der).into())
}

/// Agrees on TLS.
pub(super) fn handshake(
    context: &SslContext,
    stream: TcpStream,
    name: &ServerName<'_>,
    address: IpAddr,
) -> Result<impl Future<Output = io::Result<SslStream<TcpStream>>> + use<>, Failure> {
    let mut stream = prepare(context, stream, name, address).map_err(|error| Failure::Tls(PeerText::show(&error)))?;
    Ok(async move {
        Pin::new(&mut stream).connect().await.map_err(plain)?;
        Ok(stream)
    })
}

fn prepare(
    context: &SslContext,
    stream: TcpStream,
    name: &ServerName<'_>,
    address: IpAddr,
) -> Result<SslStream<TcpStream>, ErrorStack> {
    let mut session = ssl::Ssl::new(context)?;
    match name {
        ServerName::DnsName(name) => {
            session.set_hostname(name.as_ref())?;
            session.param_mut().set_host(name.as_ref())?;
        }
        _ => session.param_mut().set_ip(address)?,
    }
    SslStream::new(session, stream)
}

fn plain(error: ssl::Error) -> io::Error {
    // the end of the stream is no error of the system's, nor one of OpenSSL's
    let closed = error.code() == ErrorCode::SYSCALL && error.io_error().is_none();
    let unexpected = error.to_string().contains("unexpected eof");
    if closed || unexpected || error.code() == ErrorCode::ZERO_RETURN {
        return io::ErrorKind::UnexpectedEof.into();
    }
    error.into_io_error().unwrap_or_else(io::Error::other)
}
