//! What a test adds to a broker: the journal of all events, faults, conditions that a test waits for, and whether
//! connections are accepted.

pub mod availability;
pub mod faults;
pub mod journal;

pub use availability::Availability;
pub use faults::Faults;
pub use journal::Recorder;
