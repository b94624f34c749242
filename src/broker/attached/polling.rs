//! Waiting for a state of a server, by polling.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::blocking_query::BlockingQuery;
use super::server::Server;
use crate::broker::State;
use crate::broker::goal::{Goal, Outcome, Question};
use crate::clients::Candidate;
use crate::clients::condition::{Condition, Seen, others};
use crate::remote::{RemoteError, TIMEOUT};
use crate::resp::Value;

/// The time between two queries of a server.
const PAUSE: Duration = Duration::from_millis(5);
/// How often the clients are queried until no blocked client has continued in between.
const ATTEMPTS: usize = 10;
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The count, and an explanation.
struct Count {
    count: usize,
    hint: &'static str,
}

impl From<usize> for Count {
    fn from(count: usize) -> Self {
        Self { count, hint: "" }
    }
}

impl Server {
    async fn count(&self, condition: &Condition) -> Result<Count, RemoteError> {
        let database = self.database();
        let count = match condition {
            Condition::Subscribers { channel, .. } => {
                let counts = self.waits.order(database, [b"PUBSUB", &b"NUMSUB"[..], channel]).await?;
                integer(counts.as_slice().and_then(|counts| counts.get(1)))
            }
            Condition::PatternSubscribers { pattern, .. } => {
                let clients = self.clients_with_facts().await?;
                clients.iter().filter(|client| client.has_pattern(pattern)).count()
            }
            Condition::Blocked { key, .. } => {
                let mut clients = self.clients_with_facts().await?;
                for _ in 0..ATTEMPTS {
                    // A client that has continued meanwhile may be blocked on another key by now.
                    if clients.iter().all(|client| client.is_sure || !client.listed.blocked) {
                        break;
                    }
                    clients = self.clients_with_facts().await?;
                }
                clients.iter().filter(|client| client.waits_for(key)).count()
            }
            Condition::Published { channel, .. } => {
                self.observer.catch_up().await?;
                self.observer.with_log(|log| log.messages(channel).count())
            }
            Condition::Clients { .. } => self.clients().await?.len(),
            Condition::Pending { stream, group, .. } => {
                return match self.waits.ask(database, [b"XPENDING", &stream[..], group]).await? {
                    Value::Error(text) if text.starts_with("NOGROUP") => {
                        Ok(Count { count: 0, hint: " (there is no such group)" })
                    }
                    Value::Error(text) if text.starts_with("WRONGTYPE") => {
                        Ok(Count { count: 0, hint: " (there is no such stream)" })
                    }
                    Value::Error(text) => Err(RemoteError::Refused(text)),
                    summary => Ok(integer(summary.as_slice().and_then(|summary| summary.first())).into()),
                };
            }
            Condition::Length { .. } | Condition::Fault { .. } => {
                return Err(RemoteError::Refused("a real server does not count this".to_owned()));
            }
        };
        Ok(count.into())
    }

    /// The count for the condition.
    pub async fn number(&self, condition: &Condition) -> Result<usize, RemoteError> {
        Ok(self.count(condition).await?.count)
    }

    /// What similar things there are if the count is 0, one of which may have been meant.
    async fn hint(&self, condition: &Condition) -> Result<String, RemoteError> {
        Ok(match condition {
            Condition::Subscribers { .. } => {
                let names = self.waits.order(0, ["PUBSUB", "CHANNELS"]).await?;
                let names = names.as_slice().unwrap_or_default().iter().filter_map(Value::as_bytes);
                let counted = [&b"PUBSUB"[..], b"NUMSUB"].into_iter().chain(names);
                let counts = self.waits.order(0, counted).await?;
                let pairs = counts.as_slice().unwrap_or_default().chunks(2);
                let pairs = pairs.map(|pair| {
                    (pair.first().and_then(Value::as_bytes).unwrap_or_default(), integer(pair.get(1)))
                });
                others("channels", pairs)
            }
            Condition::Published { .. } => {
                let channels = self.channels();
                others("channels", channels.iter().map(|(name, count)| (&name[..], *count)))
            }
            _ => String::new(),
        })
    }

    async fn seen(&self, condition: &Condition, count: Count) -> Seen {
        let Count { count, hint } = count;
        // If the server does not answer, there is no hint.
        let more = if count == 0 { self.hint(condition).await.unwrap_or_default() } else { String::new() };
        Seen { count: Some(count), text: format!("{count}{hint}{more}") }
    }

    /// The state in a line.
    pub async fn summary(&self) -> Result<String, RemoteError> {
        let clients = self.clients().await?;
        let blocked = clients.iter().filter(|client| client.blocked).count();
        let keys = integer(Some(&self.waits.order(self.database(), ["DBSIZE"]).await?));
        Ok(format!("{} clients, {blocked} blocked; {keys} keys", clients.len()))
    }
}

fn integer(value: Option<&Value>) -> usize {
    value.and_then(Value::as_integer).and_then(|count| usize::try_from(count).ok()).unwrap_or_default()
}

/// Waits until the goal is reached, or the wait times out.
pub async fn wait(server: Arc<Server>, goal: Goal, within: Duration) -> Outcome {
    let deadline = Instant::now() + within.min(LONGEST_WAIT);
    let work = async {
        match goal {
            Goal::Count(condition) => wait_for_count(&server, &condition, deadline).await,
            Goal::Until(question) => wait_until(&server, question, deadline).await,
        }
    };
    let outcome = timeout_at(deadline + TIMEOUT, work).await.unwrap_or(Err(RemoteError::Silent));
    outcome.unwrap_or_else(|error| Outcome::Unavailable(format!("{}: {error}", server.target())))
}

async fn wait_for_count(
    server: &Server,
    condition: &Condition,
    deadline: Instant,
) -> Result<Outcome, RemoteError> {
    let by_event = matches!(condition, Condition::Published { .. });
    loop {
        let mut published = std::pin::pin!(server.observer.published.notified());
        published.as_mut().enable();
        let count = server.count(condition).await?;
        if condition.is_met_by(count.count) {
            return Ok(Outcome::Met);
        }
        if Instant::now() >= deadline {
            return Ok(Outcome::TimedOut(server.seen(condition, count).await));
        }
        if by_event {
            // In both cases the count is checked again.
            let _ = timeout_at(deadline, published).await;
        } else {
            sleep_until(deadline.min(Instant::now() + PAUSE)).await;
        }
    }
}

async fn wait_until(
    server: &Arc<Server>,
    mut question: Question,
    deadline: Instant,
) -> Result<Outcome, RemoteError> {
    loop {
        let blocking_query = BlockingQuery::new(Arc::clone(server));
        // The test's own code waits for replies, which this thread receives.
        let asked = tokio::task::spawn_blocking(move || {
            let answer = catch_unwind(AssertUnwindSafe(|| question(State::of_server(&blocking_query))));
            (answer, question, blocking_query.failed())
        });
        let Ok((answer, returned, failed)) = asked.await else { return Err(RemoteError::Closed) };
        question = returned;
        match (answer, failed) {
            (Err(panic), _) => return Ok(Outcome::Panicked(panic)),
            (_, Some(error)) => return Err(error),
            (Ok(true), None) => return Ok(Outcome::Met),
            (Ok(false), None) => {}
        }
        if Instant::now() >= deadline {
            return Ok(Outcome::TimedOut(Seen { count: None, text: server.summary().await? }));
        }
        sleep_until(deadline.min(Instant::now() + PAUSE)).await;
    }
}
