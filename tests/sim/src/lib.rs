//! Many routers, one seed, no time: the simulator.
