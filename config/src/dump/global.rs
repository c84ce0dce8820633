//! Global definitions.

use super::{Page, Part, decimal, enabled, say, yes};
use crate::model::{BufferPolicy, Dbus, Fifo, FlushOnStop, IpvsNamespace, ReloadFile, Script, VmacNames};

/// Keepalived's umask.
const UMASK: u32 = 0o177;
/// Microseconds of realtime without a pause, unless configured.
const RTTIME: u64 = 10_000;

pub(super) fn write(page: &mut Page<'_>, part: Part) {
    say!(page, "------< Global definitions >------");
    identity(page);
    mail(page);
    reloading(page);
    balancing(page, part);
    fifos(page);
    routers(page);
    firewall(page);
    processes(page);
    services(page);
    buffers(page);
    files(page);
}

fn identity(page: &mut Page<'_>) {
    let global = &page.config.global;
    if let Some(directory) = &global.reload.save_directory {
        say!(page, " Config save dir = {directory}");
    }
    say!(page, " Network namespace = {}", global.net_namespace.as_deref().unwrap_or("(default)"));
    let namespace = match &global.balancing.namespace {
        IpvsNamespace::Ours => "(main namespace)",
        IpvsNamespace::Default => "(default)",
        IpvsNamespace::Named(name) => name,
    };
    say!(page, " Network namespace ipvs = {namespace}");
    let names = [
        ("Instance", &global.instance),
        ("Parent process", &global.process_name),
        ("VRRP process", &global.vrrp.name),
        ("LVS process", &global.checker.name),
        ("BFD process", &global.bfd.name),
    ];
    for (what, name) in names {
        if let Some(name) = name {
            say!(page, " {what} name = {name}");
        }
    }
    let scripts = &global.scripts;
    say!(page, " {} symlinks in script paths", if scripts.symlink_paths { "Keep" } else { "Replace" });
    let set = if scripts.supplementary_groups { "Set" } else { "Don't set" };
    say!(page, " {set} supplementary groups for all scripts");
    if let Some(name) = global.router_id.clone().or_else(|| page.host.name()) {
        say!(page, " Router ID = {name}");
    }
}

fn mail(page: &mut Page<'_>) {
    let mail = &page.config.global.mail;
    if let Some(server) = &mail.server {
        say!(page, " Smtp server = {}", server.host);
        say!(page, " Smtp server port = {}", server.port);
        if let Some(name) = mail.helo.clone().or_else(|| page.host.name()) {
            say!(page, " Smtp HELO name = {name}");
        }
        say!(page, " Smtp server connection timeout = {}", mail.timeout.as_secs());
    } else if let Some(name) = &mail.helo {
        say!(page, " Smtp HELO name = {name}");
    }
    if let Some(from) = &mail.from {
        say!(page, " Email notification from = {from}");
        say!(page, " Email notification to:");
        for to in &mail.to {
            say!(page, "   {to}");
        }
    }
    let switch = |said: Option<bool>| match said {
        None => "unset",
        Some(true) => "on",
        Some(false) => "off",
    };
    say!(page, " Default smtp_alert = {}", switch(mail.alert));
    say!(page, " Default smtp_alert_vrrp = {}", switch(mail.alert_vrrp));
    say!(page, " Default smtp_alert_checker = {}", switch(mail.alert_checker));
}

fn reloading(page: &mut Page<'_>) {
    let global = &page.config.global;
    say!(page, " Checkers log all failures = {}", global.balancing.log_all_failures);
    let reload = &global.reload;
    match (&reload.check_log, reload.check) {
        (Some(log), true) => say!(page, " Test config before reload, log to {log}"),
        (None, true) => say!(page, " Test config before reload, log to /dev/null"),
        _ => say!(page, " No test config before reload"),
    }
    if let Some(file) = &reload.time_file {
        say!(page, " Reload time file = {file}{}", if reload.repeat { " (repeat)" } else { "" });
        say!(page, " No reload scheduled");
    }
    match &reload.file {
        ReloadFile::None => {}
        ReloadFile::Usual => say!(page, " Reload_file = keepalived.reload"),
        ReloadFile::Path(path) => say!(page, " Reload_file = {path}"),
    }
    if let Some(directory) = &reload.temporary_directory {
        say!(page, " config save directory = {directory}");
    }
    if global.data_use_instance {
        say!(page, " Use instance name in data dumps");
    }
    let scripts = &global.scripts;
    let once = |page: &mut Page<'_>, what, script: &Option<Script>, between, timeout: std::time::Duration| {
        if let Some(script) = script {
            say!(page, " {what} script = {}{between} timeout {}", page.command(script), timeout.as_secs());
        }
    };
    once(page, "Startup", &scripts.startup, ",", scripts.startup_timeout);
    once(page, "Shutdown", &scripts.shutdown, "", scripts.shutdown_timeout);
    say!(page, " Dynamic interfaces = {}", global.dynamic_interfaces);
    if global.dynamic_interfaces {
        say!(page, " Allow interface changes = {}", global.allow_interface_changes);
    }
    if global.mail.no_faults {
        say!(page, " Send emails for fault transitions = off");
    }
}

