//! A server made with gRPC's own library, alone and behind nginx: `GRPC_CHECK`.

use anyhow::Result;

use crate::pki::certificates;
use crate::rig::{Room, Server, down, up, url, with_rig};

const PLAIN: &str = "10.1.1.1:50051";
/// It has services, but not that of health.
const BARE: &str = "10.1.1.2:50051";
const TLS: &str = "10.1.1.1:50052";
const PROXY: &str = "10.1.1.3:80";

pub(crate) fn grpc(room: Room<'_>, at: &str, certificate: &str) -> Result<Server> {
    let script = room.file("health.py", include_str!("health.py"))?;
    let mut command = room.namespace.command("/usr/bin/python3");
    command.arg(script).arg(at).args(certificate.split_whitespace());
    room.serve("health", &mut command, &[at])
}

pub(crate) fn proxy(room: Room<'_>) -> Result<Server> {
    let text = format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log nginx.error.log;\nevents {{ }}\n\
         http {{\n access_log off;\n\
         client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;\n\
         server {{ listen {PROXY} http2; location / {{ grpc_pass grpc://{PLAIN}; }} }}\n}}\n"
    );
    room.file("nginx.conf", text)?;
    std::fs::create_dir_all(room.folder.join("t"))?;
    let mut command = room.namespace.command("nginx");
    command.arg("-p").arg(room.folder).arg("-c").arg("nginx.conf").args(["-e", "nginx.error.log"]);
    room.serve("nginx", &mut command, &[PROXY])
}

#[test]
fn services_say_how_they_are() {
    let library = "/usr/lib/python3/dist-packages/grpc/__init__.py";
    with_rig("grpc", &["/usr/bin/python3", library, "nginx", "openssl"], |rig| {
        certificates(rig.folder(), &["secure"])?;
        let plain = grpc(rig.room(), PLAIN, "")?;
        let (_bare, _tls) = (grpc(rig.room(), BARE, "")?, grpc(rig.room(), TLS, "secure")?);
        let _proxy = proxy(rig.room())?;
        let get = |at: &str, lines: &str| up(at, "GRPC_CHECK", lines);
        let bad = |at: &str, lines: &str, reason: &str| down(at, "GRPC_CHECK", lines, reason);
        let mut cases = Vec::new();
        for at in [PLAIN, PROXY] {
            cases.extend([
                get(at, ""),
                get(at, "service well"),
                get(at, "service chatty"),
                get(at, "virtualhost any.example"),
                bad(at, "service sick", "NOT_SERVING"),
                bad(at, "service unknown", "the service says UNKNOWN"),
                // a field with its default value may be left out
                bad(at, "service nothing", "the service says UNKNOWN"),
                bad(at, "service elsewhere", "gRPC status 5: no such service"),
                bad(at, "service slow", "gRPC status 14: come back later"),
            ]);
        }
        let served = cases.len();
        cases.extend([
            bad(BARE, "", "gRPC status 12"),
            get(TLS, "tls"),
            get(TLS, "tls\n service well\n sni_name any.example"),
            bad(TLS, "tls\n service sick", "NOT_SERVING"),
            get(TLS, "tls\n tls_verify\n virtualhost secure.example"),
            bad(TLS, "tls\n tls_verify\n virtualhost any.example", "certificate not valid for name"),
            // this is not what is spoken there
            bad(TLS, "", "closed"),
            bad(PLAIN, "tls", ""),
            down(PLAIN, "HTTP_GET", &url("/", ""), "the header"),
            bad("10.1.1.4:50051", "", "connection refused"),
        ]);
        let ca = rig.folder().join("ca.pem");
        rig.expect(&format!("SSL {{\n ca {}\n}}", ca.display()), &cases)?;

        // nginx stays, and says what became of it
        drop(plain);
        rig.holds("nothing of it, nor of what is behind nginx", |table| {
            table.iter().all(|(port, _)| usize::from(*port) > served)
        })?;
        let _plain = grpc(rig.room(), PLAIN, "")?;
        rig.becomes(&cases, true)
    });
}
