//! A row for each option: parser, help and manual are made from it.

/// An option.
#[derive(Debug)]
pub struct Row {
    /// What it does.
    pub(super) name: Name,
    /// `-x`
    pub short: Option<char>,
    /// `--word`
    pub long: &'static str,
    /// Its argument.
    pub takes: Takes,
    /// One line for people.
    pub help: &'static str,
}

/// An option's argument, by the name it has in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// None.
    Nothing,
    /// May have one, attached: `-tFILE`, `--config-test=FILE`.
    Maybe(&'static str),
    /// Needs one.
    Value(&'static str),
}

/// Options by their effects. Several options without an effect share a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    UseFile,
    VrrpOnly,
    CheckOnly,
    NoBfd,
    All,
    LogConsole,
    LogDetail,
    LogFacility,
    LogFile,
    FlushLogFile,
    NoSyslog,
    LogJson,
    Umask,
    ReleaseVips,
    DontReleaseVrrp,
    DontReleaseIpvs,
    DontRespawn,
    DontFork,
    DumpConf,
    Pid,
    VrrpPid,
    CheckersPid,
    BfdPid,
    Genhash,
    AddressMonitoring,
    Snmp,
    SnmpAgentSocket,
    Namespace,
    CoreDump,
    AllConfig,
    ConfigId,
    Signum,
    ConfigTest,
    ConfigFd,
    IgnoreSigint,
    Unavailable,
    Version,
    Help,
}

const fn row(name: Name, short: Option<char>, long: &'static str, takes: Takes, help: &'static str) -> Row {
    Row { name, short, long, takes, help }
}

