//! TLS: what a builder wants of it, and the certificates of a broker.

use std::sync::Arc;

use super::{Broker, StartError};
use crate::config::Config;
use crate::server::{Certificates, Unusable};
use crate::state;

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

impl Place {
    /// The certificates for the start; none if TLS is not spoken.
    pub fn certificates(self, config: &Config) -> Result<Option<Arc<Certificates>>, StartError> {
        if self == Self::Nowhere {
            return Ok(None);
        }
        Ok(Some(Arc::new(Certificates::new(None, &config.tls)?)))
    }
}

/// The certificates as CONFIG SET changes them.
pub(super) fn in_state(certificates: &Arc<Certificates>) -> state::Certificates {
    let (loaded, asked) = (Arc::clone(certificates), Arc::clone(certificates));
    state::Certificates::new(move |tls| loaded.load(tls).is_ok(), move |tls| asked.ask(tls))
}

impl From<Unusable> for StartError {
    fn from(Unusable { setting, file, reason }: Unusable) -> Self {
        Self::Setting { name: setting.to_owned(), value: file, reason }
    }
}

impl Broker {
    /// The port that speaks TLS, if there is one: see [`Builder::tls`](super::Builder::tls).
    #[must_use]
    pub fn tls_port(&self) -> Option<u16> {
        let port = self.server.shared.with_state(|state| state.config.tls.port);
        (port != 0).then_some(port)
    }
}
