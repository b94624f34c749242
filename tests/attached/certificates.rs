//! Certificates for servers with TLS.

use std::path::PathBuf;
use std::{env, fs};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// Certificates in a folder, which is removed when this is dropped.
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// A certificate for this machine, issued by an unknown authority.
    pub fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let folder = env::temp_dir().join(format!("minibroker-tls-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let certificates = Self { folder };
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        fs::write(certificates.file("ca.pem"), authority.pem())?;
        fs::write(certificates.file("key.pem"), key.serialize_pem())?;
        fs::write(certificates.file("server.pem"), certificate.pem())?;
        Ok(certificates)
    }

    /// The path of a file in it: `ca.pem` is the authority's.
    pub fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The settings with which a redis-server uses them.
    pub fn settings(&self, port: u16) -> Vec<String> {
        let port = port.to_string();
        let (certificate, key, authority) =
            (self.file("server.pem"), self.file("key.pem"), self.file("ca.pem"));
        [
            ["--tls-port", &port],
            ["--tls-cert-file", &certificate],
            ["--tls-key-file", &key],
            ["--tls-ca-cert-file", &authority],
            ["--tls-auth-clients", "no"],
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
