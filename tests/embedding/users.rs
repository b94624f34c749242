//! Users: their rights from the start on, their file, and what is never shown of them.

use std::fs;

use minibroker::{Broker, StartError};
use redis::{Commands, ErrorKind, RedisResult};

use crate::Outcome;
use crate::control::connect;

/// A client that has logged in with the password `secret`.
fn log_in(broker: &Broker, name: &str) -> RedisResult<redis::Connection> {
    let url = broker.url().replace("redis://", &format!("redis://{name}:secret@"));
    redis::Client::open(url)?.get_connection()
}

/// The code of the error.
fn code<T>(result: RedisResult<T>) -> Option<String> {
    result.err().and_then(|error| error.code().map(str::to_owned))
}

fn is_denied<T>(result: RedisResult<T>) -> bool {
    code(result).as_deref() == Some("NOPERM")
}

/// A file that is removed with the value.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, text: &str) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("minibroker-users-{}-{name}", std::process::id()));
        fs::write(&path, text)?;
        Ok(Self(path))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn acl<T: redis::FromRedisValue>(client: &mut redis::Connection, args: &[&str]) -> RedisResult<T> {
    redis::cmd("ACL").arg(args).query(client)
}

#[test]
fn users_of_the_start_have_the_rights_that_their_rules_give() -> Outcome {
    let broker = Broker::builder()
        .user("ann", "on >secret ~chat:* &room:* +@read +publish")
        .user("bob", "on >secret (+set ~a) (+get ~b)")
        .start()?;
    let mut ann = log_in(&broker, "ann")?;
    assert_eq!(ann.get::<_, Option<String>>("chat:topic")?, None);
    assert!(is_denied(ann.get::<_, Option<String>>("topic")));
    assert!(is_denied(ann.set::<_, _, ()>("chat:topic", "tea")));
    assert_eq!(ann.publish::<_, _, i64>("room:1", "hi")?, 0);
    assert!(is_denied(ann.publish::<_, _, i64>("hall", "hi")));
    let mut bob = log_in(&broker, "bob")?;
    bob.set::<_, _, ()>("a", 1)?;
    assert!(is_denied(bob.set::<_, _, ()>("b", 1)));
    assert_eq!(bob.get::<_, Option<i64>>("b")?, None);
    assert!(is_denied(bob.get::<_, Option<i64>>("a")));
    let wrong = redis::Client::open(broker.url().replace("redis://", "redis://ann:wrong@"))?.get_connection();
    assert_eq!(wrong.err().map(|error| error.kind()), Some(ErrorKind::AuthenticationFailed));
    Ok(())
}

#[test]
fn the_default_user_can_be_restricted_and_the_program_is_not() -> Outcome {
    let broker = Broker::builder()
        .user("default", "on nopass ~open:* +get +ping")
        .user("admin", "on >secret ~* &* +@all")
        .start()?;
    let mut anyone = connect(&broker)?;
    assert_eq!(anyone.get::<_, Option<String>>("open:1")?, None);
    assert!(is_denied(anyone.get::<_, Option<String>>("closed")));
    assert!(is_denied(acl::<String>(&mut anyone, &["WHOAMI"])));
    broker.command(["SET", "closed", "x"])?;
    let mut admin = log_in(&broker, "admin")?;
    assert_eq!(admin.get::<_, String>("closed")?, "x");
    acl::<()>(&mut admin, &["SETUSER", "default", "off"])?;
    // It has logged in already, but new connections cannot.
    assert_eq!(anyone.get::<_, Option<String>>("open:1")?, None);
    let mut late = connect(&broker)?;
    assert_eq!(code(redis::cmd("PING").exec(&mut late)), Some("NOAUTH".to_owned()));
    Ok(())
}

