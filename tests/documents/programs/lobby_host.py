"""The host of a lobby: publishes each line of standard input, and shows what guests say in the lobby."""

import os
import sys
import threading

import redis

server = redis.Redis.from_url(os.environ["REDIS_URL"])
HOST = "*** "


def log():
    lobby = server.pubsub()
    lobby.subscribe(["lobby"])
    for event in lobby.listen():
        if event["data"] == 1:
            print("open", flush=True)
            continue
        text = event["data"].decode()
        if not text.startswith(HOST):
            print(f"log {text}", flush=True)


threading.Thread(target=log, daemon=True).start()
for line in sys.stdin:
    server.publish("lobby", (HOST + line.rstrip("\n")).encode())
