//! Servers behind TLS.

use std::fs;
use std::net::{TcpListener, TcpStream};

use redis::Commands;

use crate::Tested;
use crate::certificates::Certificates;
use crate::program::{Ended, Folder, Recorder, compare, minibroker, replay, url};
use crate::{servers, skipped};

/// More than the buffers of a connection hold.
const LONG: usize = 900_000;

#[test]
fn sessions_are_recorded_and_played_behind_tls() -> Tested {
    let (certificates, folder) = (Certificates::new()?, Folder::new()?);
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let trusted = format!("rediss://127.0.0.1:{port}");
    let server = format!("{trusted}#insecure");
    let mut played = 0;
    // All use the same port: one server at a time.
    for running in servers::real_with(&certificates.settings(port)) {
        let running = match running {
            Ok(running) if TcpStream::connect(("127.0.0.1", port)).is_ok() => running,
            Ok(running) => {
                eprintln!("without TLS: {}", running.name);
                continue;
            }
            Err(error) => {
                eprintln!("without TLS: {error}");
                continue;
            }
        };
        let file = folder.file("chat.session");
        let recorder = Recorder::start(&server, &file)?;
        let client = redis::Client::open(url(recorder.addr))?;
        let (mut ann, mut bob) = (client.get_connection()?, client.get_connection()?);
        let mut channel = bob.as_pubsub();
        channel.subscribe("chat")?;
        let text = "hello ".repeat(LONG / 6);
        assert_eq!(ann.publish::<_, _, usize>("chat", &text)?, 1);
        assert!(channel.get_message()?.get_payload::<String>()? == text);
        let _: () = ann.set("said", &text)?;
        assert!(ann.get::<_, String>("said")? == text);
        drop(channel);
        drop((ann, bob));
        recorder.end()?;
        assert!(fs::metadata(&file)?.len() > 4 * text.len() as u64);

        let error = "TLS: invalid peer certificate: UnknownIssuer\n";
        for flags in [["replay", &file, "--to"], ["compare", &file, "--with"]] {
            let play = |server: &str| {
                let mut command = minibroker(flags.iter().copied().chain([server, "--flush"]));
                command.env_remove("SSL_CERT_FILE");
                command
            };
            let played = Ended::from(play(&server).output()?);
            assert_eq!(played.status, Some(0), "{}: {}{}", running.name, played.out, played.err);
            let refused = Ended::from(play(&trusted).output()?).with(2);
            assert_eq!(refused.err, format!("minibroker: cannot connect to {trusted}: {error}"));
            let authority = certificates.file("ca.pem");
            let played = Ended::from(play(&trusted).env("SSL_CERT_FILE", authority).output()?);
            assert_eq!(played.status, Some(0), "{}: {}{}", running.name, played.out, played.err);
        }
        // The same server without TLS.
        let plain = url(running.addr);
        replay(&file, &plain, &["--flush"])?.with(0);
        compare(&file, &plain, &["--flush"])?.with(0);
        played += 1;
    }
    if played == 0 {
        skipped::missing("TLS");
    }
    Ok(())
}