/// Every option, in the order of the help.
pub const OPTIONS: &[Row] = &[
    row(Name::UseFile, Some('f'), "use-file", Takes::Value("FILE"), "Use this configuration file"),
    row(Name::VrrpOnly, Some('P'), "vrrp", Takes::Nothing, "Do not run the health checkers"),
    row(Name::CheckOnly, Some('C'), "check", Takes::Nothing, "Do not run VRRP"),
    row(Name::NoBfd, Some('B'), "no_bfd", Takes::Nothing, "Do not run BFD"),
    row(Name::All, None, "all", Takes::Nothing, "Run every subsystem, configured or not"),
    row(Name::LogConsole, Some('l'), "log-console", Takes::Nothing, "Log to the console too (with -n)"),
    row(Name::LogDetail, Some('D'), "log-detail", Takes::Nothing, "Log in detail; twice for more"),
    row(Name::LogFacility, Some('S'), "log-facility", Takes::Value("0-7|local0-7|user|daemon"), "Syslog facility"),
    row(
        Name::LogFile,
        Some('g'),
        "log-file",
        Takes::Maybe("FILE"),
        "Log to a file too (default TMPDIR/keepalived.log)",
    ),
    row(
        Name::FlushLogFile,
        None,
        "flush-log-file",
        Takes::Nothing,
        "Flush the log file after each line (it always is)",
    ),
    row(Name::NoSyslog, Some('G'), "no-syslog", Takes::Nothing, "Do not log to syslog"),
    row(Name::LogJson, None, "log-json", Takes::Nothing, "Console and file get one JSON object a line"),
    row(Name::Umask, Some('u'), "umask", Takes::Value("MASK"), "File creation mask (as in C: 022, 0x12)"),
    row(Name::ReleaseVips, Some('X'), "release-vips", Takes::Nothing, "Remove left-over addresses (always done)"),
    row(Name::DontReleaseVrrp, Some('V'), "dont-release-vrrp", Takes::Nothing, "Keep addresses at exit"),
    row(Name::DontReleaseIpvs, Some('I'), "dont-release-ipvs", Takes::Nothing, "Keep the IPVS table at exit"),
    row(
        Name::DontRespawn,
        Some('R'),
        "dont-respawn",
        Takes::Nothing,
        "Stop if a process dies, rather than start it anew",
    ),
    row(Name::DontFork, Some('n'), "dont-fork", Takes::Nothing, "Stay in the foreground"),
    row(
        Name::DumpConf,
        Some('d'),
        "dump-conf",
        Takes::Nothing,
        "Log how everything is configured and stands, at start",
    ),
    row(Name::Pid, Some('p'), "pid", Takes::Value("FILE"), "PID file of the daemon"),
    row(Name::VrrpPid, Some('r'), "vrrp_pid", Takes::Value("FILE"), "PID file of the VRRP process"),
    row(Name::CheckersPid, Some('c'), "checkers_pid", Takes::Value("FILE"), "PID file of the checker process"),
    row(Name::BfdPid, Some('b'), "bfd_pid", Takes::Value("FILE"), "PID file of the BFD process"),
    row(Name::Genhash, Some('T'), "genhash", Takes::Nothing, "Become genhash; must come first"),
    row(
        Name::AddressMonitoring,
        Some('a'),
        "address-monitoring",
        Takes::Nothing,
        "Log every address change that is seen",
    ),
    row(Name::Snmp, Some('x'), "snmp", Takes::Nothing, "Enable SNMP"),
    row(Name::SnmpAgentSocket, Some('A'), "snmp-agent-socket", Takes::Value("ADDRESS"), "AgentX socket"),
    row(Name::Namespace, Some('s'), "namespace", Takes::Value("NAME"), "Run in this network namespace"),
    row(Name::CoreDump, Some('m'), "core-dump", Takes::Nothing, "Allow core dumps"),
    row(Name::CoreDump, Some('M'), "core-dump-pattern", Takes::Maybe("PATTERN"), "Allow core dumps"),
    row(Name::AllConfig, Some('e'), "all-config", Takes::Nothing, "A failing include is an error"),
    row(
        Name::ConfigId,
        Some('i'),
        "config-id",
        Takes::Value("ID"),
        "Name of this system in @ lines (default: host name)",
    ),
    row(
        Name::Signum,
        None,
        "signum",
        Takes::Value("STOP|RELOAD|DATA|STATS|STATS_CLEAR|JSON"),
        "Print a signal's number",
    ),
    row(Name::ConfigTest, Some('t'), "config-test", Takes::Maybe("LOGFILE"), "Check the configuration and exit"),
    row(Name::ConfigFd, None, "config-fd", Takes::Value("FD"), "Internal"),
    row(Name::IgnoreSigint, None, "ignore-sigint", Takes::Nothing, "Ignore SIGINT (for debuggers)"),
    row(Name::Unavailable, None, "perf", Takes::Maybe("WHEN"), "Special builds of keepalived only"),
    row(Name::Unavailable, None, "debug", Takes::Maybe("LETTERS"), "Special builds of keepalived only"),
    row(Name::Unavailable, None, "no-mem-check", Takes::Nothing, "Special builds of keepalived only"),
    row(Name::Unavailable, Some('L'), "mem-check-log", Takes::Nothing, "Special builds of keepalived only"),
    row(Name::Unavailable, Some('O'), "openssl-mem-check", Takes::Nothing, "Special builds of keepalived only"),
    row(Name::Version, Some('v'), "version", Takes::Nothing, "Print the version and exit"),
    row(Name::Help, Some('h'), "help", Takes::Nothing, "Print this and exit"),
];

/// The option `-letter`.
pub(super) fn by_letter(letter: char) -> Option<&'static Row> {
    OPTIONS.iter().find(|row| row.short == Some(letter))
}

/// The option `--word`, which may be abbreviated while it is unambiguous (getopt_long(3)).
pub(super) fn by_word(word: &str) -> Result<&'static Row, String> {
    if let Some(exact) = OPTIONS.iter().find(|row| row.long == word) {
        return Ok(exact);
    }
    let candidates: Vec<&Row> = OPTIONS.iter().filter(|row| row.long.starts_with(word)).collect();
    match candidates.as_slice() {
        [] => Err(format!("unknown option --{word}")),
        [only] => Ok(only),
        several => {
            let names: Vec<String> = several.iter().map(|row| format!("--{}", row.long)).collect();
            Err(format!("option --{word} may mean {}", names.join(" or ")))
        }
    }
}

/// The help text.
pub(super) fn help() -> String {
    let mut text = String::from("Usage: keepalived [OPTION]...\n\n");
    for row in OPTIONS.iter().filter(|row| row.name != Name::Unavailable && row.name != Name::ConfigFd) {
        let short = row.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
        let long = match row.takes {
            Takes::Nothing => row.long.to_owned(),
            Takes::Maybe(what) => format!("{}[={what}]", row.long),
            Takes::Value(what) => format!("{}={what}", row.long),
        };
        text += &format!("  {short}--{long:<34} {}\n", row.help);
    }
    text
}
