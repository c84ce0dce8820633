//! Mail about what happens: what a message looks like, and the dialogue that sends it.

mod message;
mod session;

pub use message::{Envelope, Message};
pub use session::{Account, Failure, Protection, Refused, Relay, Session};
