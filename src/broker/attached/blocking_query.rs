//! Queries to a real server from synchronous code.

use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::server::Server;
use super::wait_here;
use crate::clients::condition::Condition;
use crate::remote::{Listed, RemoteError};
use crate::resp::{OwnedRequest, Value};

/// Queries a server and blocks the thread until it answers. If there is no answer, all results are empty, and
/// [`BlockingQuery::failed`] returns the reason.
pub struct BlockingQuery {
    server: Arc<Server>,
    runtime: Handle,
    failed: Mutex<Option<RemoteError>>,
}

impl BlockingQuery {
    /// To be called on the runtime that is to send the queries.
    pub fn new(server: Arc<Server>) -> Self {
        Self { server, runtime: Handle::current(), failed: Mutex::default() }
    }

    /// Why there was no answer.
    pub fn failed(&self) -> Option<RemoteError> {
        self.failed.lock().clone()
    }

    fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, RemoteError>> + Send + 'static,
    ) -> Option<T> {
        match wait_here(&self.runtime, work).unwrap_or(Err(RemoteError::Closed)) {
            Ok(value) => Some(value),
            Err(error) => {
                self.failed.lock().get_or_insert(error);
                None
            }
        }
    }

    /// The reply to a command in a database, by default the test's own; an error if there is no such database.
    pub fn ask(&self, database: Option<usize>, arguments: &[&[u8]]) -> Value {
        let (server, request) = (Arc::clone(&self.server), OwnedRequest::new(arguments));
        let is_named = database.is_some();
        let asked = async move {
            let database = database.unwrap_or(server.database());
            match server.waits.ask(database, request.args().iter()).await {
                Err(RemoteError::Refused(text)) if is_named => Ok(Value::Error(text)),
                reply => reply,
            }
        };
        self.wait(asked).unwrap_or(Value::Null)
    }

    /// The number that the condition compares with its count.
    pub fn count(&self, condition: Condition) -> usize {
        let server = Arc::clone(&self.server);
        self.wait(async move { server.number(&condition).await }).unwrap_or_default()
    }

    /// The clients in the database of the test.
    pub fn clients(&self) -> Vec<Listed> {
        let server = Arc::clone(&self.server);
        self.wait(async move { server.clients().await }).unwrap_or_default()
    }

    /// The state in a line.
    pub fn summary(&self) -> String {
        let server = Arc::clone(&self.server);
        self.wait(async move { server.summary().await }).unwrap_or_default()
    }
}
