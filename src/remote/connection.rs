//! One connection to a server.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::dial::{Socket, in_time};
use super::frame::Scanner;
use super::{RemoteError, Target};
use crate::resp::{Protocol, Value, request_bytes};

/// How many bytes are asked for at a time.
const READ: usize = 16 * 1024;

/// How long a whole reply may take, for a server that sends a few bytes now and then.
const REPLY: Duration = Duration::from_secs(60);

/// A connection that commands are sent over.
pub struct Connection {
    socket: Socket,
    /// What has arrived and is not parsed yet.
    buffer: BytesMut,
    scanner: Scanner,
    /// The address of the server's end, if it has one.
    pub server: Option<SocketAddr>,
}

impl Connection {
    /// Connects, logs in, sets a name and selects the protocol and the database.
    pub async fn open(
        target: &Target,
        name: &str,
        protocol: Protocol,
        database: usize,
    ) -> Result<Self, RemoteError> {
        let socket = Socket::dial(target).await?;
        let server = socket.server();
        let (buffer, scanner) = (BytesMut::new(), Scanner::default());
        let mut connection = Self { socket, buffer, scanner, server };
        if let Some(password) = &target.password {
            let user = target.user.as_deref();
            let login = ["AUTH"].into_iter().chain(user).chain([password.as_str()]);
            connection.order(login).await?;
        }
        connection.order(["CLIENT", "SETNAME", name]).await?;
        if protocol == Protocol::Resp3 {
            // A server without RESP3 replies with an error.
            connection.ask(["HELLO", "3"]).await?;
        }
        if database != 0 {
            connection.order(["SELECT", &database.to_string()]).await?;
        }
        Ok(connection)
    }

    /// Sends a command.
    pub async fn send<A: AsRef<[u8]>>(
        &mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<(), RemoteError> {
        let request = request_bytes(&arguments.into_iter().collect::<Vec<A>>());
        self.socket.write_all(&request).await?;
        // TLS buffers what its socket does not accept.
        Ok(self.socket.flush().await?)
    }

    /// The next reply, without a timeout. Cancel safe.
    pub async fn receive(&mut self) -> Result<Value, RemoteError> {
        loop {
            if let Some(reply) = self.received()? {
                return Ok(reply);
            }
            self.read().await?;
        }
    }

    /// The next reply, if all of it has arrived.
    fn received(&mut self) -> Result<Option<Value>, RemoteError> {
        while let Some(length) = self.scanner.scan(&self.buffer)? {
            let is_attribute = self.buffer.first() == Some(&b'|');
            let reply = Value::read(self.buffer.get(..length).unwrap_or_default());
            self.buffer.advance(length);
            // An attribute describes the reply that follows; it is not used here.
            if !is_attribute {
                return reply.map(|(value, _)| Some(value)).ok_or(RemoteError::NotRedis);
            }
        }
        Ok(None)
    }

    /// Waits until more has arrived. Cancel safe.
    async fn read(&mut self) -> Result<(), RemoteError> {
        self.buffer.reserve(READ);
        match self.socket.read_buf(&mut self.buffer).await? {
            0 => Err(RemoteError::Closed),
            _ => Ok(()),
        }
    }

    /// True if the server is known to have closed the connection. Call this when every reply has been read.
    pub fn has_ended(&mut self) -> bool {
        let mut byte = [0];
        let mut context = Context::from_waker(Waker::noop());
        let read = Pin::new(&mut self.socket).poll_read(&mut context, &mut ReadBuf::new(&mut byte));
        // No reply is expected: what arrives is the end or was not requested.
        read.is_ready()
    }

    /// Sends a command and waits for its reply, which may be an error. A server may be silent for
    /// [`TIMEOUT`](super::dial::TIMEOUT) at most; a long reply may take longer.
    pub async fn ask<A: AsRef<[u8]>>(
        &mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Value, RemoteError> {
        in_time(self.send(arguments)).await?;
        let reply = async {
            loop {
                if let Some(reply) = self.received()? {
                    return Ok(reply);
                }
                in_time(self.read()).await?;
            }
        };
        tokio::time::timeout(REPLY, reply).await.unwrap_or(Err(RemoteError::Silent))
    }

    /// As [`ask`](Self::ask), where an error reply is an error.
    pub async fn order<A: AsRef<[u8]>>(
        &mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Value, RemoteError> {
        match self.ask(arguments).await? {
            Value::Error(text) => Err(RemoteError::Refused(text)),
            value => Ok(value),
        }
    }

    /// The underlying stream. Call this when every reply has been read.
    pub fn into_stream(self) -> impl AsyncRead + AsyncWrite + Send + Unpin {
        self.socket
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}
