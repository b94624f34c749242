//! Which clients connect.

use minibroker::Broker;

use crate::{Outcome, client_trusting, connect, ping};

#[test]
fn a_client_that_trusts_another_authority_does_not_connect() -> Outcome {
    let (broker, other) = (Broker::builder().tls().start()?, Broker::builder().tls().start()?);
    let refused = client_trusting(&broker, other.ca_certificate(), None)?.get_connection();
    let text = refused.err().expect("the authority is another").to_string();
    assert!(text.contains("certificate"), "{text}");
    assert_eq!(ping(&mut connect(&broker, None)?)?, "PONG");
    Ok(())
}

#[test]
fn a_client_has_to_show_a_certificate_if_that_is_set() -> Outcome {
    let broker = Broker::builder().tls().config("tls-auth-clients", "yes").start()?;
    let other = Broker::builder().tls().start()?;
    let right = || Some(broker.client_certificate());
    let foreign = || Some(other.client_certificate());
    assert!(connect(&broker, None).is_err());
    assert!(connect(&broker, foreign()).is_err());
    let mut early = connect(&broker, right())?;
    assert_eq!(ping(&mut early)?, "PONG");

    broker.command(["CONFIG", "SET", "tls-auth-clients", "optional"])?;
    assert_eq!(ping(&mut connect(&broker, None)?)?, "PONG");
    assert_eq!(ping(&mut connect(&broker, right())?)?, "PONG");
    assert!(connect(&broker, foreign()).is_err());

    broker.command(["CONFIG", "SET", "tls-auth-clients", "no"])?;
    // It is not asked for its certificate.
    assert_eq!(ping(&mut connect(&broker, foreign())?)?, "PONG");

    broker.command(["CONFIG", "SET", "tls-auth-clients", "YES"])?;
    assert!(connect(&broker, None).is_err());
    assert_eq!(ping(&mut early)?, "PONG");
    let error = broker.command(["CONFIG", "SET", "tls-auth-clients", "maybe"]).unwrap_err();
    assert_eq!(
        error.message(),
        "CONFIG SET failed (possibly related to argument 'tls-auth-clients') - argument(s) must be one of the \
         following: no, yes, optional"
    );
    Ok(())
}

#[test]
fn a_broker_without_tls_has_no_certificate() -> Outcome {
    let broker = Broker::start()?;
    assert_eq!(broker.tls_port(), None);
    let panic = std::thread::spawn(move || broker.ca_certificate().len()).join().unwrap_err();
    let text = panic.downcast_ref::<String>().expect("it is a text");
    assert_eq!(text, "`ca_certificate`: this broker has made no certificates: see `Builder::tls`");
    Ok(())
}

#[test]
fn the_plain_port_stays_beside_a_port_for_tls() -> Outcome {
    let broker = Broker::builder().tls_port(0).start()?;
    let (plain, encrypted) = (broker.port(), broker.tls_port().expect("there is one"));
    assert_eq!(broker.url(), format!("redis://127.0.0.1:{plain}"));
    let mut ann = redis::Client::open(broker.url())?.get_connection()?;
    let mut bob = connect(&broker, None)?;
    assert_eq!((ping(&mut ann)?, ping(&mut bob)?), ("PONG".into(), "PONG".into()));
    for (setting, port) in [("port", plain), ("tls-port", encrypted)] {
        let shown: (String, u16) = redis::cmd("CONFIG").arg("GET").arg(setting).query(&mut bob)?;
        assert_eq!(shown, (setting.to_owned(), port));
    }
    let server: String = redis::cmd("INFO").arg("server").query(&mut ann)?;
    for line in [
        format!("tcp_port:{plain}\r\n"),
        format!("listener0:name=tcp,bind=127.0.0.1,port={plain}\r\n"),
        format!("listener2:name=tls,bind=127.0.0.1,port={encrypted}\r\n"),
    ] {
        assert!(server.contains(&line), "{line} in {server}");
    }
    let address: String = redis::cmd("CLIENT").arg("INFO").query(&mut bob)?;
    assert!(address.contains(&format!(" laddr=127.0.0.1:{encrypted} ")), "{address}");
    Ok(())
}

#[test]
fn a_port_for_tls_in_place_of_the_plain_one_is_shown_as_by_redis() -> Outcome {
    let broker = Broker::builder().tls().password("s3cret").start()?;
    let port = broker.port();
    assert_eq!(broker.url(), format!("rediss://default:s3cret@127.0.0.1:{port}"));
    assert_eq!(broker.command(["CONFIG", "GET", "port"])?.to_string(), r#"{"port": "0"}"#);
    assert_eq!(
        broker.command(["CONFIG", "GET", "tls-port"])?.to_string(),
        format!(r#"{{"tls-port": "{port}"}}"#)
    );
    let server = broker.command(["INFO", "server"])?.to_string();
    assert!(server.contains(&format!("tcp_port:{port}\r\n")) && !server.contains("name=tcp"), "{server}");
    broker.command(["CONFIG", "SET", "tls-port", &port.to_string()])?;
    let moved = broker.command(["CONFIG", "SET", "tls-port", "0"]).unwrap_err();
    assert!(moved.message().ends_with("the port of minibroker is chosen when it starts"), "{moved}");
    Ok(())
}
