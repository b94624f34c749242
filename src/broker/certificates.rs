//! Certificates that a broker makes for itself.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// The files of a folder, by the names that redis' own script gives them.
pub(super) const AUTHORITY: &str = "ca.crt";
pub(super) const CERTIFICATE: &str = "server.crt";
pub(super) const KEY: &str = "server.key";
pub(super) const CLIENT_CERTIFICATE: &str = "client.crt";
pub(super) const CLIENT_KEY: &str = "client.key";

/// An authority's certificate, and one each for the broker and its clients. All are valid at any time: clocks of tests
/// may be moved. The authority's key is not kept: it issues no others.
#[derive(Clone)]
pub(super) struct OwnCertificates {
    pub authority: String,
    pub certificate: String,
    pub key: String,
    pub client_certificate: String,
    pub client_key: String,
}

impl OwnCertificates {
    /// For a broker at these addresses, and at `localhost`.
    pub fn new(addresses: &[IpAddr]) -> Result<Self, Error> {
        let mut authority = named("minibroker: authority of tests", Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let issue = |mut wanted: CertificateParams, purpose| -> Result<_, Error> {
            wanted.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            wanted.extended_key_usages = vec![purpose];
            // Strict clients, such as Python's from 3.13 on, refuse a certificate without it.
            wanted.use_authority_key_identifier_extension = true;
            let key = KeyPair::generate()?;
            Ok((wanted.signed_by(&key, &authority)?.pem(), key.serialize_pem()))
        };
        let mut names = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        names.extend(addresses.iter().filter(|ip| !ip.is_unspecified() && !ip.is_loopback()));
        let names = names.iter().map(IpAddr::to_string).chain(["localhost".to_owned()]).collect();
        let (certificate, key) = issue(named("minibroker", names)?, ExtendedKeyUsagePurpose::ServerAuth)?;
        let (client_certificate, client_key) =
            issue(named("minibroker: client", Vec::new())?, ExtendedKeyUsagePurpose::ClientAuth)?;
        Ok(Self { authority: authority.pem(), certificate, key, client_certificate, client_key })
    }

    /// Those of a folder, which are made if it has none of these files. Files that are there are never changed.
    pub fn in_folder(folder: &Path, addresses: &[IpAddr]) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let files = [AUTHORITY, CERTIFICATE, KEY, CLIENT_CERTIFICATE, CLIENT_KEY];
        if files.iter().any(|file| folder.join(file).exists()) {
            let read = |file: &str| {
                fs::read_to_string(folder.join(file))
                    .map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))
            };
            return Ok(Self {
                authority: read(AUTHORITY)?,
                certificate: read(CERTIFICATE)?,
                key: read(KEY)?,
                client_certificate: read(CLIENT_CERTIFICATE)?,
                client_key: read(CLIENT_KEY)?,
            });
        }
        let made = Self::new(addresses).map_err(io::Error::other)?;
        let texts =
            [&made.authority, &made.certificate, &made.key, &made.client_certificate, &made.client_key];
        for (file, text) in files.into_iter().zip(texts) {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            if [KEY, CLIENT_KEY].contains(&file) {
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            }
            options.open(folder.join(file))?.write_all(text.as_bytes())?;
        }
        Ok(made)
    }
}

fn named(name: &str, addresses: Vec<String>) -> Result<CertificateParams, Error> {
    let mut wanted = CertificateParams::new(addresses)?;
    wanted.distinguished_name.remove(DnType::CommonName);
    wanted.distinguished_name.push(DnType::CommonName, name);
    Ok(wanted)
}
