//! Reads what has passed.

use keepalived_core::balance::Counters;

use crate::netlink::codec::{Attributes, u64_at};

/// Reads `IPVS_*_ATTR_STATS64`. What is missing is 0.
pub(super) fn read(attributes: &[u8]) -> Counters {
    let mut counters = Counters::default();
    for (kind, value) in Attributes(attributes) {
        let place = match kind {
            1 => &mut counters.connections,
            2 => &mut counters.packets_in,
            3 => &mut counters.packets_out,
            4 => &mut counters.octets_in,
            5 => &mut counters.octets_out,
            6 => &mut counters.connection_rate,
            7 => &mut counters.packet_rate_in,
            8 => &mut counters.packet_rate_out,
            9 => &mut counters.octet_rate_in,
            10 => &mut counters.octet_rate_out,
            _ => continue,
        };
        *place = u64_at(value, 0).unwrap_or(0);
    }
    counters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::codec::Batch;

    #[test]
    fn ten_counters_are_told_apart_and_cut_ones_are_0() {
        let mut batch = Batch::default();
        for kind in 1_u16..=11 {
            batch.attribute(kind, &(u64::from(kind) << 40).to_ne_bytes());
        }
        let whole = batch.octets();
        let read_all = read(whole);
        let octet = |n: u64| n << 40;
        assert_eq!(
            read_all,
            Counters {
                connections: octet(1),
                packets_in: octet(2),
                packets_out: octet(3),
                octets_in: octet(4),
                octets_out: octet(5),
                connection_rate: octet(6),
                packet_rate_in: octet(7),
                packet_rate_out: octet(8),
                octet_rate_in: octet(9),
                octet_rate_out: octet(10),
            }
        );
        for length in 0..whole.len() {
            let _fewer = read(&whole[..length]);
        }
        assert_eq!(read(&whole[..12]), Counters { connections: octet(1), ..Counters::default() });
        assert_eq!(read(&whole[..11]), Counters::default());
    }
}
