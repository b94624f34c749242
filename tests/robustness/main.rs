//! Clients that break the rules, vanish, flood or never read. Each gets a clear error or its connection closed;
//! nobody else notices, and nothing of it is left.

mod allocations;
mod before_login;
mod documented;
#[cfg(unix)]
mod files;
mod limits;
mod peer;
mod requests;
mod shared_output;
mod transports;
mod vanishing;
