#!/usr/bin/env python3
"""change.py KEY COMMAND URL...: COMMAND reads the value of KEY and writes the new one, which is stored only if nobody else
changed it meanwhile; else COMMAND is run again with what is there now. So it should do nothing but compute."""
import subprocess
import sys
import urllib.parse

from wormhole import ask

key, command, *nodes = sys.argv[1:]
path = "/kv/" + urllib.parse.quote(key)
status = 412
while status == 412:  # somebody else was faster, or this is the first time
    status, headers, value = ask(nodes, "GET", path)
    there = status == 200
    condition = {"If-Match": headers["ETag"]} if there else {"If-None-Match": "*"}
    changed = subprocess.run(["sh", "-c", command], input=value if there else b"", stdout=subprocess.PIPE, check=True).stdout
    status, _, answer = ask(nodes, "PUT", path, changed, condition)
if status not in (201, 204):
    sys.exit(answer.decode())  # refused: the sentence says why
