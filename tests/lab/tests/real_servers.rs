//! Health checks of our daemon against servers as they are in use, from Debian's packages, and against one of ours that
//! misbehaves. What our own fakes cannot hold: that both sides mean the same protocol.

#![cfg(test)]

#[path = "real_servers/beside.rs"]
mod beside;
#[path = "real_servers/grpc.rs"]
mod grpc;
#[path = "real_servers/mail.rs"]
mod mail;
#[path = "real_servers/misbehaving.rs"]
mod misbehaving;
#[path = "real_servers/names.rs"]
mod names;
#[path = "real_servers/pki.rs"]
mod pki;
#[path = "real_servers/rig.rs"]
mod rig;
#[path = "real_servers/web.rs"]
mod web;