fn balancing(page: &mut Page<'_>, part: Part) {
    let global = &page.config.global;
    let balancing = &global.balancing;
    let timeouts = [
        ("TCP", balancing.tcp_timeout),
        ("TCP FIN", balancing.tcp_fin_timeout),
        // deviates: keepalived/dump-udp-timeout. It calls this one TCP, too
        ("UDP", balancing.udp_timeout),
    ];
    for (what, timeout) in timeouts {
        if let Some(timeout) = timeout.filter(|timeout| !timeout.is_zero()) {
            say!(page, " LVS {what} timeout = {}", timeout.as_secs());
        }
    }
    match (global.default_interface, part) {
        (Some(name), _) => say!(page, " Default interface = {name}"),
        // only the vrrp process looks for it
        (None, Part::Vrrp) => say!(page, " Default interface = eth0"),
        (None, Part::Other) => {}
    }
    say!(page, " Disable local IGMP = {}", yes(global.firewall.no_local_igmp));
    say!(page, " Use VRRPv2 checksum for VRRPv3 IPv4 = {}", yes(global.routers.v3_checksum_as_v2));
    sync_daemon(page);
    say!(page, " LVS flush = {}", balancing.flush);
    let flush = match balancing.flush_on_stop {
        FlushOnStop::No => "disabled",
        FlushOnStop::VirtualServers => "VS",
        FlushOnStop::All => "full",
    };
    say!(page, " LVS flush on stop = {flush}");
}

fn sync_daemon(page: &mut Page<'_>) {
    let Some(daemon) = &page.config.global.balancing.sync_daemon else { return };
    let instance = daemon.instance.as_ref();
    let found = instance.and_then(|name| page.config.instances.iter().find(|instance| instance.name == *name));
    if let Some(name) = instance {
        say!(page, " LVS syncd vrrp {} = {name}", if found.is_some() { "instance" } else { "name" });
    }
    say!(page, " LVS syncd interface = {}", daemon.interface);
    let id = daemon.id.or(found.map(|instance| instance.settings.vrid.get())).unwrap_or_default();
    say!(page, " LVS syncd syncid = {id}");
    if let Some(most) = daemon.most_octets {
        say!(page, " LVS syncd maxlen = {most}");
    }
    if let Some(group) = daemon.group {
        say!(page, " LVS mcast group {group}");
    }
    if let Some(port) = daemon.port {
        say!(page, " LVS syncd mcast port = {port}");
    }
    if let Some(ttl) = daemon.ttl {
        say!(page, " LVS syncd mcast ttl = {ttl}");
    }
}

fn fifos(page: &mut Page<'_>) {
    let fifos = &page.config.global.fifos;
    fifo(page, "Global", &fifos.all);
    fifo(page, "VRRP", &fifos.vrrp);
    fifo(page, "LVS", &fifos.lvs);
    say!(page, " FIFO write vrrp states on reload = {}", fifos.states_on_reload);
}

fn fifo(page: &mut Page<'_>, what: &str, fifo: &Fifo) {
    let Some(path) = &fifo.path else { return };
    let owner = match &fifo.user {
        Some(user) => page.ids(&user.name, user.group.as_ref()),
        None => page.default_owner(),
    };
    say!(page, " {what} notify fifo = {path}, uid:gid {owner}");
    if let Some(script) = &fifo.script {
        let program = page.program(script);
        let mut script = script.clone();
        script.argv.push(path.clone());
        let command = page.command(&script);
        match program {
            Some(program) => say!(page, " {what} notify fifo path = {program}, script = {command}"),
            None => say!(page, " {what} notify fifo script = {command}"),
        }
    }
}

