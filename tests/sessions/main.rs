//! `minibroker record`, `replay`, `compare` and `conform` as a user runs them: sessions of real clients, on embedded
//! brokers and on every installed real server.

#[cfg(feature = "tls")]
#[path = "../attached/certificates.rs"]
mod certificates;
#[allow(dead_code)]
#[path = "../comparison/servers.rs"]
mod servers;
#[path = "../skipped/mod.rs"]
mod skipped;

mod conforming;
mod passing;
mod playing;
mod program;
mod recording;
#[cfg(feature = "tls")]
mod tls;
mod wrong;

/// What a test returns.
type Tested = Result<(), Box<dyn std::error::Error>>;
