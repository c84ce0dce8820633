//! Verdicts of checks that say more than yes and no, and who is told.

use crate::{PACE, side_by_side};
use keepalived_lab::{patience, wait_until};
use std::time::Duration;

#[test]
#[ignore = "needs IPVS"]
fn programs_that_give_weights() {
    side_by_side(|pair| {
        pair.both(|site| {
            site.ends_with("a", "0")?;
            site.ends_with("b", "2")
        })?;
        let misc = |file: &str, lines: &str| {
            format!("MISC_CHECK {{ misc_path FOLDER/{file}\n user root\n misc_timeout 10\n {lines}\n }}")
        };
        let text = format!(
            "virtual_server 192.0.2.1 80 {{ {PACE} lvs_sched wrr\n lvs_method NAT
                real_server 10.0.0.1 80 {{ weight 5\n {} }}
                real_server 10.0.0.2 80 {{ weight 5\n {} }}
                real_server 10.0.0.3 80 {{ weight 5\n {}\n {} }}
                real_server 10.0.0.4 80 {{ weight 5\n inhibit_on_failure\n {} }}
            }}\n",
            misc("a", ""),
            misc("b", "misc_dynamic"),
            misc("a", ""),
            misc("b", "misc_dynamic"),
            misc("b", "misc_dynamic"),
        );
        pair.start(&text)?;
        for (a, b) in [("0", "9"), ("0", "255"), ("3", "7"), ("0", "0"), ("0", "1"), ("1", "1"), ("0", "12")] {
            pair.both(|site| {
                site.ends_with("a", a)?;
                site.ends_with("b", b)
            })?;
            pair.changes(&format!("statuses {a} and {b}"))?;
        }
        let reloaded = text.replace("weight 5", "weight 50");
        pair.both(|site| site.reload(&reloaded))?;
        pair.changes("reload: another weight")?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn pages() {
    side_by_side(|pair| {
        let at = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];
        pair.both(|site| {
            for at in at {
                site.web(at)?;
                site.page(at, "/a", 200, "hello")?;
                site.page(at, "/b", 204, "")?;
            }
            Ok(())
        })?;
        let get = |urls: &str| format!("HTTP_GET {{ {urls}\n retry 1\n delay_before_retry 0.1\n }}");
        // MD5 of "hello"
        let digest = "url { path /a\n digest 5d41402abc4b2a76b9719d911017c592\n }";
        let status = "url { path /b\n status_code 204\n }";
        let both = get(&format!("{digest}\n {status}"));
        let text = format!(
            "virtual_server 192.0.2.1 80 {{ {PACE} lvs_sched wrr\n lvs_method NAT
                real_server 10.0.0.1 80 {{ {} }}
                real_server 10.0.0.2 80 {{ {} }}
                real_server 10.0.0.3 80 {{ {both}\n TCP_CHECK {{ }} }}
            }}\n",
            get(digest),
            get(status),
        );
        pair.start(&text)?;
        pair.stays("all is well")?;
        pair.both(|site| at.iter().try_for_each(|at| site.page(at, "/a", 200, "help")))?;
        pair.changes("another text")?;
        pair.both(|site| at.iter().try_for_each(|at| site.page(at, "/b", 500, "")))?;
        pair.changes("another status")?;
        pair.both(|site| at.iter().try_for_each(|at| site.page(at, "/a", 200, "hello")))?;
        pair.changes("the right text")?;
        pair.both(|site| at.iter().try_for_each(|at| site.page(at, "/b", 204, "")))?;
        pair.changes("the right status")?;
        pair.close(&at[2..])?;
        pair.stop()
    });
}

