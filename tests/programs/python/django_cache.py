# Django: the Redis cache, and sessions in it

import os
import time

from django.conf import settings

settings.configure(
    CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["REDIS_URL"]}},
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
)

from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import cache

print("set", cache.set("name", {"first": "Ann", "numbers": [1, 2]}), cache.get("name"))
print("add", cache.add("once", 1), cache.add("once", 2), cache.get("once"))
print("counter", cache.incr("once", 4), cache.decr("once", 2), cache.get("once"))
try:
    cache.incr("missing")
except ValueError as error:
    print("missing", error)
cache.set_many({"a": 1, "b": "two", "c": None}, timeout=60)
print("many", cache.get_many(["a", "b", "c", "d"]))
print("or set", cache.get_or_set("made", lambda: "made once"), cache.get_or_set("made", "made twice"))
print("touch", cache.touch("a", 100), cache.touch("missing"), cache.touch("a", 0), cache.get("a"))
print("versions", cache.set("v", 1, version=1), cache.incr_version("v"), cache.get("v", version=2), cache.has_key("v"))
print("deleted", cache.delete("b"), cache.delete("b"), cache.delete_many(["c", "name"]), cache.get("name"))
cache.set("brief", 1, timeout=1)
while "brief" in cache:
    time.sleep(0.01)
print("expired", cache.get("brief", "gone"))

session = SessionStore()
session["user"] = 7
session.set_expiry(60)
session.save()
again = SessionStore(session.session_key)
print("session", again["user"], again.exists(session.session_key))
again["cart"] = ["book"]
again.cycle_key()
print("another key", again.session_key != session.session_key, dict(SessionStore(again.session_key).items())["cart"])
again.flush()
print("flushed", SessionStore(again.session_key).get("user"))
cache.clear()
print("cleared", cache.get("once"))
