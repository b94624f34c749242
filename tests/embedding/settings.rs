//! The settings of a builder.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};

use minibroker::{Broker, StartError, Value};
use redis::{Client, Commands};

use crate::Outcome;
use crate::start_and_drop::own_address;
use crate::wire::Wire;

#[test]
fn the_port_is_the_one_that_was_asked_for() -> Outcome {
    let ip = own_address();
    let free = Broker::builder().bind([ip]).start()?.port();
    let broker = Broker::builder().bind([ip]).port(free).start()?;
    assert_eq!(broker.addr().expect("it listens"), SocketAddr::new(ip, free));
    assert_eq!(broker.url(), format!("redis://{ip}:{free}"));
    Ok(())
}

#[test]
fn a_client_without_the_password_is_refused() -> Outcome {
    let broker = Broker::builder().password("s3cret").start()?;
    let mut client = Wire::connect(&broker)?;
    client.ask("PING", "-NOAUTH Authentication required.\r\n")?;
    client.ask("AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled.\r\n")?;
    client.ask("AUTH s3cret", "+OK\r\n")?;
    client.ask("PING", "+PONG\r\n")?;
    // The test itself needs no password.
    assert_eq!(broker.command(["PING"])?, "PONG");
    Ok(())
}

#[test]
fn the_url_carries_a_password_of_any_characters() -> Outcome {
    for password in ["s3cret", "p@ss:w/rd?#[x]&=+%41 \"ü\"", "%"] {
        let broker = Broker::builder().password(password).start()?;
        let mut connection = Client::open(broker.url())?.get_connection()?;
        assert_eq!(redis::cmd("PING").query::<String>(&mut connection)?, "PONG", "{password}");
        let address = format!("redis://{}", broker.addr().expect("it listens"));
        assert!(Client::open(address)?.get_connection()?.get::<_, Option<String>>("key").is_err());
    }
    Ok(())
}

#[test]
fn an_empty_password_is_none() -> Outcome {
    let broker = Broker::builder().password("").start()?;
    Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
    assert!(!broker.url().contains('@'), "{}", broker.url());
    Ok(())
}

#[test]
fn there_are_as_many_databases_as_were_asked_for() -> Outcome {
    let broker = Broker::builder().databases(2).start()?;
    let mut client = Wire::connect(&broker)?;
    client.ask("SELECT 1", "+OK\r\n")?;
    client.ask("SELECT 2", "-ERR DB index is out of range\r\n")?;
    let mut connection = Client::open(format!("{}/1", broker.url()))?.get_connection()?;
    let () = connection.set("key", "in the second")?;
    client.ask("GET key", "$13\r\nin the second\r\n")?;
    assert_eq!(broker.command(["EXISTS", "key"])?, 0);
    Ok(())
}

#[test]
fn clients_above_the_limit_get_an_error_and_are_cut_off() -> Outcome {
    let broker = Broker::builder().max_clients(2).start()?;
    let mut first = Wire::connect(&broker)?;
    first.ask("PING", "+PONG\r\n")?;
    let mut second = Wire::connect(&broker)?;
    second.ask("PING", "+PONG\r\n")?;
    let mut third = Wire::connect(&broker)?;
    third.expect("-ERR max number of clients reached\r\n")?;
    assert!(third.is_cut());
    // The test itself is not a client.
    assert_eq!(broker.command(["PING"])?, "PONG");
    first.ask("QUIT", "+OK\r\n")?;
    assert!(first.is_cut());
    Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
    Ok(())
}

#[test]
fn an_argument_above_the_limit_ends_the_connection() -> Outcome {
    let broker = Broker::builder().max_bulk_length(1000).start()?;
    let mut client = Wire::connect(&broker)?;
    let longest = "x".repeat(1000);
    client.ask(&format!("*2\r\n$4\r\nECHO\r\n$1000\r\n{longest}"), &format!("$1000\r\n{longest}\r\n"))?;
    client.ask("*2\r\n$4\r\nECHO\r\n$1001", "-ERR Protocol error: invalid bulk length\r\n")?;
    assert!(client.is_cut());
    Ok(())
}

#[test]
fn a_request_above_the_limit_ends_the_connection() -> Outcome {
    let broker = Broker::builder().query_buffer_limit(2000).start()?;
    let mut client = Wire::connect(&broker)?;
    client.ask("PING", "+PONG\r\n")?;
    client.send(&format!("*2\r\n$4\r\nECHO\r\n$10000\r\n{}", "x".repeat(5000)))?;
    assert!(client.is_cut());
    Ok(())
}

