//! Asks a real server whether it is well: one dialogue for each kind of health check.
//!
//! Each is a future for a current-thread tokio runtime that ends in `Ok` or in a [`Failure`], never later than
//! [`total`] says, whatever the server does, and in bounded memory. The balancer (`core`) knows when checks run, and
//! what follows from their answers.
#![forbid(unsafe_code)]
// what opens files otherwise may wait, or follow a link (clippy.toml); tests may
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod connect;
mod deadline;
mod dns;
mod failure;
mod filler;
mod genhash;
mod grpc;
pub mod http;
mod http2;
mod pattern;
mod peer_text;
mod ping;
mod scratch;
mod smtp;
mod tcp;
mod tls;
mod tls_error;
mod udp;

pub use deadline::total;
pub use dns::dns;
pub use failure::{Failure, Step};
use filler::filler;
pub use genhash::genhash;
pub use grpc::grpc;
pub use http::http;
pub use http2::http2;
pub use pattern::{BadPattern, Pattern};
pub use peer_text::PeerText;
pub use ping::ping;
pub use smtp::smtp;
pub use tcp::tcp;
pub use tls::{BadTls, Tls, Trust};
pub use udp::udp;
