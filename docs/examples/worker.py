#!/usr/bin/env python3
"""worker.py QUEUE COMMAND URL...: gives each event of QUEUE to COMMAND on its standard input."""
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
        ask(others, "POST", f"{event}/extend?receipt={receipt}&visibility_timeout={hold}s")


stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
while not stop.is_set():
    status, headers, body = ask(nodes, "POST", f"/queues/{queue}/receive?wait=20s&visibility_timeout={hold}s")
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
        ask(nodes, "DELETE", f"{event}?receipt={receipt}")
    else:
        ask(nodes, "POST", f"{event}/release?receipt={receipt}")  # `backoff` says when it comes again