#[test]
fn a_client_that_sends_above_the_limit_while_it_waits_is_cut_off() -> Outcome {
    let broker = Broker::builder().query_buffer_limit(2000).start()?;
    let mut client = Wire::connect(&broker)?;
    client.send("XREAD BLOCK 0 STREAMS chat $")?;
    broker.wait_for_blocked("chat", 1).blocking()?;
    client.send(&"PING\r\n".repeat(1000))?;
    assert!(client.is_cut());
    broker.wait_for_blocked("chat", 0).blocking()?;
    Ok(())
}

#[test]
fn a_subscriber_that_does_not_read_is_cut_off_at_the_limit() -> Outcome {
    const MESSAGE: usize = 1024 * 1024;
    let broker = Broker::builder().subscriber_output_limit(4 * MESSAGE).start()?;
    let mut slow_reader = Wire::connect(&broker)?;
    slow_reader.subscribe("chat")?;
    let mut busy = Wire::connect(&broker)?;
    busy.subscribe("chat")?;
    let message = "x".repeat(MESSAGE);
    // The buffers of the sockets do not count towards the limit.
    while broker.command(["PUBLISH", "chat", &message])? == 2 {
        busy.expect_message("chat", &message)?;
    }
    busy.expect_message("chat", &message)?;
    assert!(slow_reader.read_to_end() > 0, "it got what had been sent, then the end");
    Ok(())
}

#[test]
fn all_addresses_have_the_same_port() -> Outcome {
    let addresses = [own_address(), own_address()];
    let broker = Broker::builder().bind(addresses).start()?;
    for ip in addresses {
        TcpStream::connect((ip, broker.port()))?;
    }
    assert_eq!(broker.addr().expect("it listens").ip(), addresses[0]);
    Ok(())
}

#[test]
fn a_broker_on_all_addresses_is_reached_on_this_one() -> Outcome {
    let broker = Broker::builder().bind([IpAddr::V4(Ipv4Addr::UNSPECIFIED)]).start()?;
    assert_eq!(broker.url(), format!("redis://127.0.0.1:{}", broker.port()));
    Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
    Ok(())
}

#[test]
fn an_address_of_another_machine_is_a_clear_error() {
    // An address from the block for documentation.
    let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let failed = Broker::builder().bind([elsewhere]).start().expect_err("it is not ours").to_string();
    assert!(failed.starts_with("cannot listen on 192.0.2.1:0: "), "{failed}");
}

#[cfg(unix)]
pub mod unix_socket {
    use std::fs;
    use std::os::unix::net::UnixListener;
    use std::path::{Path, PathBuf};

    use super::*;

    /// A folder for one test; paths of sockets must be short.
    pub struct Folder(PathBuf);

    impl Folder {
        pub fn new(name: &str) -> io::Result<Self> {
            let path = std::env::temp_dir().join(format!("minibroker-{}-{name}", std::process::id()));
            fs::create_dir_all(&path)?;
            Ok(Self(path))
        }

        pub fn file(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // What cannot be removed stays in the folder for temporary files.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn ping(path: &Path) -> redis::RedisResult<String> {
        let mut connection = Client::open(format!("unix://{}", path.display()))?.get_connection()?;
        redis::cmd("PING").query(&mut connection)
    }

    #[test]
    fn a_unix_socket_works_beside_the_port_and_ends_with_the_broker() -> Outcome {
        let folder = Folder::new("beside")?;
        let path = folder.file("chat.sock");
        let broker = Broker::builder().unix_socket(&path).start()?;
        assert_eq!(broker.unix_socket(), Some(path.as_path()));
        assert_eq!(ping(&path)?, "PONG");
        Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
        drop(broker);
        assert!(!path.exists());
        Ok(())
    }

    #[test]
    fn monitor_shows_the_path_of_a_client_of_the_unix_socket() -> Outcome {
        let folder = Folder::new("monitor")?;
        let path = folder.file("chat.sock");
        let broker = Broker::builder().unix_socket(&path).start()?;
        let mut monitor = Wire::connect(&broker)?;
        monitor.ask("MONITOR", "+OK\r\n")?;
        assert_eq!(ping(&path)?, "PONG");
        let seen = std::iter::from_fn(|| monitor.line().ok()).find(|line| line.ends_with("\"PING\""));
        let seen = seen.expect("PING is shown");
        assert!(seen.ends_with(&format!(" [0 unix:{}] \"PING\"", path.display())), "{seen}");
        Ok(())
    }

