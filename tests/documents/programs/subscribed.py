"""A connection in the subscribed mode: what it may say, what it may not, and what it receives.

The subscriber sends its commands as they are, without the client's own care
for what is allowed. It speaks RESP2, where the mode is.
"""

import os

import redis

url = os.environ["REDIS_URL"]
publisher = redis.Redis.from_url(url)
pool = redis.ConnectionPool.from_url(url, protocol=2)
subscriber = pool.make_connection()
subscriber.connect()


def receive():
    try:
        print(subscriber.read_response(), flush=True)
    except redis.ResponseError as error:
        print(f"error: {error}", flush=True)


def say(*words):
    print("say", *words, flush=True)
    subscriber.send_command(*words)
    receive()


def publish(channel, text):
    print("publish", channel, publisher.publish(channel, text), flush=True)


say("SUBSCRIBE", "weather")
say("SUBSCRIBE", "traffic")
publish("traffic", "a jam")
receive()
publish("sports", "one all")
for refused in ("PUBLISH traffic clear", "GET key", "CLIENT LIST", "MULTI", "NOSUCH"):
    say(*refused.split())
for allowed in ("PING", "PING still there", "PSUBSCRIBE *", "PUNSUBSCRIBE", "UNSUBSCRIBE sports"):
    say(*allowed.split(maxsplit=1))
publish("weather", "sun")
receive()
say("UNSUBSCRIBE", "weather")
say("UNSUBSCRIBE", "traffic")
say("GET", "key")
