//! redis: a cache in the client, which the server invalidates

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::caching::CacheConfig;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, ProtocolVersion, RedisResult};

/// Waits until what the client has cached is this.
async fn until(connection: &mut MultiplexedConnection, key: &str, value: Option<&str>) -> RedisResult<bool> {
    for _ in 0..1000 {
        let read: Option<String> = connection.get(key).await?;
        if read.as_deref() == value {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(false)
}

/// Reads a key until it comes from the cache: a reply that an invalidation overtakes is not kept.
async fn is_read_from_the_cache(connection: &mut MultiplexedConnection) -> RedisResult<bool> {
    for _ in 0..1000 {
        let hits = connection.get_cache_statistics().map(|statistics| statistics.hit);
        let _: Option<String> = connection.get("mood").await?;
        if connection.get_cache_statistics().map(|statistics| statistics.hit) > hits {
            return Ok(true);
        }
    }
    Ok(false)
}

#[tokio::main]
async fn main() -> RedisResult<()> {
    let url = std::env::var("REDIS_URL").expect("it is set");
    let client = Client::open(url)?;
    let mut info = client.get_connection_info().clone();
    info =
        info.clone().set_redis_settings(info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3));
    let client = Client::open(info)?;
    let config = AsyncConnectionConfig::new().set_cache_config(CacheConfig::new());
    let mut cached = client.get_multiplexed_async_connection_with_config(&config).await?;
    let mut other = client.get_multiplexed_async_connection().await?;
    redis::cmd("FLUSHALL").exec_async(&mut other).await?;

    println!("nothing yet {}", until(&mut cached, "mood", None).await?);
    let _: () = other.set("mood", "calm").await?;
    println!("changed by another {}", until(&mut cached, "mood", Some("calm")).await?);
    println!("from the cache {}", is_read_from_the_cache(&mut cached).await?);
    let _: () = cached.set("mood", "glad").await?;
    println!("changed by itself {}", until(&mut cached, "mood", Some("glad")).await?);
    let _: () = other.pset_ex("mood", "brief", 30).await?;
    println!("expired {}", until(&mut cached, "mood", None).await?);
    let _: () = other.set("mood", "calm").await?;
    println!("set anew {}", until(&mut cached, "mood", Some("calm")).await?);
    redis::cmd("FLUSHALL").exec_async(&mut other).await?;
    println!("flushed {}", until(&mut cached, "mood", None).await?);
    let clients: String = redis::cmd("INFO").arg("clients").query_async(&mut other).await?;
    println!("{}", clients.lines().find(|line| line.starts_with("tracking_clients")).unwrap_or_default());
    Ok(())
}
