//! Servers that cannot be attached to: one clear line each.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use minibroker::Broker;

use crate::Outcome;
use crate::running;

fn refusal(url: &str) -> String {
    let error = Broker::attach(url).expect_err("it cannot be attached to").to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn a_malformed_url_is_an_error() {
    let cases = [
        ("", "cannot attach to : a URL begins with redis://, rediss:// or unix:, as redis://127.0.0.1:6379"),
        (
            "http://localhost",
            "cannot attach to http://localhost: a URL begins with redis://, rediss:// or unix:, as redis://127.0.0.1:6379",
        ),
        ("redis://localhost:port", "cannot attach to redis://localhost:port: `port` is no port"),
        ("redis://:pw@localhost/chat", "cannot attach to localhost/chat: `chat` is no number of a database"),
        (
            "unix:redis.sock",
            "cannot attach to unix:redis.sock: a Unix socket has a path that begins with a slash: unix:///run/redis.sock",
        ),
    ];
    for (url, expected) in cases {
        assert_eq!(refusal(url), expected);
    }
}

#[test]
fn a_missing_server_is_an_error() {
    let error = refusal("redis://:s3cret@127.0.0.1:1");
    assert!(error.starts_with("cannot attach to redis://127.0.0.1:1: Connection refused"), "{error}");
    let error = refusal("unix:///no/such.sock");
    assert!(error.starts_with("cannot attach to unix:///no/such.sock: No such file or directory"), "{error}");
    let error = refusal("redis://no-such-host.invalid");
    assert!(error.starts_with("cannot attach to redis://no-such-host.invalid:6379: "), "{error}");
}

#[test]
fn a_wrong_or_missing_password_is_the_error_of_the_server() {
    for server in running::all() {
        let plain = server.url.clone();
        let server = server.with_password();
        let error = refusal(&plain);
        assert!(error.ends_with(": NOAUTH Authentication required."), "{}: {error}", server.name);
        let error = refusal(&plain.replacen("redis://", "redis://:wrong@", 1));
        assert!(
            error.ends_with(": WRONGPASS invalid username-password pair or user is disabled."),
            "{error}"
        );
        assert!(Broker::attach(&server.url).is_ok());
    }
}

#[test]
fn a_missing_database_is_an_error() {
    for server in running::all() {
        let error = refusal(&format!("{}/99", server.url));
        assert!(error.ends_with(": ERR DB index is out of range"), "{error}");
    }
}

#[test]
fn a_server_of_another_protocol_is_an_error() -> Outcome {
    for (answer, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "it does not speak the Redis protocol"),
        (b"", "it has closed the connection"),
        (b"*1\r\n$5\r\nab", "it has closed the connection"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("redis://{}", listener.local_addr()?);
        let server = thread::spawn(move || -> std::io::Result<()> {
            let (mut stream, _) = listener.accept()?;
            let mut request = [0; 1024];
            let _ = stream.read(&mut request)?;
            stream.write_all(answer)
        });
        assert_eq!(refusal(&url), format!("cannot attach to {url}: {expected}"));
        server.join().expect("it does not panic")?;
    }
    Ok(())
}

#[test]
fn a_server_that_does_not_answer_is_an_error_after_a_timeout() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("redis://{}", listener.local_addr()?);
    assert_eq!(refusal(&url), format!("cannot attach to {url}: no answer within 5 s"));
    Ok(())
}

#[test]
#[cfg(not(feature = "tls"))]
fn tls_needs_its_feature() {
    let error = refusal("rediss://127.0.0.1:1");
    assert_eq!(
        error,
        "cannot attach to rediss://127.0.0.1:1: TLS needs minibroker built with its feature `tls`"
    );
}
