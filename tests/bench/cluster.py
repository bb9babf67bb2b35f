"""Nodes of ours that a benchmark kills, halts, starts again and asks over the debug port; their ports stay theirs."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess

from systems import PATIENCE_S, Failed, Process, Wormhole, await_that

HOLD_PORTS = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "hold_ports")


class Cluster(Wormhole):
    def __init__(self, directory, nodes=3, more=()):
        super().__init__(directory, nodes)
        self.more = list(more)
        self.holder = None

    def start(self):
        self.holder = subprocess.Popen([HOLD_PORTS, *["0"] * (3 * self.nodes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       text=True)
        ports = [int(self.holder.stdout.readline()) for _ in range(3 * self.nodes)]
        self.ports, self.debug, self.peers = ports[::3], ports[1::3], ports[2::3]
        for i in range(self.nodes):
            self.processes.append(self.node(i))
        self.await_ready()

    def __exit__(self, *reason):
        for i in range(len(self.processes)):
            self.send(i, signal.SIGCONT)
        super().__exit__(*reason)
        if self.holder:
            self.holder.stdin.close()
            self.holder.wait()

    def node(self, i):
        join = ["--join", *(f"127.0.0.1:{peer}" for peer in self.peers)] if self.nodes > 1 else []
        return Process(os.path.join(self.directory, f"node{i + 1}.log"), [
            self.program, "--node-id", f"node{i + 1}", "--dir", self.data_of(i), "--port", str(self.ports[i]), "--raft-port",
            str(self.peers[i]), "--debug-port", str(self.debug[i]), "--pidfile", "", *join, *self.more])

    def data_of(self, i):
        return os.path.join(self.directory, f"node{i + 1}")

    @property
    def hosts(self):
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def send(self, i, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.processes[i].process.pid, number)

    def kill(self, i):
        self.send(i, signal.SIGKILL)
        self.processes[i].process.wait()

    def revive(self, i):
        """Starts it again, on what it had."""
        self.processes[i] = self.node(i)

    def request(self, i, method, path, body=None, timeout=PATIENCE_S):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.ports[i], timeout=timeout)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def leader(self):
        """Its number, from 0."""
        found = []

        def known():
            found[:] = []
            with contextlib.suppress(OSError, ValueError):
                found.append(json.loads(self.request(0, "GET", "/cluster")[1])["leader_id"])
            return found and found[0]
        await_that(known, "an election", self.processes)
        return int(found[0].removeprefix("node")) - 1

    def command(self, i, *words):
        """One command of the debug port; its reply without the first line if it is a text."""
        with socket.create_connection(("127.0.0.1", self.debug[i]), PATIENCE_S) as connection:
            connection.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(word)}\r\n{word}\r\n".encode() for word in words))
            answer = connection.makefile("rb")
            line = answer.readline().decode().strip()
            if line.startswith("-") or not line:
                raise Failed(f"{' '.join(words)}: {line}")
            return answer.read(int(line[1:])).decode() if line.startswith("$") else line

    def info(self, i):
        return dict(line.split(":", 1) for line in self.command(i, "INFO").splitlines() if ":" in line)

    def configure(self, name, value):
        """On every node."""
        for i in range(self.nodes):
            self.command(i, "CONFIG", "SET", name, str(value))

    def take_snapshots(self):
        """Of all that is there, on every node; then none any more."""
        before = [int(self.info(i)["snapshots_taken"]) for i in range(self.nodes)]
        self.configure("raft-snapshot-entries", 1)
        for i in range(self.nodes):
            await_that(lambda i=i: self.took_one(i, before[i]), "a snapshot", self.processes)
        self.configure("raft-snapshot-entries", 1_000_000_000)
        for i in range(self.nodes):
            await_that(lambda i=i: self.info(i)["snapshot_in_progress"] == "0", "a snapshot", self.processes)

    def took_one(self, i, before):
        self.request(0, "PUT", "/kv/snapshot", b"due")
        return int(self.info(i)["snapshots_taken"]) > before

    def resident(self, i):
        """In MiB."""
        with open(f"/proc/{self.processes[i].process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class Load:
    """wormhole-benchmark on all nodes of a cluster, in the background."""

    def __init__(self, benchmark, cluster, *options):
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", benchmark, "--json", "-h", cluster.hosts,
                                         *map(str, options)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def result(self):
        out, errors = self.process.communicate()
        if self.process.returncode != 0:
            raise Failed(errors.strip())
        return json.loads(out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def run_load(benchmark, cluster, *options):
    with Load(benchmark, cluster, *options) as load:
        return load.result()


class Wanted:
    """What was measured beside what is wanted; `most`: it is the most that is wanted."""

    def __init__(self):
        self.rows = []

    def add(self, what, value, most, unit):
        self.rows.append((what, value, most, unit))

    def table(self):
        print("\n| | measured | wanted | |\n|---|---|---|---|")
        for what, value, most, unit in self.rows:
            print(f"| {what} | {value:,.2f} {unit} | at most {most:g} {unit} | {'reached' if value <= most else 'NOT REACHED'} |")
