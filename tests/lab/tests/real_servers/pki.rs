//! Certificates, made by openssl.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::rig::tool;

/// Makes `NAME.pem` and `NAME.key` in a folder: an authority `ca` and what it has signed, for `NAME.example`; `expired`
/// is what its name says. `stranger` has signed itself.
pub(crate) fn certificates(folder: &Path, names: &[&str]) -> Result<()> {
    std::fs::write(folder.join("ca.cnf"), CONFIGURATION)?;
    std::fs::write(folder.join("index.txt"), "")?;
    authority(folder, "ca")?;
    authority(folder, "stranger")?;
    for name in names {
        let request = format!(
            "req -new -subj /CN={name}.example -addext subjectAltName=DNS:{name}.example -keyout {name}.key -out {name}.csr \
             {NEW_KEY}"
        );
        openssl(folder, &request)?;
        let (from, to) = if *name == "expired" { ("20200101", "20200201") } else { ("20200101", "20491231") };
        let sign = format!(
            "ca -batch -notext -config ca.cnf -startdate {from}000000Z -enddate {to}000000Z -in {name}.csr -out {name}.pem"
        );
        openssl(folder, &sign)?;
    }
    Ok(())
}

/// Only `openssl ca` can sign what has expired already.
const CONFIGURATION: &str = "[ca]\ndefault_ca = ours\n[ours]\ndatabase = index.txt\nnew_certs_dir = .\ncertificate = ca.pem\n\
    private_key = ca.key\ndefault_md = sha256\npolicy = any\nrand_serial = yes\ncopy_extensions = copy\n[any]\n\
    commonName = supplied\n";
const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

fn authority(folder: &Path, name: &str) -> Result<()> {
    let line = format!(
        "req -x509 -subj /CN={name}.example -addext subjectAltName=DNS:{name}.example -days 2 -keyout {name}.key -out {name}.pem \
         {NEW_KEY}"
    );
    openssl(folder, &line)
}

fn openssl(folder: &Path, line: &str) -> Result<()> {
    tool(Command::new("openssl").args(line.split_whitespace()).current_dir(folder)).map(drop)
}
