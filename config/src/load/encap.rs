//! `encap` in a route: lightweight tunnels.

use std::net::IpAddr;

use super::line::{Line, Wrong, narrow, number};
use super::reading::Reading;
use crate::facts::RouteName;
use crate::model::{Encapsulation, EncapsulationHeader};
use crate::syntax::Word;
use crate::value;

/// The most labels of one packet (`MAX_MPLS_LABELS` of keepalived).
const MOST_LABELS: usize = 32;

/// `ip ...`, `ip6 ...`, `mpls LABELS` or `ila LOCATOR`, after `encap`.
pub(super) fn encapsulation<'a>(
    reading: &Reading<'_>,
    line: &mut Line<'a>,
    encap: Word<'a>,
) -> Result<Encapsulation, Wrong> {
    let kind = line.value(encap)?;
    match kind.text {
        b"ip" => tunnel(reading, line, kind).map(Encapsulation::Ip),
        b"ip6" => tunnel(reading, line, kind).map(Encapsulation::Ip6),
        b"mpls" => {
            let word = line.value(kind)?;
            let labels = labels(word.text);
            labels.map(Encapsulation::Mpls).ok_or_else(|| {
                Wrong::new(word, format!("mpls needs labels of at most 1048575, such as 100/200, not {}", word.str()))
            })
        }
        b"ila" => {
            let word = line.value(kind)?;
            locator(&word.str()).map(Encapsulation::Ila).ok_or_else(|| {
                Wrong::new(word, format!("ila needs a locator such as 2001:db8:0:1, not {}", word.str()))
            })
        }
        _ => Err(Wrong::new(kind, format!("encap is ip, ip6, mpls or ila, not {}", kind.str()))),
    }
}

fn tunnel<'a>(reading: &Reading<'_>, line: &mut Line<'a>, kind: Word<'a>) -> Result<EncapsulationHeader, Wrong> {
    let mut tunnel = EncapsulationHeader::default();
    line.part();
    let is4 = kind.text == b"ip";
    let (tos, ttl): (&[u8], &[u8]) = if is4 { (b"tos", b"ttl") } else { (b"tc", b"hoplimit") };
    while let Some(word) = line.peek() {
        let address = |line: &mut Line<'a>| -> Result<Option<IpAddr>, Wrong> {
            line.next();
            let (address, value) = line.address(word)?;
            if address.is_ipv4() == is4 {
                return Ok(Some(address));
            }
            Err(Wrong::new(value, format!("{} is of the other family than encap {}", value.str(), kind.str())))
        };
        match word.text {
            b"dst" => tunnel.destination = address(line)?,
            b"src" => tunnel.source = address(line)?,
            b"id" => {
                line.next();
                let value = line.value(word)?;
                let id = value.str().parse().ok();
                tunnel.id = Some(id.ok_or_else(|| Wrong::new(value, format!("id is no number: {}", value.str())))?);
            }
            b"flags" => {
                line.next();
                let value = line.value(word)?;
                tunnel.flags = Some(number(word, value, 0, 65_535)?);
            }
            text if text == tos => {
                line.next();
                let value = line.value(word)?;
                tunnel.tos = Some(narrow(reading.named(RouteName::DsField, word, value, 255)?));
            }
            text if text == ttl => {
                line.next();
                let value = line.value(word)?;
                tunnel.ttl = Some(number(word, value, 0, 255)?);
            }
            _ => break,
        }
    }
    if tunnel.destination.is_none() && tunnel.id.is_none() {
        return Err(Wrong::new(kind, format!("encap {} needs dst or id", kind.str())));
    }
    Ok(tunnel)
}

fn labels(text: &[u8]) -> Option<Vec<u32>> {
    let labels: Option<Vec<u32>> = text.split(|octet| *octet == b'/').map(value::c_number).collect();
    labels.filter(|labels| labels.len() <= MOST_LABELS && labels.iter().all(|label| *label < 1 << 20))
}

/// Four groups of hexadecimal digits.
fn locator(text: &str) -> Option<u64> {
    let groups: Option<Vec<u64>> =
        text.split(':').map(|group| u16::from_str_radix(group, 16).ok().map(u64::from)).collect();
    let groups = groups.filter(|groups| groups.len() == 4)?;
    Some(groups.into_iter().fold(0, |sum, group| (sum << 16) | group))
}
