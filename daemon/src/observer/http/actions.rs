//! `page_token_file`: what the page may change, for those who have the token. Without the keyword there is nothing of this.
//!
//! A page of another site that a browser shows cannot ask for anything here: it does not have the token, which is in no cookie; its `Origin`
//! is another one; and no answer permits it to send `Authorization` (CORS).

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Request, StatusCode};
use keepalived_core::pace::Pace;
use keepalived_core::time::Instant;
use keepalived_kernel::reactor;
use keepalived_surface::request::Change;

use super::{Answer, PATIENCE, Site, plain, text};

/// The largest body of a request, in octets: names are shorter.
const LARGEST: usize = 4 * 1024;

/// Wrong tokens of one source that are answered at once, and the pause for each one after that.
const WRONG_AT_ONCE: u32 = 5;
const PAUSE: Duration = Duration::from_secs(5);

/// Sources that are remembered. If more send wrong tokens at a time, those that are not remembered share one pace.
const MOST_SOURCES: usize = 1_024;

/// Changes that are being made at a time.
pub(super) const MOST_CHANGES: usize = 16;

/// Who sent wrong tokens.
#[derive(Debug)]
pub(super) struct Guesses {
    sources: BTreeMap<IpAddr, Pace>,
    others: Pace,
}

impl Default for Guesses {
    fn default() -> Self {
        Self { sources: BTreeMap::new(), others: NEW }
    }
}

const NEW: Pace = Pace::new(WRONG_AT_ONCE, PAUSE);

impl Guesses {
    /// When a token of `source` is looked at again, if it is not now.
    fn waits(&mut self, source: IpAddr, now: Instant) -> Option<Instant> {
        let place = place(source);
        if let Some(pace) = self.sources.get_mut(&place) {
            return pace.next(now);
        }
        if self.sources.len() < MOST_SOURCES { None } else { self.others.next(now) }
    }

    /// `source` sent a wrong one. True if it is the first for a while.
    fn wrong(&mut self, source: IpAddr, now: Instant) -> bool {
        let place = place(source);
        if !self.sources.contains_key(&place) && self.sources.len() >= MOST_SOURCES {
            // those with nothing to forgive
            self.sources.retain(|_, pace| !pace.is_full(now));
        }
        let has_room = self.sources.len() < MOST_SOURCES;
        let pace = if has_room || self.sources.contains_key(&place) {
            self.sources.entry(place).or_insert(NEW)
        } else {
            &mut self.others
        };
        let is_first = pace.is_full(now);
        pace.take(now);
        is_first
    }
}

/// Addresses that one machine can have many of count together.
fn place(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Site {
    /// Whether things can be changed here.
    pub(super) fn has_actions(&self) -> bool {
        matches!(self.world.secrets().page_token, Some(Ok(_)))
    }

    /// Answers a request to change something.
    pub(super) async fn act(&self, request: Request<Incoming>, source: IpAddr) -> Answer {
        if let Err(refusal) = is_of_this_page(request.headers()) {
            return plain(StatusCode::FORBIDDEN, refusal);
        }
        if let Some(refused) = self.refusal(request.headers(), source) {
            return refused;
        }
        match request.uri().path() {
            "/token" => text(StatusCode::OK, "The token is right.\n".to_owned()),
            "/change" => self.change(request, source).await,
            _ => plain(StatusCode::NOT_FOUND, "There are /change and /token.\n"),
        }
    }

    /// Looks at the token. A source that sent wrong ones waits: its right one is not looked at either, so no answer tells them apart.
    fn refusal(&self, headers: &HeaderMap, source: IpAddr) -> Option<Answer> {
        let now = reactor::now();
        if let Some(until) = self.guesses.borrow_mut().waits(source, now) {
            let seconds = until.since(now).as_secs().saturating_add(1);
            let mut answer =
                plain(StatusCode::TOO_MANY_REQUESTS, "Wrong tokens came from this address: try again later.\n");
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            return Some(answer);
        }
        let mut answer = plain(StatusCode::UNAUTHORIZED, "The token is missing or wrong.\n");
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        if let Some(given) = token(headers) {
            if let Some(Ok(wanted)) = &self.world.secrets().page_token
                && is_same(given, wanted.as_bytes())
            {
                return None;
            }
            if self.guesses.borrow_mut().wrong(source, now) {
                tracing::warn!("page: {source} sent a wrong token");
            }
        }
        Some(answer)
    }

    async fn change(&self, request: Request<Incoming>, source: IpAddr) -> Answer {
        let is_json = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.starts_with("application/json"));
        if !request.headers().get(CONTENT_TYPE).is_some_and(is_json) {
            return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "A change is JSON.\n");
        }
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > LARGEST) {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE);
        }
        let body = Limited::new(request.into_body(), LARGEST).collect();
        let body = match tokio::time::timeout(PATIENCE, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE);
            }
            Ok(Err(_)) => return plain(StatusCode::BAD_REQUEST, "The request broke off.\n"),
            Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "The request did not come.\n"),
        };
        let change: Change = match serde_json::from_slice(&body) {
            Ok(change) => change,
            Err(error) => return text(StatusCode::BAD_REQUEST, format!("The change cannot be understood: {error}\n")),
        };
        let is_of_page = matches!(
            change,
            Change::Reload | Change::Priority { .. } | Change::Maintenance { .. } | Change::Weight { .. }
        );
        if !is_of_page {
            return plain(StatusCode::FORBIDDEN, "The page does not do that: keepalivedctl does.\n");
        }
        // names go to the log and to terminals
        if change.to_string().chars().any(char::is_control) {
            return plain(StatusCode::BAD_REQUEST, "A name has no control characters.\n");
        }
        let Ok(_place) = self.changes.try_acquire() else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "Too many changes at once: try again.\n");
        };
        match self.world.change(change, format!("page, from {source}")).await {
            Ok(()) => text(StatusCode::OK, "Done.\n".to_owned()),
            Err(why) => text(StatusCode::CONFLICT, why + "\n"),
        }
    }
}

