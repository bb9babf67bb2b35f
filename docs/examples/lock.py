#!/usr/bin/env python3
"""lock.py KEY COMMAND URL...: runs COMMAND while this process holds the lock KEY; waits for the lock first.

COMMAND finds KEY in $LOCK and its fencing token in $TOKEN. A write that the lock guards is a /txn with the comparison
{"key": $LOCK, "create_index": $TOKEN}: once the lock is lost, it changes nothing, whatever COMMAND still believes.
The exit status is COMMAND's, 128 + N where signal N ended it; 75 where the lock was lost meanwhile, and COMMAND was ended.
That does not end what COMMAND has started: let it be `exec PROGRAM`. TTL (10): seconds after which a lock whose holder
is silent is free.
"""
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

key, command, *nodes = sys.argv[1:]
ttl = float(os.environ.get("TTL", "10"))
me = uuid.uuid4().hex  # tells an own lock from others', where the answer that gave it was lost


def ask(method, path, body=None, timeout=5.0, until=None):
    """Asks one node after the other until one answers: status, headers, body. Past `until`: status 0."""
    while True:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(nodes[0] + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            try:
                answer = urllib.request.urlopen(request, timeout=timeout)
            except urllib.error.HTTPError as error:
                answer = error  # an answer as well
            with answer:
                content = answer.read()
            if answer.status not in (429, 502, 503, 504):
                return answer.status, answer.headers, content
        except (OSError, http.client.HTTPException):
            pass
        if until is not None and time.monotonic() >= until:
            return 0, {}, b""
        nodes.append(nodes.pop(0))
        time.sleep(0.2)


def good(answer, *expected):
    if answer[0] not in expected:
        sys.exit(f"lock.py: {answer[2].decode()}")
    return answer


def keep(lease, kept):
    """When the lease was last surely alive, by this machine's clock; nothing: it is over."""
    began = time.monotonic()
    status = ask("POST", f"/leases/{lease}/keepalive", timeout=ttl / 3, until=kept + ttl)[0]
    return began if status == 200 else None


def take(lease):
    """Takes the lock if it is free: the token, or nothing and the index as of which another holds it."""
    done = json.loads(good(ask("POST", "/txn", {
        "compare": [{"key": key, "exists": False}],
        "success": [{"put": {"key": key, "value": me, "lease": lease}}],
        "failure": [{"get": {"key": key}}],
    }), 200, 404)[2])
    if "succeeded" not in done:
        return None, None  # the lease ended before this came to its turn
    if done["succeeded"]:
        return done["index"], None
    item = done["results"][0].get("item") or {}
    if item.get("value") == me and item.get("lease") == lease:
        return item["create_index"], None  # an earlier request took it, and its answer was lost
    return None, done["index"]


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
path = "/kv/" + urllib.parse.quote(key, safe="")
lease, kept, token = None, 0.0, None
while token is None:
    if lease is None:
        kept = time.monotonic()
        lease = json.loads(good(ask("POST", f"/leases?ttl={int(ttl * 1000)}ms"), 201)[2])["id"]
    token, index = take(lease)
    if token is None and index is not None:  # somebody else's: wait until it changes, and keep the lease meanwhile
        wait = ttl / 3
        good(ask("GET", f"{path}?index={index}&wait={int(wait * 1000)}ms", timeout=wait + 5), 200, 304, 404)
    if token is None:
        kept = keep(lease, kept)
        lease = lease if kept else None

child = subprocess.Popen(["sh", "-c", command], env=dict(os.environ, LOCK=key, TOKEN=str(token)))
try:
    while kept is not None and child.poll() is None:
        try:
            child.wait(ttl / 3)
        except subprocess.TimeoutExpired:
            kept = keep(lease, kept)
finally:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(ttl)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    ask("DELETE", f"/leases/{lease}", until=time.monotonic() + ttl)  # frees the lock at once
status = child.returncode
sys.exit(75 if kept is None else status if status >= 0 else 128 - status)
