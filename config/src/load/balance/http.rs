//! `HTTP_GET`, `SSL_GET` and `HTTP2_GET`

use super::super::reading::Reading;
use super::super::statements::Statements;
use super::pace::Habit;
use super::scene::{Scene, Timed, timed};
use super::tls::{self, Use};
use crate::command;
use crate::finding::{Finding, rule};
use crate::keywords::{REGEX_OPTIONS, REGEX_OPTIONS_WITHOUT_EFFECT};
use crate::model::{Checker, HttpCheck, HttpProtocol, Regex, StatusRange, Url};
use crate::syntax::{Node, Word};
use crate::value;

pub(super) fn read(
    reading: &mut Reading<'_>,
    node: Node<'_>,
    statements: &Statements<'_>,
    scene: &Scene<'_>,
) -> Option<Checker> {
    let mut urls: Vec<Url> = statements.all("url").filter_map(|block| url(reading, block)).collect();
    urls.shrink_to_fit();
    if urls.is_empty() {
        let message = format!("{} has no url with a path; it is left out, and the server counts as up", node.name());
        reading.report_missing(&rule::CHECK_INCOMPLETE, node, "url", message);
        return None;
    }
    let old_retry: Option<u32> = reading.integer(statements.last("nb_get_retry"));
    let Timed { mut schedule, endpoint } = timed(reading, statements, scene, Habit::HTTP)?;
    let last = statements.last_of("nb_get_retry", "retry");
    if let Some(retry) = old_retry.filter(|_| last.is_some_and(|node| node.is("nb_get_retry"))) {
        schedule.retry = retry;
    }
    let (with, said) = match node.name().as_ref() {
        "SSL_GET" => (Use::Always, HttpProtocol::V1_0),
        "HTTP2_GET" => (Use::IfSaid, HttpProtocol::V2),
        _ => (Use::Never, HttpProtocol::V1_0),
    };
    let tls = tls::read(reading, statements, with, scene.surroundings.verify);
    let protocol = match reading.choice(statements.last("http_protocol")) {
        Some("1.0C" | "1.0c") => HttpProtocol::V1_0Close,
        Some("1.1") => HttpProtocol::V1_1,
        _ => said,
    };
    Some(Checker::Http(Box::new(HttpCheck {
        schedule,
        endpoint,
        secure: tls.secure,
        verify: tls.verify,
        protocol,
        sni: tls.sni,
        fast_recovery: reading.switch(statements.last("fast_recovery")).unwrap_or(false),
        tls_compliant: reading.switch(statements.last("tls_compliant")).unwrap_or(false),
        virtualhost: reading.text(statements.last("virtualhost")),
        urls,
    })))
}

fn url(reading: &mut Reading<'_>, block: Node<'_>) -> Option<Url> {
    let statements = Statements::of(block.children());
    let Some(path) = reading.text(statements.last("path")) else {
        reading.report_missing(&rule::URL_PATH, block, "path", "a url without path is left out");
        return None;
    };
    Some(Url {
        path,
        status_codes: status_codes(reading, &statements),
        digest: digest(reading, &statements),
        virtualhost: reading.text(statements.last("virtualhost")),
        tls_compliant: reading.switch(statements.last("tls_compliant")).unwrap_or(false),
        regex: regex(reading, &statements).map(Box::new),
    })
}

fn status_codes(reading: &mut Reading<'_>, statements: &Statements<'_>) -> Vec<StatusRange> {
    let mut codes = Vec::new();
    for node in statements.all("status_code") {
        for word in node.arguments() {
            match status_range(word) {
                Some(range) => codes.push(range),
                None => {
                    let said = word.str();
                    let message = format!("status_code is 100 to 599 or a range like 200-299, not {said}");
                    reading.report(Finding::at(&rule::STATUS_CODE, word.span, message));
                }
            }
        }
    }
    if codes.is_empty() {
        codes.push(StatusRange::SUCCESS);
    }
    codes.shrink_to_fit();
    codes
}

fn status_range(word: Word<'_>) -> Option<StatusRange> {
    let text = std::str::from_utf8(word.text).ok()?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let code = |text: &str| text.parse().ok().filter(|code: &u16| (100..=599).contains(code));
    let range = StatusRange { first: code(first)?, last: code(last)? };
    (range.first <= range.last).then_some(range)
}

