# redis: a cache in the client, which the server invalidates

import os
import time

import redis
from redis.cache import CacheConfig, CacheKey

URL = os.environ["REDIS_URL"]


def cached(client, command, *arguments):
    """The reply that the client has cached for a command, if it has."""
    key = CacheKey(command=command, redis_keys=(arguments[0],), redis_args=(command, *arguments))
    entry = client.get_cache().get(key)
    return entry.cache_value if entry else None


def until(met):
    """Waits for what a message of the server brings about; the connections read it before their next command."""
    for _ in range(1000):
        if met():
            return True
        time.sleep(0.01)
    return False


def main():
    client = redis.from_url(URL, protocol=3, cache_config=CacheConfig(), decode_responses=True)
    other = redis.from_url(URL, protocol=3, decode_responses=True)
    other.flushall()

    print("nothing yet", client.get("mood"), cached(client, "GET", "mood"))
    other.set("mood", "calm")
    print("changed by another", until(lambda: client.get("mood") == "calm"))
    # A reply that an invalidation overtakes is not kept.
    print("cached", until(lambda: client.get("mood") == cached(client, "GET", "mood") == "calm"))
    client.set("mood", "glad")
    print("changed by itself", until(lambda: client.get("mood") == "glad"))

    other.rpush("history", "one", "two")
    history = ("LRANGE", "history", 0, -1)
    print("a list", until(lambda: client.lrange(*history[1:]) == cached(client, *history) == ["one", "two"]))
    other.rpush("history", "three")
    print("a longer list", until(lambda: len(client.lrange("history", 0, -1)) == 3))
    print("several keys", client.mget("mood", "none"))
    other.delete("mood")
    print("deleted", until(lambda: client.get("mood") is None))
    other.set("mood", "brief", px=30)
    print("expired", until(lambda: client.get("mood") is None))

    client.get("mood")
    other.flushall()
    print("flushed", until(lambda: client.lrange("history", 0, -1) == []))

    info = other.info("clients")
    print("clients that track", info["tracking_clients"])
    client.close()
    print("after it has closed", until(lambda: other.info("clients")["tracking_clients"] == 0))

    tracked = redis.from_url(URL, protocol=3, decode_responses=True, single_connection_client=True)
    tracked.client_tracking_on(prefix=["user:"], bcast=True, noloop=True)
    print("options", tracked.client_trackinginfo(), tracked.client_getredir())
    tracked.client_tracking_off()
    print("off", tracked.client_trackinginfo(), tracked.client_getredir())


main()
