//! Certificates of files, and their renewal.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs};

use minibroker::{Broker, Builder};

use crate::{Outcome, client_trusting, connect, ping};

/// A folder of a test, which is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("minibroker-tls-{}-{number}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Certificates that a broker makes here.
    fn with_certificates() -> Result<Self, Box<dyn std::error::Error>> {
        let folder = Self::new()?;
        drop(Broker::builder().tls().tls_dir(&folder.0).start()?);
        Ok(folder)
    }

    fn copy_from(&self, other: &Self) -> std::io::Result<()> {
        for name in ["ca.crt", "server.crt", "server.key"] {
            fs::copy(other.0.join(name), self.0.join(name))?;
        }
        Ok(())
    }

    /// A broker with these certificates, as redis-server would be started.
    fn builder(&self) -> Builder {
        Broker::builder()
            .tls()
            .config("tls-cert-file", self.file("server.crt"))
            .config("tls-key-file", self.file("server.key"))
            .config("tls-ca-cert-file", self.file("ca.crt"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const REFUSED: &str = "Unable to update TLS configuration. Check server logs.";

#[test]
fn a_folder_gets_certificates_and_they_are_used_again() -> Outcome {
    let folder = Folder::new()?;
    let start = || Broker::builder().tls().tls_dir(folder.0.join("new")).start();
    let first = start()?;
    let authority = folder.read("new/ca.crt");
    assert_eq!(first.ca_certificate(), authority);
    let own = first.client_certificate();
    assert_eq!(own.certificate, folder.read("new/client.crt"));
    assert_eq!(own.key, folder.read("new/client.key"));
    let shown = first.command(["CONFIG", "GET", "tls-cert-file"])?.to_string();
    assert!(shown.contains("server.crt"), "{shown}");
    let second = start()?;
    assert_eq!(second.ca_certificate(), authority);
    assert_eq!(ping(&mut client_trusting(&second, &authority, Some(own))?.get_connection()?)?, "PONG");

    fs::remove_file(folder.0.join("new/client.key"))?;
    let error = start().unwrap_err().to_string();
    assert!(error.starts_with("cannot set `tls-dir` to ") && error.contains("client.key: "), "{error}");
    assert_eq!(folder.read("new/ca.crt"), authority);
    Ok(())
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_keys_of_a_folder() -> Outcome {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::with_certificates()?;
    for key in ["server.key", "client.key"] {
        let mode = fs::metadata(folder.0.join(key))?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    Ok(())
}

#[test]
fn files_ask_clients_for_a_certificate_as_redis_does() -> Outcome {
    let folder = Folder::with_certificates()?;
    let own = Broker::builder().tls().tls_dir(&folder.0).start()?.client_certificate();
    let broker = folder.builder().start()?;
    let authority = folder.read("ca.crt");
    assert!(client_trusting(&broker, &authority, None)?.get_connection().is_err());
    assert_eq!(
        ping(&mut client_trusting(&broker, &authority, Some(own.clone()))?.get_connection()?)?,
        "PONG"
    );
    broker.command(["CONFIG", "SET", "tls-auth-clients", "no", "tls-ca-cert-file", ""])?;
    assert_eq!(ping(&mut client_trusting(&broker, &authority, None)?.get_connection()?)?, "PONG");
    // Without an authority no certificate is trusted.
    broker.command(["CONFIG", "SET", "tls-auth-clients", "yes"])?;
    assert!(client_trusting(&broker, &authority, Some(own.clone()))?.get_connection().is_err());
    assert!(client_trusting(&broker, &authority, None)?.get_connection().is_err());
    broker.command(["CONFIG", "SET", "tls-auth-clients", "optional"])?;
    assert!(client_trusting(&broker, &authority, Some(own))?.get_connection().is_err());
    assert_eq!(ping(&mut client_trusting(&broker, &authority, None)?.get_connection()?)?, "PONG");
    Ok(())
}

#[test]
fn renewed_files_are_for_new_connections() -> Outcome {
    let (folder, renewed) = (Folder::with_certificates()?, Folder::with_certificates()?);
    let broker = folder.builder().config("tls-auth-clients", "no").start()?;
    let (old, new) = (folder.read("ca.crt"), renewed.read("ca.crt"));
    let mut early = client_trusting(&broker, &old, None)?.get_connection()?;
    folder.copy_from(&renewed)?;
    // Nothing is read before it is asked for.
    assert_eq!(ping(&mut client_trusting(&broker, &old, None)?.get_connection()?)?, "PONG");
    // The same name.
    broker.command(["CONFIG", "SET", "tls-cert-file", &folder.file("server.crt")])?;
    assert!(client_trusting(&broker, &old, None)?.get_connection().is_err());
    assert_eq!(ping(&mut client_trusting(&broker, &new, None)?.get_connection()?)?, "PONG");
    assert_eq!(ping(&mut early)?, "PONG");
    broker.restart()?;
    assert_eq!(ping(&mut client_trusting(&broker, &new, None)?.get_connection()?)?, "PONG");
    Ok(())
}

#[test]
fn files_that_cannot_be_used_change_nothing() -> Outcome {
    let (folder, other) = (Folder::with_certificates()?, Folder::with_certificates()?);
    let broker = folder.builder().start()?;
    fs::write(folder.0.join("junk"), "no certificate")?;
    let (junk, missing) = (folder.file("junk"), folder.file("missing"));
    let (other_key, long) = (other.file("server.key"), folder.file("long"));
    fs::write(folder.0.join("long"), " ".repeat(1024 * 1024 + 1))?;
    let set = |words: &[&str]| {
        let words: Vec<_> = ["CONFIG", "SET"].iter().chain(words).copied().collect();
        broker.command(words.as_slice()).map_err(|error| error.message().to_owned())
    };
    for (words, blamed) in [
        (vec!["tls-cert-file", &missing], "tls-cert-file"),
        (vec!["tls-cert-file", &junk], "tls-cert-file"),
        (vec!["tls-cert-file", &long], "tls-cert-file"),
        (vec!["tls-cert-file", ""], "tls-cert-file"),
        (vec!["tls-key-file", &junk], "tls-key-file"),
        (vec!["tls-key-file", &other_key], "tls-key-file"),
        (vec!["tls-key-file", "/"], "tls-key-file"),
        (vec!["maxclients", "9", "TLS-CA-CERT-FILE", &junk, "tls-cert-file", &missing], "TLS-CA-CERT-FILE"),
        (vec!["tls-ca-cert-file", ""], "tls-ca-cert-file"),
    ] {
        let expected = format!("CONFIG SET failed (possibly related to argument '{blamed}') - {REFUSED}");
        assert_eq!(set(&words).unwrap_err(), expected, "{words:?}");
    }
    assert_eq!(broker.command(["CONFIG", "GET", "maxclients"])?.to_string(), r#"{"maxclients": "10000"}"#);
    let shown = broker.command(["CONFIG", "GET", "tls-cert-file"])?.to_string();
    assert!(shown.contains("server.crt"), "{shown}");
    set(&["tls-auth-clients", "no"]).expect("it can be set");
    assert_eq!(ping(&mut client_trusting(&broker, &folder.read("ca.crt"), None)?.get_connection()?)?, "PONG");
    Ok(())
}

#[test]
fn a_broker_does_not_start_with_files_that_cannot_be_used() -> Outcome {
    let (folder, other) = (Folder::with_certificates()?, Folder::with_certificates()?);
    fs::write(folder.0.join("junk"), "no certificate")?;
    let refused =
        |setting: &str, file: &str| folder.builder().config(setting, file).start().unwrap_err().to_string();
    let (junk, missing, other_key) = (folder.file("junk"), folder.file("missing"), other.file("server.key"));
    for (setting, file, reason) in [
        ("tls-cert-file", missing.as_str(), "No such file or directory (os error 2)"),
        ("tls-cert-file", &junk, "there is no certificate in it"),
        ("tls-cert-file", "", "No tls-cert-file configured!"),
        ("tls-key-file", &junk, "there is no private key in it, or it is encrypted"),
        ("tls-key-file", &other_key, "it is not the key of the certificate"),
        ("tls-key-file", "", "No tls-key-file configured!"),
        ("tls-ca-cert-file", &junk, "there is no certificate in it"),
        ("tls-ca-cert-file", "", "tls-ca-cert-file must be specified when tls-auth-clients is enabled"),
    ] {
        // Other systems have other words for a file that is not there.
        if cfg!(unix) || !reason.contains("os error") {
            assert_eq!(refused(setting, file), format!("cannot set `{setting}` to {file:?}: {reason}"));
        }
    }
    Ok(())
}

#[test]
fn without_tls_the_files_are_not_read() -> Outcome {
    let broker = Broker::builder().config("tls-cert-file", "/no/such/file").start()?;
    broker.command(["CONFIG", "SET", "tls-key-file", "/no/such/key"])?;
    assert_eq!(
        broker.command(["CONFIG", "GET", "tls-*-file"])?.to_string(),
        r#"{"tls-cert-file": "/no/such/file", "tls-key-file": "/no/such/key", "tls-ca-cert-file": ""}"#
    );
    Ok(())
}

#[test]
fn certificates_in_memory_are_replaced_by_files() -> Outcome {
    let folder = Folder::with_certificates()?;
    let broker = Broker::builder().tls().start()?;
    let mut early = connect(&broker, None)?;
    let (certificate, key) = (folder.file("server.crt"), folder.file("server.key"));
    assert!(broker.command(["CONFIG", "SET", "tls-cert-file", &certificate]).is_err());
    broker.command(["CONFIG", "SET", "tls-cert-file", &certificate, "tls-key-file", &key])?;
    assert!(connect(&broker, None).is_err());
    assert_eq!(ping(&mut client_trusting(&broker, &folder.read("ca.crt"), None)?.get_connection()?)?, "PONG");
    assert_eq!(ping(&mut early)?, "PONG");
    broker.restart()?;
    assert_eq!(ping(&mut connect(&broker, None)?)?, "PONG");
    Ok(())
}
