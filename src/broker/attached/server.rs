//! A server, and the queries of a test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::io::DuplexStream;

use super::claim::{Claim, RENEWAL};
use super::client::Client;
use super::observer::{NAME, Names, Observer, since};
use super::shared_connection::SharedConnection;
use crate::clients::Filter;
use crate::remote::{Connection, Listed, RemoteError, Source, TIMEOUT, Target, listed};
use crate::resp::{OwnedRequest, Protocol, Value};
use crate::spec::Flags;
use crate::table::TABLE;
use crate::testing::journal::{Message, Peer};

/// How long a command of the test may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// Commands of a connection, see [`Flags::OF_CONNECTION`], that real servers have and the table has not.
const OF_CONNECTION: [&[u8]; 5] = [b"asking", b"psync", b"readonly", b"readwrite", b"sync"];

/// A server that a test is attached to.
pub struct Server {
    target: Arc<Target>,
    /// Its address, if it has one.
    pub addr: Option<SocketAddr>,
    database: usize,
    claim: Option<Claim>,
    flushes: bool,
    token: String,
    started: SystemTime,
    /// For queries about the whole server, in database 0.
    home: SharedConnection,
    /// For the commands of the test.
    test: SharedConnection,
    /// For waits.
    pub waits: SharedConnection,
    pub observer: Observer,
}

