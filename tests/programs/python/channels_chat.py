# channels_redis: two Django-style consumers that chat in a room, groups, capacity and expiry; core and Pub/Sub layer

import asyncio
import json
import os

from django.conf import settings

# redis-py gives a reply 5 seconds, which is as long as the layer has BZPOPMIN wait.
HOST = {"address": os.environ["REDIS_URL"], "socket_timeout": 60}
LAYERS = {
    "core": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [HOST]}},
    "pubsub": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [HOST]}},
}
settings.configure(CHANNEL_LAYERS=LAYERS)

from asgiref.testing import ApplicationCommunicator
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer
from channels_redis.core import ChannelFull, RedisChannelLayer


def consumer(layer):
    class Chat(AsyncJsonWebsocketConsumer):
        channel_layer_alias = layer

        async def connect(self):
            self.name = self.scope["path"].strip("/")
            await self.channel_layer.group_add("room", self.channel_name)
            await self.accept()
            await self.channel_layer.group_send("room", {"type": "chat.joined", "name": self.name})

        async def receive_json(self, content):
            message = {"type": "chat.said", "name": self.name, "text": content["text"]}
            await self.channel_layer.group_send("room", message)

        async def disconnect(self, code):
            await self.channel_layer.group_discard("room", self.channel_name)
            await self.channel_layer.group_send("room", {"type": "chat.left", "name": self.name})

        async def chat_joined(self, event):
            await self.send_json({"joined": event["name"]})

        async def chat_said(self, event):
            await self.send_json({event["name"]: event["text"]})

        async def chat_left(self, event):
            await self.send_json({"left": event["name"]})

    return Chat.as_asgi()


class Browser:
    """A web socket, as the server in front of an application has it."""

    def __init__(self, name, application):
        self.name = name
        self.socket = ApplicationCommunicator(application, {"type": "websocket", "path": f"/{name}"})

    async def connect(self):
        await self.socket.send_input({"type": "websocket.connect"})
        print(self.name, "connects", (await self.socket.receive_output(60))["type"])

    async def say(self, text):
        await self.socket.send_input({"type": "websocket.receive", "text": json.dumps({"text": text})})

    async def sees(self):
        print(self.name, "sees", json.loads((await self.socket.receive_output(60))["text"]))

    async def leave(self):
        await self.socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.socket.wait(60)


async def chat(layer):
    print(f"-- a chat over the {layer} layer")
    application = consumer(layer)
    ann, bob = Browser("ann", application), Browser("bob", application)
    await ann.connect()
    await ann.sees()
    await bob.connect()
    await ann.sees()
    await bob.sees()
    for who, text in ((ann, "hello"), (bob, "h\u00e9llo"), (ann, "x" * 20)):
        await who.say(text)
        await ann.sees()
        await bob.sees()
    await bob.leave()
    await ann.sees()
    await ann.leave()
    layer = get_channel_layer(layer)
    await (layer.close_pools if hasattr(layer, "close_pools") else layer.flush)()


async def core():
    print("-- the core layer")
    layer = RedisChannelLayer(hosts=[HOST], capacity=3, channel_capacity={"small*": 1}, prefix="core")
    await layer.send("jobs", {"type": "job", "number": 1, "bytes": b"\x00\xff", "nested": {"list": [1, 2.5, None]}})
    print("received", await layer.receive("jobs"))

    # Somebody waits before anything is sent.
    waiting = asyncio.create_task(layer.receive("later"))
    await layer.send("later", {"type": "first"})
    print("waited for", await waiting)

    names = [await layer.new_channel() for _ in range(3)]
    print("of one process", len({name.split("!")[0] for name in names}), len(set(names)))
    for name in names:
        await layer.group_add("group", name)
    await layer.group_send("group", {"type": "to.all"})
    print("each received", [(await layer.receive(name))["type"] for name in names])
    await layer.group_discard("group", names[1])
    await layer.group_send("group", {"type": "to.two"})
    print("two received", [(await layer.receive(name))["type"] for name in (names[0], names[2])])

    full = 0
    for _ in range(5):
        try:
            await layer.send("full", {"type": "much"})
        except ChannelFull:
            full += 1
    await layer.send("small1", {"type": "much"})
    try:
        await layer.send("small1", {"type": "much"})
    except ChannelFull:
        print("over capacity", full, "and the small one")
    # Sending to a group does not fail: what is over the capacity is dropped.
    await layer.group_add("crowd", "full")
    await layer.group_add("crowd", "empty")
    await layer.group_send("crowd", {"type": "announcement"})
    print("not dropped", await layer.receive("empty"))
    print("still there", [(await layer.receive("full"))["type"] for _ in range(3)])

    short = RedisChannelLayer(hosts=[HOST], expiry=1, prefix="short")
    await short.send("jobs", {"type": "expires"})
    async with short.connection(0) as connection:
        while await connection.exists("shortjobs"):
            await asyncio.sleep(0.02)
    print("expired")
    await layer.flush()
    await layer.close_pools()
    await short.close_pools()


async def main():
    await chat("core")
    await chat("pubsub")
    await core()


asyncio.run(main())
