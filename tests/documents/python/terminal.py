"""Runs a command on a terminal of its own: `terminal.py COMMAND [ARGUMENT...]`.

What comes in on stdin is typed at the terminal, what the command shows goes to
stdout. Ends as the command ends; when this process is killed, the terminal
goes away and takes the command along.
"""

import os
import pty
import select
import sys


def relay(master):
    """Carries both directions until the command has closed its terminal."""
    sources = [master, 0]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if master in ready:
            try:
                shown = os.read(master, 65536)
            except OSError:  # Linux: nobody has the terminal open any more.
                return
            if not shown:
                return
            os.write(1, shown)
        if 0 in ready:
            typed = os.read(0, 65536)
            if typed:
                os.write(master, typed)
            else:
                sources.remove(0)


pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
relay(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
