//! apalis-redis: tasks with a delay, retries, failures and results, and keys that let a task in once

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use apalis::prelude::*;
use apalis_redis::{Config, RedisStorage};

/// What the worker has run.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

async fn task(number: u32, attempt: Attempt) -> Result<u32, BoxDynError> {
    SEEN.lock().expect("nobody panics").push(format!("task {number} attempt {}", attempt.current()));
    match number {
        // Such a failure is tried again later, when the storage says.
        7 if attempt.current() < 3 => Err("not yet")?,
        // Such a failure is not.
        8 => Err(AbortError::new("never"))?,
        number => Ok(number * 2),
    }
}

#[tokio::main]
async fn main() {
    let url = std::env::var("REDIS_URL").expect("REDIS_URL is set");
    let connection = apalis_redis::connect(url).await.expect("it connects");
    let config = Config::default().queue("numbers").idempotency_ttl(Some(Duration::from_secs(3600)));
    let mut storage = RedisStorage::new(connection).with_config(config);

    let id = |number: u32| TaskId::from_ulid(ulid::Ulid::from(u128::from(number)));
    let new = |number: u32| TaskBuilder::new(number).task_id(id(number));
    let numbers = [1, 2, 3, 4, 7, 8];
    let begin = SystemTime::now();
    for number in numbers {
        let task = match number {
            4 => new(number).run_after(Duration::from_secs(2)),
            // The second with this key stays outside.
            1 | 3 => new(number).idempotency_key("odd"),
            number => new(number),
        };
        storage.push_task(task.build()).await.expect("it is pushed");
    }
    let early: Vec<TaskResult<u32>> = storage.check_status(numbers.map(id)).await.expect("it looks");
    println!("done before {}", early.len());

    let backend = storage.clone().poll_with_interval(Duration::from_millis(50));
    let worker = WorkerBuilder::new("worker").backend(backend).build(task);
    // In one task with the loop, which thereby polls the worker too: its own wakes get lost at times, on any server.
    let mut worker = std::pin::pin!(worker.run());
    let results = loop {
        let results: Vec<TaskResult<u32>> = storage.check_status(numbers.map(id)).await.expect("it looks");
        let is_over = |result: &&TaskResult<u32>| matches!(result.status, Status::Done | Status::Killed);
        if results.iter().filter(is_over).count() == numbers.len() - 1 {
            break results;
        }
        tokio::select! {
            end = &mut worker => panic!("the worker ended: {end:?}"),
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
    };
    // Times are kept in whole seconds.
    println!("not early {}", begin.elapsed().expect("time passes") > Duration::from_secs(1));
    let mut seen = SEEN.lock().expect("nobody panics").clone();
    seen.sort();
    println!("{}", seen.join("\n"));
    for TaskResult { task_id, attempt, status, result } in results {
        println!("{task_id} {status} at attempt {attempt}: {result:?}");
    }
}
