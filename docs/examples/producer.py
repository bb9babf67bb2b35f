#!/usr/bin/env python3
"""producer.py QUEUE URL...: each line of standard input becomes one event, however often it has to be sent.

Empty lines are skipped."""
import sys

from wormhole import ask

queue, *nodes = sys.argv[1:]
for line in sys.stdin.buffer:
    line = line.rstrip(b"\n")
    if not line:
        continue
    status, _, body = ask(nodes, "POST", f"/queues/{queue}/events", line)
    if status != 201:
        sys.exit(body.decode())  # refused: the sentence says why
