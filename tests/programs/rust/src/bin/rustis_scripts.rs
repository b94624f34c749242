//! rustis: scripts and functions, in pipelines and transactions

use rustis::Result;
use rustis::client::{BatchPreparedCommand, Client};
use rustis::commands::{FlushingMode, HashCommands, ScriptingCommands, ServerCommands, StringCommands};

fn shown<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error}"),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::var("REDIS_URL").expect("REDIS_URL is set");
    let client = Client::connect(url.as_str()).await?;
    client.flushall(FlushingMode::Sync).await?;
    client.script_flush(FlushingMode::Sync).await?;

    let text = "if redis.call('GET', KEYS[1]) == ARGV[1] then
        redis.call('SET', KEYS[1], ARGV[2])
        return 1
    end
    return 0";
    client.set("key", "old").await?;
    println!("eval {}", shown(client.eval::<i64>(text, "key", ["old", "new"]).await));
    let sha: String = client.script_load(text).await?;
    println!("evalsha {}", shown(client.evalsha::<i64>(sha.as_str(), "key", ["old", "new"]).await));
    println!(
        "exists {:?}",
        client.script_exists([sha.as_str(), "da39a3ee5e6b4b0d3255bfef95601890afd80709"]).await?
    );
    client.script_flush(FlushingMode::Async).await?;
    println!("flushed {}", shown(client.evalsha::<i64>(sha.as_str(), "key", ["new", "newer"]).await));
    client.hset("hash", [("a", 1), ("b", 2)]).await?;
    println!(
        "map {}",
        shown(
            client
                .eval::<std::collections::BTreeMap<String, i64>>(
                    "redis.setresp(3) return redis.call('HGETALL', KEYS[1])",
                    "hash",
                    ()
                )
                .await
        )
    );
    println!(
        "types {}",
        shown(
            client
                .eval::<(i64, f64, String, bool)>(
                    "redis.setresp(3) return {1, {double = 2.5}, 'text', true}",
                    (),
                    ()
                )
                .await
        )
    );
    println!("wrong {}", shown(client.eval::<i64>("return redis.call('INCR', KEYS[1])", "hash", ()).await));
    println!(
        "read only {}",
        shown(client.eval_readonly::<String>("return redis.call('SET', KEYS[1], 1)", "key", ()).await)
    );

    let mut pipeline = client.create_pipeline();
    pipeline.eval::<i64>(text, "key", ["new", "newer"]).queue();
    pipeline.get::<String>("key").queue();
    println!("pipeline {}", shown(pipeline.execute::<(i64, String)>().await));
    let mut transaction = client.create_transaction();
    transaction.eval::<i64>(text, "key", ["newer", "newest"]).queue();
    transaction.get::<String>("key").queue();
    println!("transaction {}", shown(transaction.execute::<(i64, String)>().await));

    let library = "#!lua name=examples
        redis.register_function('bump', function(keys, args)
            return redis.call('INCRBY', keys[1], args[1])
        end)";
    println!("load {}", shown(client.function_load::<String>(true, library).await));
    println!("again {}", shown(client.function_load::<String>(false, library).await));
    println!("call {}", shown(client.fcall::<i64>("bump", ["counter"], [7]).await));
    println!("read only {}", shown(client.fcall_readonly::<i64>("bump", ["counter"], [7]).await));
    client.function_delete("examples").await?;
    println!("deleted {}", shown(client.fcall::<i64>("bump", ["counter"], [7]).await));
    Ok(())
}
