//! The configurations of the guides, with their own addresses in a namespace. Their checks come each second, so that a
//! test need not wait for half a minute, and the digests are those of the pages here.

use crate::side_by_side;
use anyhow::Result;
use keepalived_lab::balancing::Pair;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/tests/data/guides");
const ONE: &str = "f97c5d29941bfb1b2fdab0874906ab82";
const TWO: &str = "b8a9f715dbb64fd5c56e7783c6820a61";

fn guide(name: &str) -> Result<String> {
    let mut text = std::fs::read_to_string(format!("{FOLDER}/{name}.conf"))?;
    for seconds in [6, 15, 20, 30] {
        text = text.replace(&format!("delay_loop {seconds}\n"), "delay_loop 1\n warmup 0\n");
    }
    text = text.replace("delay_before_retry 2", "delay_before_retry 0.1");
    // what becomes of mail is no matter here, and nobody would take it
    text = text.replace("smtp_server 192.168.200.20", "smtp_server 127.0.0.1");
    Ok(text.replace("ec90a42b99ea9a2f5ecbe213ac9eba03", ONE).replace("640205b7b0fc66c1ea91c463fac6334c", TWO))
}

fn pages(pair: &mut Pair) -> Result<()> {
    pair.both(|site| {
        for at in ["192.168.100.2:80", "192.168.100.3:80"] {
            site.web(at)?;
        }
        site.page("192.168.100.2:80", "/testurl/test.jsp", 200, "one")?;
        site.page("192.168.100.2:80", "/testurl2/test.jsp", 200, "two")?;
        site.page("192.168.100.3:80", "/testurl/test.jsp", 200, "two")
    })
}

/// The web servers of the user guide, one after the other and back.
fn web_servers_come_and_go(pair: &mut Pair) -> Result<()> {
    pair.both(|site| site.page("192.168.100.2:80", "/testurl2/test.jsp", 200, "three"))?;
    pair.changes("a wrong page")?;
    pair.both(|site| site.page("192.168.100.3:80", "/testurl/test.jsp", 500, "two"))?;
    pair.changes("a wrong status: the sorry server")?;
    pair.both(|site| site.page("192.168.100.2:80", "/testurl2/test.jsp", 200, "two"))?;
    pair.changes("the right page")?;
    pair.both(|site| site.page("192.168.100.3:80", "/testurl/test.jsp", 200, "two"))?;
    pair.changes("the right status")
}

#[test]
#[ignore = "needs IPVS"]
fn user_guide_health_checks() {
    side_by_side(|pair| {
        pages(pair)?;
        let others = ["192.168.100.2:443", "192.168.100.3:443", "192.168.100.4:25", "192.168.100.5:25"];
        pair.both(|site| others.iter().try_for_each(|at| site.listen(at)))?;
        pair.start(&guide("guide-healthcheck")?)?;
        web_servers_come_and_go(pair)?;
        pair.close(&others)?;
        pair.open(&others)?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn user_guide_mixed() {
    side_by_side(|pair| {
        pages(pair)?;
        let others = ["192.168.100.2:443", "192.168.100.3:443"];
        pair.both(|site| {
            site.namespace().ip("link add eth1 type dummy\n")?;
            others.iter().try_for_each(|at| site.listen(at))
        })?;
        pair.start(&guide("guide-mixed")?)?;
        pair.close(&others[..1])?;
        web_servers_come_and_go(pair)?;
        pair.open(&others[..1])?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn user_guide_ssl() {
    side_by_side(|pair| {
        pair.both(|site| {
            std::fs::create_dir_all(site.folder().join("testurl"))?;
            std::fs::create_dir_all(site.folder().join("testurl2"))?;
            site.write("testurl/test.jsp", "one")?;
            site.write("testurl2/test.jsp", "two")?;
            site.tls("192.168.100.2:443")
        })?;
        pair.start(&guide("guide-ssl")?)?;
        pair.stays("all is well")?;
        pair.both(|site| site.write("testurl2/test.jsp", "three"))?;
        pair.changes("a wrong page")?;
        pair.both(|site| site.write("testurl2/test.jsp", "two"))?;
        pair.changes("the right page")?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn archwiki_balancing() {
    side_by_side(|pair| {
        let at = ["172.16.1.20:80", "172.16.1.21:80", "172.16.1.22:80", "172.16.1.23:80"];
        pair.both(|site| at.iter().try_for_each(|at| site.listen(at)))?;
        pair.start(&guide("archwiki-balancing")?)?;
        pair.close(&at[..1])?;
        pair.close(&at[1..])?;
        pair.open(&at[2..])?;
        pair.open(&at[..2])?;
        pair.stop()
    });
}
