//! A broker that speaks TLS: who connects and who does not, what a connection that misbehaves does to others, and that a
//! connection is served as one without TLS.

mod clients;
mod files;
mod misbehaving;
mod serving;

use std::error::Error;
use std::sync::Arc;

use minibroker::{Broker, ClientCertificate};
use redis::{Client, ClientTlsConfig, TlsCertificates};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore};

type Outcome = Result<(), Box<dyn Error>>;

/// A client of the broker that trusts this authority.
fn client_trusting(
    broker: &Broker,
    authority: &str,
    certificate: Option<ClientCertificate>,
) -> redis::RedisResult<Client> {
    let client_tls = certificate.map(|own| ClientTlsConfig {
        client_cert: own.certificate.into_bytes(),
        client_key: own.key.into_bytes(),
    });
    let port = broker.tls_port().expect("it speaks TLS");
    let certificates = TlsCertificates { client_tls, root_cert: Some(authority.into()) };
    Client::build_with_tls(format!("rediss://127.0.0.1:{port}"), certificates)
}

/// A connection with a certificate of its own, or without.
fn connect(broker: &Broker, certificate: Option<ClientCertificate>) -> redis::RedisResult<redis::Connection> {
    client_trusting(broker, broker.ca_certificate(), certificate)?.get_connection()
}

/// What a client that trusts the broker says, without a socket.
fn conversation(broker: &Broker) -> Result<ClientConnection, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(broker.ca_certificate().as_bytes())?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?)
}

/// The reply to PING.
fn ping(connection: &mut redis::Connection) -> redis::RedisResult<String> {
    redis::cmd("PING").query(connection)
}
