//! rslock: locks that are extended, that run out, and that others wait for

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rslock::LockManager;

const LONG: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() {
    let url = std::env::var("REDIS_URL").expect("REDIS_URL is set");
    let mut impatient = LockManager::new(vec![url.as_str()]);
    impatient.set_retry(1, Duration::from_millis(1));

    let lock = impatient.lock("room", LONG).await.expect("it is free");
    println!("another {:?}", impatient.lock("room", LONG).await.map(|_| ()));
    println!("is freed {:?}", impatient.is_freed(&lock).await);
    println!("extended {:?}", impatient.extend(&lock, LONG * 2).await.map(|_| ()));
    impatient.unlock(&lock).await;
    println!("is freed {:?}", impatient.is_freed(&lock).await);
    println!("extended once free {:?}", impatient.extend(&lock, LONG).await.map(|_| ()));

    let mut patient = LockManager::new(vec![url.as_str()]);
    patient.set_retry(10_000, Duration::from_millis(5));
    let brief = patient.acquire_no_guard("brief", Duration::from_millis(50)).await.expect("it is free");
    let next = patient.acquire("brief", LONG).await.expect("it becomes free");
    println!("after its time {:?}", impatient.extend(&brief, LONG).await.map(|_| ()));
    next.release().await;

    let (inside, counter) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let (patient, inside, counter) = (patient.clone(), Arc::clone(&inside), Arc::clone(&counter));
            tokio::spawn(async move {
                let guard = patient.acquire("counter", LONG).await.expect("it becomes free");
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                tokio::task::yield_now().await;
                counter.fetch_add(1, Ordering::SeqCst);
                inside.fetch_sub(1, Ordering::SeqCst);
                guard.release().await;
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it ends");
    }
    println!("counted {}", counter.load(Ordering::SeqCst));
}
