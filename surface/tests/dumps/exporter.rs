//! What mehdy/keepalived-exporter finds in these files. The rules are those of its parsers: which line begins an instance, a script
//! or a section, which keys it knows, what it does with others.

use std::collections::HashMap;

use keepalived_core::vrrp::State;
use keepalived_surface::{data, json, statistics};
use serde::Deserialize;

use super::scene::{p6, vm};

const STATES: [&str; 4] = ["INIT", "BACKUP", "MASTER", "FAULT"];

/// The fields that it knows of an instance, under the names of its JSON reader.
#[derive(Deserialize, PartialEq, Debug, Default)]
struct Data {
    iname: String,
    state: usize,
    wantstate: usize,
    ifp_ifname: String,
    garp_delay: i64,
    vrid: i64,
    #[serde(default)]
    vips: Vec<String>,
    #[serde(default)]
    evips: Vec<String>,
}

#[derive(Deserialize, PartialEq, Eq, Debug, Default)]
struct Stats {
    advert_rcvd: i64,
    advert_sent: i64,
    become_master: i64,
    release_master: i64,
    packet_len_err: i64,
    advert_interval_err: i64,
    ip_ttl_err: i64,
    invalid_type_rcvd: i64,
    addr_list_err: i64,
    invalid_authtype: i64,
    authtype_mismatch: i64,
    auth_failure: i64,
    pri_zero_rcvd: i64,
    pri_zero_sent: i64,
}

#[derive(Deserialize)]
struct Vrrp {
    data: Data,
    stats: Stats,
}

fn value(line: &str, separator: char) -> String {
    line.trim().split(separator).nth(1).unwrap_or_default().trim().to_owned()
}

fn state(word: &str) -> usize {
    STATES.iter().position(|state| *state == word).expect(word)
}

fn instances(text: &str) -> HashMap<String, Data> {
    let mut found: HashMap<String, Data> = HashMap::new();
    let (mut instance, mut key) = (String::new(), String::new());
    for line in text.lines() {
        if line.starts_with(" VRRP Instance") && line.contains('=') {
            instance = value(line, '=');
            found.insert(instance.clone(), Data { iname: instance.clone(), ..Data::default() });
        } else if line.starts_with("   ") && !instance.is_empty() {
            let word = if line.starts_with("     ") {
                line.trim().to_owned()
            } else {
                let Some(separator) = ['=', ':'].into_iter().find(|separator| line.contains(*separator)) else {
                    continue;
                };
                line.trim().split(separator).next().unwrap().trim().clone_into(&mut key);
                if key == "Virtual IP" {
                    continue;
                }
                value(line, separator)
            };
            let data = found.get_mut(&instance).unwrap();
            if (key.starts_with("Virtual IP (") || key == "Virtual IP") && !word.is_empty() {
                data.vips.push(word.clone());
            }
            if key.starts_with("Virtual IP Excluded") && !word.is_empty() {
                data.evips.push(word.clone());
            }
            match key.as_str() {
                "State" => data.state = state(&word),
                "Wantstate" => data.wantstate = state(&word),
                "Interface" => data.ifp_ifname = word,
                "Gratuitous ARP delay" => data.garp_delay = word.parse().unwrap(),
                "Virtual Router ID" => data.vrid = word.parse().unwrap(),
                _ => {}
            }
        } else if !line.starts_with(" VRRP Version") && !line.starts_with(" VRRP Script") {
            instance.clear();
        }
    }
    found
}

/// Name, status and state.
fn scripts(text: &str) -> Vec<[String; 3]> {
    let mut found: Vec<[String; 3]> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        if line.starts_with(" VRRP Script") && line.contains('=') {
            found.push([value(line, '='), String::new(), String::new()]);
            is_inside = true;
        } else if line.starts_with("   ") && is_inside {
            let script = found.last_mut().unwrap();
            match line.trim().split('=').next().unwrap().trim() {
                "Status" => script[1] = value(line, '='),
                "State" => script[2] = value(line, '='),
                _ => {}
            }
        } else if !line.starts_with("    ") {
            is_inside = false;
        }
    }
    found
}

