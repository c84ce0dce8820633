//! `lvs_method` and its relatives.

use std::num::NonZeroU16;

use super::super::reading::{Reading, instead};
use crate::finding::{Finding, rule};
use crate::model::{Forwarding, Service, Tunnel, TunnelChecksum};
use crate::span::Span;
use crate::syntax::{Node, Words};

const METHODS: &[&str] = &["NAT", "DR", "TUN"];

/// What is said about a tunnel.
#[derive(Default)]
struct Options {
    kind: Kind,
    port: Option<NonZeroU16>,
    checksum: TunnelChecksum,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Ipip,
    Gue,
    Gre,
}

/// The method after the keyword of `node`; `None` without one, or with one that does not exist.
pub(super) fn read(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> Option<Forwarding> {
    let node = node?;
    let (method, words) = node.arguments().split_first()?;
    let plain = match method.text {
        b"NAT" => Forwarding::Nat,
        b"DR" => Forwarding::Dr,
        b"TUN" => {
            let end = node.span().unwrap_or(method.span);
            return Some(Forwarding::Tun(tunnel(reading, &node.name(), words, end)));
        }
        _ => {
            let said = method.str();
            let message = format!("{} is NAT, DR or TUN, not {said}{}", node.name(), instead(node));
            let finding = Finding::at(&rule::WORD_INVALID, method.span, message);
            let written = METHODS.iter().copied().find(|known| known.eq_ignore_ascii_case(&said));
            reading.report(match written {
                Some(written) => finding.help(format!("write {written}")).fix(method.span, written),
                None => finding,
            });
            return None;
        }
    };
    if let Some(first) = words.get(0) {
        // keepalived reads them as those of a tunnel, and complains before it ignores them
        if let Err((span, problem)) = options(reading, &node.name(), words).and_then(|said| said.tunnel(first.span)) {
            reading.report(Finding::at(&rule::TUNNEL_OPTION, span, problem).note("only TUN has options"));
            return Some(plain);
        }
        let message = format!("only TUN has options; {} and what follows it are ignored", first.str());
        reading.report(Finding::at(&rule::EXTRA_WORDS, first.span, message));
    }
    Some(plain)
}

/// The tunnel that `words` describe; one of the plain kind if they do not fit together.
fn tunnel(reading: &mut Reading<'_>, name: &str, words: Words<'_>, all: Span) -> Tunnel {
    options(reading, name, words).and_then(|options| options.tunnel(all)).unwrap_or_else(|(span, problem)| {
        let finding = Finding::at(&rule::TUNNEL_OPTION, span, problem);
        reading.report(finding.note("the tunnel is a plain one of type ipip"));
        Tunnel::Ipip
    })
}

impl Options {
    /// The tunnel that has them, or why there is none. They stand at `all`.
    fn tunnel(&self, all: Span) -> Result<Tunnel, (Span, String)> {
        let problem = match (self.kind, self.port, self.checksum) {
            (Kind::Gue, Some(port), checksum) => return Ok(Tunnel::Gue { port, checksum }),
            (Kind::Gue, None, _) => "a gue tunnel needs port NUMBER",
            (_, Some(_), _) => "only a gue tunnel has a port",
            (Kind::Gre, None, TunnelChecksum::Remote) => "a gre tunnel has csum or nocsum, not remcsum",
            (Kind::Gre, None, checksum) => return Ok(Tunnel::Gre { checksum }),
            (Kind::Ipip, None, TunnelChecksum::None) => return Ok(Tunnel::Ipip),
            (Kind::Ipip, None, _) => "an ipip tunnel has no checksum; it belongs to type gue or gre",
        };
        Err((all, problem.to_owned()))
    }
}

fn options(reading: &mut Reading<'_>, name: &str, mut words: Words<'_>) -> Result<Options, (Span, String)> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        match word.text {
            b"nocsum" => options.checksum = TunnelChecksum::None,
            b"csum" => options.checksum = TunnelChecksum::Plain,
            b"remcsum" => options.checksum = TunnelChecksum::Remote,
            b"type" | b"port" => {
                let Some(value) = words.next() else {
                    return Err((word.span, format!("{} needs a value", word.str())));
                };
                match (word.text, value.text) {
                    (b"type", b"ipip") => options.kind = Kind::Ipip,
                    (b"type", b"gue") => options.kind = Kind::Gue,
                    (b"type", b"gre") => options.kind = Kind::Gre,
                    (b"type", _) => {
                        return Err((value.span, format!("type is ipip, gue or gre, not {}", value.str())));
                    }
                    _ => {
                        let name = format!("port of {name}");
                        let number = reading.number_word(&name, value, 1..=65_535);
                        options.port = number.and_then(|number| u16::try_from(number).ok()).and_then(NonZeroU16::new);
                    }
                }
            }
            _ => return Err((word.span, format!("{} is no option of a tunnel", word.str()))),
        }
    }
    Ok(options)
}

/// The port that a server behind `service` has in the kernel, of the one that is written.
pub(super) fn kernel_port(
    service: &Service,
    forwarding: Forwarding,
    written: Option<NonZeroU16>,
) -> Option<NonZeroU16> {
    if forwarding.translates_ports() { written.or(service.port()) } else { service.port() }
}
