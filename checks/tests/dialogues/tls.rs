//! `SSL_GET`. Certificates and keys in tests/data were made with openssl(1); they protect nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keepalived_checks::{Failure, Step, Tls, Trust, http};
use keepalived_config::model::{HttpCheck, Sni, Ssl, Url};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ProtocolVersion, RootCertStore, ServerConfig, crypto};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::http::{get, url};
use crate::server::{Act, say, serve};
use crate::{TIMEOUT, run};

fn data(name: &str) -> String {
    format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// What a server saw of a client.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Seen {
    name: Option<String>,
    certificate: bool,
    goodbye: bool,
}

#[derive(Clone, Copy)]
pub(crate) struct Server {
    version: ProtocolVersion,
    wants_certificate: bool,
    says_goodbye: bool,
}

pub(crate) const PLAIN: Server =
    Server { version: ProtocolVersion::TLSv1_3, wants_certificate: false, says_goodbye: true };

impl Server {
    pub(crate) fn config(self) -> ServerConfig {
        let chain =
            || CertificateDer::pem_file_iter(data("server.pem")).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        let versions = rustls::ALL_VERSIONS.iter().copied().filter(|version| version.version == self.version);
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&versions.collect::<Vec<_>>()).unwrap();
        let builder = if self.wants_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(data("ca.pem")).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        builder.with_single_cert(chain(), PrivateKeyDer::from_pem_file(data("server.key")).unwrap()).unwrap()
    }

    async fn start(self) -> (SocketAddr, Arc<Mutex<Seen>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (acceptor, notes) = (TlsAcceptor::from(Arc::new(self.config())), Arc::clone(&seen));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let connection = stream.get_ref().1;
                let name = connection.server_name().map(str::to_owned);
                let certificate = connection.peer_certificates().is_some();
                *notes.lock().unwrap() = Seen { name, certificate, goodbye: false };
                let mut request = vec![0; 1000];
                if stream.read(&mut request).await.is_err() {
                    continue;
                }
                let answer = b"HTTP/1.0 200 OK\r\n\r\nok";
                stream.write_all(answer).await.ok();
                stream.flush().await.ok();
                if self.says_goodbye {
                    stream.shutdown().await.ok();
                } else {
                    stream.get_mut().0.shutdown().await.ok();
                }
                // nothing without a goodbye is an error
                let goodbye = stream.read(&mut request).await.is_ok();
                notes.lock().unwrap().goodbye = goodbye;
            }
        });
        (address, seen)
    }
}

fn secure(address: SocketAddr, sni: Sni) -> HttpCheck {
    HttpCheck { secure: true, sni, ..get(address, url()) }
}

pub(crate) fn anyone() -> Tls {
    Tls::new(&Ssl::default(), Trust::Anyone).unwrap()
}

async fn ask(check: &HttpCheck, host: Option<&str>, tls: &Tls) -> Result<(), Failure> {
    http(check, &check.urls[0], host, tls).await
}

#[test]
fn both_versions_are_spoken_with_anyone() {
    for version in [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3] {
        for says_goodbye in [true, false] {
            run(async {
                let (address, _) = Server { version, says_goodbye, ..PLAIN }.start().await;
                assert_eq!(ask(&secure(address, Sni::Off), None, &anyone()).await, Ok(()));
            });
        }
    }
}

#[test]
fn the_name_is_sent_if_it_is_wanted() {
    let check = |sni: Sni, host: Option<&'static str>, name: Option<&str>| {
        let seen = run(async {
            let (address, seen) = PLAIN.start().await;
            assert_eq!(ask(&secure(address, sni), host, &anyone()).await, Ok(()));
            seen
        });
        assert_eq!(seen.lock().unwrap().name.as_deref(), name);
    };
    check(Sni::Off, Some("a.example"), None);
    check(Sni::Host, Some("a.example:8443"), Some("a.example"));
    check(Sni::Host, None, None);
    check(Sni::Name("b.example".into()), Some("a.example"), Some("b.example"));
}

#[test]
fn a_goodbye_is_said_if_it_is_wanted() {
    let check = |of_check: bool, of_url: bool| {
        run(async {
            let (address, seen) = PLAIN.start().await;
            let check = HttpCheck { tls_compliant: of_check, ..secure(address, Sni::Off) };
            let url = Url { tls_compliant: of_url, ..url() };
            assert_eq!(http(&check, &url, None, &anyone()).await, Ok(()));
            // the server is a task beside this one
            tokio::time::sleep(Duration::from_millis(30)).await;
            seen.lock().unwrap().clone().goodbye
        })
    };
    assert!(!check(false, false));
    assert!(check(true, false));
    assert!(check(false, true));
}