impl Server {
    pub async fn attach(target: Target, flushes: bool) -> Result<Self, RemoteError> {
        let target = Arc::new(target);
        let token = format!("{:x}-{:08x}", std::process::id(), fastrand::u32(..));
        let names = Names::new(&token);
        let home = SharedConnection::new(&target, &names.ours, Protocol::Resp2);
        let test = SharedConnection::new(&target, &names.test, Protocol::Resp3);
        let waits = SharedConnection::new(&target, &names.ours, Protocol::Resp2);
        let connection = home.open(0).await?;
        let addr = connection.server;
        let observer = Observer::new(connection, names).await?;
        let claim = match target.database {
            Some(_) => None,
            None => Claim::new(&home, &token).await?,
        };
        let database = claim.as_ref().map(|claim| claim.database).or(target.database).unwrap_or_default();
        // A database that is not the test's own is emptied only if the test orders it.
        let flushes = flushes && claim.is_none();
        if flushes {
            home.order(database, ["FLUSHDB"]).await?;
        } else if claim.is_none() {
            home.order(database, ["PING"]).await?;
        }
        observer.watch_database(database);
        let started = SystemTime::now();
        Ok(Self { target, addr, database, claim, flushes, token, started, home, test, waits, observer })
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    pub fn database(&self) -> usize {
        self.database
    }

    /// A text that no other test has.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Renews the claim on the database, for ever.
    pub async fn keep(self: Arc<Self>) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            if let Some(claim) = &self.claim {
                // The next renewal may succeed; the release reports a lost claim.
                let _ = claim.renew(&self.home).await;
            }
        }
    }

    /// Cleans up the test's data.
    pub async fn release(&self) -> Result<(), RemoteError> {
        match &self.claim {
            Some(claim) => claim.release(&self.home).await,
            None if self.flushes => self.home.order(self.database, ["FLUSHDB"]).await.map(drop),
            None => Ok(()),
        }
    }

    /// A connection for a client of the test.
    pub async fn connect(&self) -> Result<Connection, RemoteError> {
        Connection::open(&self.target, "", Protocol::Resp2, self.database).await
    }

    pub async fn send_commands(&self, stream: DuplexStream) -> Result<(), RemoteError> {
        self.observer.send_commands(stream).await
    }

    /// Runs a command as an embedded broker does: it never waits, and it has no effect on the next.
    pub async fn command(&self, request: OwnedRequest) -> Result<Value, RemoteError> {
        let name = request.args().get(0).unwrap_or_default().to_ascii_lowercase();
        if name.is_empty() {
            // A server does not answer a request without a command.
            return Ok(Value::Error("ERR unknown command '', with args beginning with: ".to_owned()));
        }
        let command = TABLE.lookup(&name);
        let has = |flag: Flags| command.is_some_and(|command| command.flags.contains(flag));
        if has(Flags::OF_CONNECTION) || OF_CONNECTION.contains(&name.as_slice()) {
            let mut connection = self.test.open(self.database).await?;
            return connection.ask(request.args().iter()).await;
        }
        if !has(Flags::BLOCKING) {
            let replies = self.test.send_all(self.database, &[request], COMMAND_TIMEOUT).await?;
            return replies.into_iter().next().ok_or(RemoteError::Closed);
        }
        // Commands within a transaction do not wait.
        let requests = [OwnedRequest::new(["MULTI"]), request, OwnedRequest::new(["EXEC"])];
        let mut replies = self.test.send_all(self.database, &requests, TIMEOUT).await?.into_iter().skip(1);
        match (replies.next(), replies.next()) {
            (Some(refused @ Value::Error(_)), _) => Ok(refused),
            (_, Some(Value::Array(replies))) => replies.into_iter().next().ok_or(RemoteError::Closed),
            (_, Some(other)) => Ok(other),
            _ => Err(RemoteError::Closed),
        }
    }

    pub async fn time(&self) -> Result<SystemTime, RemoteError> {
        let time = self.waits.order(self.database, ["TIME"]).await?;
        let part = |index: usize| -> Option<u64> { time.as_slice()?.get(index)?.as_str()?.parse().ok() };
        let (Some(seconds), Some(micros)) = (part(0), part(1)) else { return Err(RemoteError::NotRedis) };
        let time = Duration::from_secs(seconds) + Duration::from_micros(micros);
        SystemTime::UNIX_EPOCH.checked_add(time).ok_or(RemoteError::NotRedis)
    }

    /// The clients in the database of the test, without ours.
    pub async fn clients(&self) -> Result<Vec<Listed>, RemoteError> {
        let mut clients = self.all_clients().await?;
        clients.retain(|client| client.database == self.database && !client.name.starts_with(NAME));
        Ok(clients)
    }

    async fn all_clients(&self) -> Result<Vec<Listed>, RemoteError> {
        Ok(listed(&self.waits.order(self.database, ["CLIENT", "LIST"]).await?))
    }

    pub async fn published(&self, channel: &[u8]) -> Result<Vec<Message>, RemoteError> {
        self.observer.catch_up().await?;
        let messages: Vec<_> = self.observer.with_log(|log| log.messages(channel).cloned().collect());
        let clients = if messages.is_empty() { Vec::new() } else { self.all_clients().await? };
        let peer = |source: &Option<Source>| {
            let Some(Source::Client(address)) = source else { return None };
            if self.observer.with_log(|log| log.is_test(address)) {
                return Some(Peer::the_test());
            }
            let client = clients.iter().find(|client| client.address == *address)?;
            Some(Peer { id: Some(client.id), name: client.name.clone(), address: address.clone() })
        };
        Ok(messages
            .into_iter()
            .map(|message| Message {
                number: message.number,
                client: peer(&message.source),
                channel: message.channel.into(),
                payload: message.payload.into(),
                shard: message.shard,
                receivers: None,
                at: since(message.time, self.started),
                time: message.time,
            })
            .collect())
    }

    pub fn channels(&self) -> Vec<(Vec<u8>, usize)> {
        self.observer.with_log(super::observer::Log::channels)
    }

    pub async fn kill_clients(&self, filter: &Filter) -> Result<usize, RemoteError> {
        let mut killed = 0;
        for listed in self.clients_with_facts().await? {
            if filter.matches(&listed) {
                let id = listed.listed.id.to_string();
                let reply = self.waits.order(self.database, ["CLIENT", "KILL", "ID", &id]).await?;
                killed += usize::from(reply == 1);
            }
        }
        Ok(killed)
    }

    /// The clients with the facts known of each from its commands.
    pub async fn clients_with_facts(&self) -> Result<Vec<Client>, RemoteError> {
        let sees = self.observer.sees_commands;
        self.observer.catch_up().await?;
        let clients = self.clients().await?;
        let facts = |listed: &Listed| self.observer.with_log(|log| log.facts(&listed.address).cloned());
        let before: Vec<_> = clients.iter().map(|client| facts(client).map(|facts| facts.number)).collect();
        self.observer.catch_up().await?;
        let clients = clients.into_iter().zip(before);
        Ok(clients
            .map(|(listed, before)| {
                let facts = facts(&listed);
                let is_sure = facts.as_ref().map(|facts| facts.number) == before;
                Client { listed, facts, is_known: sees, is_sure }
            })
            .collect())
    }

    /// The text that is printed when the test panics.
    pub fn last_commands(&self) -> String {
        let mut text = format!("the last commands in database {} of {}:\n", self.database, self.target);
        self.observer.with_log(|log| {
            for line in log.last_commands() {
                text.extend([line, "\n"]);
            }
        });
        text
    }
}
