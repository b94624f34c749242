//! Servers that speak TLS, with the same certificates.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, io};

use minibroker::Broker;

use crate::servers::{self, Server};

/// A minibroker that speaks TLS, and the folder with its certificates, which is removed with it.
pub struct OverTls {
    broker: Broker,
    folder: PathBuf,
}

impl OverTls {
    pub fn start() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("minibroker-programs-{}-{number}", std::process::id()));
        let builder = Broker::builder().tls().tls_dir(&folder).config("tls-auth-clients", "optional");
        Self { broker: builder.start().expect("it starts"), folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Starts a real server with the same certificates. Returns also its port for TLS.
    pub fn real(&self, program: &Path) -> io::Result<(Server, u16)> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let settings = [
            ["--tls-port", &port.to_string()],
            ["--tls-cert-file", &self.file("server.crt")],
            ["--tls-key-file", &self.file("server.key")],
            ["--tls-ca-cert-file", &self.file("ca.crt")],
            ["--tls-auth-clients", "optional"],
        ];
        let settings: Vec<_> = settings.concat().into_iter().map(str::to_owned).collect();
        Ok((servers::start(program, &settings)?, port))
    }

    /// The port of minibroker.
    pub fn port(&self) -> u16 {
        self.broker.port()
    }

    /// What a program finds in its environment.
    pub fn environment(&self, port: u16) -> Vec<(&'static str, String)> {
        vec![
            ("REDIS_URL", format!("rediss://localhost:{port}")),
            ("REDIS_CA_FILE", self.file("ca.crt")),
            ("REDIS_CERT_FILE", self.file("client.crt")),
            ("REDIS_KEY_FILE", self.file("client.key")),
        ]
    }
}

impl Drop for OverTls {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
