//! TLS on the side of the server: the certificates with which connections are served, and a transport that encrypts.
//!
//! A connection has its client as soon as it is accepted: the handshake is a part of its first read. So one that has not
//! finished it counts against `maxclients` and keeps nobody else waiting.

use std::fmt;
use std::fs;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::unconstrained;
use tokio::time::Sleep;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, InconsistentKeys, RootCertStore,
    ServerConfig, SignatureScheme,
};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use crate::config::{AuthClients, Tls};

/// How long a client may take for the handshake, by the shell's time.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The longest file of certificates or keys that is read, in bytes.
const FILE_MAX: u64 = 1024 * 1024;
/// How many bytes are encrypted before they are written: as many as rustls keeps.
const ENCRYPTED_AT_ONCE: usize = 64 * 1024;

/// Certificates and a key as texts in PEM, in place of files.
#[derive(Clone)]
pub struct Pem {
    /// The server's certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
    /// The authority whose clients are trusted.
    pub authority: String,
}

/// Without the key.
impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pem")
    }
}

/// Certificates or a key that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The setting that names the file.
    pub setting: &'static str,
    /// The file; empty if none is named.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The certificates of a broker.
#[derive(Debug)]
pub struct Certificates {
    /// In place of files that the settings do not name.
    own: Option<Pem>,
    current: Mutex<Current>,
}

/// What new connections are served with.
#[derive(Debug)]
struct Current {
    auth_clients: AuthClients,
    loaded: Loaded,
}

/// For each value of `tls-auth-clients`, so that a change of it needs no file.
#[derive(Debug)]
struct Loaded {
    no: Arc<ServerConfig>,
    yes: Arc<ServerConfig>,
    optional: Arc<ServerConfig>,
}

impl Certificates {
    /// Those that the settings name.
    ///
    /// # Errors
    ///
    /// A file cannot be read or used, or is not named though it is needed.
    pub fn new(own: Option<Pem>, tls: &Tls) -> Result<Self, Unusable> {
        let loaded = load(own.as_ref(), tls)?;
        Ok(Self { own, current: Mutex::new(Current { auth_clients: tls.auth_clients(), loaded }) })
    }

    /// Reads the files that the settings name. New connections are served with what is in them.
    ///
    /// # Errors
    ///
    /// As [`Certificates::new`]; nothing has changed then.
    pub fn load(&self, tls: &Tls) -> Result<(), Unusable> {
        let loaded = load(self.own.as_ref(), tls)?;
        *self.current.lock() = Current { auth_clients: tls.auth_clients(), loaded };
        Ok(())
    }

    /// New connections are asked for a certificate as the settings say.
    pub fn ask(&self, tls: &Tls) {
        self.current.lock().auth_clients = tls.auth_clients();
    }

    fn now(&self) -> Arc<ServerConfig> {
        let current = self.current.lock();
        Arc::clone(match current.auth_clients {
            AuthClients::No => &current.loaded.no,
            AuthClients::Yes => &current.loaded.yes,
            AuthClients::Optional => &current.loaded.optional,
        })
    }
}

/// Reads a file, if it is a regular one that is not too long: others might never end.
fn read(setting: &'static str, file: &str) -> Result<Vec<u8>, Unusable> {
    let unusable = |reason: String| Unusable { setting, file: file.to_owned(), reason };
    let metadata = fs::metadata(file).map_err(|error| unusable(error.to_string()))?;
    if !metadata.is_file() {
        return Err(unusable("it is not a file".to_owned()));
    }
    if metadata.len() > FILE_MAX {
        return Err(unusable(format!("it is longer than {FILE_MAX} bytes")));
    }
    fs::read(file).map_err(|error| unusable(error.to_string()))
}

/// The certificates of a text.
fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match found {
        Ok(found) if found.is_empty() => Err("there is no certificate in it".to_owned()),
        found => found.map_err(|error| error.to_string()),
    }
}

