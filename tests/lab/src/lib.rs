//! Namespaces, real sockets, real peers.