/// The first `digest`; keepalived does not take a second one.
fn digest(reading: &mut Reading<'_>, statements: &Statements<'_>) -> Option<[u8; 16]> {
    let word = statements.first("digest")?.argument()?;
    let octets: Option<Vec<u8>> = word
        .text
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    let digest = octets.filter(|_| word.text.iter().all(u8::is_ascii_hexdigit));
    let digest = digest.and_then(|octets| <[u8; 16]>::try_from(octets).ok()).filter(|_| word.text.len() == 32);
    if digest.is_none() {
        let length = word.text.len();
        let message = format!("digest is an MD5 sum of 32 hexadecimal digits, and this has {length} characters");
        let finding = Finding::at(&rule::DIGEST, word.span, message).note("it is left out: any body will do");
        reading.report(finding.help("genhash computes it"));
    }
    digest
}

/// `regex` and what belongs to it. keepalived says nothing about mistakes here.
fn regex(reading: &mut Reading<'_>, statements: &Statements<'_>) -> Option<Regex> {
    const RELATED: [&str; 5] =
        ["regex_no_match", "regex_options", "regex_min_offset", "regex_max_offset", "regex_stack"];
    let node = statements.last("regex");
    let Some(word) = node.and_then(|node| node.argument()) else {
        if let Some(word) = RELATED.into_iter().find(|word| node.is_none() && statements.has(word)) {
            let message = format!("{word} does nothing without regex");
            reading.report_at(&rule::REGEX, statements.last(word), message);
        }
        return None;
    };
    reading.single_text(node)?;
    let min_offset = offset(reading, statements.last("regex_min_offset")).unwrap_or(0);
    let max_offset = offset(reading, statements.last("regex_max_offset"));
    if max_offset.is_some_and(|most| most < min_offset) {
        let message = "regex_max_offset is before regex_min_offset: nothing can match";
        reading.report_at(&rule::REGEX, statements.last("regex_max_offset"), message);
    }
    let regex = Regex {
        pattern: String::from_utf8_lossy(&command::unescaped(word.text)).into_owned(),
        no_match: statements.has("regex_no_match"),
        options: options(reading, statements),
        min_offset,
        max_offset,
        stack: stack(reading, statements.last("regex_stack")),
    };
    if let Err(problem) = reading.facts.regex(&regex) {
        let finding = Finding::at(&rule::REGEX_INVALID, word.span, format!("this regex cannot be used: {problem}"));
        reading.report(finding.note("it is left out: any body will do"));
        return None;
    }
    Some(regex)
}

fn options(reading: &mut Reading<'_>, statements: &Statements<'_>) -> Vec<String> {
    let mut options = Vec::new();
    for word in statements.all("regex_options").flat_map(|node| node.arguments()) {
        let said = word.str();
        if REGEX_OPTIONS_WITHOUT_EFFECT.contains(&said.as_ref()) {
            let message = format!("regex option {said} is not supported; it is ignored");
            reading.report(Finding::at(&rule::REGEX_OPTION, word.span, message));
            continue;
        }
        if REGEX_OPTIONS.contains(&said.as_ref()) {
            options.push(said.into_owned());
            continue;
        }
        let finding = Finding::at(&rule::REGEX, word.span, format!("there is no regex option {said}; it is ignored"));
        let near = reading.suggest(&said, REGEX_OPTIONS.iter().copied());
        reading.report(match near {
            Some(near) => finding.help(format!("did you mean {near}?")),
            None => finding,
        });
    }
    options
}

/// A number that is only noted if it is none.
fn offset(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> Option<u32> {
    let node = node?;
    let word = node.argument()?;
    let number = value::integer(word.text).ok().and_then(|number| u32::try_from(number).ok());
    if number.is_none() {
        let message = format!("{} is a number of octets, not {}; it is ignored", node.name(), word.str());
        reading.report(Finding::at(&rule::REGEX, word.span, message));
    }
    number
}

fn stack(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> Option<(u32, u32)> {
    let node = node?;
    let mut words = node.arguments();
    let mut size = || words.next().and_then(|word| value::integer(word.text).ok()).and_then(|n| u32::try_from(n).ok());
    let sizes = size().zip(size()).filter(|(start, most)| *start > 0 && start <= most);
    if sizes.is_none() && node.argument().is_some() {
        let message = "regex_stack takes two sizes, the first not greater than the second; it is ignored";
        reading.report_at(&rule::REGEX, Some(node), message);
    }
    sizes
}
