//! Asks Linux: netlink, raw sockets, processes; the only crate with unsafe.
