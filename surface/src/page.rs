//! The status page: four texts without anything from elsewhere. It asks `/status.json` and `/events.json`, and hears by `/live` when to ask
//! again. With a token it sends changes to
//! `/change` and asks `/token` whether that is right.

/// The page.
pub const HTML: &str = include_str!("page/page.html");

/// How it looks.
pub const CSS: &str = include_str!("page/page.css");

/// What it does.
pub const SCRIPT: &str = include_str!("page/page.js");

/// The header of `/status.json` that says that things can be changed by POST to `/change`: by those who have the token.
pub const ACTIONS: &str = "page-actions";

/// What those who have the token may change by it.
pub const ACTIONS_SCRIPT: &str = include_str!("page/actions.js");

/// The newest events, which it shows and draws lanes of.
pub const MOST_EVENTS: usize = 2_000;

/// What a browser lets it do (Content-Security-Policy): nothing is fetched from elsewhere, or shown elsewhere.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                          base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
