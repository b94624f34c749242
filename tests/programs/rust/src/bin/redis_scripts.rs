//! redis: scripts over RESP2 and RESP3, in pipelines and transactions, blocking and asynchronous

use redis::{Client, Commands, ConnectionLike, ProtocolVersion, RedisResult, Script, Value};

const TRANSFER: &str = r"
local balance = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local amount = tonumber(ARGV[3])
if balance < amount then
    return redis.error_reply('SHORT ' .. ARGV[1] .. ' has ' .. balance)
end
redis.call('HINCRBY', KEYS[1], ARGV[2], amount)
return redis.call('HINCRBY', KEYS[1], ARGV[1], -amount)";

/// Text and error of an outcome.
fn shown<T: std::fmt::Debug>(outcome: RedisResult<T>) -> String {
    match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?} {:?} {:?}", error.kind(), error.code(), error.detail()),
    }
}

fn blocking(client: &Client) -> RedisResult<()> {
    let mut connection = client.get_connection()?;
    redis::cmd("FLUSHALL").exec(&mut connection)?;
    redis::cmd("SCRIPT").arg("FLUSH").exec(&mut connection)?;
    let transfer = Script::new(TRANSFER);
    let _: () = connection.hset("accounts", "ann", 10)?;
    let pay = |amount: i64, connection: &mut redis::Connection| {
        transfer.key("accounts").arg("ann").arg("bob").arg(amount).invoke::<i64>(connection)
    };
    println!("transfer {}", shown(pay(4, &mut connection)));
    println!("too much {}", shown(pay(40, &mut connection)));
    redis::cmd("SCRIPT").arg("FLUSH").exec(&mut connection)?;
    println!("after a flush {}", shown(pay(1, &mut connection)));
    println!(
        "load {}",
        shown(transfer.prepare_invoke().load(&mut connection)) == format!("{:?}", transfer.get_hash())
    );

    let mut call = transfer.prepare_invoke();
    call.key("accounts").arg("ann").arg("bob").arg(2);
    let piped: RedisResult<Vec<Value>> =
        redis::pipe().set("before", 1).invoke_script(&call).incr("before", 1).query(&mut connection);
    println!("pipeline {}", shown(piped));
    let atomic: RedisResult<(i64, i64)> =
        redis::pipe().atomic().invoke_script(&call).incr("before", 1).query(&mut connection);
    println!("transaction {}", shown(atomic));

    let types = Script::new(
        "redis.setresp(3)
        return {1, 1.9, 'text', true, false, {double = 2.5}, {map = {k = 'v'}}, {set = {m = true}},
            {big_number = '12345678901234567890'}, {verbatim_string = {format = 'txt', string = 'hi'}}, {ok = 'FINE'}}",
    );
    println!("types {}", shown(types.invoke::<Value>(&mut connection)));
    let bytes = Script::new("return ARGV[1] .. '\\0\\255'");
    println!("bytes {}", shown(bytes.arg(&b"\x00\xfe"[..]).invoke::<Vec<u8>>(&mut connection)));
    println!("nothing {}", shown(Script::new("return nil").invoke::<Option<String>>(&mut connection)));
    println!("wrong {}", shown(Script::new("return foo").invoke::<Value>(&mut connection)));
    println!("syntax {}", shown(Script::new("return (").invoke::<Value>(&mut connection)));
    println!("open {}", connection.is_open());
    Ok(())
}

async fn asynchronous(client: &Client) -> RedisResult<()> {
    let connection = client.get_multiplexed_async_connection().await?;
    // Several scripts at once over one connection, each loaded when it is first called.
    let count = Script::new("return redis.call('INCR', KEYS[1])");
    let mut tasks = Vec::new();
    for _ in 0..10 {
        let (count, mut connection) = (count.clone(), connection.clone());
        tasks
            .push(tokio::spawn(async move { count.key("count").invoke_async::<i64>(&mut connection).await }));
    }
    let mut counted = Vec::new();
    for task in tasks {
        counted.push(task.await.expect("it ends")?);
    }
    counted.sort_unstable();
    println!("counted {counted:?}");
    Ok(())
}

#[tokio::main]
async fn main() -> RedisResult<()> {
    let url = std::env::var("REDIS_URL").expect("REDIS_URL is set");
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        println!("-- {protocol:?}");
        let info = redis::IntoConnectionInfo::into_connection_info(url.as_str())?;
        let settings = info.redis_settings().clone().set_protocol(protocol);
        let client = Client::open(info.set_redis_settings(settings))?;
        blocking(&client)?;
        asynchronous(&client).await?;
    }
    Ok(())
}
