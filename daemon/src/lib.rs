//! The processes: supervisor and vrrp; binary keepalived.
