//! Understands keepalived.conf.
