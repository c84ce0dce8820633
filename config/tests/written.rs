//! What a daemon shows of the configuration in force: read again, it means the same. It has no secrets.

use std::fs;
use std::path::{Path, PathBuf};

use keepalived_config::{AnyInterface, Loaded, MemorySource, load};

fn read(text: &[u8]) -> Loaded {
    let source = MemorySource::one("/k/main", text).with("/k/inc", "vrrp_garp_master_delay 3\n");
    load(&source, Path::new("/k/main"), &AnyInterface)
}

fn written(loaded: &Loaded) -> Vec<u8> {
    let mut text = Vec::new();
    let taken: Result<(), std::convert::Infallible> = loaded.tree.try_lines(|line| {
        text.extend_from_slice(line);
        Ok(())
    });
    let Ok(()) = taken;
    text
}

/// All files of `directory`.
fn files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(directory);
    let files: Vec<PathBuf> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    assert!(!files.is_empty());
    files.into_iter().filter(|path| path.is_file()).collect()
}

#[test]
fn what_is_written_means_what_was_read() {
    let mut count = 0;
    for path in ["samples", "guides", "cases"].into_iter().flat_map(files) {
        let text = fs::read(&path).unwrap();
        // passwords are not written
        let lines = text.split(|octet| *octet == b'\n').map(|line| match line.trim_ascii().starts_with(b"auth_pass") {
            true => b"auth_pass ********".as_slice(),
            false => line,
        });
        let loaded = read(&lines.collect::<Vec<_>>().join(&b'\n'));
        // what is wrong in the text is not always wrong, or wrong otherwise, in another one
        if loaded.findings.iter().any(|finding| finding.rule.fatal) {
            continue;
        }
        let text = written(&loaded);
        let again = read(&text);
        assert_eq!(loaded.config, again.config, "{}:\n{}", path.display(), String::from_utf8_lossy(&text));
        assert_eq!(text, written(&again), "{}", path.display());
        count += 1;
    }
    assert!(count > 50, "{count} files");
}

#[test]
fn definitions_and_includes_are_resolved_and_secrets_hidden() {
    let key = "hex:".to_owned() + &"ab".repeat(32);
    let text = format!(
        "$NAME=ab\n$QUOTED=\"c # d\"\nglobal_defs {{\n  include inc\n  router_id $NAME\n webhook https://hooks.example/T0K3N\n}}\n\
         vrrp_instance \"x y\" {{\ninterface eth0 # why\n  virtual_router_id 7\n notify_master $QUOTED\n\
         authentication {{ auth_type PASS\n auth_pass hello }}\n}}\n\
         vrrp_instance z {{\n auth_hmac {{ key 1 {key}\n key 2 file:/etc/k\n active_key 1 }} }}\n"
    );
    let text = String::from_utf8(written(&read(text.as_bytes()))).unwrap();
    for line in [
        "vrrp_garp_master_delay 3",
        "    router_id ab\n",
        "vrrp_instance \"x y\" {",
        "    interface eth0\n",
        "    notify_master \"c # d\"",
        "        auth_pass ********\n",
        "        key 1 ********\n",
        "        key 2 file:/etc/k\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(
        !text.contains("hello") && !text.contains("abab") && !text.contains("T0K3N") && !text.contains("why"),
        "{text}"
    );
}

/// Wherever it stands, and however wrong what stands around it.
#[test]
fn secrets_are_hidden_in_wrong_places_too() {
    let key = "ab".repeat(32);
    for text in [
        "vrrp_instance A {\n authentication {\n auth_type PASS auth_pass SECRET\n }\n}\n".to_owned(),
        "vrrp_instance A {\n auth_pass SECRET\n nonsense {\n auth_pass SECRET\n }\n}\n".to_owned(),
        "vrrp_instance A {\n webhook http://x/SECRET\n}\nwebhook http://x/SECRET\n".to_owned(),
        format!("vrrp_instance A {{\n auth_hmac {{\n key hex:{key}\n key 1 hex:{key} SECRET\n }}\n}}\n"),
        format!("vrrp_instance A {{\n auth_hmak {{\n key 1 hex:{key}\n key SECRET\n }}\n}}\n"),
        "$P=SECRET\nvrrp_instance A {\n authentication {\n auth_type PASS\n auth_pass $P\n }\n}\n".to_owned(),
        "SSL {\n password SECRET two\n}\n".to_owned(),
        "SSL {\n pasword SECRET\n}\n".to_owned(),
        "vrrp_instance A {\n authentication {\n auth_pas SECRET\n auth_pass SECRET-that-is-long\n auth_pass SECRET\n }\n}\n".to_owned(),
        "global_defs {\n webhok https://h/SECRET\n webhook ftp://h/SECRET\n webhook https://u:SECRET@h/x\n smtp_password SECRET\n}\n".to_owned(),
        format!("vrrp_instance A {{\n auth_hmac {{\n active_key 1 key 1 hex:{key}\n key 1 SECRET\n key 1 {key} x\n }}\n}}\n"),
    ] {
        let loaded = read(text.as_bytes());
        let written = String::from_utf8(written(&loaded)).unwrap();
        assert!(!written.contains("SECRET") && !written.contains("abab"), "{text}{written}");
        assert!(written.contains("********"), "{text}{written}");
        // the log shows lines with mistakes to more people than may read the file
        for finding in &loaded.findings {
            let logged = keepalived_config::render_without_secrets(finding, loaded.files());
            assert!(!logged.contains("SECRET") && !logged.contains("abab"), "{logged}");
        }
    }
    let ssl = "SSL {\n key /etc/ssl/own.key\n}\n";
    assert!(String::from_utf8(written(&read(ssl.as_bytes()))).unwrap().contains("key /etc/ssl/own.key"));
}

#[test]
fn a_word_with_a_quote_inside_stays_one_word() {
    let text = "$WORD=a\\#\"b\nvrrp_instance A {\n interface eth0\n virtual_router_id 7\n notify_master \"/bin/x a\\#b\"\n}\n\
                vrrp_script s {\n script /bin/x\\#\"y\"\n}\n";
    let loaded = read(text.as_bytes());
    let again = read(&written(&loaded));
    assert_eq!(loaded.config, again.config, "{}", String::from_utf8_lossy(&written(&loaded)));
}
