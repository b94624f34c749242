"""Plays a session of several connections over redis-py, told on stdin.

Each line is a JSON array: the connection's name and the command's words. With
words alone in it, the command runs and its reply is shown; with no words, the
next message of that connection is awaited and shown. Every answer is one line
on stdout.
"""

import json
import sys

import redis

SUBSCRIBING = {"subscribe", "unsubscribe", "psubscribe", "punsubscribe"}


class Connection:
    """One user: a client for commands and, from the first need, a subscriber."""

    def __init__(self):
        self.client = redis.Redis(single_connection_client=True)
        self.subscriber = self.client.pubsub()

    def run(self, command, *words):
        if command.lower() in SUBSCRIBING:
            getattr(self.subscriber, command.lower())(*words)
            return self.receive()
        return self.client.execute_command(command, *words)

    def receive(self):
        return self.subscriber.get_message(timeout=None)


connections = {}
for line in sys.stdin:
    name, *words = json.loads(line)
    connection = connections.setdefault(name, None) or Connection()
    connections[name] = connection
    try:
        answer = connection.run(*words) if words else connection.receive()
    except redis.RedisError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        continue
    print(repr(answer), flush=True)
