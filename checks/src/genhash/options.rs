//! The command line of genhash.

use std::ffi::OsString;
use std::fmt::{Display, Write as _};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::str::FromStr;
use std::time::Duration;

use keepalived_config::model::HttpProtocol;
use lexopt::{Arg, Parser, ValueExt as _};

/// What is asked for.
#[derive(Debug)]
pub(super) enum Asked {
    Fetch(Options),
    Help,
    Version,
}

/// A page, and how to get it.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Options {
    pub(super) server: IpAddr,
    pub(super) port: NonZeroU16,
    pub(super) url: String,
    pub(super) host: Option<String>,
    pub(super) secure: bool,
    pub(super) sni: bool,
    pub(super) verbose: bool,
    pub(super) mark: u32,
    pub(super) protocol: HttpProtocol,
    pub(super) timeout: Duration,
}

/// keepalived's: as long as its timers reach.
const LONGEST: Duration = Duration::from_micros(4_294_967_295);

pub(super) fn usage(name: &str) -> String {
    format!(
        "\
Usage: {name} -s ADDRESS -p PORT -u PATH [OPTIONS]
Prints the MD5 digest of a page, for `digest` in keepalived.conf.

  -s, --server ADDRESS        IPv4 or IPv6 address of the web server
  -p, --port PORT             its port
  -u, --url PATH              the page
  -V, --use-virtualhost HOST  ask for this host
  -S, --use-ssl               over TLS; the certificate is not verified
  -I, --use-sni               name the host of -V in the TLS handshake
  -P, --protocol VERSION      1.0, 1.0C (with Connection: close) or 1.1
  -t, --timeout SECONDS       give up after that long without progress
  -m, --fwmark N              mark the packets
  -v, --verbose               show what comes
  -H, --hash MD5              of older versions; there is only MD5
  -r, --release               print the version
  -h, --help                  print this
"
    )
}

/// All that is wrong is said at once, a line each.
pub(super) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let mut parser = Parser::from_args(arguments);
    let mut errors = String::new();
    let (mut server, mut port, mut url, mut host) = (None, None, None, None);
    let (mut secure, mut sni, mut verbose, mut mark) = (false, false, false, 0);
    let (mut protocol, mut timeout) = (HttpProtocol::V1_0, LONGEST);
    let mut complain = |error: &dyn Display| {
        // writing to a string does not fail
        let _written = writeln!(errors, "{error}");
    };
    loop {
        let argument = match parser.next() {
            Ok(Some(argument)) => argument,
            Ok(None) => break,
            Err(error) => {
                complain(&error);
                break;
            }
        };
        let result = match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Asked::Help),
            Arg::Short('r') | Arg::Long("release") => return Ok(Asked::Version),
            Arg::Short('v') | Arg::Long("verbose") => set(&mut verbose, Ok(true)),
            Arg::Short('S') | Arg::Long("use-ssl") => set(&mut secure, Ok(true)),
            Arg::Short('I') | Arg::Long("use-sni") => set(&mut sni, Ok(true)),
            Arg::Short('s') | Arg::Long("server") => {
                let wrong = |text: &str| format!("server should be an IP, not {text}");
                set(&mut server, value(&mut parser, wrong, parse).map(Some))
            }
            Arg::Short('p') | Arg::Long("port") => {
                let wrong = |text: &str| format!("invalid port number '{text}'");
                set(&mut port, value(&mut parser, wrong, parse).map(Some))
            }
            Arg::Short('u') | Arg::Long("url") => set(&mut url, value(&mut parser, str::to_owned, parse).map(Some)),
            Arg::Short('V') | Arg::Long("use-virtualhost") => {
                set(&mut host, value(&mut parser, str::to_owned, parse).map(Some))
            }
            Arg::Short('m') | Arg::Long("fwmark") => {
                let wrong = |text: &str| format!("invalid fwmark '{text}'");
                set(&mut mark, value(&mut parser, wrong, parse))
            }
            Arg::Short('P') | Arg::Long("protocol") => {
                let wrong = |text: &str| format!("invalid HTTP protocol version '{text}'");
                set(&mut protocol, value(&mut parser, wrong, version))
            }
            Arg::Short('t') | Arg::Long("timeout") => {
                let wrong = |text: &str| format!("invalid timeout '{text}'");
                let seconds = |text: &str| parse(text).map(|seconds: u32| Duration::from_secs(seconds.into()));
                set(&mut timeout, value(&mut parser, wrong, seconds))
            }
            Arg::Short('H') | Arg::Long("hash") => {
                let wrong = |text: &str| format!("invalid hash '{text}': there is only MD5");
                value(&mut parser, wrong, |text| text.eq_ignore_ascii_case("md5").then_some(()))
            }
            Arg::Value(word) => Err(format!("Unexpected argument: {}", word.to_string_lossy())),
            other => Err(other.unexpected().to_string()),
        };
        if let Err(error) = result {
            complain(&error);
        }
    }
    for (name, missing) in [("-s", server.is_none()), ("-p", port.is_none()), ("-u", url.is_none())] {
        if missing {
            complain(&format!("{name} is missing"));
        }
    }
    match (server, port, url) {
        (Some(server), Some(port), Some(url)) if errors.is_empty() => {
            Ok(Asked::Fetch(Options { server, port, url, host, secure, sni, verbose, mark, protocol, timeout }))
        }
        _ => Err(errors),
    }
}

