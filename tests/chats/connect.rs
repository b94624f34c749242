//! How clients connect.

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use minibroker::Broker;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Connection, Msg, RedisResult};

/// A timeout that is not reached even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection that blocks its thread.
pub fn connect(broker: &Broker) -> RedisResult<Connection> {
    let connection = Client::open(broker.url())?.get_connection()?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    Ok(connection)
}

/// A connection for async code.
pub async fn connect_async(broker: &Broker) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(TIMEOUT));
    Client::open(broker.url())?.get_multiplexed_async_connection_with_config(&config).await
}

/// A subscriber of a channel, in async code.
pub async fn subscribe_async(broker: &Broker, channel: &str) -> RedisResult<redis::aio::PubSub> {
    let mut pubsub = Client::open(broker.url())?.get_async_pubsub().await?;
    pubsub.subscribe(channel).await?;
    Ok(pubsub)
}

/// The next message that arrives.
pub async fn next(messages: &mut (impl Stream<Item = Msg> + Unpin)) -> String {
    let message = tokio::time::timeout(TIMEOUT, messages.next()).await;
    let message = message.expect("a message comes").expect("the connection stays");
    message.get_payload().expect("messages are text")
}
