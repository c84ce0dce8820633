//! What becomes of the clients of a server that is out.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files::{read_text, write_setting};

/// Settings of IPVS, of the network namespace of the calling thread (Linux,
/// `Documentation/networking/ipvs-sysctl.rst`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Expiry {
    /// `expire_nodest_conn`: a connection to a server that was removed ends with its next packet. Without it, IPVS
    /// drops the packets until the connection times out.
    pub removed: bool,
    /// `expire_quiescent_template`: a persistent client of a server with weight 0 gets another server. Without it, the
    /// client stays until its persistence times out.
    pub quiescent: bool,
}

const FOLDER: &str = "/proc/sys/net/ipv4/vs";

impl Expiry {
    /// What holds now. IPVS is loaded.
    ///
    /// # Errors
    /// There is no IPVS, or `/proc/sys` cannot be read.
    pub fn read() -> io::Result<Self> {
        Self::read_in(Path::new(FOLDER))
    }

    /// Makes it so. Writes what differs only.
    ///
    /// # Errors
    /// There is no IPVS, or `/proc/sys` cannot be written.
    pub fn set(self) -> io::Result<()> {
        self.set_in(Path::new(FOLDER))
    }

    fn read_in(folder: &Path) -> io::Result<Self> {
        let is_on = |name| read_text(&folder.join(name), 64).map(|text| text.trim() != "0");
        Ok(Self { removed: is_on("expire_nodest_conn")?, quiescent: is_on("expire_quiescent_template")? })
    }

    fn set_in(self, folder: &Path) -> io::Result<()> {
        let before = Self::read_in(folder)?;
        for (name, is, wanted) in [
            ("expire_nodest_conn", before.removed, self.removed),
            ("expire_quiescent_template", before.quiescent, self.quiescent),
        ] {
            if is != wanted {
                write_setting(&folder.join(name), if wanted { "1" } else { "0" })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn settings_are_read_and_what_differs_is_written() {
        let folder = std::env::temp_dir().join(format!("keepalived-expiry-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let both = ["expire_nodest_conn", "expire_quiescent_template"].map(|name| folder.join(name));
        let write = |values: [&str; 2]| {
            both.iter().zip(values).for_each(|(path, value)| fs::write(path, format!("{value}\n")).unwrap());
        };
        let values = || both.each_ref().map(|path| fs::read_to_string(path).unwrap());
        write(["0", "1"]);
        assert_eq!(Expiry::read_in(&folder).unwrap(), Expiry { removed: false, quiescent: true });
        Expiry { removed: true, quiescent: true }.set_in(&folder).unwrap();
        assert_eq!(values().map(|value| value.trim().to_owned()), ["1", "1"]);
        Expiry { removed: false, quiescent: false }.set_in(&folder).unwrap();
        assert_eq!(values().map(|value| value.trim().to_owned()), ["0", "0"]);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(Expiry::read_in(&folder).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
