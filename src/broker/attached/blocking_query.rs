//! A server that a test's question is put to.

use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::server::Server;
use super::wait_here;
use crate::clients::condition::Condition;
use crate::remote::{Listed, RemoteError};
use crate::resp::{OwnedRequest, Value};

/// Asks a server from a thread that waits for the answers. Where there is none everything is empty, and
/// [`BlockingQuery::failed`] tells why.
pub struct BlockingQuery {
    server: Arc<Server>,
    runtime: Handle,
    failed: Mutex<Option<RemoteError>>,
}

impl BlockingQuery {
    /// To be called on the runtime that is to ask.
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

    /// The reply to a command in a database, the test's own unless it is said. In one that is not there it is an error.
    pub fn ask(&self, database: Option<usize>, arguments: &[&[u8]]) -> Value {
        let (server, request) = (Arc::clone(&self.server), OwnedRequest::new(arguments));
        let asked = async move {
            let place = database.unwrap_or(server.database());
            match server.waits.ask(place, request.args().iter()).await {
                Err(RemoteError::Refused(text)) if database.is_some() => Ok(Value::Error(text)),
                reply => reply,
            }
        };
        self.wait(asked).unwrap_or(Value::Null)
    }

    /// How many there are, whatever number the condition wants.
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
