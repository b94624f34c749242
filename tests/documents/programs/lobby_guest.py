"""A guest of a lobby: a free name is asked for, then each line of standard input is an order.

who              who is there
say TEXT         to everybody in the lobby
tell NAME TEXT   to one guest
take COUNT       waits until so many messages have come, and shows them
go               leaves
"""

import os
import queue
import sys
import threading

import redis

server = redis.Redis.from_url(os.environ["REDIS_URL"])
inbox = queue.Queue()


def lines():
    for line in sys.stdin:
        yield line.rstrip("\n")


def enter(wanted):
    for name in wanted:
        if not server.sismember("guests", name):
            server.sadd("guests", name)
            print(f"welcome {name}", flush=True)
            return name
        print(f"{name} is taken", flush=True)
    sys.exit()


def listen(channel, mark, ready):
    subscription = server.pubsub()
    subscription.subscribe([channel])
    for event in subscription.listen():
        if event["data"] == 1:
            ready.set()
        else:
            inbox.put(mark + event["data"].decode())


def obey(order, rest):
    if order == "who":
        return sorted(guest.decode() for guest in server.smembers("guests"))
    if order == "say":
        return server.publish("lobby", f"{name}: {rest}".encode())
    if order == "tell":
        guest, _, text = rest.partition(" ")
        if not server.sismember("guests", guest):
            return "nobody of that name"
        return server.publish(guest, f"{name}: {text}".encode())
    if order == "take":
        return [inbox.get() for _ in range(int(rest))]
    return "what?"


typed = lines()
name = enter(typed)
try:
    for channel, mark in [("lobby", ""), (name, "(to you) ")]:
        ready = threading.Event()
        threading.Thread(target=listen, args=(channel, mark, ready), daemon=True).start()
        ready.wait()
    print("ready", flush=True)
    for line in typed:
        order, _, rest = line.partition(" ")
        if order == "go":
            server.srem("guests", name)
            print("bye", flush=True)
            break
        print(f"{order}: {obey(order, rest)}", flush=True)
finally:
    if server.sismember("guests", name):
        server.srem("guests", name)
