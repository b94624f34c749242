# huey: tasks with a delay, retries, priorities and results; pipelines, locks, revoked tasks

import logging
import os
import threading

from huey import PriorityRedisHuey, RedisHuey
from huey import signals
from huey.exceptions import TaskException

logging.disable(logging.CRITICAL)
URL = os.environ["REDIS_URL"]
huey = PriorityRedisHuey("programs", url=URL)
tries, order, completed = [], [], threading.Event()


@huey.task()
def add(a, b):
    return a + b


@huey.task(retries=3, retry_delay=0)
def flaky(succeeds_at):
    tries.append(succeeds_at)
    if len(tries) < succeeds_at:
        raise ValueError(f"try {len(tries)}")
    return f"after {len(tries)} tries"


@huey.task()
def fails():
    raise KeyError("gone")


@huey.task()
def note(word):
    order.append(word)


@huey.task()
def alone():
    with huey.lock_task("alone"):
        return "alone"


@huey.signal(signals.SIGNAL_COMPLETE)
def completes(signal, task):
    if task.name == "flaky":
        completed.set()


def outcome(result):
    try:
        return result.get(blocking=True, timeout=60, preserve=True)
    except TaskException as error:
        return f"{type(error).__name__}: {error.metadata['error']}"


# Queued before anybody works: priorities decide.
for priority in (1, 50, None, 10, 50):
    note.schedule((f"priority {priority}",), delay=-1, priority=priority)
never = note("never")
never.revoke()
print("waiting", len(huey.pending()), huey.is_revoked(never))
consumer = huey.create_consumer(workers=1, periodic=False, initial_delay=0.01, max_delay=0.01)
consumer.start()
print("result", outcome(add(2, 3)))
print("order", order)
print("delay", outcome(add.schedule((20, 3), delay=1)))
retried = flaky(3)
completed.wait(60)
print("retried", outcome(retried))
print("failed", outcome(fails()))
print("pipeline", [outcome(result) for result in huey.enqueue(add.s(1, 2).then(add, 4).then(add, 8))])
print("map", add.map([(i, i) for i in range(4)]).get(blocking=True, timeout=60))
with huey.lock_task("alone"):
    print("locked", outcome(alone()))
print("unlocked", outcome(alone()))
print("lock again", huey.is_locked("alone"), huey.flush_locks("alone"))
huey.put("kept", {"some": ["value"]})
print("kept", huey.get("kept", peek=True), huey.get("kept"), huey.get("kept"))
print("once", huey.storage.put_if_empty("once", b"first"), huey.storage.put_if_empty("once", b"second"))
print("results", huey.result_count(), huey.scheduled_count(), len(huey.pending()))
consumer.stop(graceful=True)
plain = RedisHuey("plain", url=URL)
plain.storage.enqueue(b"one")
plain.storage.enqueue(b"two")
print("plain", plain.storage.queue_size(), plain.storage.dequeue(), plain.storage.dequeue())
