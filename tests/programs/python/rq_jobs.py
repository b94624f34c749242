# rq: jobs with a delay, retries, failures, dependencies, repetition, cancellation and results

import os
import sys
import time
from datetime import timedelta

import redis
from rq import Queue, Repeat, Retry, SimpleWorker, get_current_job
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.scheduler import RQScheduler

connection = redis.from_url(os.environ["REDIS_URL"])


def add(a, b):
    return a + b


def flaky(succeeds_at):
    job = get_current_job()
    job.meta["tries"] = job.meta.get("tries", 0) + 1
    job.save_meta()
    if job.meta["tries"] < succeeds_at:
        raise ValueError(f"try {job.meta['tries']}")
    return f"after {job.meta['tries']} tries"


def note(word):
    connection.rpush("notes", word)


def failed(job, connection, kind, value, traceback):
    connection.rpush("callbacks", f"{job.get_status(refresh=False)} {kind.__name__} {value}")


def succeeded(job, connection, result):
    connection.rpush("callbacks", f"result {result}")


def main():
    # The worker imports the functions by the name of this file.
    import rq_jobs as jobs

    high, low = Queue("high", connection=connection), Queue("low", connection=connection)
    worker = SimpleWorker([high, low], connection=connection, name="worker")

    def work():
        worker.work(burst=True, logging_level="CRITICAL")

    job = low.enqueue(jobs.add, 2, 3, on_success=jobs.succeeded)
    print("queued", job.get_status(), low.count, job.get_position())
    work()
    print("result", job.return_value(), job.get_status(refresh=True), low.count)

    job = low.enqueue(jobs.flaky, 3, retry=Retry(max=3))
    work()
    print("retried", job.return_value(refresh=True), job.get_meta(refresh=True))
    job = low.enqueue(jobs.flaky, 9, retry=Retry(max=1), on_failure=jobs.failed)
    work()
    print("failed", job.get_status(refresh=True), job.exc_info.splitlines()[-1], job.id in low.failed_job_registry)
    low.failed_job_registry.requeue(job.id)
    print("requeued", low.count, len(low.failed_job_registry))
    low.empty()
    print("callbacks", connection.lrange("callbacks", 0, -1))

    # Two queues, at the front, dependencies.
    low.enqueue(jobs.note, "low")
    high.enqueue(jobs.note, "high")
    low.enqueue(jobs.note, "low, at the front", at_front=True)
    first = low.enqueue(jobs.add, 1, 1)
    second = low.enqueue(jobs.note, "after its dependency", depends_on=first)
    print("deferred", second.get_status(), low.deferred_job_registry.count)
    work()
    print("order", connection.lrange("notes", 0, -1))

    # A delay: the scheduler queues what is due.
    connection.delete("notes")
    job = low.enqueue_in(timedelta(seconds=1), jobs.note, "later")
    print("scheduled", job.get_status(), low.scheduled_job_registry.count)
    scheduler = RQScheduler([low], connection=connection, logging_level="CRITICAL")
    print("scheduler has", sorted(scheduler.acquire_locks()))
    while low.is_empty():
        time.sleep(0.01)
        scheduler.enqueue_scheduled_jobs()
    work()
    print("done", connection.lrange("notes", 0, -1), low.scheduled_job_registry.count)
    scheduler.release_locks()

    repeated = low.enqueue(jobs.note, "again", repeat=Repeat(times=2, interval=0))
    work()
    print("repeated", connection.lrange("notes", 0, -1), repeated.get_status(refresh=True))

    job = low.enqueue(jobs.note, "never")
    job.cancel()
    print("cancelled", job.get_status(), low.count)
    job.delete()
    try:
        Job.fetch(job.id, connection=connection)
    except NoSuchJobError as error:
        print("deleted", type(error).__name__)
    unique = low.enqueue(jobs.add, 1, 2, job_id="one-of-a-kind")
    print("by name", Job.fetch("one-of-a-kind", connection=connection).args, unique.is_queued)
    print("workers", SimpleWorker.count(connection=connection), sorted(q.name for q in Queue.all(connection=connection)))


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))
    main()