#[test]
fn a_client_loses_its_rights_while_it_is_connected() -> Outcome {
    let broker = Broker::builder().user("ann", "on >secret ~* &* +@all").start()?;
    let mut admin = connect(&broker)?;
    let mut ann = log_in(&broker, "ann")?;
    ann.set::<_, _, ()>("k", 1)?;
    acl::<()>(&mut admin, &["SETUSER", "ann", "-@write"])?;
    assert!(is_denied(ann.set::<_, _, ()>("k", 2)));
    assert_eq!(ann.get::<_, i64>("k")?, 1);
    let mut subscriber = log_in(&broker, "ann")?;
    let mut room = subscriber.as_pubsub();
    room.subscribe("room")?;
    acl::<()>(&mut admin, &["SETUSER", "ann", "resetchannels"])?;
    assert!(room.get_message().is_err(), "it is closed, as it may not be subscribed any more");
    assert_eq!(acl::<i64>(&mut admin, &["DELUSER", "ann"])?, 1);
    assert!(ann.get::<_, i64>("k").is_err(), "it is closed with its user");
    Ok(())
}

#[test]
fn only_users_with_all_rights_control_the_broker() -> Outcome {
    let broker = Broker::builder().control().user("ann", "on >secret ~* &* +@all -flushall").start()?;
    let mut ann = log_in(&broker, "ann")?;
    assert!(is_denied(redis::cmd("MINIBROKER").arg("HELP").exec(&mut ann)));
    redis::cmd("MINIBROKER").arg("HELP").exec(&mut connect(&broker)?)?;
    Ok(())
}

#[test]
fn a_wrong_rule_keeps_the_broker_from_starting() {
    let reason = |name: &str, rules: &str| match Broker::builder().user(name, rules).start() {
        Err(StartError::Setting { name, reason, .. }) if name == "user" => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason("ann", "on +nosuch"), "+nosuch: Unknown command or category name in ACL");
    assert_eq!(reason("ann", "on (+get ~a"), "(+get: the parenthesis is not closed");
    let hash =
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
    assert_eq!(reason("ann", "on #secret"), format!("#: {hash}"));
    let failed =
        Broker::builder().user("ann", "on >secret +nosuch").start().expect_err("there is no such command");
    assert!(!failed.to_string().contains("secret"), "{failed}");
    assert_eq!(reason("", "on"), "the name of a user is empty or has spaces");
    assert_eq!(reason("a b", "on"), "the name of a user is empty or has spaces");
}

#[test]
fn users_are_read_from_their_file_and_written_into_it() -> Outcome {
    let file = File::new("kept", "user ann on >secret ~* +@all\n\n  user bob off\r\n")?;
    let broker = Broker::builder().user_file(&file.0).start()?;
    let mut admin = connect(&broker)?;
    let mut ann = log_in(&broker, "ann")?;
    assert_eq!(acl::<Vec<String>>(&mut admin, &["USERS"])?, ["ann", "bob", "default"]);
    acl::<()>(&mut admin, &["SETUSER", "cid", "on", ">secret", "+ping"])?;
    acl::<()>(&mut admin, &["SAVE"])?;
    let written = fs::read_to_string(&file.0)?;
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(
        lines,
        [
            &*format!("user ann on sanitize-payload #{hash} ~* resetchannels +@all"),
            "user bob off sanitize-payload resetchannels -@all",
            &*format!("user cid on sanitize-payload #{hash} resetchannels -@all +ping"),
            "user default on nopass sanitize-payload ~* &* +@all",
        ]
    );
    // Users that the file has not are gone, and their clients with them; others stay.
    let mut cid = log_in(&broker, "cid")?;
    fs::write(&file.0, "user ann on >secret ~* +get\n")?;
    acl::<()>(&mut admin, &["LOAD"])?;
    assert_eq!(acl::<Vec<String>>(&mut admin, &["USERS"])?, ["ann", "default"]);
    assert!(redis::cmd("PING").exec(&mut cid).is_err());
    assert_eq!(ann.get::<_, Option<String>>("k")?, None);
    assert!(is_denied(ann.set::<_, _, ()>("k", 1)));
    Ok(())
}