fn set<T>(to: &mut T, value: Result<T, String>) -> Result<(), String> {
    value.map(|value| *to = value)
}

/// The option's value; `wrong` says what is wrong with one that `read` does not take.
fn value<T>(
    parser: &mut Parser,
    wrong: impl FnOnce(&str) -> String,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, String> {
    let text = parser.value().and_then(|value| value.string()).map_err(|error| error.to_string())?;
    read(&text).ok_or_else(|| wrong(&text))
}

fn parse<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn version(text: &str) -> Option<HttpProtocol> {
    Some(match text {
        "1.0" => HttpProtocol::V1_0,
        "1.0c" | "1.0C" => HttpProtocol::V1_0Close,
        "1.1" => HttpProtocol::V1_1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_words(words: &str) -> Result<Asked, String> {
        read(words.split_ascii_whitespace().map(OsString::from))
    }

    #[test]
    fn every_option_has_a_long_form() {
        let short = read_words("-s ::1 -p 443 -u / -V host -S -I -P 1.0c -t 5 -m 7 -v -H MD5");
        let long = read_words(
            "--server=::1 --port=443 --url=/ --use-virtualhost host --use-ssl --use-sni --protocol 1.0C --timeout 5 \
             --fwmark 7 --verbose --hash md5",
        );
        let (Ok(Asked::Fetch(short)), Ok(Asked::Fetch(long))) = (short, long) else { panic!("both are good") };
        assert_eq!(short, long);
        assert_eq!((short.mark, short.timeout, short.protocol), (7, Duration::from_secs(5), HttpProtocol::V1_0Close));
    }

    /// The words are those of keepalived 2.4.3: scripts look for them.
    #[test]
    fn what_is_wrong_is_named() {
        let check = |words: &str, errors: &str| {
            let good = "-s 127.0.0.1 -p 80 -u /";
            assert_eq!(read_words(&format!("{good} {words}")).unwrap_err(), errors);
        };
        check("-s 127.0.0.1:80", "server should be an IP, not 127.0.0.1:80\n");
        check("-p 99999", "invalid port number '99999'\n");
        check("-P 3", "invalid HTTP protocol version '3'\n");
        check("-t x -m y", "invalid timeout 'x'\ninvalid fwmark 'y'\n");
        check("-H SHA1", "invalid hash 'SHA1': there is only MD5\n");
        assert_eq!(read_words("-u /").unwrap_err(), "-s is missing\n-p is missing\n");
        assert!(matches!(read_words("-h"), Ok(Asked::Help)));
        assert!(matches!(read_words("-r"), Ok(Asked::Version)));
    }
}