#[test]
#[ignore = "needs IPVS"]
fn scripts_and_the_named_pipe() {
    side_by_side(|pair| {
        let at = ["10.0.0.1:80", "10.0.0.2:80"];
        pair.both(|site| {
            site.fifo("fifo")?;
            at.iter().try_for_each(|at| site.listen(at))
        })?;
        let say = |what: &str| format!("\"/bin/sh -c 'echo {what} >> FOLDER/said'\" root");
        let text = format!(
            "global_defs {{
                lvs_notify_fifo FOLDER/fifo
                script_user root
            }}
            virtual_server 192.0.2.1 80 {{ {PACE} lvs_sched rr\n lvs_method NAT\n omega
                quorum_up {}
                quorum_down {}
                real_server 10.0.0.1 80 {{ notify_up {}\n notify_down {}\n TCP_CHECK {{ }} }}
                real_server 10.0.0.2 80 {{ TCP_CHECK {{ }} }}
            }}
            virtual_server 192.0.2.2 80 {{ {PACE} lvs_sched rr\n lvs_method NAT\n alpha
                quorum_up {}
                quorum_down {}
                real_server 10.0.0.2 80 {{ notify_up {}\n notify_down {}\n TCP_CHECK {{ }} }}
            }}\n",
            say("quorum up"),
            say("quorum down"),
            say("first up"),
            say("first down"),
            say("alpha quorum up"),
            say("alpha quorum down"),
            say("alpha up"),
            say("alpha down"),
        );
        // scripts run side by side: their order is chance
        let said = |site: &keepalived_lab::balancing::Site| {
            let text = site.read("said");
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_unstable();
            lines.join("\n")
        };
        // so is that of two services whose checks are due together
        let told = |site: &keepalived_lab::balancing::Site| {
            let text = String::from_utf8_lossy(&site.told()).replace('\0', "");
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_by_key(|line| line.contains("[192.0.2.2]"));
            lines.join("\n")
        };
        pair.start(&text)?;
        pair.agree("lines at start", told);
        pair.close(&at[..1])?;
        pair.close(&at[1..])?;
        pair.agree("lines at failures", told);
        pair.agree("scripts at failures", said);
        pair.open(&at[..1])?;
        pair.open(&at[1..])?;
        pair.agree("lines at recoveries", told);
        pair.agree("scripts at recoveries", said);
        pair.both(|site| site.reload(&text))?;
        pair.stays("reload of an unchanged file")?;
        pair.agree("lines at a reload", told);
        pair.stop()?;
        pair.agree("lines at the stop", told);
        // Debian's does not always wait for them
        let [ours, _] = pair.sites();
        let whole = |text: String| text.lines().filter(|line| *line == "quorum down").count() == 2;
        wait_until("scripts at the stop", patience(Duration::from_secs(5)), || Ok(whole(said(ours))))
    });
}

#[test]
#[ignore = "needs IPVS"]
fn files_pings_datagrams_names_and_mail() {
    side_by_side(|pair| {
        let (names, mail) = (["10.0.0.3:53", "10.0.0.4:53"], "10.0.0.5:25");
        pair.both(|site| {
            site.write("number", "1")?;
            site.own(&["198.51.100.1"])?;
            names.iter().try_for_each(|at| site.names(at))?;
            site.mail(mail)
        })?;
        let pace = "retry 1\n delay_before_retry 0.1\n connect_timeout 1";
        let text = format!(
            "track_file number {{
                file FOLDER/number
            }}
            virtual_server 192.0.2.1 80 {{ {PACE} lvs_sched wrr\n lvs_method NAT
                real_server 10.0.0.1 80 {{ weight 5
                    FILE_CHECK {{ track_file number\n weight 2
                    }} }}
                real_server 198.51.100.1 80 {{ weight 5
                    PING_CHECK {{ {pace}\n }} }}
                real_server 10.0.0.3 53 {{ weight 5
                    UDP_CHECK {{ {pace}\n }} }}
                real_server 10.0.0.4 53 {{ weight 5
                    DNS_CHECK {{ {pace}\n name lab.example\n type A\n }} }}
                real_server 10.0.0.5 25 {{ weight 5
                    SMTP_CHECK {{ {pace}\n helo_name lab\n }} }}
            }}\n"
        );
        pair.start(&text)?;
        pair.stays("all is well")?;
        pair.both(|site| site.write("number", "-2"))?;
        pair.changes("another number")?;
        pair.both(|site| site.write("number", "-254"))?;
        pair.changes("a number that means down")?;
        pair.both(|site| {
            site.namespace().ip("address del 198.51.100.1/32 dev lo\n")?;
            names.iter().try_for_each(|at| site.close(at))?;
            site.close(mail)
        })?;
        pair.changes("all failed")?;
        pair.both(|site| {
            site.write("number", "3")?;
            site.own(&["198.51.100.1"])?;
            names.iter().try_for_each(|at| site.names(at))?;
            site.mail(mail)
        })?;
        pair.changes("all is well again")?;
        pair.stop()
    });
}
