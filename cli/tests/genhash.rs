//! The genhash binary against a server in this process. What it says is what keepalived 2.4.3 said.

#![cfg(test)]
#![forbid(unsafe_code)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};
use std::thread;

/// Answers one request; what was asked comes back from the thread.
fn serve(answer: &'static [u8]) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 1000];
        let length = stream.read(&mut buffer).unwrap();
        stream.write_all(answer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    });
    (address, server)
}

fn genhash(address: SocketAddr, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_genhash"));
    command.args(["-s", "127.0.0.1", "-p", &address.port().to_string(), "-u", "/abc"]);
    command.args(options).output().unwrap()
}

const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";

#[test]
fn it_prints_the_digest() {
    let (address, server) = serve(ANSWER);
    let output = genhash(address, &["-V", "foo.example", "-P", "1.1"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "eff5bc1ef8ec9d03e640fc4370f5eacd\n");
    assert_eq!(output.status.code(), Some(0));
    let request = "GET /abc HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: foo.example\r\n\r\n";
    assert_eq!(server.join().unwrap(), request);
}

#[test]
fn verbose_shows_what_comes() {
    let (address, _server) = serve(ANSWER);
    let output = genhash(address, &["-v"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (text, time) = text.split_once("\nGlobal response time for [/abc] = ").unwrap();
    assert!(time.ends_with(" usecs\n"));
    let expected = "\
-----------------------[    HTTP Header Buffer    ]-----------------------
0000  48 54 54 50 2f 31 2e 30 - 20 32 30 30 20 4f 4b 0d   HTTP/1.0 200 OK.
0016  0a 43 6f 6e 74 65 6e 74 - 2d 54 79 70 65 3a 20 74   .Content-Type: t
0032  65 78 74 2f 70 6c 61 69 - 6e 0d 0a 43 6f 6e 74 65   ext/plain..Conte
0048  6e 74 2d 4c 65 6e 67 74 - 68 3a 20 33 0d 0a 0d 0a   nt-Length: 3....
-----------------------[ HTTP Header Ascii Buffer ]-----------------------
HTTP/1.0 200 OK\r
Content-Type: text/plain\r
Content-Length: 3\r
\r

-----------------------[        HTML Buffer        ]-----------------------
0000  6f 6b 0a                -                           ok.             \n
-----------------------[    HTML hash resulting    ]-----------------------
0000  ef f5 bc 1e f8 ec 9d 03 - e6 40 fc 43 70 f5 ea cd   .........@.Cp...
-----------------------[ HTML hash final resulting ]-----------------------
eff5bc1ef8ec9d03e640fc4370f5eacd
";
    assert_eq!(text, expected);
}

#[test]
fn a_page_that_does_not_come_is_no_bad_exit_status() {
    let (address, _server) = serve(b"");
    let output = genhash(address, &[]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "no data received from remote webserver\n");
    assert_eq!(output.status.code(), Some(0));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = genhash(nobody, &[]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Connection failed: connection refused\n");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(genhash(nobody, &["-Q"]).status.code(), Some(1));
}
