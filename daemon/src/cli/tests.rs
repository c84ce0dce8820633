use super::*;

fn run(line: &str) -> Parsed {
    parse(line.split_whitespace().map(OsString::from)).unwrap()
}

fn options(line: &str) -> Options {
    match run(line).request {
        Request::Run(options) => options,
        other => panic!("{line}: {other:?}"),
    }
}

fn errors(line: &str) -> Vec<String> {
    parse(line.split_whitespace().map(OsString::from)).unwrap_err().0
}

#[test]
fn what_scripts_and_units_use_is_understood() {
    let options = options("--dont-fork --log-console -D -f /x/k.conf -p /run/k.pid -r /run/v.pid -S 1 -V");
    assert!(options.foreground && options.console && options.keep_addresses);
    assert_eq!(options.detail, 1);
    assert_eq!(options.config, PathBuf::from("/x/k.conf"));
    assert_eq!(options.pid_file, Some(PathBuf::from("/run/k.pid")));
    assert_eq!(options.vrrp_pid_file, Some(PathBuf::from("/run/v.pid")));
    assert_eq!(options.facility, Facility(17));
}

#[test]
fn letters_may_be_joined_and_words_abbreviated() {
    let options = options("-nlGRDD --use-f=/a");
    assert!(options.foreground && options.console && options.no_syslog && options.no_respawn);
    assert_eq!(options.detail, 2);
    assert_eq!(options.config, PathBuf::from("/a"));
    assert_eq!(
        errors("--log"),
        [
            "option --log may mean --log-console or --log-detail or --log-facility or --log-file or --log-json; see --help"
        ]
    );
}

#[test]
fn an_optional_argument_must_be_attached() {
    assert_eq!(run("-t/tmp/log"), run("--config-test=/tmp/log"));
    let apart = run("-t /tmp/log");
    assert!(matches!(apart.request, Request::Test(_, None)));
    assert_eq!(apart.remarks, ["Unexpected argument(s): /tmp/log"]);
}

#[test]
fn every_mistake_is_reported() {
    assert_eq!(
        errors("-q --nonsense -f"),
        ["unknown option -q; see --help", "unknown option --nonsense; see --help", "option --use-file needs a value"]
    );
}

#[test]
fn a_bad_facility_or_umask_is_a_remark_only() {
    assert_eq!(run("-S 9 -u 01000").remarks.len(), 2);
    assert_eq!(options("-u 027").umask, Some(0o027));
    assert_eq!(options("-S local7").facility, Facility(23));
}

#[test]
fn no_two_options_share_a_letter_or_a_word() {
    for (number, row) in OPTIONS.iter().enumerate() {
        let others = &OPTIONS[number + 1..];
        assert!(others.iter().all(|other| other.long != row.long), "--{}", row.long);
        assert!(row.short.is_none() || others.iter().all(|other| other.short != row.short), "{:?}", row.short);
    }
}
