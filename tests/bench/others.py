"""The systems that more than one benchmark has beside ours."""

import json
import os
import re
import subprocess

from systems import INSTALL, System, await_that, free_ports, listens, output_of, which


class Nats(System):
    protocol = "nats"
    more = ""

    @classmethod
    def version(cls):
        return output_of(which("nats-server"), "--version")[1]

    @classmethod
    def absent(cls):
        return None if which("nats-server") else f"nats-server is not installed; {INSTALL}"

    def start(self):
        ports = free_ports(6)
        self.ports, routes = ports[:3], ports[3:]
        for i in range(3):
            path = os.path.join(self.directory, f"n{i + 1}.conf")
            with open(path, "w", encoding="ascii") as file:
                file.write(f'server_name: n{i + 1}\nlisten: "127.0.0.1:{self.ports[i]}"\n'
                           f'jetstream {{ store_dir: "{self.directory}/n{i + 1}"\n{self.more} }}\n'
                           f'cluster {{ name: bench, listen: "127.0.0.1:{routes[i]}", routes: ['
                           + ", ".join(f'"nats://127.0.0.1:{route}"' for route in routes) + "] }\n")
            self.spawn(f"n{i + 1}", [which("nats-server"), "-c", path])
        for port in self.ports:
            await_that(lambda port=port: listens(port), "nats-server's start", self.processes)


class NatsAlways(Nats):
    more = "sync_interval: always"

    @classmethod
    def absent(cls):
        if Nats.absent():
            return Nats.absent()
        found = re.search(r"(\d+)\.(\d+)", cls.version())
        if found and (int(found[1]), int(found[2])) >= (2, 10):
            return None
        return f"{cls.version()} has no `sync_interval: always`; 2.10 and later have it"


class Etcd(System):
    protocol = "etcd"

    @classmethod
    def version(cls):
        return output_of(which("etcd"), "--version")[1].splitlines()[0]

    @classmethod
    def absent(cls):
        return None if which("etcd") else f"etcd-server is not installed; {INSTALL}"

    def start(self):
        ports = free_ports(2 * self.nodes)
        self.ports, peers = ports[:self.nodes], ports[self.nodes:]
        cluster = ",".join(f"n{i + 1}=http://127.0.0.1:{peer}" for i, peer in enumerate(peers))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ETCD")}
        for i in range(self.nodes):
            client, peer = f"http://127.0.0.1:{self.ports[i]}", f"http://127.0.0.1:{peers[i]}"
            self.spawn(f"n{i + 1}", [
                which("etcd"), "--name", f"n{i + 1}", "--data-dir", os.path.join(self.directory, f"n{i + 1}"),
                "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster], environment)
        for port in self.ports:
            await_that(lambda port=port: self.serves(port), "etcd's start", self.processes)

    @staticmethod
    def serves(port):
        """Whether that node knows a leader."""
        answer = subprocess.run(["curl", "-s", "-m", "5", f"http://127.0.0.1:{port}/health"], stdout=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, text=True, check=False).stdout
        return answer.startswith("{") and json.loads(answer).get("health") == "true"


class Redis(System):
    """One node that syncs before each answer."""

    protocol = "redis"

    @classmethod
    def version(cls):
        return output_of(which("redis-server"), "--version")[1].split(" sha=")[0]

    @classmethod
    def absent(cls):
        return None if which("redis-server") else f"redis-server is not installed; {INSTALL}"

    def start(self):
        self.ports = free_ports(1)
        self.spawn("redis", [which("redis-server"), "--port", str(self.ports[0]), "--bind", "127.0.0.1", "--dir",
                             self.directory, "--appendonly", "yes", "--appendfsync", "always", "--save", ""])
        await_that(lambda: listens(self.ports[0]), "redis-server's start", self.processes)


class Floor(System):
    """A bare server that answers a constant."""

    protocol = "http"
    program = None

    @classmethod
    def version(cls):
        return "libuv, llhttp and a constant"

    @classmethod
    def absent(cls):
        return None

    def start(self):
        self.ports = free_ports(1)
        self.spawn("floor", [self.program, str(self.ports[0])])
        await_that(lambda: listens(self.ports[0]), "floor's start", self.processes)
