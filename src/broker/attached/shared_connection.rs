//! A connection that is opened when it is needed, and again after it was lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::remote::{Connection, RemoteError, Target};
use crate::resp::{OwnedRequest, Protocol, Value};

/// A connection for the commands of many tasks, one after another.
pub struct SharedConnection {
    target: Arc<Target>,
    name: String,
    protocol: Protocol,
    /// The unused connection and its database. A task that is dropped while it waits leaves none: the next
    /// reply on it would answer that task's command.
    idle: Mutex<Option<(Connection, usize)>>,
}

impl SharedConnection {
    pub fn new(target: &Arc<Target>, name: &str, protocol: Protocol) -> Self {
        Self { target: Arc::clone(target), name: name.to_owned(), protocol, idle: Mutex::default() }
    }

    pub async fn open(&self, database: usize) -> Result<Connection, RemoteError> {
        Connection::open(&self.target, &self.name, self.protocol, database).await
    }

    /// Sends commands in this database, all at once, and waits for their replies.
    pub async fn send_all(
        &self,
        database: usize,
        requests: &[OwnedRequest],
        timeout: Duration,
    ) -> Result<Vec<Value>, RemoteError> {
        let mut idle = self.idle.lock().await;
        // So that the runtime has seen the input of its sockets.
        tokio::task::yield_now().await;
        // A connection that the server has closed meanwhile, as after its `timeout`, is not used.
        let kept =
            idle.take().and_then(|(mut kept, selected)| (!kept.has_ended()).then_some((kept, selected)));
        let mut connection = match kept {
            Some((connection, selected)) if selected == database => connection,
            Some((mut connection, _)) => {
                connection.order(["SELECT", &database.to_string()]).await?;
                connection
            }
            None => self.open(database).await?,
        };
        let asked = async {
            let mut replies = Vec::new();
            for request in requests {
                connection.send(request.args().iter()).await?;
            }
            for _ in requests {
                replies.push(connection.receive().await?);
            }
            Ok(replies)
        };
        let replies = tokio::time::timeout(timeout, asked).await.unwrap_or(Err(RemoteError::Silent))?;
        *idle = Some((connection, database));
        Ok(replies)
    }

    /// The reply to one command, which may be an error.
    pub async fn ask<A: AsRef<[u8]>>(
        &self,
        database: usize,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Value, RemoteError> {
        let request = [OwnedRequest::new(arguments)];
        let replies = self.send_all(database, &request, crate::remote::TIMEOUT).await?;
        replies.into_iter().next().ok_or(RemoteError::Closed)
    }

    /// The same if an error is not expected.
    pub async fn order<A: AsRef<[u8]>>(
        &self,
        database: usize,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Value, RemoteError> {
        match self.ask(database, arguments).await? {
            Value::Error(text) => Err(RemoteError::Refused(text)),
            value => Ok(value),
        }
    }
}
