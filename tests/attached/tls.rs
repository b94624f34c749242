//! Servers behind TLS.

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::{env, thread};

use minibroker::Broker;

use crate::Outcome;
use crate::certificates::Certificates;
use crate::{running, skipped};

#[test]
fn a_server_behind_tls_is_attached_to_if_its_certificate_is_trusted() -> Outcome {
    let certificates = Certificates::new()?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut attached = 0;
    // All use the same port: one server at a time.
    for server in running::with_tls(&certificates.settings(port)) {
        let url = format!("rediss://127.0.0.1:{port}");
        let Ok(broker) = Broker::attach(&format!("{url}#insecure")) else {
            eprintln!("without TLS: {}", server.name);
            continue;
        };
        assert!(broker.url().starts_with(&url) && broker.url().ends_with("#insecure"), "{}", broker.url());
        broker.command(["SET", "mood", "good"])?;
        broker.wait_until(|state| state.get("mood") == "good").blocking()?;
        // Longer than the buffers of sockets: the end of it must arrive too.
        let long = "x".repeat(16 * 1024 * 1024);
        broker.command(["SET", "history", &long])?;
        assert_eq!(broker.command(["STRLEN", "history"])?, i64::try_from(long.len())?, "{}", server.name);
        drop(broker);
        let refused = Broker::attach(&url).expect_err("the authority is unknown").to_string();
        assert_eq!(refused, format!("cannot attach to {url}: TLS: invalid peer certificate: UnknownIssuer"));
        for host in ["127.0.0.1", "localhost"] {
            let output = Command::new(env::current_exe()?)
                .args(["tls::says_hello", "--exact", "--ignored"])
                .env("MINIBROKER_URL", format!("rediss://{host}:{port}"))
                .env("SSL_CERT_FILE", certificates.file("ca.pem"))
                .output()?;
            assert!(output.status.success(), "{}: {}", server.name, String::from_utf8_lossy(&output.stdout));
        }
        assert_eq!(server.keyspace(), "");
        attached += 1;
    }
    if attached == 0 {
        skipped::missing("TLS");
    }
    Ok(())
}

#[test]
fn a_server_without_tls_is_an_error() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("rediss://{}", listener.local_addr()?);
    let server = thread::spawn(move || listener.accept()?.0.write_all(b"-ERR what is that?\r\n"));
    let refused = Broker::attach(&url).expect_err("it does not").to_string();
    assert!(refused.starts_with(&format!("cannot attach to {url}: TLS: ")), "{refused}");
    server.join().expect("it does not panic")?;
    Ok(())
}

/// Run by a test above in a process of its own.
#[test]
#[ignore = "a part of another test"]
fn says_hello() -> Outcome {
    let broker = Broker::from_env()?;
    assert!(broker.embedded().is_none());
    broker.command(["PUBLISH", "chat", "hello"])?;
    broker.wait_for_published("chat", 1).blocking()?;
    Ok(())
}