fn load(own: Option<&Pem>, tls: &Tls) -> Result<Loaded, Unusable> {
    let missing =
        |setting| Unusable { setting, file: String::new(), reason: format!("No {setting} configured!") };
    let (text, key) = match own {
        Some(own) if tls.cert_file.is_empty() && tls.key_file.is_empty() => {
            (own.certificate.clone().into_bytes(), own.key.clone().into_bytes())
        }
        _ if tls.cert_file.is_empty() => return Err(missing("tls-cert-file")),
        _ if tls.key_file.is_empty() => return Err(missing("tls-key-file")),
        _ => (read("tls-cert-file", &tls.cert_file)?, read("tls-key-file", &tls.key_file)?),
    };
    let authority = match own {
        _ if !tls.ca_cert_file.is_empty() => Some(read("tls-ca-cert-file", &tls.ca_cert_file)?),
        own => own.map(|own| own.authority.clone().into_bytes()),
    };
    if authority.is_none() && tls.auth_clients() != AuthClients::No {
        let reason = "tls-ca-cert-file must be specified when tls-auth-clients is enabled".to_owned();
        return Err(Unusable { setting: "tls-ca-cert-file", file: String::new(), reason });
    }
    let of_certificate = |reason| Unusable { setting: "tls-cert-file", file: tls.cert_file.clone(), reason };
    let of_key = |reason| Unusable { setting: "tls-key-file", file: tls.key_file.clone(), reason };
    let of_authority =
        |reason| Unusable { setting: "tls-ca-cert-file", file: tls.ca_cert_file.clone(), reason };

    let provider = Arc::new(ring::default_provider());
    let chain = certificates(&text).map_err(of_certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|_| of_key("there is no private key in it, or it is encrypted".to_owned()))?;
    let key = provider.key_provider.load_private_key(key).map_err(|error| of_key(error.to_string()))?;
    let certified = CertifiedKey::new(chain, key);
    if certified.keys_match() == Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) {
        // Other errors are about certificates that clients may take nevertheless, such as those of version 1.
        return Err(of_key("it is not the key of the certificate".to_owned()));
    }
    let mut roots = RootCertStore::empty();
    for certificate in
        authority.as_deref().map(certificates).transpose().map_err(of_authority)?.unwrap_or_default()
    {
        roots.add(certificate).map_err(|error| of_authority(error.to_string()))?;
    }
    let (roots, certified) = (Arc::new(roots), Arc::new(certified));
    let config = |verifier| {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| of_certificate(error.to_string()))?;
        let resolver = SingleCertAndKey::from(Arc::clone(&certified));
        Ok(Arc::new(builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(resolver))))
    };
    let asking = |mandatory: bool| -> Result<Arc<dyn ClientCertVerifier>, Unusable> {
        if roots.is_empty() {
            return Ok(Arc::new(TrustNone { provider: Arc::clone(&provider), mandatory }));
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
        let builder = if mandatory { builder } else { builder.allow_unauthenticated() };
        builder.build().map_err(|error| of_authority(error.to_string()))
    };
    Ok(Loaded {
        no: config(WebPkiClientVerifier::no_client_auth())?,
        yes: config(asking(true)?)?,
        optional: config(asking(false)?)?,
    })
}

/// Trusts no certificate: clients are asked for one, and no authority is known.
#[derive(Debug)]
struct TrustNone {
    provider: Arc<CryptoProvider>,
    mandatory: bool,
}

impl ClientCertVerifier for TrustNone {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Err(CertificateError::UnknownIssuer.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The transport over an encrypted stream. Reading and writing first finish the handshake; one that fails or takes too
/// long ends the connection.
pub(super) struct OverTls<S: AsyncRead + AsyncWrite + Unpin>(Phase<S>);

enum Phase<S> {
    Handshake { accept: Accept<S>, deadline: Pin<Box<Sleep>> },
    Open(TlsStream<S>),
    Failed,
}

impl<S: AsyncRead + AsyncWrite + Unpin> OverTls<S> {
    /// The time for the handshake begins. Needs the context of a runtime.
    pub fn accept(stream: S, certificates: &Certificates) -> Self {
        let accept = TlsAcceptor::from(certificates.now()).accept(stream);
        Self(Phase::Handshake { accept, deadline: Box::pin(tokio::time::sleep(HANDSHAKE)) })
    }

    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<S>>>> {
        if let Phase::Handshake { accept, deadline } = &mut self.0 {
            let accepted = match Pin::new(accept).poll(context) {
                Poll::Ready(accepted) => accepted,
                Poll::Pending => {
                    ready!(deadline.as_mut().poll(context));
                    Err(io::ErrorKind::TimedOut.into())
                }
            };
            match accepted {
                Ok(stream) => self.0 = Phase::Open(stream),
                Err(error) => {
                    // The socket closes.
                    self.0 = Phase::Failed;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(match &mut self.0 {
            Phase::Open(stream) => Ok(Pin::new(stream)),
            Phase::Handshake { .. } | Phase::Failed => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for OverTls<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_open(context))?.poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for OverTls<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // rustls would encrypt and write all of it, whatever the caller's turn is.
        let part = &bytes[..bytes.len().min(ENCRYPTED_AT_ONCE)];
        ready!(self.poll_open(context))?.poll_write(context, part)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(context))?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(context))?.poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for OverTls<S> {
    /// The client sees that the stream ends here, as with redis-server: without that clients report a broken connection.
    fn drop(&mut self) {
        if let Phase::Open(stream) = &mut self.0 {
            // Best effort: the socket may be full. The caller may be a task of a runtime, whose budget must not end it.
            let close = unconstrained(poll_fn(|context| Pin::new(&mut *stream).poll_shutdown(context)));
            let _ = pin!(close).poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    fn certificates() -> Certificates {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("they are made");
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let pem = Pem { authority: certificate.clone(), certificate, key };
        Certificates::new(Some(pem), &Tls::default()).expect("they can be used")
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_in_the_handshake_is_cut_off_in_the_end() {
        let (mut client, server) = duplex(1024);
        let mut transport = OverTls::accept(server, &certificates());
        client.write_all(b"\x16\x03\x01").await.expect("there is space");
        let started = Instant::now();
        let ended = transport.read_u8().await.expect_err("it has not finished");
        assert_eq!((ended.kind(), started.elapsed()), (io::ErrorKind::TimedOut, HANDSHAKE));
        // The socket is closed, though the transport still exists.
        assert_eq!(client.read(&mut [0; 1]).await.expect("it ends"), 0);
        let later = transport.write_u8(0).await.expect_err("it has ended");
        assert_eq!(later.kind(), io::ErrorKind::NotConnected);
    }
}
