//! The broker's clock, moved by a test.

use std::time::{Duration, SystemTime};

use super::server::Backend;
use super::{Broker, Server};
use crate::engine::{Engine, Unreachable};
use crate::server::Shared;

impl<S: Server> Broker<S> {
    /// The time by the broker's clock, in microseconds: what TIME returns.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    /// let broker = minibroker::Broker::builder().manual_clock_at(noon).start()?;
    /// broker.advance(Duration::from_millis(1500));
    /// assert_eq!(broker.now(), noon + Duration::from_millis(1500));
    /// # Ok::<(), minibroker::StartError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// The broker is a [real server](Broker::attach) that does not answer.
    #[must_use]
    #[track_caller]
    pub fn now(&self) -> SystemTime {
        match self.server.backend() {
            Backend::Embedded(broker) => broker.shared.time().into(),
            Backend::Attached(server) => server.now(),
        }
    }
}

impl Broker {
    /// Moves the clock ahead. All that is due by then has happened when it returns: keys and fields of hashes have
    /// expired, blocking commands that timed out are answered, CLIENT PAUSE has ended, idle clients are cut off. It
    /// happens in the order of the deadlines, and each at its own time, as the [`journal`](Broker::journal) shows.
    ///
    /// With [`manual_clock`](super::Builder::manual_clock) time passes only by this and by [`Broker::set_time`]; any
    /// other clock jumps and runs on from there. The timeouts of the test's own [waits](super::Wait) are not affected
    /// in either case.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let broker = minibroker::Broker::builder().manual_clock().start()?;
    /// broker.command(["SET", "session:ann", "there", "EX", "2592000"])?;
    ///
    /// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    /// broker.advance(30 * DAY - Duration::from_millis(1));
    /// assert_eq!(broker.command(["GET", "session:ann"])?, "there");
    /// broker.advance(Duration::from_millis(1));
    /// assert_eq!(broker.command(["GET", "session:ann"])?, minibroker::Value::Null);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    ///
    /// The clock would pass the end of the year 9999, the last time that it can show.
    #[track_caller]
    pub fn advance(&self, by: Duration) {
        let shared = &self.server.shared;
        expect_reachable(shared.change(|engine, shell| engine.move_target_time(by, shell)));
        move_clock(shared);
    }

    /// Moves the clock ahead to this time, as [`Broker::advance`] does.
    ///
    /// # Panics
    ///
    /// The time has passed: the broker's clock never goes back, as Redis's may not either. Or it is after the end of
    /// the year 9999, the last time that the clock can show.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    /// let broker = minibroker::Broker::builder().manual_clock_at(at(1_700_000_000)).start()?;
    /// broker.command(["SET", "offer", "half price"])?;
    /// broker.command(["EXPIREAT", "offer", "1700003600"])?;
    /// broker.set_time(at(1_700_003_600));
    /// assert_eq!(broker.command(["EXISTS", "offer"])?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn set_time(&self, time: SystemTime) {
        let shared = &self.server.shared;
        expect_reachable(shared.change(|engine, shell| engine.set_target_time(time.into(), shell)));
        move_clock(shared);
    }
}

/// A mistake of the test.
#[track_caller]
fn expect_reachable(moved: Result<(), Unreachable>) {
    match moved {
        Ok(()) => {}
        Err(Unreachable::Passed(back)) => {
            panic!(
                "the broker's clock does not go back: it is {back:?} later already than the time to be set"
            )
        }
        Err(Unreachable::TooFar) => {
            panic!("the broker's clock can be moved to the end of the year 9999 at most")
        }
    }
}

fn move_clock(shared: &Shared) {
    loop {
        shared.wait_for_scripts();
        if !shared.change(Engine::move_clock_for_a_while) {
            return;
        }
    }
}
