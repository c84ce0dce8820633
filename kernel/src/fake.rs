//! The traits in memory: for tests of what stands above, and for the simulator. No hidden order, no clock.

mod network;
mod packets;

pub use network::FakeNetwork;
pub use packets::{FakePackets, ReceivedAdvert, SentAdvert, SentFrame};
