//! A service's settings in words, kept by the kernel as the comment of its first rule: this is how they are found
//! again.

use std::time::Duration;

use keepalived_core::balance::{Granularity, Scheduler, SchedulerFlags, ServiceEntry};

use super::numbers::Span;

/// Which layout our table has: one of another is built anew.
pub(super) const LAYOUT: &str = "keepalived layout 3";

/// `wlc flag-2 persistence 300 mask 255.255.255.0 numbers 32-47`
pub(super) fn write(service: &ServiceEntry, numbers: Option<Span>) -> String {
    let mut text = service.scheduler.name().to_owned();
    let SchedulerFlags { flag_1, flag_2, flag_3, hashed: _ } = service.flags;
    for (set, word) in [(flag_1, " flag-1"), (flag_2, " flag-2"), (flag_3, " flag-3")] {
        if set {
            text += word;
        }
    }
    if let Some(time) = service.persistence {
        text += &format!(" persistence {}", time.as_secs());
    }
    match service.granularity {
        None => {}
        Some(Granularity::V4(mask)) => text += &format!(" mask {mask}"),
        Some(Granularity::V6(prefix)) => text += &format!(" prefix {prefix}"),
    }
    if let Some(Span { first, last }) = numbers {
        text += &format!(" numbers {first}-{last}");
    }
    text
}

/// Reads what [`write`] wrote.
pub(super) fn read(text: &str) -> Option<(ServiceEntry, Option<Span>)> {
    let mut words = text.split(' ');
    let mut service = ServiceEntry {
        scheduler: Scheduler::named(words.next()?)?,
        flags: SchedulerFlags::default(),
        one_packet: false,
        persistence: None,
        granularity: None,
        persistence_engine: None,
    };
    let mut numbers = None;
    while let Some(word) = words.next() {
        match word {
            "numbers" => {
                let (first, last) = words.next()?.split_once('-')?;
                let span = Span { first: first.parse().ok()?, last: last.parse().ok()? };
                numbers = Some(span).filter(|span| span.first <= span.last);
            }
            "flag-1" => service.flags.flag_1 = true,
            "flag-2" => service.flags.flag_2 = true,
            "flag-3" => service.flags.flag_3 = true,
            "persistence" => service.persistence = Some(Duration::from_secs(words.next()?.parse().ok()?)),
            "mask" => service.granularity = Some(Granularity::V4(words.next()?.parse().ok()?)),
            "prefix" => service.granularity = Some(Granularity::V6(words.next()?.parse().ok()?)),
            _ => return None,
        }
    }
    Some((service, numbers))
}

/// The comment among the remarks that the kernel keeps for nft.
pub(super) fn among(remarks: &[u8]) -> Option<&str> {
    let mut rest = remarks;
    loop {
        let (&[kind, length], after) = rest.split_first_chunk()?;
        let (value, after) = after.split_at_checked(length.into())?;
        if kind == 0 {
            return std::str::from_utf8(value.strip_suffix(&[0])?).ok();
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_they_were_written() {
        for text in [
            "rr numbers 16-31",
            "sh flag-1 flag-2",
            "wlc persistence 300 mask 255.255.255.0",
            "mh flag-3 persistence 1 prefix 64",
        ] {
            let (service, numbers) = read(text).unwrap();
            assert_eq!(write(&service, numbers), text);
        }
        for other in [
            "",
            "xx",
            "rr persistence",
            "rr persistence x",
            "rr  flag-1",
            "rr mask 300.0.0.0",
            "rr ops",
            "rr numbers 3",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn a_comment_is_found_behind_other_remarks_and_no_length_misleads() {
        assert_eq!(among(b"\x05\x01x\x00\x03rr\x00"), Some("rr"));
        for remarks in [&b""[..], b"\x00", b"\x00\x05rr\x00", b"\x00\x02rr", b"\x05\xffx", b"\x00\x02\xff\x00"] {
            assert_eq!(among(remarks), None, "{remarks:?}");
        }
    }
}
