#!/usr/bin/env python3
"""producer.py QUEUE URL...: each line of standard input becomes one event, however often it has to be sent."""
import sys

from wormhole import ask

queue, *nodes = sys.argv[1:]
for line in sys.stdin.buffer:
    status, _, body = ask(nodes, "POST", f"/queues/{queue}/events", line.rstrip(b"\n"))
    if status != 201:
        sys.exit(body.decode())  # refused: the sentence says why
