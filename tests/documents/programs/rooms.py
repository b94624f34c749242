"""Rooms with a backlog: two users, and a supervisor who listens to all rooms.

One program with a connection for each; it shows every answer and every message.
"""

import os

import redis


def connect():
    return redis.Redis.from_url(os.environ["REDIS_URL"], single_connection_client=True)


reader, writer, supervisor = connect(), connect(), connect()


def show(who, answer):
    print(f"{who}: {answer!r}", flush=True)


def next_event(who, channels):
    event = channels.get_message(timeout=None)
    show(who, [event[part] for part in ("type", "pattern", "channel", "data")])


# A room with one user in it.
chatty = reader.pubsub()
chatty.subscribe("room:blue")
next_event("reader", chatty)
show("writer", writer.publish("room:blue", "Is somebody in here?"))
next_event("reader", chatty)
chatty.unsubscribe("room:blue")
next_event("reader", chatty)
show("writer", writer.publish("room:blue", "And now?"))

# Everything that is published is kept as well, in one transaction.
rooms = supervisor.pubsub()
rooms.psubscribe("room:*")
next_event("supervisor", rooms)
texts = ["Moin", 'She said "no"', "до свидания"]
for text in texts:
    both = writer.pipeline(transaction=True)
    both.lpush("room:blue:kept", text)
    both.publish("room:blue", text)
    show("writer", both.execute())
for first, last in [(0, 1), (0, -1), (-1, 5), (7, 9)]:
    show("reader", reader.lrange("room:blue:kept", first, last))

# Messages of some time, by their time.
for time, text in zip([50, 60.25, 70], texts):
    show("writer", writer.zadd("room:blue:times", {text: time}))
for first, last in [(50, 60.25), ("(50", "+inf"), ("-inf", "(50"), ("noon", 1)]:
    try:
        show("reader", reader.zrangebyscore("room:blue:times", first, last))
    except redis.ResponseError as error:
        show("reader", str(error))
found = reader.zrangebyscore("room:blue:times", 0, 999, start=1, num=2, withscores=True)
show("reader", [(text, score) for text, score in found])

for _ in texts:
    next_event("supervisor", rooms)
