"""A group chat over a stream, at any time: `stream_threads.py NAME [others]`.

A thread shows each entry as it comes, or with `others` only what others have
added. Each line of standard input is added; an empty one is not, with `others`.
"""

import os
import sys
import threading

import redis

name = sys.argv[1]
only_others = sys.argv[2:] == ["others"]
server = redis.Redis.from_url(os.environ["REDIS_URL"])


def show():
    while True:
        for stream, entries in server.xread({"group": "$"}, None, 0):
            for _, fields in entries:
                for author, text in fields.items():
                    if only_others and author.decode() == name:
                        continue
                    print(f"{stream.decode()}: {author.decode()} says {text.decode()}", flush=True)


threading.Thread(target=show, daemon=True).start()
for line in sys.stdin:
    text = line.rstrip("\n")
    if text or not only_others:
        server.xadd("group", {name: text})
