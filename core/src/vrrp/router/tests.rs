//! Expected values: RFC 9568 §6.4, RFC 3768 §6.4, and keepalived 2.4.3 as observed (shared/reference/behaviour.md,
//! sections 1 and 2). Where keepalived was seen to fail, the test's name says what is right instead.

mod backup;
mod begin;
mod end;
mod master;
mod notes;
mod rig;
