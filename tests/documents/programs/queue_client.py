"""A client of the chat over a queue: `queue_client.py NAME`.

A thread pushes each line of standard input, another one shows what is published.
"""

import os
import sys
import threading

import redis

name = sys.argv[1]
server = redis.Redis.from_url(os.environ["REDIS_URL"])


def speak():
    for line in sys.stdin:
        text = line.rstrip("\n")
        server.lpush("queue", f"{name}|{text}")


def listen():
    channel = server.pubsub()
    channel.subscribe("everybody")
    for event in channel.listen():
        shown = event["data"]
        if event["type"] == "message":
            shown = shown.decode()
        print(f"{event['type']}: {shown}", flush=True)


threads = [threading.Thread(target=part) for part in (speak, listen)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
