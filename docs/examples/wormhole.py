"""A client in some twenty lines: ask() asks one node after the other until one answers, and has nothing done twice."""
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

PASSWORD = os.environ.get("WORMHOLE_PASSWORD")


def ask(nodes, method, path, body=None, headers=None, timeout=30, stop=None):
    """The status, headers and body of the answer. `nodes`, a list of URLs, is turned until its first one answers;
    one that says nothing for `timeout` seconds is given up. Once `stop`, an event, is set, a failure ends
    the program."""
    headers = {"Content-Type": "text/plain", **(headers or {})}
    if method != "GET":
        headers["Idempotency-Key"] = uuid.uuid4().hex  # the same for each try: done once, answered as the first time
    if PASSWORD:
        headers["Authorization"] = f"Bearer {PASSWORD}"
    while True:
        pause = 1.0
        try:
            request = urllib.request.Request(nodes[0] + path, body, headers, method=method)
            try:
                answer = urllib.request.urlopen(request, timeout=timeout)
            except urllib.error.HTTPError as error:
                answer = error  # an answer as well
            with answer:
                content = answer.read()
            if answer.status not in (429, 502, 503, 504):
                return answer.status, answer.headers, content
            pause = float(answer.headers.get("Retry-After", pause))
        except (OSError, http.client.HTTPException, ValueError):
            pass  # this node is gone, or its answer was lost; or Retry-After is a proxy's, and a date
        if stop is not None and stop.is_set():
            sys.exit()
        nodes.append(nodes.pop(0))
        time.sleep(pause)
