use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rustix::fs::{FileType, Mode};

use super::*;

/// A folder of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("keepalived-files-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn pipe(&self, name: &str) -> PathBuf {
        let path = self.place(name);
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
        path
    }

    fn link(&self, name: &str, to: &Path) -> PathBuf {
        let path = self.place(name);
        std::os::unix::fs::symlink(to, &path).unwrap();
        path
    }

    fn open_to_all(&self) {
        fs::set_permissions(&self.0, fs::Permissions::from_mode(0o1777)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn a_secret_that_others_may_read_is_none() {
    let folder = Folder::new("private");
    let file = folder.place("file");
    fs::write(&file, "text").unwrap();
    for (mode, is_private) in [(0o600, true), (0o640, true), (0o644, false), (0o602, false)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let kind = read_private(&file, 4).map_err(|error| error.kind());
        let wanted = if is_private { Ok("text".to_owned()) } else { Err(io::ErrorKind::PermissionDenied) };
        assert_eq!(kind, wanted, "{mode:o}");
    }
}

#[test]
fn what_is_no_regular_file_is_not_read_and_nobody_waits() {
    let folder = Folder::new("read");
    let (file, pipe) = (folder.place("file"), folder.pipe("pipe"));
    fs::write(&file, "text").unwrap();
    let kind = |path: &Path| read_text(path, 10).unwrap_err().kind();
    assert_eq!(kind(&pipe), io::ErrorKind::InvalidInput);
    assert_eq!(kind(&folder.link("to-pipe", &pipe)), io::ErrorKind::InvalidInput);
    assert_eq!(kind(&folder.0), io::ErrorKind::IsADirectory);
    assert_eq!(kind(Path::new("/dev/zero")), io::ErrorKind::InvalidInput);
    assert_eq!(kind(&folder.place("none")), io::ErrorKind::NotFound);
    // /etc/keepalived/keepalived.conf is a link on many machines
    assert_eq!(read_text(&folder.link("to-file", &file), 4).unwrap(), "text");
    assert_eq!(read_text(&file, 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn what_is_no_regular_file_is_not_written_and_no_link_is_followed() {
    let folder = Folder::new("write");
    let (file, pipe) = (folder.place("file"), folder.pipe("pipe"));
    fs::write(&file, "precious").unwrap();
    let others = [
        pipe.clone(),
        folder.link("to-file", &file),
        folder.link("to-pipe", &pipe),
        folder.link("to-nothing", &folder.place("none")),
        folder.0.clone(),
        "/dev/null".into(),
    ];
    for existing in [Existing::Append, Existing::Keep, Existing::Refuse] {
        for other in &others {
            assert!(create_regular(other, existing, 0o600).is_err(), "{existing:?} {}", other.display());
        }
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert!(!folder.place("none").exists());
}

#[test]
fn what_is_there_is_appended_to_kept_or_refused() {
    let folder = Folder::new("existing");
    let file = folder.place("file");
    create_regular(&file, Existing::Refuse, 0o640).unwrap().write_all(b"one").unwrap();
    assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o640);
    create_regular(&file, Existing::Append, 0o600).unwrap().write_all(b" two").unwrap();
    assert_eq!(create_regular(&file, Existing::Refuse, 0o600).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    let mut text = String::new();
    create_regular(&file, Existing::Keep, 0o600).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "one two");
}

#[test]
fn in_a_folder_of_all_a_file_that_another_user_put_there_is_refused() {
    if rustix::process::geteuid().as_raw() != 0 {
        eprintln!("skipped: only root can give files away");
        return;
    }
    let folder = Folder::new("foreign");
    let (foreign, ours) = (folder.place("foreign"), folder.place("ours"));
    fs::write(&foreign, "").unwrap();
    std::os::unix::fs::chown(&foreign, Some(65534), None).unwrap();
    fs::write(&ours, "").unwrap();
    fs::hard_link(&ours, folder.place("second-name")).unwrap();
    // /var/log/keepalived.log belongs to syslog on some machines
    create_regular(&foreign, Existing::Append, 0o600).unwrap();
    create_regular(&ours, Existing::Append, 0o600).unwrap();
    folder.open_to_all();
    for path in [foreign, ours] {
        let refused = create_regular(&path, Existing::Append, 0o600).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{}", path.display());
    }
}

#[test]
fn nowhere_is_a_device() {
    nowhere().unwrap().write_all(b"x").unwrap();
}
