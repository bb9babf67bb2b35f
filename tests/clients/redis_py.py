"""redis_py.py PORT: redis-py at its defaults against the debug port. Prints a line per case, then the totals."""
import os
import re
import subprocess
import sys
import threading
import time
import traceback

import redis

PORT = int(sys.argv[1])
BINARY = bytes(range(256)) + b"\r\n$-1\r\n"
client = redis.Redis(port=PORT)
counts = {"passed": 0, "failed": 0}


def test(body):
    name = f"redis-py: {body.__doc__}"
    try:
        body()
        counts["passed"] += 1
        print(f"passed: {name}")
    except Exception:
        counts["failed"] += 1
        print(f"FAILED: {name}: {traceback.format_exc()}")


def eventually(what):
    deadline = time.monotonic() + 20
    while True:
        try:
            if found := what():
                return found
        except redis.RedisError:
            pass
        assert time.monotonic() < deadline, "not within 20 seconds"
        time.sleep(0.02)


def refused(words, pattern, kind=redis.ResponseError):
    try:
        client.execute_command(*words)
    except kind as error:
        assert re.search(pattern, str(error)), error
        return
    raise AssertionError(f"{words} was not refused")


@test
def ping():
    """PING, ECHO, INFO, COMMAND"""
    assert client.ping() is True
    assert client.echo("ü") == "ü".encode()
    info = client.info()
    assert info["redis_version"] == "7.0.0" and info["loading"] == 0 and info["used_memory"] > 0, info
    assert client.info("clients")["connected_clients"] >= 1
    assert len(client.command()) == client.command_count()
    assert client.config_get("maxclients") == {"maxclients": "10000"}


@test
def keys():
    """keys"""
    assert client.get("py:none") is None
    before = client.dbsize()
    assert client.set("py:a", 1) is True
    assert client.mset({"py:b": 2, "py:c": "Zoë"}) is True
    assert client.get("py:c") == "Zoë".encode()
    assert client.exists("py:a", "py:b", "py:none") == 2
    assert client.type("py:a") == b"string" and client.type("py:none") == b"none"
    assert client.dbsize() == before + 3
    assert client.info("keyspace")["db0"]["keys"] == before + 3
    assert client.delete("py:a", "py:b", "py:c", "py:none") == 3


@test
def lists():
    """queues as lists"""
    assert client.rpush("py", "a", "b", "c", "d") == 4
    assert client.llen("py") == 4
    assert client.lrange("py", 0, -1) == [b"a", b"b", b"c", b"d"]
    assert client.lindex("py", -1) == b"d"
    assert client.lpop("py") == b"a"
    assert client.lpop("py", 2) == [b"b", b"c"]
    assert client.blpop("py", 1) == (b"py", b"d")
    assert client.lpop("py") is None
    assert client.lpop("py", 2) is None
    assert client.blpop("py", 0.01) is None


@test
def waiting():
    """a BLPOP waits for another client"""
    got = []
    thread = threading.Thread(target=lambda: got.append(redis.Redis(port=PORT).blpop("py-wait", 20)))
    thread.start()
    eventually(lambda: client.info("clients")["blocked_clients"] > 0)
    client.rpush("py-wait", "late")
    thread.join()
    assert got == [(b"py-wait", b"late")], got


@test
def binary():
    """binary values"""
    client.set("py:binary", BINARY)
    assert client.get("py:binary") == BINARY
    client.rpush("py-binary", BINARY)
    assert client.lpop("py-binary") == BINARY


@test
def pipeline():
    """a pipeline of 1000, in order, as a transaction, which is its default, and without"""
    for transaction in (True, False):
        pipe = client.pipeline(transaction=transaction)
        for i in range(500):
            pipe.set("py:p", i).get("py:p")
        assert pipe.execute() == [answer for i in range(500) for answer in (True, str(i).encode())]


