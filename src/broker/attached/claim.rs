//! A database of a server for only one test.
//!
//! Database 0 records that a database is taken, so that the test finds its own empty and may empty it: by a key with
//! the token of its owner, which expires when the owner has died, and by a field of a hash, which does not. A database
//! that has the field and no key was left by a test that was killed: all its data is a test's.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::observer::NAME;
use super::shared_connection::SharedConnection;
use crate::remote::{Listed, RemoteError, TIMEOUT, listed};
use crate::resp::{OwnedRequest, Value};

/// The hash of the databases that tests have used and not released.
const USED: &str = "minibroker:databases";

/// How long a database stays taken by a test that does not renew its claim.
const LEASE: Duration = Duration::from_secs(30);
/// How often a claim is renewed: two renewals may fail.
pub const RENEWAL: Duration = Duration::from_secs(9);

/// How long a test waits for a free database, if other tests have all of them.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it looks for one meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// The number of databases of a server that does not report it.
const USUAL: usize = 16;

/// A database that belongs to this test.
#[derive(Clone, Debug)]
pub struct Claim {
    pub database: usize,
    token: String,
}

fn key_of(database: usize) -> String {
    format!("minibroker:database:{database}")
}

/// How many databases a server has.
async fn databases(home: &SharedConnection) -> Result<usize, RemoteError> {
    if let Value::Array(pair) = home.ask(0, ["CONFIG", "GET", "databases"]).await?
        && let Some(count) = pair.get(1).and_then(|count| count.as_str()?.parse().ok())
    {
        return Ok(count);
    }
    // Not every user may read it. The probe's connection, which may have another database then, is not used again.
    let mut probe = home.open(0).await?;
    Ok(if matches!(probe.ask(["SELECT", "1"]).await?, Value::Error(_)) { 1 } else { USUAL })
}

impl Claim {
    /// Takes an empty database; none if the server has only one.
    pub async fn new(home: &SharedConnection, owner: &str) -> Result<Option<Self>, RemoteError> {
        let count = databases(home).await?;
        if count < 2 || matches!(home.ask(1, ["DBSIZE"]).await, Err(RemoteError::Refused(_))) {
            return Ok(None);
        }
        let deadline = Instant::now() + CLAIM_TIMEOUT;
        loop {
            let mut taken = 0;
            // Tests that look at the same time begin at different databases.
            let first = fastrand::usize(..count - 1);
            for step in 0..count - 1 {
                let claim = Self { database: 1 + (first + step) % (count - 1), token: owner.to_owned() };
                if !claim.take(home).await? {
                    taken += 1;
                    continue;
                }
                if claim.is_free(home).await? {
                    home.order(0, ["HSET", USED, &claim.database.to_string(), owner]).await?;
                    return Ok(Some(claim));
                }
                home.order(0, ["DEL", &key_of(claim.database)]).await?;
            }
            if taken == 0 || Instant::now() > deadline {
                let (all, held) = (count - 1, count - 1 - taken);
                return Err(RemoteError::Refused(format!(
                    "it has no free database for the test: of {all} beside database 0, {taken} are taken by other tests \
                     and {held} hold keys that are no test's; empty one, or name one in the URL"
                )));
            }
            sleep(LOOK).await;
        }
    }

    async fn take(&self, home: &SharedConnection) -> Result<bool, RemoteError> {
        let (key, lease) = (key_of(self.database), LEASE.as_millis().to_string());
        let taken = home.order(0, ["SET", &key, &self.token, "NX", "PX", &lease]).await?;
        Ok(taken != Value::Null)
    }

    /// True if the database is empty, or has only data of a test that was killed, which is then deleted.
    async fn is_free(&self, home: &SharedConnection) -> Result<bool, RemoteError> {
        if home.order(self.database, ["DBSIZE"]).await? == 0 {
            return Ok(true);
        }
        if home.order(0, ["HEXISTS", USED, &self.database.to_string()]).await? == 0 {
            return Ok(false);
        }
        home.order(self.database, ["FLUSHDB"]).await?;
        Ok(true)
    }

    /// Renews the claim.
    pub async fn renew(&self, home: &SharedConnection) -> Result<(), RemoteError> {
        let key = key_of(self.database);
        if home.order(0, ["GET", &key]).await? == self.token.as_str() {
            home.order(0, ["PEXPIRE", &key, &LEASE.as_millis().to_string()]).await?;
        } else {
            self.take(home).await?;
        }
        Ok(())
    }

    /// Cuts off the clients in the database, empties it and releases it, unless it is another test's by now.
    pub async fn release(&self, home: &SharedConnection) -> Result<(), RemoteError> {
        cut_off(home, self.database).await?;
        let (key, database) = (key_of(self.database), self.database.to_string());
        let watch = [OwnedRequest::new(["WATCH", &key]), OwnedRequest::new(["GET", &key])];
        let watched = home.send_all(0, &watch, TIMEOUT).await?;
        if watched.get(1).is_none_or(|value| *value != self.token.as_str()) {
            home.order(0, ["UNWATCH"]).await?;
            return Err(RemoteError::Refused("it was not this test's any more".to_owned()));
        }
        let release = [
            OwnedRequest::new(["MULTI"]),
            OwnedRequest::new(["SELECT", &database]),
            OwnedRequest::new(["FLUSHDB"]),
            OwnedRequest::new(["SELECT", "0"]),
            OwnedRequest::new(["DEL", &key]),
            OwnedRequest::new(["HDEL", USED, &database]),
            OwnedRequest::new(["EXEC"]),
        ];
        match home.send_all(0, &release, TIMEOUT).await?.pop() {
            Some(Value::Error(text)) => Err(RemoteError::Refused(text)),
            Some(Value::Null) => Err(RemoteError::Refused("it was not this test's any more".to_owned())),
            _ => Ok(()),
        }
    }
}

/// Closes all connections in a database except those of brokers, as another broker may be looking for a free database.
async fn cut_off(home: &SharedConnection, database: usize) -> Result<(), RemoteError> {
    let clients = listed(&home.order(0, ["CLIENT", "LIST"]).await?);
    let is_met = |client: &&Listed| client.database == database && !client.name.starts_with(NAME);
    for client in clients.iter().filter(is_met) {
        // The client may have disconnected.
        home.ask(0, ["CLIENT", "KILL", "ID", &client.id.to_string()]).await?;
    }
    Ok(())
}
