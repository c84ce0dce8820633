//! Many routers, one seed, no time: the simulator.
//!
//! A [`scenario::Scenario`] follows from a seed: routers, their configurations, their clocks, and a plan of what
//! befalls them. A [`world::World`] plays it with the engines that ship, on kernels in memory, and a [`watch::Watch`]
//! looks on from above and judges after every step what [`invariant::Invariant`] promises.
//!
//! [`balance`] does the same with the checker. Steps of the wall clock are not played: no machine reads it.
//!
//! `cargo test -p keepalived-sim` plays ten thousand seeds (`SIM_SEEDS` for another number);
//! `cargo run -p keepalived-sim -- --seed 1234` replays one and prints what happened, in order.
#![forbid(unsafe_code)]

pub mod balance;
pub mod bounds;
pub mod clock;
pub mod disturbance;
pub mod follower;
pub mod invariant;
pub mod medium;
pub mod node;
pub mod queue;
pub mod random;
pub mod scenario;
pub mod setting;
pub mod soak;
pub mod trace;
pub mod watch;
pub mod world;
