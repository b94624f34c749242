"""A group chat over a stream, in turns: `stream_turns.py NAME`.

Each line of standard input is added; then the next entry of somebody else is
waited for and shown, before the next line is read.
"""

import os
import sys

import redis

name = sys.argv[1]
server = redis.Redis.from_url(os.environ["REDIS_URL"])
for line in sys.stdin:
    server.xadd("group", {name: line.rstrip("\n")})
    for stream, entries in server.xread({"group": "$"}, None, 0):
        for _, fields in entries:
            print(stream.decode(), fields, flush=True)
