"""A client in some twenty lines: ask() asks one node after the other until one answers, and has nothing done twice."""
import http.client
import os
import time
import urllib.error
import urllib.request
import uuid

PASSWORD = os.environ.get("WORMHOLE_PASSWORD")


def ask(nodes, method, path, body=None, headers=None):
    """The status, headers and body of the answer. `nodes`, a list of URLs, is turned until its first one answers."""
    headers = {"Content-Type": "text/plain", **(headers or {})}
    if method != "GET":
        headers["Idempotency-Key"] = uuid.uuid4().hex  # the same for each try: done once, answered as the first time
    if PASSWORD:
        headers["Authorization"] = f"Bearer {PASSWORD}"
    while True:
        pause = 1.0
        try:
            request = urllib.request.Request(nodes[0] + path, body, headers, method=method)
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503, 504):
                return error.code, error.headers, error.read()
            pause = float(error.headers.get("Retry-After", pause))
        except (OSError, http.client.HTTPException):
            pass  # this node is gone, or its answer was lost
        nodes.append(nodes.pop(0))
        time.sleep(pause)
