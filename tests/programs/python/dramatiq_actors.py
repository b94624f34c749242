# dramatiq: messages with a delay, retries, priorities and results; pipelines, groups, rate limiters and barriers

import os
import threading
import logging

import dramatiq
from dramatiq import group, pipeline
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits import (
    Barrier, BucketRateLimiter, ConcurrentRateLimiter, RateLimitExceeded, WindowRateLimiter,
)
from dramatiq.rate_limits.backends import RedisBackend as LimitBackend
from dramatiq.results import ResultFailure, Results
from dramatiq.results.backends import RedisBackend

logging.disable(logging.CRITICAL)
URL = os.environ["REDIS_URL"]
broker = RedisBroker(url=URL)
broker.add_middleware(Results(backend=RedisBackend(url=URL)))
broker.add_middleware(GroupCallbacks(LimitBackend(url=URL)))
dramatiq.set_broker(broker)
tries, order, gate = [], [], threading.Event()


@dramatiq.actor(store_results=True)
def add(a, b):
    return a + b


@dramatiq.actor(store_results=True, max_retries=3, min_backoff=10, max_backoff=20)
def flaky(succeeds_at):
    tries.append(succeeds_at)
    if len(tries) < succeeds_at:
        raise ValueError(f"try {len(tries)}")
    return f"after {len(tries)} tries"


@dramatiq.actor(store_results=True, max_retries=0)
def fails():
    raise KeyError("gone")


@dramatiq.actor(store_results=True)
def wait_for_gate():
    gate.wait(60)


@dramatiq.actor(priority=0)
def urgent(word):
    order.append(word)


@dramatiq.actor(priority=10)
def idle(word):
    order.append(word)


def limits():
    backend = LimitBackend(url=URL)
    mutex = ConcurrentRateLimiter(backend, "mutex", limit=1)
    with mutex.acquire():
        try:
            with mutex.acquire():
                print("entered twice")
        except RateLimitExceeded as error:
            print("mutex", error)
    with mutex.acquire(raise_on_failure=False) as entered:
        print("mutex again", entered)
    # A bucket so long that the day does not turn meanwhile.
    bucket = BucketRateLimiter(backend, "bucket", limit=2, bucket=10**12)
    window = WindowRateLimiter(backend, "window", limit=3, window=60)
    for limiter in (bucket, window):
        entered = []
        for _ in range(5):
            with limiter.acquire(raise_on_failure=False) as yes:
                entered.append(yes)
        print(type(limiter).__name__, entered)
    barrier = Barrier(backend, "barrier", ttl=60_000)
    print("barrier", barrier.create(parties=2), barrier.wait(block=False), barrier.wait(block=False))


worker = dramatiq.Worker(broker, worker_threads=1)
worker.start()
print("result", add.send(2, 3).get_result(block=True, timeout=60_000))
print("delay", add.send_with_options(args=(20, 3), delay=200).get_result(block=True, timeout=60_000))
print("retried", flaky.send(3).get_result(block=True, timeout=60_000))
try:
    fails.send().get_result(block=True, timeout=60_000)
except ResultFailure as error:
    print("failed", error)
print("pipeline", (add.message(1, 2) | add.message(4) | add.message(8)).run().get_result(block=True, timeout=60_000))
print("group", list(group(add.message(i, i) for i in range(4)).run().get_results(block=True, timeout=60_000)))
followed = group([add.message(1, 1), add.message(2, 2)])
completed = add.message("after ", "the group")
followed.add_completion_callback(completed)
followed.run()

print("completed", completed.get_result(block=True, timeout=60_000))
busy = wait_for_gate.send()
idle.send("idle")
urgent.send("urgent")
gate.set()
busy.get_result(block=True, timeout=60_000)
broker.join("default", timeout=60_000)
worker.join()
print("order", sorted(order))
worker.stop()
add.send(1, 2)
print("waiting", broker.client.llen("dramatiq:default"))
broker.flush_all()
print("flushed", broker.client.llen("dramatiq:default"))
limits()
broker.close()
