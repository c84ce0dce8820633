//! One balancer, its servers and the kernel's table, one seed, no time: the simulator of the checker.
//!
//! A [`scenario::Scenario`] follows from a seed: a configuration, and a plan of what befalls servers, kernel, runner
//! and processes. A [`world::World`] plays it with the engine that ships (`checker::Engine`) on a load balancer in
//! memory. A [`model::Model`] works out once more what the results of checks mean, and a [`watch::Watch`] compares
//! after every step: the kernel's table, what is told, and when each check is asked.

pub mod disturbance;
pub mod model;
pub mod scenario;
pub mod setting;
pub mod watch;
pub mod world;