fn counters(text: &str) -> HashMap<String, Stats> {
    let mut found: HashMap<String, Stats> = HashMap::new();
    let (mut instance, mut section) = (String::new(), String::new());
    for line in text.lines() {
        // whatever the section, it fails at a value that is no number
        let number = || value(line, ':').parse::<i64>().expect(line);
        let key = line.trim().split(':').next().unwrap().trim();
        if line.starts_with("VRRP Instance") && line.contains(':') {
            instance = value(line, ':');
            found.insert(instance.clone(), Stats::default());
        } else if line.starts_with("  ") && line.ends_with(':') {
            key.clone_into(&mut section);
        } else if line.starts_with("    ") && !section.is_empty() {
            let stats = found.get_mut(&instance).unwrap();
            let mut ignored = 0;
            *match (section.as_str(), key) {
                ("Advertisements", "Received") => &mut stats.advert_rcvd,
                ("Advertisements", "Sent") => &mut stats.advert_sent,
                ("Packet Errors", "Length") => &mut stats.packet_len_err,
                ("Packet Errors", "TTL") => &mut stats.ip_ttl_err,
                ("Packet Errors", "Invalid Type") => &mut stats.invalid_type_rcvd,
                ("Packet Errors", "Advertisement Interval") => &mut stats.advert_interval_err,
                ("Packet Errors", "Address List") => &mut stats.addr_list_err,
                ("Authentication Errors", "Invalid Type") => &mut stats.invalid_authtype,
                ("Authentication Errors", "Type Mismatch") => &mut stats.authtype_mismatch,
                ("Authentication Errors", "Failure") => &mut stats.auth_failure,
                ("Priority Zero", "Received") => &mut stats.pri_zero_rcvd,
                ("Priority Zero", "Sent") => &mut stats.pri_zero_sent,
                _ => &mut ignored,
            } = number();
        } else if line.starts_with("  ") {
            section.clear();
            let stats = found.get_mut(&instance).unwrap();
            match key {
                "Became master" => stats.become_master = number(),
                "Released master" => stats.release_master = number(),
                _ => drop(number()),
            }
        }
    }
    found
}

/// What it makes of keepalived's own files is what it makes of ours.
#[test]
fn an_exporter_reads_our_files_as_it_reads_keepalives() {
    let (config, mut snapshot) = p6();
    let text = data(&config, &snapshot, &vm());
    let theirs = include_str!("../../../config/tests/data/observed/p6.keepalived.data");
    assert_eq!(instances(&text), instances(theirs));
    assert_eq!(scripts(&text), scripts(theirs));
    assert_eq!(scripts(&text), [["chk", "GOOD", "idle"]]);
    let theirs = include_str!("../../../config/tests/data/observed/p6.keepalived.stats");
    assert_eq!(counters(&statistics(&snapshot)), counters(theirs));
    assert_eq!(counters(&statistics(&snapshot))["V2"].advert_sent, 7);

    // each state has a word that it knows, and each counter its place
    for (number, state) in [State::Init, State::Backup, State::Master, State::Fault].into_iter().enumerate() {
        let instance = &mut snapshot.vrrp.instances[0];
        instance.state = state;
        let counters_now = &mut instance.counters;
        (counters_now.advert_rcvd, counters_now.pri_zero_rcvd, counters_now.release_master) = (11, 12, 13);
        let text = data(&config, &snapshot, &vm());
        assert_eq!(instances(&text)["V1"].state, number);
        let stats = &counters(&statistics(&snapshot))["V1"];
        assert_eq!((stats.advert_rcvd, stats.pri_zero_rcvd, stats.release_master), (11, 12, 13));
    }
}

/// It takes its numbers from the file or from JSON of version 1: both say the same. Its VIPs are an address and an interface.
#[test]
fn an_exporter_finds_the_same_in_json() {
    let (config, snapshot) = super::scene::v1();
    let list: Vec<Vrrp> = serde_json::from_str(&json(&config, &snapshot, &vm(), 1)).unwrap();
    let by_text = instances(&data(&config, &snapshot, &vm()));
    let stats = counters(&statistics(&snapshot));
    assert_eq!(list.len(), 3);
    for Vrrp { data, stats: of } in list {
        assert_eq!(by_text[&data.iname], data);
        assert_eq!(stats[&data.iname], of);
        for address in data.vips.iter().chain(&data.evips) {
            let words: Vec<&str> = address.split(' ').collect();
            assert_eq!((words[1], words[2]), ("dev", "e0"), "{address}");
        }
    }
    assert_eq!(by_text["V1"].evips, ["10.5.0.102 dev e0 scope global set"]);
}