    #[test]
    fn a_broker_without_an_address_has_the_url_of_its_unix_socket() -> Outcome {
        let folder = Folder::new("alone")?;
        let path = folder.file("a chat?.sock");
        let broker = Broker::builder().bind([]).unix_socket(&path).password("p&ss w=rd").start()?;
        let mut connection = Client::open(broker.url())?.get_connection()?;
        assert_eq!(redis::cmd("PING").query::<String>(&mut connection)?, "PONG");
        assert_eq!(broker.addr(), None);
        Ok(())
    }

    #[test]
    fn the_socket_that_a_killed_broker_has_left_is_replaced() -> Outcome {
        let folder = Folder::new("stale")?;
        let path = folder.file("chat.sock");
        // Dropping a listener leaves its file.
        drop(UnixListener::bind(&path)?);
        assert!(path.exists());
        let _broker = Broker::builder().unix_socket(&path).start()?;
        assert_eq!(ping(&path)?, "PONG");
        Ok(())
    }

    #[test]
    fn a_socket_in_use_is_a_clear_error_and_stays() -> Outcome {
        let folder = Folder::new("busy")?;
        let path = folder.file("chat.sock");
        let _broker = Broker::builder().unix_socket(&path).start()?;
        let failed = Broker::builder().unix_socket(&path).start().expect_err("it is taken").to_string();
        assert!(failed.starts_with(&format!("cannot listen on {}: ", path.display())), "{failed}");
        assert_eq!(ping(&path)?, "PONG");
        Ok(())
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() -> Outcome {
        let folder = Folder::new("file")?;
        let path = folder.file("notes.txt");
        fs::write(&path, "not to be lost")?;
        Broker::builder().unix_socket(&path).start().expect_err("it is taken");
        assert_eq!(fs::read_to_string(&path)?, "not to be lost");
        Ok(())
    }
}

#[test]
fn every_setting_that_config_set_takes_can_be_given_to_the_builder() -> Outcome {
    let broker = Broker::start()?;
    let all = broker.command(["CONFIG", "GET", "*"])?;
    let Value::Map(settings) = all else { panic!("{all}") };
    assert!(settings.len() > 40, "{}", settings.len());
    let mut builder = Broker::builder();
    for (name, value) in &settings {
        let (name, value) = (name.as_str().ok_or("no text")?, value.as_str().ok_or("no text")?);
        let set = broker.command(["CONFIG", "SET", name, value]);
        let started = Broker::builder().config(name, value).start();
        match (set, started) {
            (Ok(_), Ok(_)) => builder = builder.config(name, value),
            (Err(set), Err(StartError::Setting { reason, .. })) => {
                assert!(set.message().ends_with(&reason), "{set}, {reason}");
            }
            // CONFIG SET accepts the present port.
            (Ok(_), Err(_)) if name == "port" => {}
            (set, started) => panic!("{name}: {set:?}, {started:?}"),
        }
    }
    let again = builder.start()?;
    let Value::Map(read) = again.command(["CONFIG", "GET", "*"])? else { panic!("no map") };
    for ((name, one), (_, other)) in settings.iter().zip(&read) {
        assert!(one == other || *name == "port", "{name}: {one}, {other}");
    }
    Ok(())
}

#[test]
fn a_setting_of_the_builder_lasts_and_a_wrong_one_is_an_error() -> Outcome {
    let broker = Broker::builder().config("maxclients", 7).config("requirepass", "s3cret").start()?;
    assert!(broker.url().contains("default:s3cret@"), "{}", broker.url());
    broker.command(("CONFIG", "SET", "maxclients", 8))?;
    broker.restart()?;
    let read = broker.command(["CONFIG", "GET", "maxclients"])?;
    assert_eq!(read.to_string(), r#"{"maxclients": "7"}"#);
    for (name, value, reason) in [
        ("maxclient", "7", "unknown setting"),
        ("timeout", "soon", "argument couldn't be parsed into an integer"),
        ("port", "7", "the port of minibroker is chosen when it starts"),
        ("databases", "7", "can't set immutable config"),
    ] {
        let error = Broker::builder().config(name, value).start().expect_err(name);
        assert_eq!(error.to_string(), format!("cannot set `{name}` to {value:?}: {reason}"));
    }
    Ok(())
}
