//! Where the certificates of TLS are kept: the engine knows no files.

use std::fmt;
use std::sync::Arc;

use crate::config::Tls;

type Load = dyn Fn(&Tls) -> bool + Send + Sync;
type Ask = dyn Fn(&Tls) + Send + Sync;

/// The certificates with which new connections are served.
#[derive(Clone)]
pub struct Certificates {
    load: Arc<Load>,
    ask: Arc<Ask>,
}

impl Certificates {
    /// `load` reads the files of the settings; if it returns false they cannot be used, and nothing has changed. `ask`
    /// changes which clients need a certificate.
    pub fn new(
        load: impl Fn(&Tls) -> bool + Send + Sync + 'static,
        ask: impl Fn(&Tls) + Send + Sync + 'static,
    ) -> Self {
        Self { load: Arc::new(load), ask: Arc::new(ask) }
    }

    /// Reads the files again; false if they cannot be used.
    #[must_use]
    pub fn load(&self, tls: &Tls) -> bool {
        (self.load)(tls)
    }

    /// From now on clients are asked for a certificate as the settings say.
    pub fn ask(&self, tls: &Tls) {
        (self.ask)(tls);
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates")
    }
}