#[test]
fn a_wrong_file_of_users_changes_nothing_and_all_wrong_lines_are_said() -> Outcome {
    let file = File::new("wrong", "")?;
    let path = file.0.display().to_string();
    let broker = Broker::builder().user_file(&file.0).start()?;
    let mut admin = connect(&broker)?;
    acl::<()>(&mut admin, &["SETUSER", "ann"])?;
    let none = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
    // The texts are those of Redis 8.0.6; a parenthesis that is not closed ends it.
    for (text, errors) in [
        ("foo bar\n", format!("{path}:1 should start with user keyword followed by the username. {none}")),
        ("user\n", format!("{path}:1 should start with user keyword followed by the username. {none}")),
        ("# comment\n", format!("{path}:1 should start with user keyword followed by the username. {none}")),
        (
            "user a on foo +nosuch\nuser b +@nope\n",
            format!(
                "{path}:1: Syntax error. {path}:1: Error in applying operation '+nosuch': Unknown command or category name in \
                 ACL. {path}:2: Error in applying operation '+@nope': Unknown command or category name in ACL. {none}"
            ),
        ),
        ("user a on\nuser a off\n", format!("WARNING: Duplicate user 'a' found on line 2. {none}")),
        ("user a on (+get\n", format!("{path}:1: Unmatched parenthesis in selector definition. {none}")),
    ] {
        fs::write(&file.0, text)?;
        let error = acl::<()>(&mut admin, &["LOAD"]).expect_err("it is wrong");
        assert_eq!(error.detail(), Some(&*errors), "{text}");
        assert_eq!(acl::<Vec<String>>(&mut admin, &["USERS"])?, ["ann", "default"]);
    }
    fs::remove_file(&file.0)?;
    let error = acl::<()>(&mut admin, &["LOAD"]).expect_err("it is gone");
    let text = format!("Error loading ACLs, opening file '{path}': No such file or directory");
    assert_eq!(error.detail(), Some(&*text));
    let failed = Broker::builder().user_file(&file.0).start().expect_err("there is no file");
    assert!(failed.to_string().contains(&path), "{failed}");
    let both = Broker::builder().user("ann", "on").user_file(&file.0).start().expect_err("either or");
    assert!(both.to_string().contains("users are given by rules as well as by a file"), "{both}");
    Ok(())
}

#[test]
fn a_restart_brings_back_the_users_of_the_start() -> Outcome {
    let broker = Broker::builder().user("ann", "on >secret +ping").start()?;
    let mut admin = connect(&broker)?;
    acl::<()>(&mut admin, &["SETUSER", "ann", "+@all"])?;
    acl::<()>(&mut admin, &["SETUSER", "bob", "on"])?;
    broker.restart()?;
    let mut admin = connect(&broker)?;
    assert_eq!(acl::<Vec<String>>(&mut admin, &["USERS"])?, ["ann", "default"]);
    let rules: Vec<String> = acl(&mut admin, &["LIST"])?;
    assert!(rules[0].ends_with("-@all +ping"), "{rules:?}");
    Ok(())
}

#[test]
fn names_and_passwords_of_users_are_shown_nowhere() -> Outcome {
    let broker = Broker::builder().start()?;
    let mut client = connect(&broker)?;
    redis::cmd("CONFIG").arg(&["SET", "slowlog-log-slower-than", "0"]).exec(&mut client)?;
    let mut seen = broker.watch_commands();
    acl::<()>(&mut client, &["SETUSER", "ann", "on", ">s3cret", "nopass", ">s3cret", "+ping"])?;
    let _ = acl::<()>(&mut client, &["SETUSER", "ann", ">s3cret", "foo"]);
    redis::cmd("AUTH").arg(&["ann", "s3cret"]).exec(&mut client)?;
    let _ = redis::cmd("AUTH").arg(&["ann", "s3cret2"]).exec(&mut client);
    let log: Vec<String> = (0..4).filter_map(|_| seen.blocking_next()).map(|one| one.to_string()).collect();
    let shown = format!("{:?} {log:?} {}", broker.command(["SLOWLOG", "GET", "-1"])?, broker.journal());
    assert!(shown.contains("SETUSER") && shown.contains("(redacted)"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
    Ok(())
}
