# limits: fixed window, moving window and sliding window counter, blocking and with asyncio

import asyncio
import os
import time

import limits
import limits.aio

URL = os.environ["REDIS_URL"]
STRATEGIES = ("FixedWindowRateLimiter", "MovingWindowRateLimiter", "SlidingWindowCounterRateLimiter")
# So long that no window ends while this runs.
LIMIT = limits.parse("3 per 10 year")


def blocking():
    storage = limits.storage.storage_from_string(URL)
    print("-- blocking", storage.check())
    for name in STRATEGIES:
        limiter = getattr(limits.strategies, name)(storage)
        print(name)
        print("test", limiter.test(LIMIT, name, "ann"))
        print("hits", [limiter.hit(LIMIT, name, "ann") for _ in range(4)])
        print("another's", limiter.hit(LIMIT, name, "bob", cost=2), limiter.hit(LIMIT, name, "bob", cost=2))
        print("left", [limiter.get_window_stats(LIMIT, name, who).remaining for who in ("ann", "bob", "carl")])
        limiter.clear(LIMIT, name, "ann")
        print("cleared", limiter.hit(LIMIT, name, "ann"))
    short = limits.parse("1 per 1 second")
    limiter = limits.strategies.FixedWindowRateLimiter(storage)
    limiter.hit(short, "short")
    while not limiter.hit(short, "short"):
        time.sleep(0.01)
    print("a window passed")
    print("reset", storage.reset())


async def with_asyncio(implementation):
    storage = limits.storage.storage_from_string("async+" + URL, implementation=implementation)
    print("-- with asyncio", implementation, await storage.check())
    for name in STRATEGIES:
        limiter = getattr(limits.aio.strategies, name)(storage)
        print(name)
        print("hits", [await limiter.hit(LIMIT, name, "ann") for _ in range(4)])
        at_once = await asyncio.gather(*(limiter.hit(LIMIT, name, "bob") for _ in range(8)))
        print("at once", at_once.count(True))
        print("left", [(await limiter.get_window_stats(LIMIT, name, who)).remaining for who in ("ann", "carl")])
    print("reset", await storage.reset())


blocking()
asyncio.run(with_asyncio("redispy"))
