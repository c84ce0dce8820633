use super::*;

fn regex(pattern: &str, options: &str) -> Regex {
    let options = options.split_ascii_whitespace().map(str::to_owned).collect();
    Regex { pattern: pattern.into(), options, ..Regex::default() }
}

/// Whether it is found, the body coming in pieces of several sizes.
fn search(regex: &Regex, body: &[u8]) -> Result<(), Failure> {
    let mut results = [1000, 4096, body.len() + 1].map(|size| {
        let mut search = Search::new(regex)?;
        body.chunks(size).try_for_each(|piece| search.push(piece))?;
        assert!(search.window.capacity() <= 2 * WINDOW);
        search.verdict()
    });
    assert_eq!(results[0], results[1]);
    assert_eq!(results[1], results[2]);
    std::mem::replace(&mut results[0], Ok(()))
}

#[track_caller]
fn found(pattern: &str, options: &str, body: &str) {
    assert_eq!(search(&regex(pattern, options), body.as_bytes()), Ok(()));
}

#[track_caller]
fn not_found(pattern: &str, options: &str, body: &str) {
    assert_eq!(search(&regex(pattern, options), body.as_bytes()), Err(Failure::NotFound));
}

/// pcre2api(3), "option bits".
#[test]
fn options_mean_what_pcre2_says() {
    found("WORLD", "caseless", "hello world");
    not_found("WORLD", "", "hello world");
    found("^b", "multiline", "a\nb");
    not_found("^b", "", "a\nb");
    found("a.b", "dotall", "a\nb");
    found("a b # both", "extended", "ab");
    found("(?<x>a)|(?<x>b)", "dupnames", "b");
    found("^(a)(?<n>b)\\1$", "no_auto_capture dotall", "abb");
    found("b", "firstline", "ab\nc");
    not_found("c", "firstline", "ab\nc");
    found("^.$", "utf", "é");
    not_found("^.$", "", "é");
    found("^\\w$", "utf ucp", "é");
    found("(*UTF)^.$", "ungreedy", "é");
    found("a", "no_auto_possess no_dotstar_anchor no_start_optimize never_utf auto_callout use_offset_limit", "a");
}

#[test]
fn an_option_that_we_cannot_give_is_named() {
    assert_eq!(Pattern::new(&regex("a", "alt_bsux")).unwrap_err(), BadPattern::Option("alt_bsux".into()));
    assert!(matches!(Pattern::new(&regex("(a", "")).unwrap_err(), BadPattern::Syntax(_)));
}

#[test]
fn offsets_bound_where_a_match_starts() {
    let check = |min_offset, max_offset, verdict| {
        let regex = Regex { min_offset, max_offset, ..regex("b+", "") };
        assert_eq!(search(&regex, b"0123bb6789"), verdict);
    };
    check(0, Some(3), Err(Failure::NotFound));
    check(0, Some(4), Ok(()));
    check(4, Some(4), Ok(()));
    check(5, None, Ok(()));
    check(6, None, Err(Failure::NotFound));
    check(60, None, Err(Failure::NotFound));
}

#[test]
fn regex_no_match_turns_the_verdict_round() {
    let regex = Regex { no_match: true, ..regex("b", "") };
    assert_eq!(search(&regex, b"abc"), Err(Failure::Found));
    assert_eq!(search(&regex, b"acc"), Ok(()));
}

#[test]
fn a_match_is_found_wherever_windows_are_cut() {
    for at in [WINDOW - 3, WINDOW - OVERLAP - 3, 2 * WINDOW - OVERLAP - 3, 5 * WINDOW] {
        let body = format!("{}needle!{}", "x".repeat(at), "x".repeat(100_000));
        found("(?<=x)needle", "", &body);
        found("needle!x+", "", &body);
        not_found("^needle", "", &body);
        not_found("needle$", "", &body);
        found("needle!x*$", "", &body);
        let bound = |min, max| Regex { min_offset: min, max_offset: Some(max), ..regex("needle", "") };
        let at = u32::try_from(at).unwrap();
        assert_eq!(search(&bound(at, at), body.as_bytes()), Ok(()));
        assert_eq!(search(&bound(0, at - 1), body.as_bytes()), Err(Failure::NotFound));
        assert_eq!(search(&bound(at + 1, at + 10), body.as_bytes()), Err(Failure::NotFound));
    }
}

#[test]
fn a_pattern_that_explodes_ends_in_an_error() {
    let verdict = search(&regex("^(a+)+$", ""), format!("{}b", "a".repeat(60)).as_bytes());
    assert!(matches!(verdict, Err(Failure::Pattern(_))), "{verdict:?}");
}

/// Not any one attempt takes long, but there is one at each octet.
#[test]
fn a_pattern_that_is_slow_everywhere_ends_in_an_error() {
    let started = Instant::now();
    let mut search = Search::new(&regex("(?:x|y)*z", "")).unwrap();
    let window = "x".repeat(WINDOW - 2) + "qz";
    let slow = (0..100).try_for_each(|_| search.push(window.as_bytes()));
    assert!(matches!(slow, Err(Failure::Pattern(_))), "{slow:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// A group that remembers takes of the stack each time that it is repeated.
#[test]
fn regex_stack_gives_room() {
    let body = "ab".repeat(8000) + "c";
    let verdict = |stack| search(&Regex { stack, ..regex("^(?:(a)|(b)|(\\w))*c$", "") }, body.as_bytes());
    let limit = "PCRE2: error matching: JIT stack limit reached";
    assert_eq!(verdict(None), Err(Failure::Pattern(limit.into())));
    assert_eq!(verdict(Some((32_768, 16 << 20))), Ok(()));
}
