"""Sends every connection for Redis's usual port to the server of the test.

The programs of the documents name no port, or the usual one; they run without
a change because Python imports this module before them.
"""

import os
import socket

USUAL_PORT = 6379
PORT = os.environ.get("MINIBROKER_REDIRECT_PORT")


def redirected(sock, address):
    """The address to connect `sock` to when a program asks for `address`."""
    if not isinstance(address, tuple) or address[1] != USUAL_PORT:
        return address
    if sock.family == socket.AF_INET6:
        # `localhost` may mean ::1; the servers listen on 127.0.0.1 alone, which
        # a socket of the sixth version reaches by its mapped address.
        return ("::ffff:127.0.0.1", int(PORT), 0, 0)
    return ("127.0.0.1", int(PORT))


if PORT is not None:
    plain_connect = socket.socket.connect
    plain_connect_ex = socket.socket.connect_ex

    def connect(self, address):
        return plain_connect(self, redirected(self, address))

    def connect_ex(self, address):
        return plain_connect_ex(self, redirected(self, address))

    socket.socket.connect = connect
    socket.socket.connect_ex = connect_ex