fn routers(page: &mut Page<'_>) {
    let global = &page.config.global;
    let (routers, garp) = (&global.routers, &global.routers.garp);
    say!(page, " VRRP notify priority changes = {}", routers.notify_priority_changes);
    say!(page, " VRRP IPv4 mcast group = {}", global.mcast_group4);
    say!(page, " VRRP IPv6 mcast group = {}", global.mcast_group6);
    say!(page, " Gratuitous ARP delay = {}", garp.delay.as_secs());
    say!(page, " Gratuitous ARP repeat = {}", garp.repeat);
    say!(page, " Gratuitous ARP refresh timer = {}", garp.refresh.as_secs());
    say!(page, " Gratuitous ARP refresh repeat = {}", garp.refresh_repeat);
    say!(page, " Gratuitous ARP lower priority delay = {}", garp.lower_prio_delay.as_secs());
    say!(page, " Gratuitous ARP lower priority repeat = {}", garp.lower_prio_repeat);
    say!(page, " Num adverts before down = {}", routers.down_timer_adverts);
    let all = !garp.extra_interface.is_zero();
    let (which, period) = if all { ("i/f", garp.extra_interface) } else { ("VMAC", garp.extra_vmac) };
    say!(page, " Gratuitous ARP for each secondary {which} = {}s", period.as_secs());
    say!(page, " Send advert after receive lower priority advert = {}", !routers.lower_prio_no_advert);
    say!(page, " Send advert after receive higher priority advert = {}", routers.higher_prio_send_advert);
    say!(page, " Gratuitous ARP interval = {}", decimal(global.garp_interval));
    say!(page, " Gratuitous NA interval = {}", decimal(global.gna_interval));
    say!(page, " VRRP default protocol version = {}", routers.version.number());
}

fn firewall(page: &mut Page<'_>) {
    let firewall = &page.config.global.firewall;
    if let Some(iptables) = &firewall.iptables {
        say!(page, " Iptables input chain = {}", iptables.input);
        if let Some(output) = &iptables.output {
            say!(page, " Iptables output chain = {output}");
        }
        say!(page, " Using ipsets = {}", firewall.ipsets.is_some());
        if let Some(sets) = &firewall.ipsets {
            say!(page, " ipset IPv4 address set = {}", sets.address);
            say!(page, " ipset IPv6 address set = {}", sets.address6);
            say!(page, " ipset IPv6 address,iface set = {}", sets.address_interface6);
            say!(page, " ipset IGMP set = {}", sets.igmp);
            say!(page, " ipset MLD set = {}", sets.mld);
            say!(page, " ipset ND set = {}", sets.neighbour);
        }
    }
    if let Some(table) = &firewall.table {
        say!(page, " nftables table name = {table}");
        say!(page, " nftables base chain priority = {}", firewall.priority);
        let not = if firewall.by_index { "" } else { "don't " };
        say!(page, " nftables {not}force use ifindex for link local IPv6");
    }
    let balancing = &page.config.global.balancing;
    if let Some(table) = &balancing.table {
        say!(page, " ipvs nftables table name = {table}");
        say!(page, " ipvs nftables base chain priority = {}", balancing.priority);
        say!(page, " ipvs nftables start fwmark = {}", balancing.first_mark);
    }
    say!(page, " nftables with{} counters", if firewall.counters { "" } else { "out" });
    let routers = &page.config.global.routers;
    say!(page, " VRRP check unicast_src = {}", routers.check_unicast_src);
    say!(page, " VRRP skip check advert addresses = {}", routers.skip_check_adv_addr);
    say!(page, " VRRP strict mode = {}", routers.strict);
}

fn processes(page: &mut Page<'_>) {
    let global = &page.config.global;
    match global.auto_priority.most {
        -1 => say!(page, " Max auto priority = Disabled"),
        most => say!(page, " Max auto priority = {most}"),
    }
    say!(page, " Min auto priority delay = {} usecs", global.auto_priority.lateness.as_micros());
    for (what, process) in [("VRRP", &global.vrrp), ("Checker", &global.checker), ("BFD", &global.bfd)] {
        say!(page, " {what} process priority = {}", process.nice.unwrap_or_default());
        say!(page, " {what} don't swap = {}", process.no_swap);
        say!(page, " {what} realtime priority = {}", process.rt_priority.unwrap_or_default());
        if !process.cpu_affinity.is_empty() {
            say!(page, " {what} CPU Affinity = {}", cpus(&process.cpu_affinity));
        }
        say!(page, " {what} realtime limit = {}", process.rlimit_rttime.unwrap_or(RTTIME));
    }
}

