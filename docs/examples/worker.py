#!/usr/bin/env python3
"""worker.py QUEUE COMMAND URL...: gives each event of QUEUE to COMMAND on its standard input.

HOLD (30): seconds for which an event is held, again and again while COMMAND runs. A node that hangs is given up
after a part of them."""
import os
import signal
import subprocess
import sys
import threading

from wormhole import ask

queue, command, *nodes = sys.argv[1:]
hold = int(os.environ.get("HOLD", "30"))


def keep(event, receipt, done):
    """Longer work keeps its event."""
    others = list(nodes)
    while not done.wait(hold / 3):
        ask(others, "POST", f"{event}/extend?receipt={receipt}&visibility_timeout={hold}s", timeout=hold / 6)


stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
while not stop.is_set():
    wait = f"wait={hold * 1000 // 6}ms&visibility_timeout={hold}s"
    status, headers, body = ask(nodes, "POST", f"/queues/{queue}/receive?{wait}", timeout=hold / 3, stop=stop)
    if status == 204:
        continue
    if status != 200:
        sys.exit(body.decode())  # refused: the sentence says why
    event, receipt = f"/queues/{queue}/events/{headers['Wormhole-Event-Id']}", headers["Wormhole-Receipt"]
    done = threading.Event()
    threading.Thread(target=keep, args=(event, receipt, done), daemon=True).start()
    worked = subprocess.run(["sh", "-c", command], input=body).returncode == 0
    done.set()
    if worked:
        status, _, body = ask(nodes, "DELETE", f"{event}?receipt={receipt}", timeout=hold / 6)
    else:  # `backoff` says when it comes again
        status, _, body = ask(nodes, "POST", f"{event}/release?receipt={receipt}", timeout=hold / 6)
    if status >= 300:
        print(body.decode(), file=sys.stderr)  # too late: it comes again, or came already
