//! TLS: what a builder wants of it, and the certificates of a broker.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::certificates::{self, OwnCertificates};
use super::{Broker, StartError};
use crate::config::{AuthClients, Tls};
use crate::server::{Certificates, Pem, Unusable};
use crate::state;

/// What is wanted of TLS.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub place: Place,
    /// Where the broker's own certificates are kept, if not in memory.
    pub folder: Option<PathBuf>,
}

/// Where TLS is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere.
    #[default]
    Nowhere,
    /// On the broker's port, in place of plain TCP.
    Port,
    /// On a port of its own.
    Beside(u16),
}

/// The certificates of a broker that speaks TLS.
pub(super) struct Encryption {
    pub place: Place,
    pub certificates: Arc<Certificates>,
    /// Those that the broker has made itself.
    pub own: Option<Box<OwnCertificates>>,
}

impl Wanted {
    /// The certificates for the start; none if TLS is not spoken.
    pub fn certificates(
        &self,
        tls: &mut Tls,
        addresses: &[IpAddr],
    ) -> Result<Option<Encryption>, StartError> {
        if self.place == Place::Nowhere {
            return Ok(None);
        }
        let own = if tls.cert_file.is_empty() && tls.key_file.is_empty() {
            tls.auth_clients.get_or_insert(AuthClients::No);
            Some(Box::new(self.own(tls, addresses)?))
        } else {
            None
        };
        let pem = own.as_ref().map(|own| Pem {
            certificate: own.certificate.clone(),
            key: own.key.clone(),
            authority: own.authority.clone(),
        });
        let certificates = Arc::new(Certificates::new(pem, tls)?);
        Ok(Some(Encryption { place: self.place, certificates, own }))
    }

    fn own(&self, tls: &mut Tls, addresses: &[IpAddr]) -> Result<OwnCertificates, StartError> {
        let Some(folder) = &self.folder else {
            let failed = |error: rcgen::Error| StartError::Setting {
                name: "tls-cert-file".to_owned(),
                value: String::new(),
                reason: error.to_string(),
            };
            return OwnCertificates::new(addresses).map_err(failed);
        };
        let own = OwnCertificates::in_folder(folder, addresses).map_err(|error| StartError::Setting {
            name: "tls-dir".to_owned(),
            value: folder.display().to_string(),
            reason: error.to_string(),
        })?;
        let file = |name| folder.join(name).display().to_string();
        tls.cert_file = file(certificates::CERTIFICATE);
        tls.key_file = file(certificates::KEY);
        if tls.ca_cert_file.is_empty() {
            tls.ca_cert_file = file(certificates::AUTHORITY);
        }
        Ok(own)
    }
}

impl Encryption {
    /// The certificates as CONFIG SET changes them.
    pub fn in_state(&self) -> state::Certificates {
        let (loaded, asked) = (Arc::clone(&self.certificates), Arc::clone(&self.certificates));
        state::Certificates::new(move |tls| loaded.load(tls).is_ok(), move |tls| asked.ask(tls))
    }
}

impl From<Unusable> for StartError {
    fn from(Unusable { setting, file, reason }: Unusable) -> Self {
        Self::Setting { name: setting.to_owned(), value: file, reason }
    }
}

/// The certificate of a client, for a broker that asks for one: see [`Broker::client_certificate`].
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientCertificate {
    /// The certificate, as text in PEM.
    pub certificate: String,
    /// Its private key, as text in PEM.
    pub key: String,
}

/// Without the key.
impl std::fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientCertificate").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// TLS, with the feature `tls`.
impl Broker {
    /// The certificate of the authority that has issued the broker's own, as text in PEM: what a client has to trust. See
    /// [`Builder::tls`](super::Builder::tls).
    ///
    /// # Panics
    ///
    /// The broker has no certificates of its own: it does not speak TLS, or its certificate is a file.
    #[must_use]
    #[track_caller]
    pub fn ca_certificate(&self) -> &str {
        &self.own_certificates("ca_certificate").authority
    }

    /// A certificate of the broker's own authority for a client, with its key. Clients need one if the setting
    /// `tls-auth-clients` is `yes`; with `optional` they may have one.
    ///
    /// # Panics
    ///
    /// As [`Broker::ca_certificate`].
    ///
    /// ```
    /// use minibroker::Broker;
    /// use redis::{Client, ClientTlsConfig, TlsCertificates};
    ///
    /// let broker = Broker::builder().tls().config("tls-auth-clients", "yes").start()?;
    /// let client = broker.client_certificate();
    /// let certificates = TlsCertificates {
    ///     client_tls: Some(ClientTlsConfig {
    ///         client_cert: client.certificate.into_bytes(),
    ///         client_key: client.key.into_bytes(),
    ///     }),
    ///     root_cert: Some(broker.ca_certificate().into()),
    /// };
    /// let mut connection = Client::build_with_tls(broker.url(), certificates)?.get_connection()?;
    /// assert_eq!(redis::cmd("PING").query::<String>(&mut connection)?, "PONG");
    ///
    /// let without = TlsCertificates { client_tls: None, root_cert: Some(broker.ca_certificate().into()) };
    /// assert!(Client::build_with_tls(broker.url(), without)?.get_connection().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn client_certificate(&self) -> ClientCertificate {
        let own = self.own_certificates("client_certificate");
        ClientCertificate { certificate: own.client_certificate.clone(), key: own.client_key.clone() }
    }

    /// The port that speaks TLS, if there is one: see [`Builder::tls_port`](super::Builder::tls_port).
    #[must_use]
    pub fn tls_port(&self) -> Option<u16> {
        let port = self.server.shared.with_state(|state| state.config.tls.port);
        (port != 0).then_some(port)
    }

    #[track_caller]
    fn own_certificates(&self, what: &str) -> &OwnCertificates {
        match &self.server.own_certificates {
            Some(own) => own,
            None => panic!("`{what}`: this broker has made no certificates: see `Builder::tls`"),
        }
    }
}
