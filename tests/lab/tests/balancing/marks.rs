//! Groups whose packets are marked (`nftables_ipvs`): one service for all addresses and ports. What the packets get is tested where the kernel
//! has nftables for IPv4 (kernel/tests/marks.rs): that of User-Mode Linux has not.

use crate::{PACE, side_by_side};
use anyhow::ensure;

fn text(members: &str) -> String {
    format!(
        "global_defs {{\n nftables_ipvs\n nftables_ipvs_start_fwmark 300\n }}
        virtual_server_group g {{\n {members}\n }}
        virtual_server group g {{ {PACE} lvs_sched rr\n lvs_method NAT
            real_server 10.0.0.1 80 {{ TCP_CHECK {{ }} }}
            real_server 10.0.0.2 80 {{ TCP_CHECK {{ }} }}
        }}\n"
    )
}

const BOTH: [&str; 2] = ["10.0.0.1:80", "10.0.0.2:80"];

#[test]
#[ignore = "needs IPVS"]
fn a_group_is_one_service_of_a_mark() {
    side_by_side(|pair| {
        pair.both(|site| BOTH.iter().try_for_each(|at| site.listen(at)))?;
        pair.start(&text("192.0.2.1-20 80\n 192.0.2.1-20 443"))?;
        let table = "-A -f 300 -s rr\n-a -f 300 -r 10.0.0.1:80 -m -w 1\n-a -f 300 -r 10.0.0.2:80 -m -w 1\n";
        let [ours, _] = pair.sites();
        ensure!(ours.table()? == table, "{}", ours.table()?);
        pair.close(&BOTH[..1])?;
        pair.open(&BOTH[..1])?;
        pair.stop()
    });
}
