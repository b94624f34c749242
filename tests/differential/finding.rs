//! A difference is found, and reported so that it can be reproduced.

use std::error::Error;
use std::process::Command;

use minibroker::internal::session::{Action, Event, Session};
use minibroker::{Broker, Version};

use crate::ours::Ours;
use crate::program::Program;
use crate::run::{AS_A_SESSION, Settings, run_with};
use crate::text::session;
use crate::{servers, skipped};

type Tested = Result<(), Box<dyn Error>>;

fn actions(session: &Session) -> Vec<&Action> {
    session.events.iter().map(|Event { action, .. }| action).collect()
}

#[test]
fn a_lost_message_is_found_and_shown_as_a_short_session() -> Tested {
    let Some(server) = servers::programs().next() else {
        skipped::missing("redis-server");
        return Ok(());
    };
    let lose = |broker: &Broker| broker.faults().on_channel("room").drop_messages().keep();
    let settings = Settings { programs: 5_000, workers: 1, prepare: lose, ..Settings::default() };
    let report = run_with(&server, &settings).expect_err("a lost message");
    let (_, text) = report.split_once(AS_A_SESSION).ok_or("no session")?;
    let session = Session::read(text)?;
    // One client subscribes, and one publishes; if it is the same client, it sends HELLO first.
    assert!(actions(&session).len() <= 3, "{report}");

    // A server that loses the message too differs from a broker that does not.
    let broken = Broker::start()?;
    lose(&broken);
    let whole = Broker::start()?;
    let file = std::env::temp_dir().join(format!("minibroker-differential-{}.session", std::process::id()));
    std::fs::write(&file, text)?;
    let compare = |server: &Broker| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_minibroker"));
        program.arg("compare").arg(&file).args(["--with", &server.url()]).output()
    };
    let (same, different) = (compare(&whole)?, compare(&broken)?);
    std::fs::remove_file(&file)?;
    assert_eq!(same.status.code(), Some(0), "{report}");
    assert_eq!(different.status.code(), Some(1), "{report}");
    assert!(String::from_utf8(different.stdout)?.contains("\"room\""), "{report}");
    Ok(())
}

#[test]
fn every_program_is_a_session() -> Tested {
    let ours = Ours::new(Version::default(), |_| {})?;
    for seed in 0..300 {
        let program = Program::draw(seed);
        let Ok(received) = ours.play(&program, 10) else { continue };
        let session = session(&program, 10, &received);
        let text = session.to_string();
        let read = Session::read(&text).map_err(|error| format!("SEED={seed}: {error}\n{text}"))?;
        assert_eq!(actions(&read), actions(&session), "SEED={seed}\n{text}");
    }
    Ok(())
}
