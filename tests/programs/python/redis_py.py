# redis: locks, scripts and functions, over RESP2 and RESP3, with threads and with asyncio

import asyncio
import os
import threading

import redis
import redis.asyncio
from redis.exceptions import LockError, LockNotOwnedError, NoScriptError, ResponseError

URL = os.environ["REDIS_URL"]

TRANSFER = """
local balance = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local amount = tonumber(ARGV[3])
if balance < amount then
    return redis.error_reply('SHORT ' .. ARGV[1] .. ' has ' .. balance)
end
redis.call('HINCRBY', KEYS[1], ARGV[1], -amount)
redis.call('HINCRBY', KEYS[1], ARGV[2], amount)
return {balance - amount, redis.call('HGETALL', KEYS[1])}
"""

LIBRARY = """#!lua name=visits
redis.register_function('visit', function(keys, args)
    redis.call('ZINCRBY', keys[1], 1, args[1])
    return redis.call('ZREVRANGE', keys[1], 0, -1, 'WITHSCORES')
end)
redis.register_function{
    function_name = 'visits',
    callback = function(keys, args) return redis.call('ZSCORE', keys[1], args[1]) end,
    flags = {'no-writes'},
}
"""


def outcome(function, *arguments, **named):
    try:
        return function(*arguments, **named)
    except redis.RedisError as error:
        return f"{type(error).__name__}: {error}"


def locks(client):
    lock = client.lock("room", timeout=60)
    other = client.lock("room", timeout=60)
    print("acquired", lock.acquire(), lock.locked(), lock.owned())
    print("by another", other.acquire(blocking=False), other.owned())
    print("extended", lock.extend(30), 60 < client.ttl("room") <= 90)
    print("replaced", lock.extend(20, replace_ttl=True), 0 < client.ttl("room") <= 20)
    print("reacquired", lock.reacquire(), 20 < client.ttl("room") <= 60)
    print("released", lock.release(), lock.locked())
    print("released again", outcome(lock.release))

    lock.acquire()
    client.set("room", "stolen")
    print("stolen", outcome(lock.extend, 1), "/", outcome(lock.release))
    client.delete("room")

    without = client.lock("room")
    without.acquire()
    print("without a timeout", outcome(without.extend, 1), "/", outcome(without.reacquire))
    without.release()

    # Four threads that count without losing one.
    def count():
        for _ in range(5):
            with client.lock("counter", timeout=60, sleep=0.001):
                client.set("count", int(client.get("count") or 0) + 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("counted", client.get("count"))
    short = client.lock("brief", timeout=0.02)
    short.acquire()
    print("after its time", client.lock("brief", timeout=60, sleep=0.005).acquire(blocking_timeout=50))
    print("too late", outcome(short.release))


def scripts(client):
    transfer = client.register_script(TRANSFER)
    client.hset("accounts", "ann", 10)
    print("transfer", transfer(keys=["accounts"], args=["ann", "bob", 4]))
    print("too much", outcome(transfer, keys=["accounts"], args=["ann", "bob", 40]))
    client.script_flush()
    print("exists", client.script_exists(transfer.sha))
    print("unknown", outcome(client.evalsha, transfer.sha, 0))
    print("loaded again", transfer(keys=["accounts"], args=["bob", "ann", 1]))
    print("exists", client.script_exists(transfer.sha))

    client.script_flush()
    pipe = client.pipeline()
    pipe.set("before", 1)
    transfer(keys=["accounts"], args=["ann", "bob", 2], client=pipe)
    transfer(keys=["accounts"], args=["carl", "bob", 2], client=pipe)
    pipe.incr("before")
    print("pipeline", pipe.execute(raise_on_error=False))

    print("read only", outcome(client.eval_ro, "return redis.call('SET', KEYS[1], 'x')", 1, "key"))
    print("types", client.eval("return {1, 2.9, 'text', true, false, {nested = 1}, {3, {4}}, nil, 5}", 0))
    print("bytes", client.eval("return ARGV[1] .. '\\0\\255'", 0, b"\x00\xfe"))
    print("map", client.eval("redis.setresp(3) return redis.call('HGETALL', KEYS[1])", 1, "accounts"))
    print("double", client.eval("redis.setresp(3) redis.call('ZADD', 'z', 1.5, 'm') "
                                "return redis.call('ZSCORE', 'z', 'm')", 0))
    print("json", client.eval("return cjson.encode(cjson.decode(ARGV[1]))", 0, '{"a":[1,2.5,null,true,{"b":"\\u00e9"}]}'))
    print("msgpack", client.eval("return cmsgpack.pack({1, 'two', 3.5, false})", 0))
    print("error", outcome(client.eval, "return redis.call('INCR', KEYS[1])", 1, "accounts"))
    print("syntax", outcome(client.eval, "return (", 0))
    print("global", outcome(client.eval, "x = 1", 0))


def functions(client):
    print("loaded", client.function_load(LIBRARY))
    print("again", outcome(client.function_load, LIBRARY))
    print("replaced", client.function_load(LIBRARY, replace=True))
    client.fcall("visit", 1, "pages", "/")
    client.fcall("visit", 1, "pages", "/chat")
    print("called", client.fcall("visit", 1, "pages", "/"))
    print("read only", client.fcall_ro("visits", 1, "pages", "/"))
    print("write in read only", outcome(client.fcall_ro, "visit", 1, "pages", "/"))
    dump = client.function_dump()
    client.function_flush()
    print("flushed", client.function_list(), outcome(client.fcall, "visit", 1, "pages", "/"))
    client.function_restore(dump)
    print("restored", client.fcall("visit", 1, "pages", "/"))
    client.function_delete("visits")


def transactions(client):
    client.set("stock", 3)

    def take(pipe):
        stock = int(pipe.get("stock"))
        pipe.multi()
        pipe.set("stock", stock - 1)
        pipe.eval("return redis.call('GET', KEYS[1])", 1, "stock")

    print("transaction", client.transaction(take, "stock"))
    with client.pipeline() as pipe:
        pipe.watch("stock")
        client.eval("redis.call('SET', KEYS[1], 0)", 1, "stock")
        pipe.multi()
        pipe.set("stock", 7)
        print("watched", outcome(pipe.execute), client.get("stock"))


async def with_asyncio(protocol):
    client = redis.asyncio.from_url(URL, protocol=protocol)
    order = []

    async def enter(name):
        async with client.lock("door", timeout=60, sleep=0.001):
            order.append(name + " in")
            await client.echo("hello")
            order.append(name + " out")

    await asyncio.gather(*(enter("guest") for _ in range(3)))
    print("one at a time", order)
    script = client.register_script("return {KEYS[1], ARGV[1], #ARGV}")
    print("script", await script(keys=["k"], args=["a", "b"]))
    await client.aclose()


for protocol in (2, 3):
    print(f"-- RESP{protocol}")
    with redis.from_url(URL, protocol=protocol) as client:
        client.flushall()
        client.script_flush()
        locks(client)
        scripts(client)
        functions(client)
        transactions(client)
    asyncio.run(with_asyncio(protocol))