const TOO_LARGE: &str = "A change has at most 4096 octets.\n";

/// Whether a request comes from our page, or from a program that is no browser. The page of another site, also one whose name leads to us
/// (DNS rebinding), has its own name in `Host` or in `Origin`.
fn is_of_this_page(headers: &HeaderMap) -> Result<(), &'static str> {
    let value = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_once = |name| headers.get_all(name).iter().count() == 1;
    if !is_once(HOST) {
        return Err("Host is missing.\n");
    }
    if value("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return Err("This is not for other sites.\n");
    }
    let Some(origin) = value(ORIGIN.as_str()) else { return Ok(()) };
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let is_same = authority
        .is_some_and(|authority| value(HOST.as_str()).is_some_and(|host| host.eq_ignore_ascii_case(authority)));
    if is_same && is_once(ORIGIN) { Ok(()) } else { Err("This is not for pages of other sites.\n") }
}

/// `Authorization: Bearer TOKEN`
fn token(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

/// Compares in a time that says nothing about where they differ, only about how long what was given is.
fn is_same(given: &[u8], wanted: &[u8]) -> bool {
    let mut differs = u8::from(given.len() != wanted.len());
    let wanted = wanted.iter().chain(std::iter::repeat(&0));
    for (given, wanted) in given.iter().zip(wanted) {
        differs = black_box(differs | (given ^ wanted));
    }
    black_box(differs) == 0
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    #[test]
    fn tokens_are_compared_to_the_end() {
        assert!(is_same(b"0123456789abcdef", b"0123456789abcdef"));
        for other in [&b""[..], b"0123456789abcde", b"0123456789abcdeg", b"0123456789abcdef\0", b"1123456789abcdef"] {
            assert!(!is_same(other, b"0123456789abcdef"), "{other:?}");
        }
        assert!(!is_same(b"", b"0"));
    }

    #[test]
    fn requests_of_other_pages_are_refused() {
        let is_ours = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            is_of_this_page(&headers).is_ok()
        };
        let host = ("host", "127.0.0.1:9650");
        assert!(is_ours(&[host]), "curl");
        assert!(is_ours(&[host, ("origin", "http://127.0.0.1:9650"), ("sec-fetch-site", "same-origin")]));
        assert!(is_ours(&[("host", "lb1.example:9650"), ("origin", "https://LB1.example:9650")]), "behind TLS");
        for foreign in
            ["http://evil.example", "http://127.0.0.1", "http://127.0.0.1:9650.evil.example", "null", "127.0.0.1:9650"]
        {
            assert!(!is_ours(&[host, ("origin", foreign)]), "{foreign}");
        }
        assert!(!is_ours(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(!is_ours(&[host, ("sec-fetch-site", "same-site")]));
        assert!(!is_ours(&[]));
        assert!(!is_ours(&[host, host]));
        assert!(!is_ours(&[host, ("origin", "http://127.0.0.1:9650"), ("origin", "http://evil.example")]));
    }

    #[test]
    fn guesses_are_slow_and_those_of_one_delay_no_other() {
        let mut guesses = Guesses::default();
        let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let mut now = Instant::ZERO + Duration::from_secs(100);
        for number in 0..WRONG_AT_ONCE {
            assert_eq!(guesses.waits(one, now), None);
            assert_eq!(guesses.wrong(one, now), number == 0);
        }
        let until = guesses.waits(one, now).unwrap();
        assert_eq!(until.since(now), PAUSE);
        assert_eq!(guesses.waits(other, now), None);
        now = until;
        assert_eq!(guesses.waits(one, now), None);
        guesses.wrong(one, now);
        assert!(guesses.waits(one, now).is_some());
        // one network of IPv6 is one source, and an IPv4 address in another form is the same
        let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
        for number in 0..WRONG_AT_ONCE {
            guesses.wrong(v6(&format!("2001:db8::{number}")), now);
        }
        assert!(guesses.waits(v6("2001:db8::99"), now).is_some() && guesses.waits(v6("2001:db8:0:1::"), now).is_none());
        assert!(guesses.waits(v6("::ffff:192.0.2.1"), now).is_some());
    }

    #[test]
    fn many_sources_take_no_more_memory() {
        let mut guesses = Guesses::default();
        let now = Instant::ZERO + Duration::from_secs(100);
        for number in 0..5_000_u32 {
            guesses.wrong(IpAddr::from((number + 1).to_be_bytes()), now);
        }
        assert_eq!(guesses.sources.len(), MOST_SOURCES);
        assert!(
            guesses.waits(IpAddr::from([203, 0, 113, 9]), now).is_some(),
            "those that are not remembered share one pace"
        );
        let later = now + PAUSE * 10;
        guesses.wrong(IpAddr::from([203, 0, 113, 9]), later);
        assert_eq!(guesses.sources.len(), 1, "the others are forgiven");
    }
}
