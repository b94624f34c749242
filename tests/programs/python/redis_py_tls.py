# redis: over TLS, with and without a certificate of its own, with threads and with asyncio

import asyncio
import os

import redis
import redis.asyncio

URL = os.environ["REDIS_URL"]
CA = os.environ["REDIS_CA_FILE"]
OWN = {"ssl_certfile": os.environ["REDIS_CERT_FILE"], "ssl_keyfile": os.environ["REDIS_KEY_FILE"]}


def connect(**named):
    return redis.Redis.from_url(URL, decode_responses=True, ssl_ca_certs=CA, retry=None, **named)


def outcome(function):
    try:
        return function()
    except redis.ConnectionError as error:
        # The words depend on OpenSSL, and on whether its alert or the end of the connection is seen first.
        return type(error).__name__


def chat(r):
    r.flushdb()
    listener = r.pubsub()
    listener.subscribe("chat")
    print("subscribed", listener.get_message(timeout=5)["type"])
    print("published", r.publish("chat", "hello"))
    print("heard", listener.get_message(timeout=5)["data"])
    listener.close()
    with r.pipeline() as pipeline:
        for number in range(1000):
            pipeline.rpush("history", f"message {number}")
        print("pipeline", pipeline.execute()[-1])
    print("history", r.lrange("history", 0, 1), r.llen("history"))
    text = "x" * 3_000_000
    r.set("long", text)
    print("long", r.get("long") == text)
    print("nothing came", r.blpop("inbox", timeout=1))


async def chat_async(**named):
    r = redis.asyncio.Redis.from_url(URL, decode_responses=True, ssl_ca_certs=CA, protocol=3, **named)
    async with r.pubsub() as listener:
        await listener.subscribe("chat")
        print("subscribed", (await listener.get_message(timeout=5))["type"])
        print("published", await r.publish("chat", "hello"))
        print("heard", (await listener.get_message(timeout=5))["data"])
    print("together", sorted(await asyncio.gather(*(r.incr("visits") for _ in range(5)))))
    await r.aclose()


for protocol in (2, 3):
    print(f"RESP{protocol}")
    chat(connect(protocol=protocol))
print("asyncio")
asyncio.run(chat_async(**OWN))

r = connect(**OWN)
print("with a certificate", r.ping())
r.config_set("tls-auth-clients", "yes")
print("without one", outcome(connect().ping))
print("with one", outcome(connect(**OWN).ping))
print("earlier connections", r.ping())
r.config_set("tls-auth-clients", "no")
print("not asked for", outcome(connect().ping))
print("settings", sorted(r.config_get("tls-auth-clients").items()))
print("strangers", outcome(redis.Redis.from_url(URL, retry=None).ping))
for setting in ("tls-cert-file", "tls-auth-clients"):
    try:
        r.config_set(setting, "nothing")
    except redis.ResponseError as error:
        print("error", error)
r.config_set("tls-cert-file", r.config_get("tls-cert-file")["tls-cert-file"])
print("after a renewal", connect().ping())
r.config_set("tls-auth-clients", "optional")
