//! Sessions that are written by hand, and differences.

use std::fmt::Write;

use minibroker::Broker;

use crate::Tested;
use crate::program::{Folder, all, compare, replay, url};
use crate::{servers, skipped};

const CHAT: &str = "\
# Everything that may stand in a session.
ann > SUBSCRIBE chat
ann < [\"subscribe\" \"chat\" :1]
eve > BLPOP queue 0
bob > HELLO 3
bob < <any>
bob > RPUSH queue 'first' \"sec\\x6fnd\"
eve < [\"queue\" \"first\"]
bob < <int>
bob > PUBLISH chat hello
ann < [\"message\" \"chat\" \"hello\"]
bob < :1
bob > XADD log * who ann
bob < <id:hello>
bob > XGROUP CREATE log readers 0
bob < +OK
bob > XREADGROUP GROUP readers bob STREAMS log >
bob < %[\"log\" [[<id> [\"who\" \"ann\"]]]]
bob > XACK log readers <id:hello>
bob < :1
bob > SET typing 1 PX 50
bob < +OK
pause 60
bob > GET typing
bob < _
bob >> \"ECHO \\\"a b\\\"\\r\\n\"
bob < \"a b\"
bob > LRANGE queue 0
    -1
bob < [\"second\"]
eve > BLPOP queue2 0.05
eve wait
eve < *-1
eve > QUIT
eve < +OK
eve closed
ann close
bob > PUBLISH chat bye
bob < :0
";

#[test]
fn a_session_written_by_hand_plays_on_every_server() -> Tested {
    let folder = Folder::new()?;
    let file = folder.with("hand.session", CHAT)?;
    let is_sent = |line: &&str| !line.contains(" < ") && !line.ends_with("closed");
    let lines = CHAT.lines().filter(is_sent).collect::<Vec<_>>().join("\n");
    let lines = lines.replace("<id:hello>", "0-1");
    let without_answers = folder.with("bare.session", &lines)?;
    for server in all()? {
        let replayed = replay(&file, &url(server.addr), &["--verbose", "--flush"])?;
        assert_eq!(replayed.status, Some(0), "{}: {}{}", server.name, replayed.out, replayed.err);
        assert!(replayed.out.contains("bob < <id:hello>\n"), "{}", replayed.out);
        for file in [&file, &without_answers] {
            let compared = compare(file, &url(server.addr), &["--flush", "--verbose"])?;
            assert_eq!(compared.status, Some(0), "{}: {}{}", server.name, compared.out, compared.err);
            assert!(compared.out.contains("ann < [\"message\" \"chat\" \"hello\"]\n"), "{}", compared.out);
        }
    }
    Ok(())
}

#[test]
fn what_is_printed_is_a_session_again() -> Tested {
    let (broker, folder) = (Broker::start()?, Folder::new()?);
    let file = folder.with("hand.session", CHAT)?;
    let printed = replay(&file, &broker.url(), &["--verbose"])?.with(0).out;
    let again = folder.with("again.session", &printed)?;
    replay(&again, &broker.url(), &["--flush"])?.with(0);
    Ok(())
}

#[test]
fn an_answer_that_differs_is_shown_with_its_request() -> Tested {
    let (broker, folder) = (Broker::start()?, Folder::new()?);
    let text =
        "ann > RPUSH l a b\nann < :2\nbob > LRANGE l 0 -1\nbob < [\"a\" \"c\"]\nbob > GET k\nbob < \"v\"\n";
    let file = folder.with("wrong.session", text)?;
    let first = replay(&file, &broker.url(), &["--flush"])?.with(1);
    let expected = format!(
        "--- {file}\n+++ {}\n@@ {file}:4: what bob gets @@\n  bob > LRANGE l 0 -1\n- bob < [\"a\" \"c\"]\n+ bob < [\"a\" \"b\"]\n\
         # 1 difference: 3 requests, 2 answers\n",
        broker.url()
    );
    assert!(first.out.starts_with(&expected[..expected.len() - 40]), "{}", first.out);
    assert_eq!(first.err, "");
    let all = replay(&file, &broker.url(), &["--flush", "--all"])?.with(1);
    assert!(
        all.out.contains("- bob < \"v\"\n+ bob < $-1\n# 2 differences: 3 requests, 3 answers\n"),
        "{}",
        all.out
    );
    Ok(())
}

#[test]
fn missing_and_additional_frames_are_differences() -> Tested {
    let (broker, folder) = (Broker::start()?, Folder::new()?);
    let file = folder.with("less.session", "ann > BLPOP nothing 0\nann < [\"nothing\" \"x\"]\n")?;
    let less = replay(&file, &broker.url(), &["--timeout", "1"])?.with(1);
    assert!(less.out.contains("- ann < [\"nothing\" \"x\"]\n+ # nothing for ann\n"), "{}", less.out);
    let text = "ann > SUBSCRIBE c\nann < [\"subscribe\" \"c\" :1]\nbob > PUBLISH c x\nbob < :1\n";
    let more = replay(&folder.with("more.session", text)?, &broker.url(), &[])?.with(1);
    assert!(more.out.contains("- # nothing for ann\n+ ann < [\"message\" \"c\" \"x\"]\n"), "{}", more.out);
    Ok(())
}

#[test]
fn where_two_servers_differ_the_first_difference_is_printed_or_all() -> Tested {
    let Some(server) = servers::real().flatten().find(|server| server.name == "redis-7.0") else {
        skipped::missing("redis-server 7.0");
        return Ok(());
    };
    let folder = Folder::new()?;
    let text = "\
ann > RPUSH l a b
ann > LPOS l a RANK -9223372036854775808
bob > WAITAOF 0 0 0
bob > GET k
";
    let file = folder.with("differs.session", text)?;
    let first = compare(&file, &url(server.addr), &["--compat", "8.0"])?.with(1);
    let head = format!(
        "--- minibroker {} (as Redis 8.0)\n+++ redis://{} (Redis 7.0",
        env!("CARGO_PKG_VERSION"),
        server.addr
    );
    assert!(first.out.starts_with(&head), "{}", first.out);
    let expected = format!(
        "@@ {file}:2: what ann gets @@\n  ann > LPOS l a RANK -9223372036854775808\n- ann < -\"ERR value"
    );
    assert!(first.out.contains(&expected), "{}", first.out);
    assert!(first.out.contains("\n+ ann < :0\n# 1 difference:"), "{}", first.out);
    let all = compare(&file, &url(server.addr), &["--all", "--compat", "8.0"])?.with(1);
    assert!(all.out.contains("- bob < [:0 :0]\n+ bob < -\"ERR unknown command 'WAITAOF'"), "{}", all.out);
    assert!(all.out.ends_with("# 2 differences: 4 requests, 4 answers\n"), "{}", all.out);
    Ok(())
}

#[test]
fn minibroker_answers_as_the_version_of_the_server_by_default() -> Tested {
    let folder = Folder::new()?;
    // Commands of later versions, and errors whose text has changed.
    let text = "\
ann > WAITAOF 0 0 0
ann > HGETDEL h FIELDS 1 f
ann > LPOS l a RANK -9223372036854775808
ann > RPUSH l a b
ann > LPOS l a RANK -9223372036854775808
ann > EXPIRE
ann > CLIENT NO-TOUCH ON
ann > SET k v NX GET EX
";
    let file = folder.with("versions.session", text)?;
    for server in all()? {
        let version = match server.name.as_str() {
            "redis-7.0" => "7.0",
            name if name.ends_with("8.2") => "8.2",
            _ => "8.0",
        };
        let compared = compare(&file, &url(server.addr), &[])?;
        assert_eq!(compared.status, Some(0), "{}: {}{}", server.name, compared.out, compared.err);
        let expected =
            format!("# no difference: 8 requests, 8 answers the same; minibroker as Redis {version}\n");
        assert_eq!(compared.out, expected, "{}", server.name);
        let other = if version == "7.0" { "8.0" } else { "7.0" };
        let compared = compare(&file, &url(server.addr), &["--compat", other])?;
        assert_eq!(compared.status, Some(1), "{}: {}{}", server.name, compared.out, compared.err);
        assert!(compared.out.contains(&format!(" (as Redis {other})\n")), "{}", compared.out);
    }
    Ok(())
}

#[test]
fn streams_that_grow_in_the_same_millisecond_keep_their_ids_apart() -> Tested {
    let folder = Folder::new()?;
    let mut text = String::new();
    for entry in 0..1_000 {
        writeln!(text, "ann > XADD log{} * entry {entry}", entry % 10)?;
    }
    for log in 0..10 {
        writeln!(text, "ann > XRANGE log{log} - +")?;
    }
    let file = folder.with("streams.session", &text)?;
    for server in all()? {
        compare(&file, &url(server.addr), &[])?.with(0);
    }
    Ok(())
}

#[test]
fn comparing_leaves_no_key_behind_and_touches_no_other_database() -> Tested {
    let (broker, folder) = (Broker::start()?, Folder::new()?);
    broker.command(["SET", "mine", "1"])?;
    let client = redis::Client::open(format!("{}/5", broker.url()))?;
    redis::cmd("SET").arg(&["others", "1"]).exec(&mut client.get_connection()?)?;
    let file = folder.with("keys.session", "ann > SET k v\nann > SELECT 3\nann > SET k v\n")?;

    let refused = compare(&file, &broker.url(), &[])?.with(2);
    assert!(
        refused.err.contains("is not empty: database 0 has keys, which --flush would remove"),
        "{}",
        refused.err
    );
    assert_eq!(broker.command(["GET", "mine"])?, "1");

    compare(&file, &format!("{}/1", broker.url()), &[])?.with(0);
    let keyspace = broker.command(["INFO", "keyspace"])?.to_string();
    assert!(keyspace.contains("db0:") && keyspace.contains("db5:"), "{keyspace}");
    assert!(!keyspace.contains("db1:") && !keyspace.contains("db3:"), "{keyspace}");

    compare(&file, &broker.url(), &["--flush"])?.with(0);
    let keyspace = broker.command(["INFO", "keyspace"])?.to_string();
    assert!(!keyspace.contains("db0:") && keyspace.contains("db5:"), "{keyspace}");
    Ok(())
}

#[test]
fn a_client_is_blocked_before_another_acts() -> Tested {
    let folder = Folder::new()?;
    let mut text = String::new();
    for round in 0..50 {
        for name in ["ann", "bob", "eve"] {
            writeln!(text, "{name} > BLPOP queue{round} 0")?;
        }
        writeln!(text, "pat > RPUSH queue{round} 1 2 3")?;
        for (name, element) in [("ann", 1), ("bob", 2), ("eve", 3)] {
            writeln!(text, "{name} < [\"queue{round}\" \"{element}\"]")?;
        }
        text.push_str("pat < :3\n");
    }
    let file = folder.with("blocked.session", &text)?;
    for server in all()? {
        let replayed = replay(&file, &url(server.addr), &[])?;
        assert_eq!(replayed.status, Some(0), "{}: {}", server.name, replayed.out);
        let compared = compare(&file, &url(server.addr), &[])?;
        assert_eq!(compared.status, Some(0), "{}: {}", server.name, compared.out);
    }
    Ok(())
}
