#!/usr/bin/env python3
"""worker.py QUEUE COMMAND URL...: gives each event of QUEUE to COMMAND on its standard input."""
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

queue, command, *nodes = sys.argv[1:]
hold = int(os.environ.get("HOLD", "30"))
turn = 0  # which node is asked


def ask(method, path):
    """Asks one node after the other until one answers: status, headers, body."""
    global turn
    while True:
        request = urllib.request.Request(f"{nodes[turn % len(nodes)]}/queues/{queue}/{path}", method=method)
        pause = 1.0
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503, 504):
                return error.code, error.headers, error.read()
            pause = float(error.headers.get("Retry-After", pause))
        except (OSError, http.client.HTTPException):
            pass
        turn += 1
        time.sleep(pause)


def keep(event, receipt, done):
    """Longer work keeps its event."""
    while not done.wait(hold / 3):
        ask("POST", f"{event}/extend?receipt={receipt}&visibility_timeout={hold}s")


stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
while not stop.is_set():
    status, headers, body = ask("POST", f"receive?wait=20s&visibility_timeout={hold}s")
    if status == 204:
        continue
    if status != 200:
        sys.exit(body.decode())  # refused: the sentence says why
    event, receipt = "events/" + headers["Wormhole-Event-Id"], headers["Wormhole-Receipt"]
    done = threading.Event()
    threading.Thread(target=keep, args=(event, receipt, done), daemon=True).start()
    worked = subprocess.run(["sh", "-c", command], input=body).returncode == 0
    done.set()
    if worked:
        ask("DELETE", f"{event}?receipt={receipt}")
    else:
        ask("POST", f"{event}/release?receipt={receipt}")  # `backoff` says when it comes again
