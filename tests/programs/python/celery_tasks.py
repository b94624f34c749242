# celery: tasks with a countdown, retries, priorities and results; chains, groups, chords, revoked tasks

import os

from celery import Celery, chain, chord, group
from celery.contrib.testing.worker import start_worker

URL = os.environ["REDIS_URL"]

app = Celery("programs", broker=URL + "/0", backend=URL + "/1")
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"queue_order_strategy": "priority", "priority_steps": [0, 3, 6, 9]},
    result_extended=True,
    task_track_started=True,
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=1,
)
order = []


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def flaky(self, succeeds_at):
    if self.request.retries < succeeds_at:
        raise self.retry(countdown=0.05, exc=ValueError(f"try {self.request.retries}"))
    return f"after {self.request.retries} retries"


@app.task
def fails():
    raise KeyError("gone")


@app.task
def note(word):
    order.append(word)


def outcome(result):
    try:
        return result.get(timeout=60)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def answers(replies):
    return [answer for reply in replies for answer in reply.values()]


# Queued before anybody works: priorities decide.
notes = [note.apply_async((f"priority {p}",), priority=p) for p in (9, 3, 6, 0, 6)]
with start_worker(app, pool="threads", concurrency=1, perform_ping_check=False):
    print("queued", [outcome(result) for result in notes], order)
    print("result", outcome(add.delay(2, 3)))
    print("countdown", outcome(add.apply_async((20, 3), countdown=0.2)))
    result = flaky.delay(2)
    print("retried", outcome(result), result.state, result.retries)
    result = flaky.delay(9)
    print("retried too often", outcome(result), result.state)
    result = fails.delay()
    print("failed", outcome(result), result.state, result.failed())
    result.forget()
    print("forgotten", result.state)

    print("chain", outcome(chain(add.s(1, 2), add.s(4), add.s(8))()))
    print("group", outcome(group(add.s(i, i) for i in range(5))()))
    print("chord", outcome(chord((add.s(i, 1) for i in range(5)), total.s())()))
    print("chord with an error", outcome(chord([add.s(1, 1), fails.s()], total.s())()))
    saved = group(add.s(1, 1), add.s(2, 2))()
    saved.save()
    print("saved group", outcome(app.GroupResult.restore(saved.id)))

    # Control commands are broadcast over Pub/Sub and answered one after the other.
    app.control.revoke("unwanted")
    print("ping", answers(app.control.ping(timeout=60, limit=1)))
    print("revoked", outcome(note.apply_async(("revoked",), task_id="unwanted")), order.count("revoked"))
    print("rate limit", answers(app.control.rate_limit(note.name, "10/s", reply=True, timeout=60, limit=1)))
    print("purged", app.control.purge())
