"""The server of a chat over a queue: what is pushed to the queue is published.

Shows how many subscribers each message has reached.
"""

import os

import redis

server = redis.Redis.from_url(os.environ["REDIS_URL"])
while True:
    _, entry = server.blpop("queue", timeout=0)
    author, text = entry.decode().split("|", 1)
    reached = server.publish("everybody", f"<{author}> {text}")
    print(f"{author} reached {reached}", flush=True)