@test
def transactions():
    """a transaction, one that a watched key stops, and one with an error"""
    with client.pipeline() as pipe:
        pipe.set("py:t", 1).incrby("py:t", 41).rpush("py-t", "a", "b").get("py:t")
        assert pipe.execute() == [True, 42, 2, b"42"]
        pipe.watch("py:t", "py:none")
        assert pipe.get("py:t") == b"42"
        client.set("py:t", "text")
        pipe.multi()
        pipe.set("py:t", "lost")
        try:
            pipe.execute()
            raise AssertionError("a watched key did not stop it")
        except redis.WatchError:
            pass
    assert client.get("py:t") == b"text"
    for wrong in (lambda pipe: pipe.incr("py:t"), lambda pipe: pipe.hset("py:h", "f", "v")):
        try:
            pipe = client.pipeline().set("py:u", 1)
            wrong(pipe)
            pipe.execute()
            raise AssertionError("done by halves")
        except redis.ResponseError:
            pass
    assert client.get("py:u") is None

    def add(pipe):
        number = int(pipe.get("py:n") or 0)
        pipe.multi()
        pipe.set("py:n", number + 1)

    client.delete("py:n")
    threads = [threading.Thread(target=lambda: [client.transaction(add, "py:n") for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.get("py:n") == b"40"


def compared():
    """each form of each command is answered as by redis-server"""
    def answer(one, words):
        try:
            return one.execute_command(*words)
        except Exception as error:  # its own too, as it reads QUEUED as a number
            return f"error: {error}"

    here = redis.Redis(port=PORT, single_connection_client=True)
    there = redis.Redis(port=int(os.environ["REDIS_PORT"]), single_connection_client=True)
    with open(os.path.join(os.path.dirname(__file__), "commands.txt")) as lines:
        commands = [line.split() for line in lines if not line.startswith("#")]
    differ = []
    for words in commands:
        words = ["" if word == "''" else word for word in words]
        ours, theirs = answer(here, words), answer(there, words)
        if ours != theirs:
            differ.append((words, ours, theirs))
    assert not differ, differ


if "REDIS_PORT" in os.environ:
    test(compared)


@test
def clients():
    """names and lists of clients, CLIENT KILL"""
    one = redis.Redis(port=PORT, single_connection_client=True)
    assert one.client_getname() is None
    assert one.client_setname("tester") is True
    assert one.client_getname() in ("tester", b"tester")
    me = one.client_info()
    assert me["name"] == "tester" and me["db"] == 0 and me["id"] == one.client_id(), me
    assert [each["id"] for each in client.client_list() if each["name"] == "tester"] == [str(me["id"])]
    assert client.client_kill_filter(_id=me["id"]) == 1
    eventually(lambda: one.client_id() != me["id"])


@test
def errors():
    """errors raise, and the connection goes on"""
    refused(["NOSUCH", "x"], "^unknown command 'NOSUCH'")
    refused(["GET"], "wrong number of arguments for 'get' command")
    refused(["SELECT", 1], "^DB index is out of range")
    assert client.execute_command("SELECT", 0) is True
    assert client.ping() is True


@test
def password():
    """a password"""
    one = redis.Redis(port=PORT, single_connection_client=True)
    one.config_set("requirepass", "secret")
    try:
        assert redis.Redis(port=PORT, password="secret").ping() is True
        assert redis.Redis(port=PORT, username="default", password="secret").ping() is True
        for wrong in ({"password": "wrong"}, {"username": "other", "password": "secret"}, {}):
            try:
                redis.Redis(port=PORT, **wrong).ping()
                raise AssertionError(f"let in with {wrong}")
            except (redis.AuthenticationError, redis.ResponseError) as error:
                assert re.search("WRONGPASS|Authentication required|invalid username-password", str(error)), error
    finally:
        one.config_set("requirepass", "")


@test
def tls():
    """over TLS"""
    port, ca = int(os.environ["TLS_PORT"]), os.environ["TLS_CA"]
    secure = redis.Redis(port=port, ssl=True, ssl_ca_certs=ca)
    assert secure.set("py:tls", BINARY) and client.get("py:tls") == BINARY
    assert secure.rpush("py-tls", "a") == 1 and secure.blpop("py-tls", timeout=1) == (b"py-tls", b"a")
    with secure.pipeline(transaction=False) as pipeline:
        for i in range(500):
            pipeline.set("py:tls", i).get("py:tls")
        assert pipeline.execute()[1::2] == [str(i).encode() for i in range(500)]
    secure.close()
    try:
        redis.Redis(port=port, ssl=True).ping()
    except redis.ConnectionError as error:
        assert "CERTIFICATE_VERIFY_FAILED" in str(error), error
    else:
        raise AssertionError("a certificate that nobody vouched for was taken")


@test
def restarted():
    """connects anew after a restart"""
    client.set("py:kept", "yes")
    subprocess.run([os.environ["RESTART"]], check=True)
    assert eventually(lambda: client.get("py:kept")) == b"yes"


print(f"{counts['passed']} passed, {counts['failed']} failed")
sys.exit(1 if counts["failed"] else 0)