#[test]
fn authorities_are_asked_if_that_is_wanted() {
    let ask_for = |name: &str, ca: &str| {
        let ssl = Ssl { ca: Some(data(ca)), ..Ssl::default() };
        let tls = Tls::new(&ssl, Trust::Authorities).unwrap();
        let sni = Sni::Name(name.into());
        run(async {
            let (address, _) = PLAIN.start().await;
            ask(&secure(address, sni), None, &tls).await
        })
    };
    assert_eq!(ask_for("www.example.org", "ca.pem"), Ok(()));
    assert!(matches!(ask_for("other.example.org", "ca.pem"), Err(Failure::Tls(_))));
    assert!(matches!(ask_for("www.example.org", "server.pem"), Err(Failure::Tls(_))));
    let ssl = Ssl { ca: Some(data("ca.pem")), ..Ssl::default() };
    let tls = Tls::new(&ssl, Trust::Authorities).unwrap();
    run(async {
        let (address, _) = PLAIN.start().await;
        assert_eq!(ask(&secure(address, Sni::Off), None, &tls).await, Ok(()));
    });
}

#[test]
fn a_certificate_is_shown_if_there_is_one() {
    let server = Server { wants_certificate: true, version: ProtocolVersion::TLSv1_2, ..PLAIN };
    let with = |key: &str, password: Option<&str>| Ssl {
        certificate: Some(data("server.pem")),
        key: Some(data(key)),
        password: password.map(str::to_owned),
        ..Ssl::default()
    };
    run(async {
        let (address, seen) = server.start().await;
        for ssl in [with("server.key", None), with("encrypted.key", Some("secret"))] {
            let tls = Tls::new(&ssl, Trust::Anyone).unwrap();
            assert_eq!(ask(&secure(address, Sni::Off), None, &tls).await, Ok(()));
            assert!(seen.lock().unwrap().certificate);
        }
        let failure = ask(&secure(address, Sni::Off), None, &anyone()).await.unwrap_err();
        assert!(matches!(&failure, Failure::Tls(_)), "{failure}");
    });
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let check = |ssl: Ssl, keyword: &str, why: &str| {
        let bad = Tls::new(&ssl, Trust::Anyone).unwrap_err();
        assert_eq!(bad.keyword, keyword);
        assert!(bad.why.contains(why), "{bad}");
    };
    let with = |certificate: &str, key: &str, password: Option<&str>| Ssl {
        certificate: Some(data(certificate)),
        key: Some(data(key)),
        password: password.map(str::to_owned),
        ..Ssl::default()
    };
    check(with("nosuch", "server.key", None), "certificate", "No such file");
    check(with("server.key", "server.key", None), "certificate", "no certificate");
    check(with("server.pem", "encrypted.key", None), "key", if cfg!(feature = "openssl") { "" } else { "no password" });
    check(with("server.pem", "encrypted.key", Some("wrong")), "key", "");
    let old = with("server.pem", "legacy.key", Some("secret"));
    if cfg!(feature = "openssl") {
        assert!(Tls::new(&old, Trust::Anyone).is_ok());
    } else {
        check(old, "key", "openssl pkcs8 -topk8");
    }
    check(with("ca.pem", "server.key", None), "key", "");
}

#[test]
fn a_server_without_tls_has_failed() {
    let check = |acts: Vec<Act>| run(async { ask(&secure(serve(acts).await, Sni::Off), None, &anyone()).await });
    assert_eq!(check(vec![Act::Hang]), Err(Failure::TimedOut(Step::Handshake, TIMEOUT)));
    assert!(matches!(check(vec![say("HTTP/1.0 400 Bad Request\r\n\r\n")]), Err(Failure::Tls(_))));
    assert_eq!(check(vec![]), Err(Failure::Closed(Step::Handshake)));
    // RFC 8446 §6: fatal, handshake_failure
    let failure = check(vec![say([21, 3, 3, 0, 2, 2, 40]), Act::Hang]).unwrap_err();
    assert!(failure.to_string().to_lowercase().replace(' ', "").contains("handshakefailure"), "{failure}");
}
