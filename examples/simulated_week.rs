//! A week of a chat in some milliseconds.
//!
//! Features of a chat that depend on time (who is online, messages that vanish after two days, a session that ends
//! after a week) are tested with a clock that the test moves. Expiry, the timeouts of blocking commands, the ids of
//! streams and idle times all follow this clock. What is due has happened when `advance` returns.
//!
//! `cargo run --example simulated_week`

use std::error::Error;
use std::thread;
use std::time::{Duration, SystemTime};

use minibroker::Broker;
use redis::{Commands, ExpireOption, RedisResult};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a message stays, in seconds for HEXPIRE.
const TWO_DAYS: i64 = 2 * 24 * 60 * 60;

/// A user does something: the user is online for a minute from now on, and the session lasts for a week.
fn shows_up(connection: &mut redis::Connection, user: &str) -> RedisResult<()> {
    redis::pipe()
        .set_ex(format!("online:{user}"), "1", MINUTE.as_secs())
        .set_ex(format!("session:{user}"), "token", 7 * DAY.as_secs())
        .exec(connection)
}

fn main() -> Result<(), Box<dyn Error>> {
    // The week begins on Monday, 2026-03-02, in each run.
    let monday = SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_409_600);
    let broker = Broker::builder().manual_clock_at(monday).start()?;
    broker.print_journal_on_panic();
    let mut connection = redis::Client::open(broker.url())?.get_connection()?;

    // Monday: Ann is online until she has been quiet for a minute, to the millisecond.
    shows_up(&mut connection, "ann")?;
    broker.advance(Duration::from_millis(59_999));
    assert!(connection.exists::<_, bool>("online:ann")?);
    broker.advance(Duration::from_millis(1));
    assert!(!connection.exists::<_, bool>("online:ann")?);

    // A worker waits an hour for something to do and gives up. The test does not wait: it moves the clock once the worker
    // is waiting.
    let url = broker.url();
    let worker = thread::spawn(move || -> RedisResult<Option<(String, String)>> {
        redis::Client::open(url)?.get_connection()?.blpop("jobs", HOUR.as_secs_f64())
    });
    broker.wait_for_blocked("jobs", 1).blocking()?;
    broker.advance(HOUR);
    assert_eq!(worker.join().expect("the worker does not panic")?, None);

    // One message a day. Each vanishes two days later; the id of an entry says when it was written.
    for day in 0..5 {
        broker.set_time(monday + (day + 1) * DAY);
        let id: String = connection.xadd("log", "*", &[("text", format!("day {day}"))])?;
        assert_eq!(id, format!("{}-0", 1_772_409_600_000 + 86_400_000 * (u64::from(day) + 1)));
        let _: () = connection.hset("board", format!("day {day}"), "a message")?;
        let _: Vec<i32> = connection.hexpire("board", TWO_DAYS, ExpireOption::NONE, format!("day {day}"))?;
    }
    // Saturday: the messages of Friday and Saturday are still on the board.
    let mut left: Vec<String> = connection.hkeys("board")?;
    left.sort();
    assert_eq!(left, ["day 3", "day 4"]);

    // Ann has not come back. Her session ends with the week.
    broker.set_time(monday + 7 * DAY - Duration::from_millis(1));
    assert!(connection.exists::<_, bool>("session:ann")?);
    broker.advance(Duration::from_millis(1));
    assert!(!connection.exists::<_, bool>("session:ann")?);

    println!(
        "a week has passed for the broker: it is {:?} after Monday",
        broker.now().duration_since(monday)?
    );
    Ok(())
}