/// Each once, in order.
fn cpus(cpus: &[u32]) -> String {
    let sorted: std::collections::BTreeSet<&u32> = cpus.iter().collect();
    let words: Vec<String> = sorted.into_iter().map(u32::to_string).collect();
    words.join(" ")
}

fn services(page: &mut Page<'_>) {
    let global = &page.config.global;
    let snmp = &global.snmp;
    let parts = [
        ("vrrp", snmp.vrrp),
        ("checker", snmp.checker),
        ("RFCv2", snmp.rfc2787),
        ("RFCv3", snmp.rfc6527),
        ("traps", snmp.traps),
    ];
    for (part, is_on) in parts {
        say!(page, " SNMP {part} {}", enabled(is_on));
    }
    say!(page, " SNMP socket = {}", snmp.socket.as_deref().unwrap_or("default (unix:/var/agentx/master)"));
    say!(page, " SNMP VS stats update interval = {}", decimal(snmp.virtual_server_interval));
    say!(page, " SNMP RS stats update interval = {}", decimal(snmp.real_server_interval));
    let dbus = &global.dbus;
    say!(page, " DBus {}", enabled(dbus.enabled));
    let said = dbus.service_name != Dbus::default().service_name;
    say!(page, " DBus service name = {}", if said { dbus.service_name.as_str() } else { "" });
    say!(page, " DBus no interface name = {}", dbus.no_interface_name.as_deref().unwrap_or("none"));
    say!(page, " Script security {}", enabled(global.scripts.security));
    say!(page, " Default script uid:gid {}", page.default_owner());
}

fn buffers(page: &mut Page<'_>) {
    let global = &page.config.global;
    let sizes = [
        ("vrrp_netlink_cmd", global.buffers.vrrp_command),
        ("vrrp_netlink_monitor", global.buffers.vrrp_monitor),
        ("process_monitor", global.buffers.process_monitor),
        ("lvs_netlink_cmd", global.buffers.lvs_command),
        ("lvs_netlink_monitor", global.buffers.lvs_monitor),
    ];
    for (name, buffer) in sizes {
        say!(page, " {name}_rcv_bufs = {}", buffer.size.unwrap_or_default());
        say!(page, " {name}_rcv_bufs_force = {}", u8::from(buffer.force));
    }
    say!(page, " rs_init_notifies = {}", u8::from(global.balancing.initial_notifies));
    say!(page, " no_checker_emails = {}", u8::from(global.mail.no_checkers));
    match (global.vrrp_rx_buffer, global.vrrp_rx_policy) {
        (Some(size), _) => say!(page, " rx_bufs_size = {size}"),
        (None, Some(BufferPolicy::Mtu)) => say!(page, " rx_bufs_policy = MTU"),
        (None, Some(BufferPolicy::Advert)) => say!(page, " rx_bufs_policy = ADVERT"),
        (None, None) => {}
    }
    say!(page, " rx_bufs_multiples = {}", global.vrrp_rx_multiplier);
    say!(page, " umask = 0{:o}", global.umask.unwrap_or(UMASK));
    if !global.startup_delay.is_zero() {
        say!(page, " vrrp_startup_delay = {}", global.startup_delay.as_secs_f64());
    }
    if global.log_unknown_vrids {
        say!(page, " log_unknown_vrids");
    }
    if global.routers.owner_ignore_adverts {
        say!(page, " vrrp_owner_ignore_adverts");
    }
    if global.vmac_names.prefix != VmacNames::default().prefix {
        say!(page, " VMAC prefix = {}", global.vmac_names.prefix);
    }
    if let Some(prefix) = &global.vmac_names.address_prefix {
        say!(page, " VMAC address prefix = {prefix}");
    }
}

fn files(page: &mut Page<'_>) {
    let global = &page.config.global;
    say!(page, " json_version {}", global.json_version);
    let usual = "/etc/iproute2";
    say!(page, " iproute usr directory {}", global.iproute_usr_dir.as_deref().unwrap_or(usual));
    say!(page, " iproute etc directory {}", global.iproute_etc_dir.as_deref().unwrap_or(usual));
    let files =
        [("state", &global.state_dump_file), ("stats", &global.stats_dump_file), ("json", &global.json_dump_file)];
    for (what, file) in files {
        if let Some(file) = file {
            say!(page, " {what} dump file {file}");
        }
    }
}
