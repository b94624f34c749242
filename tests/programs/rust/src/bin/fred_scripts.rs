//! fred: scripts that are loaded when they are needed, functions, and messages that a script publishes

use fred::prelude::*;
use fred::types::RespVersion;
use fred::types::scripts::{Function, Library, Script};

const LIBRARY: &str = "#!lua name=visits
redis.register_function('visit', function(keys, args)
    redis.call('ZINCRBY', keys[1], 1, args[1])
    return redis.call('ZREVRANGE', keys[1], 0, -1)
end)
redis.register_function{
    function_name = 'visits',
    callback = function(keys, args) return redis.call('ZSCORE', keys[1], args[1]) end,
    flags = {'no-writes'},
}";

fn shown<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?} {}", error.kind(), error.details()),
    }
}

async fn scripts(client: &Client) -> Result<(), Error> {
    let _: () = client.flushall(false).await?;
    let _: () = client.script_flush(false).await?;
    let script = Script::from_lua(
        "redis.call('SET', KEYS[1], ARGV[1]) return {KEYS[1], ARGV[1], tonumber(ARGV[2]) * 2}",
    );
    let never: Result<Value, Error> = script.evalsha(client, "key", vec!["a", "2"]).await;
    println!("not loaded {}", shown(never));
    let loaded: Result<(String, String, i64), Error> =
        script.evalsha_with_reload(client, "key", vec!["a", "2"]).await;
    println!("loaded {}", shown(loaded));
    let there: Vec<bool> = client.script_exists(vec![script.sha1().to_string(), "f".repeat(40)]).await?;
    println!("exists {there:?}");

    let wrong: Result<Value, Error> =
        client.eval("return redis.call('INCR', KEYS[1])", "key", Vec::<String>::new()).await;
    println!("wrong {}", shown(wrong));
    let types: Result<Value, Error> = client
        .eval(
            "return {1, 1.9, 'text', true, false, {2}, {ok = 'FINE'}}",
            Vec::<String>::new(),
            Vec::<String>::new(),
        )
        .await;
    println!("types {}", shown(types));
    Ok(())
}

async fn functions(client: &Client) -> Result<(), Error> {
    let library = Library::from_code(client, LIBRARY).await?;
    let mut names: Vec<_> = library.functions().keys().map(|name| name.to_string()).collect();
    names.sort();
    println!("library {} {names:?}", library.name());
    let function = |name: &str| -> Function { library.functions().get(name).expect("it is there").clone() };
    for page in ["/", "/chat"] {
        let _: Value = function("visit").fcall(client, "pages", page).await?;
    }
    println!("called {}", shown(function("visit").fcall::<Vec<String>, _, _, _>(client, "pages", "/").await));
    println!("read only {}", shown(function("visits").fcall_ro::<f64, _, _, _>(client, "pages", "/").await));
    println!("write {}", shown(function("visit").fcall_ro::<Value, _, _, _>(client, "pages", "/").await));
    let _: () = client.function_delete(library.name().clone()).await?;
    println!("deleted {}", shown(function("visits").fcall_ro::<Value, _, _, _>(client, "pages", "/").await));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let url = std::env::var("REDIS_URL").expect("REDIS_URL is set");
    for version in [RespVersion::RESP2, RespVersion::RESP3] {
        println!("-- {version:?}");
        let mut config = Config::from_url(&url)?;
        config.version = version;
        let client = Builder::from_config(config).build()?;
        client.init().await?;
        scripts(&client).await?;
        functions(&client).await?;

        let listener = client.clone_new();
        listener.init().await?;
        let mut messages = listener.message_rx();
        listener.subscribe("news").await?;
        // `subscribe` does not wait for the server's answer.
        let mut received: i64 = 0;
        while received == 0 {
            received = client.eval("return redis.call('PUBLISH', KEYS[1], ARGV[1])", "news", "hello").await?;
        }
        let message = messages.recv().await.expect("it comes");
        println!("received {received} {} {:?}", message.channel, message.value);
        listener.quit().await?;
        client.quit().await?;
    }
    Ok(())
}
