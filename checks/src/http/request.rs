//! What we ask.

use std::net::{IpAddr, SocketAddr};

use keepalived_config::model::HttpProtocol;

use crate::failure::Failure;

/// A request, octet for octet the one of keepalived: some servers' filters know it. Without `host` it is made for the
/// address.
///
/// # Errors
/// A value holds an end of line: it would be another request.
pub fn request(
    protocol: HttpProtocol,
    path: &str,
    host: Option<&str>,
    address: SocketAddr,
) -> Result<Vec<u8>, Failure> {
    for (what, value) in [("path", Some(path)), ("virtualhost", host)] {
        if value.is_some_and(|value| value.contains(['\r', '\n'])) {
            return Err(Failure::Unusable(what, "it holds an end of line".into()));
        }
    }
    let (version, connection) = match protocol {
        HttpProtocol::V1_0 => ("1.0", ""),
        HttpProtocol::V1_0Close => ("1.0", "Connection: close\r\n"),
        // HTTP/2 has requests of its own
        HttpProtocol::V1_1 | HttpProtocol::V2 => ("1.1", "Connection: close\r\n"),
    };
    let literal;
    let host = match host {
        Some(host) => host,
        None => {
            literal = authority(address);
            &literal
        }
    };
    let parts = [
        "GET ",
        path,
        " HTTP/",
        version,
        "\r\nUser-Agent: KeepAliveClient\r\n",
        connection,
        "Host: ",
        host,
        "\r\n\r\n",
    ];
    Ok(parts.concat().into_bytes())
}

/// An address as a host: RFC 3986 §3.2.2.
pub(crate) fn authority(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => format!("{ip}:{}", address.port()),
        IpAddr::V6(ip) => format!("[{ip}]:{}", address.port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(protocol: HttpProtocol, host: Option<&str>, address: &str, text: &str) {
        let request = request(protocol, "/x", host, address.parse().unwrap()).unwrap();
        assert_eq!(String::from_utf8(request).unwrap(), text);
    }

    /// Observed: behaviour.md section 8.
    #[test]
    fn a_request_is_the_one_of_keepalived() {
        use HttpProtocol::{V1_0, V1_0Close, V1_1};
        let agent = "User-Agent: KeepAliveClient\r\n";
        let (v4, v6) = ("192.0.2.1:80", "[2001:db8::1]:8080");
        check(V1_0, None, v4, &format!("GET /x HTTP/1.0\r\n{agent}Host: 192.0.2.1:80\r\n\r\n"));
        check(V1_0, None, v6, &format!("GET /x HTTP/1.0\r\n{agent}Host: [2001:db8::1]:8080\r\n\r\n"));
        check(V1_0Close, Some("a"), v4, &format!("GET /x HTTP/1.0\r\n{agent}Connection: close\r\nHost: a\r\n\r\n"));
        check(V1_1, Some("a"), v6, &format!("GET /x HTTP/1.1\r\n{agent}Connection: close\r\nHost: a\r\n\r\n"));
    }

    #[test]
    fn a_value_cannot_bring_another_request() {
        let address = "192.0.2.1:80".parse().unwrap();
        assert!(request(HttpProtocol::V1_0, "/ HTTP/1.0\r\n\r\n", None, address).is_err());
        assert!(request(HttpProtocol::V1_0, "/", Some("a\nb"), address).is_err());
    }
}
