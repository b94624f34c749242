//! Clients that break the rules, vanish, flood or never read. Each gets a clear error or its connection closed;
//! other clients are not affected, and nothing is left behind.

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
mod turns;
mod vanishing;
