//! Named pipes over reloads; the programs that read them are tested with `reader`.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;

use keepalived_config::model::Config;

use super::*;
use crate::configuration::from_text;

/// A folder with named pipes; it goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("keepalived-notify-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn config(&self, lines: &str) -> Config {
        from_text(&format!("global_defs {{\n {}\n}}\n", lines.replace("FOLDER", &self.0.display().to_string())))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// As a program that reads it.
    fn reads(&self, name: &str) -> Listener {
        // 0o4000: O_NONBLOCK
        Listener(File::options().read(true).custom_flags(0o4000).open(self.path(name)).unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

struct Listener(File);

impl Listener {
    /// What there is to read; `end` at the end of the file.
    fn hears(&mut self) -> String {
        let mut octets = [0; 256];
        match self.0.read(&mut octets) {
            Ok(0) => "end".into(),
            Ok(count) => String::from_utf8_lossy(&octets[..count]).into_owned(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                String::new()
            }
        }
    }
}

#[test]
fn a_pipe_of_somebody_who_is_not_there_is_nobody_s() {
    let folder = Folder::new("nobody");
    let config = folder.config("lvs_notify_fifo FOLDER/kept\nnotify_fifo FOLDER/left-out");
    let mut without = config.clone();
    without.global.fifos.all.user = Some(ScriptUser { name: "no-such-user-at-all".into(), group: None });
    let mut pipes = Pipes::new(&without, &[]);
    assert!(folder.path("kept").exists() && !folder.path("left-out").exists());
    pipes.reload(&config);
    assert!(folder.path("left-out").exists());
    pipes.close();
}

/// Pipes for everything and for load balancing.
struct Pipes(Fifos, Programs);

impl Pipes {
    fn new(config: &Config, made_before: &[PathBuf]) -> Self {
        let mut pipes = Self(Fifos::new(made_before.iter().cloned().collect(), "\0"), Programs::default());
        pipes.reload(config);
        pipes
    }

    fn reload(&mut self, config: &Config) {
        let global = &config.global;
        let wanted = [&global.fifos.all, &global.fifos.lvs];
        self.0.reload(wanted, global.scripts.user.as_ref(), &mut self.1);
    }

    fn close(mut self) {
        self.0.close(&mut self.1);
    }
}

#[test]
fn a_pipe_that_stays_is_not_closed_by_a_reload() {
    let folder = Folder::new("stays");
    let config = folder.config("lvs_notify_fifo FOLDER/fifo");
    let mut pipes = Pipes::new(&config, &[]);
    let mut listener = folder.reads("fifo");
    pipes.0.write("VS one UP\n");
    pipes.reload(&config);
    pipes.0.write("VS two UP\n");
    assert_eq!(listener.hears(), "VS one UP\n\0VS two UP\n\0");
    pipes.reload(&folder.config("lvs_notify_fifo FOLDER/another"));
    assert_eq!(listener.hears(), "end");
    assert!(!folder.path("fifo").exists());
    assert_eq!(pipes.0.made(), [folder.path("another")].into());
    pipes.close();
    assert!(!folder.path("another").exists());
}

/// interfaces.md section 2.
#[test]
fn a_path_that_is_named_twice_hears_everything_once() {
    let folder = Folder::new("twice");
    let mut pipes = Pipes::new(&folder.config("notify_fifo FOLDER/fifo\n lvs_notify_fifo FOLDER/fifo"), &[]);
    let mut listener = folder.reads("fifo");
    pipes.0.write("VS one UP\n");
    assert_eq!(listener.hears(), "VS one UP\n\0");
    // what was the pipe for everything becomes that for load balancing
    pipes.reload(&folder.config("lvs_notify_fifo FOLDER/fifo"));
    pipes.0.write("VS one DOWN\n");
    assert_eq!(listener.hears(), "VS one DOWN\n\0");
    pipes.close();
}

#[test]
fn a_pipe_that_the_process_before_made_is_ours() {
    let folder = Folder::new("before");
    let config = folder.config("lvs_notify_fifo FOLDER/ours\n notify_fifo FOLDER/theirs");
    let died = Pipes::new(&config, &[]);
    let made = died.0.made();
    assert_eq!(made.len(), 2);
    // it has no last word
    drop(died);
    let next = Pipes::new(&config, &[folder.path("ours")]);
    assert_eq!(next.0.made(), [folder.path("ours")].into());
    next.close();
    assert!(!folder.path("ours").exists());
    assert!(folder.path("theirs").exists(), "another program made it");
}

#[test]
fn lines_that_nobody_reads_are_counted_until_one_is_written() {
    let folder = Folder::new("full");
    let config = folder.config("vrrp_notify_fifo FOLDER/pipe");
    let (mut fifos, mut programs) = (Fifos::new(BTreeSet::new(), "\n"), Programs::default());
    fifos.reload([&config.global.fifos.all, &config.global.fifos.vrrp], None, &mut programs);
    let line = "x".repeat(4095);
    (0..100).for_each(|_| fifos.write(&line));
    // a pipe has room for 16 pages
    assert_eq!(fifos.channels[0].lost, 84);
    let mut reader = folder.reads("pipe");
    while !reader.hears().is_empty() {}
    fifos.write("read again");
    assert_eq!(fifos.channels[0].lost, 0);
    fifos.close(&mut programs);
}

#[test]
fn a_pipe_that_others_delete_is_made_again() {
    let folder = Folder::new("deleted");
    let mut pipes = Pipes::new(&folder.config("lvs_notify_fifo FOLDER/fifo"), &[]);
    std::fs::remove_file(folder.path("fifo")).unwrap();
    pipes.0.write("one\n");
    let mut reader = folder.reads("fifo");
    assert_eq!(reader.hears(), "one\n\0");
    pipes.0.write("two\n");
    assert_eq!(reader.hears(), "two\n\0");
    // a file of others stays, and does not hear
    std::fs::remove_file(folder.path("fifo")).unwrap();
    std::fs::write(folder.path("fifo"), "precious").unwrap();
    pipes.0.write("three\n");
    assert_eq!(std::fs::read_to_string(folder.path("fifo")).unwrap(), "precious");
    std::fs::remove_file(folder.path("fifo")).unwrap();
    pipes.0.write("four\n");
    let mut reader = folder.reads("fifo");
    assert_eq!(reader.hears(), "four\n\0");
    // as another process of ours does at its end
    pipes.0.stop();
    std::fs::remove_file(folder.path("fifo")).unwrap();
    pipes.0.write("five\n");
    assert_eq!(reader.hears(), "five\n\0");
    assert!(!folder.path("fifo").exists());
    pipes.close();
}
