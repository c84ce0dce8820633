//! The traits in memory: for tests of what stands above, and for the simulator. No hidden order, no clock.

mod director;
mod network;
mod packets;

pub use director::FakeDirector;
pub use network::FakeNetwork;
pub use packets::{FakePackets, FakeSockets, ReceivedAdvert, SentAdvert, SentFrame};
