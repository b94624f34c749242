//! The settings of TLS.

/// `tls-auth-clients`: whether clients show a certificate that the authorities of `tls-ca-cert-file` have issued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthClients {
    /// No client is asked for one.
    No,
    /// Each client has to.
    #[default]
    Yes,
    /// A client may have none, but not one of another authority.
    Optional,
}

impl AuthClients {
    /// All of them, in redis-server's order.
    pub const ALL: [Self; 3] = [Self::No, Self::Yes, Self::Optional];

    /// Its name in redis.conf.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::Optional => "optional",
        }
    }
}

/// The settings of TLS, by their names in redis.conf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// `tls-port`; 0: TLS is not spoken.
    pub port: u16,
    /// `tls-cert-file`: the server's certificate and those between it and its authority.
    pub cert_file: String,
    /// `tls-key-file`: the private key of that certificate.
    pub key_file: String,
    /// `tls-ca-cert-file`: the authorities whose clients are trusted.
    pub ca_cert_file: String,
    /// `tls-auth-clients`, if it was set.
    pub auth_clients: Option<AuthClients>,
}

impl Tls {
    /// `tls-auth-clients`.
    #[must_use]
    pub fn auth_clients(&self) -> AuthClients {
        self.auth_clients.unwrap_or_default()
    }

    /// True for a setting whose change has the files read again, even if the name of the file stays: its content may
    /// be new.
    #[must_use]
    pub fn is_file(name: &[u8]) -> bool {
        let files: [&[u8]; 3] = [b"tls-cert-file", b"tls-key-file", b"tls-ca-cert-file"];
        files.iter().any(|file| file.eq_ignore_ascii_case(name))
    }
}
