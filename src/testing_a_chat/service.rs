use std::sync::{Arc, mpsc};
use std::time::Duration;

use redis::{Client, Commands, RedisResult};

/// Messages that the users of one server have seen, in order.
type Seen = mpsc::Receiver<String>;

/// One of the servers of the chat: what is said on any of them, the users of all of them see.
struct ChatServer {
    redis: Client,
    seen: Seen,
    /// The listener lives as long as this does.
    _running: Arc<()>,
}

impl ChatServer {
    fn start(url: &str, name: &str) -> RedisResult<Self> {
        let (redis, name, running) = (Client::open(url)?, name.to_owned(), Arc::new(()));
        let (show, seen) = mpsc::channel();
        let (listener, still_running) = (redis.clone(), Arc::downgrade(&running));
        std::thread::spawn(move || {
            // Whenever the connection is lost there is another one soon.
            while still_running.strong_count() > 0 {
                let _lost = listen(&listener, &name, &show);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Ok(Self { redis, seen, _running: running })
    }

    /// A user says something: it is kept in the history and published to all servers.
    fn say(&self, text: &str) -> RedisResult<()> {
        let mut connection = self.redis.get_connection()?;
        redis::pipe().atomic().rpush("history", text).publish("chat", text).exec(&mut connection)
    }

    /// The next that the users of this server see.
    fn next(&self) -> Result<String, mpsc::RecvTimeoutError> {
        self.seen.recv_timeout(Duration::from_secs(5))
    }

    /// What was said before.
    fn history(&self) -> RedisResult<Vec<String>> {
        self.redis.get_connection()?.lrange("history", 0, -1)
    }

    /// A user has shown that it is there.
    fn is_here(&self, user: &str) -> RedisResult<()> {
        self.redis.get_connection()?.set_ex(format!("online:{user}"), "1", 30)
    }

    fn is_online(&self, user: &str) -> RedisResult<bool> {
        self.redis.get_connection()?.exists(format!("online:{user}"))
    }
}

/// Shows what is said until the connection is lost.
fn listen(redis: &Client, name: &str, show: &mpsc::Sender<String>) -> RedisResult<()> {
    let mut connection = redis.get_connection()?;
    redis::cmd("CLIENT").arg("SETNAME").arg(name).exec(&mut connection)?;
    let mut chat = connection.as_pubsub();
    chat.subscribe("chat")?;
    while show.send(chat.get_message()?.get_payload()?).is_ok() {}
    Ok(())
}

/// A worker: takes from the queue of what is to be said, and says it, until its connection is lost.
fn work(url: &str) -> RedisResult<()> {
    let mut connection = Client::open(url)?.get_connection()?;
    loop {
        let (_, text): (String, String) = connection.blpop("outbox", 0.0)?;
        let _: usize = connection.publish("chat", text)?;
    }
}

/// The same, but what is being worked on stays in a list of the worker until it is done.
fn work_safely(url: &str) -> RedisResult<()> {
    let mut connection = Client::open(url)?.get_connection()?;
    loop {
        let unfinished: Option<String> = connection.lindex("outbox:working", 0)?;
        let text: String = match unfinished {
            Some(text) => text,
            None => redis::cmd("BLMOVE").arg(&["outbox", "outbox:working", "LEFT", "RIGHT", "0"]).query(&mut connection)?,
        };
        let _: usize = connection.publish("chat", &text)?;
        let _: usize = connection.lrem("outbox:working", 1, &text)?;
    }
}
