# redis: users with rights on commands, keys and channels

import os
from urllib.parse import urlparse

import redis

URL = os.environ["REDIS_URL"]


def client_of(name=None, password=None):
    """A client of this user; by default of the one that needs no login."""
    place = urlparse(URL)
    return redis.Redis(
        host=place.hostname, port=place.port, username=name, password=password, decode_responses=True
    )


def tried(call, *arguments, **options):
    """What a call returns, or the kind of its error."""
    try:
        return call(*arguments, **options)
    except redis.RedisError as error:
        return type(error).__name__


def main():
    admin = client_of()
    admin.flushall()
    for name in admin.acl_users():
        if name != "default":
            admin.acl_deluser(name)
    print("me", admin.acl_whoami())

    print(
        "ann",
        admin.acl_setuser(
            "ann",
            enabled=True,
            passwords=["+secret"],
            commands=["+get", "+set", "+publish", "+subscribe", "+ping", "+acl|whoami", "+multi", "+exec"],
            keys=["chat:*"],
            channels=["room:*"],
        ),
    )
    user = admin.acl_getuser("ann")
    print("rights", sorted(user["commands"]), user["keys"], user["channels"], len(user["passwords"]))

    ann = client_of("ann", "secret")
    print("she is", ann.acl_whoami())
    print("her key", tried(ann.set, "chat:1", "hi"), tried(ann.get, "chat:1"))
    print("another key", tried(ann.set, "other", "hi"))
    print("another command", tried(ann.delete, "chat:1"))
    print("her channel", tried(ann.publish, "room:1", "hi"), "another", tried(ann.publish, "hall", "hi"))
    print("a wrong password", tried(client_of("ann", "wrong").ping))

    listener = ann.pubsub()
    listener.subscribe("room:1")
    print("subscribed", listener.get_message(timeout=5)["type"])
    pipeline = ann.pipeline(transaction=True)
    pipeline.set("chat:2", "a").set("other", "b")
    print("a transaction", tried(pipeline.execute))

    print("dry run", admin.acl_dryrun("ann", "get", "chat:1"))
    print("reasons", sorted({entry["reason"] for entry in admin.acl_log()}))
    print("forgotten", admin.acl_log_reset(), admin.acl_log())

    print("fewer rights", admin.acl_setuser("ann", enabled=True, nopass=True, commands=["+ping"]))
    print("her key now", tried(ann.get, "chat:1"))
    print("removed", admin.acl_deluser("ann"), "ann" in admin.acl_users())
    print("categories", {"read", "write", "pubsub"} <= set(admin.acl_cat()))
    print("of lists", "lpush" in admin.acl_cat("list"))
    print("a random password", len(admin.acl_genpass()), len(admin.acl_genpass(32)))


main()
