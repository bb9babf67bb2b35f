"""What the benchmarks beside other systems share: servers and what runs for each system, the load client, figures."""

import contextlib
import glob
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE_S = 120
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"  # Debian has nats-server there
INSTALL = "to have it: utils/install-deps bench"


def which(program):
    return shutil.which(program, path=PATH)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def await_that(holds, what, processes):
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        for process in processes:
            process.check()
        if time.monotonic() > deadline:
            raise Failed(f"{what} took longer than {PATIENCE_S} s")
        time.sleep(0.05)


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Failed(Exception):
    pass


class Process:
    """A server in a session of its own, so that Ctrl-C does not reach it; the kernel ends it if this script is killed. It
    works where its log is, so that it leaves its dumps there."""

    def __init__(self, log, command, environment=None):
        self.name, self.log = os.path.basename(command[0]), log
        with open(log, "ab") as output:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command], stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output, start_new_session=True, env=environment,
                                            cwd=os.path.dirname(log))

    def check(self):
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended with status {self.process.returncode}: {tail(self.log)}")

    def session(self):
        """The process ids of its session: it and what it started."""
        pids = []
        for path in glob.glob("/proc/[0-9]*/stat"):
            with contextlib.suppress(OSError):
                with open(path, encoding="utf-8", errors="replace") as file:
                    text = file.read()
                if int(text[text.rindex(")") + 2:].split()[3]) == self.process.pid:
                    pids.append(int(path.split("/")[2]))
        return pids

    def signal(self):
        if self.process.poll() is None:
            self.process.terminate()

    def stop(self):
        # Asked before it is waited for, as the session may outlive its first process.
        pids = self.session()
        self.signal()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        for pid in set(pids) & set(self.session()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(20)


def tail(path):
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return " / ".join(file.read().strip().splitlines()[-5:])
    return ""


def output_of(*command, environment=None):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=environment, timeout=PATIENCE_S, check=False)
    return done.returncode, done.stdout.strip()


class System:
    """What runs for one system: its processes and the ports for clients."""

    protocol = None

    def __init__(self, directory, nodes=3):
        self.directory = directory
        self.nodes = nodes
        self.processes = []
        self.ports = []
        os.makedirs(directory)

    def spawn(self, name, command, environment=None):
        process = Process(os.path.join(self.directory, name + ".log"), command, environment)
        self.processes.append(process)
        return process

    def pids(self):
        return [pid for process in self.processes for pid in process.session()]

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.signal()
        for process in self.processes:
            process.stop()


class Wormhole(System):
    protocol = "wormhole"
    program = None

    @classmethod
    def version(cls):
        return output_of(cls.program, "--version")[1]

    @classmethod
    def absent(cls):
        return None

    def start(self):
        ports = free_ports(2 * self.nodes)
        self.ports, peers = ports[:self.nodes], ports[self.nodes:]
        for i in range(self.nodes):
            data = os.path.join(self.directory, f"node{i + 1}")
            self.spawn(f"node{i + 1}", [
                self.program, "--node-id", f"node{i + 1}", "--dir", data, "--port", str(self.ports[i]), "--raft-port",
                str(peers[i]), "--debug-port", "0", "--pidfile", "", "--join", *(f"127.0.0.1:{peer}" for peer in peers)])
        self.await_ready()

    def await_ready(self):
        for port in self.ports:
            await_that(lambda port=port: self.serves(port), "wormhole-server's start", self.processes)

    def serves(self, port):
        """Whether that node is ready, and all vote."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
            try:
                connection.request("GET", "/readyz")
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    return False
                connection.request("GET", "/cluster")
                members = json.loads(connection.getresponse().read())["members"]
                return [member["suffrage"] for member in members] == ["voter"] * self.nodes
            except OSError:
                return False


class Figures:
    """Of one system and case, of all rounds."""

    def __init__(self):
        self.events = self.operations = self.refusals = 0
        self.seconds = 0.0
        self.buckets = {}

    def add(self, line):
        self.events += line["events"]
        self.operations += line["operations"]
        self.seconds += line["seconds"]
        self.refusals += line["refusals"]
        for bucket, count in line["buckets"].items():
            self.buckets[int(bucket)] = self.buckets.get(int(bucket), 0) + count
        return self

    def rate(self):
        return self.events / self.seconds if self.seconds > 0 else 0

    def ms(self, share):
        """So many of the operations took that long or less."""
        left = share * self.operations
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                return 1.02 ** (bucket + 0.5) / 1000
        return float("nan")

    def shown(self, share):
        ms = self.ms(share)
        return f"{ms:.2f}" if ms < 100 else f"{ms:,.0f}"


def run_client(client, system, cases, seconds, options):
    """Runs the load client for some cases; what it printed, and why it failed."""
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", client, system.protocol, ",".join(map(str, system.ports)), ",".join(cases),
         "--seconds", str(seconds), *map(str, options), "--pids", ",".join(map(str, system.pids()))],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        lines, errors = process.communicate(timeout=len(cases) * (seconds + 300))
    except BaseException:
        process.kill()
        process.wait()
        raise
    for each in system.processes:
        each.check()
    return [json.loads(line) for line in lines.splitlines()], errors.strip() if process.returncode != 0 else ""


def file_system_of(directory):
    """Its type and source, by the longest mount point above it."""
    best = ("", "unknown", "unknown")
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            fields, _, after = line.partition(" - ")
            point = fields.split()[4]
            if os.path.commonpath([point, directory]) == point and len(point) >= len(best[0]):
                best = (point, *after.split()[:2])
    return best[1], best[2]


def sync_ms(directory):
    """The median time of writing 4 KiB at the end of a file and syncing it."""
    times = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(200):
            start = time.monotonic()
            os.write(file.fileno(), bytes(4096))
            os.fdatasync(file.fileno())
            times.append(time.monotonic() - start)
    return statistics.median(times) * 1000


def quorum_sync_ms(directory, files=3):
    """The median time until two of three files are synced that lie on one disk, where each is overwritten at the same time."""
    rounds, size = 200, 4096
    begin, end = threading.Barrier(files + 1), threading.Barrier(files + 1)
    ends = [0.0] * files

    def write(i):
        with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
            file.write(bytes(rounds * size))
            os.fsync(file.fileno())
            for round_ in range(rounds):
                begin.wait()
                os.pwrite(file.fileno(), bytes(size), round_ * size)
                os.fdatasync(file.fileno())
                ends[i] = time.monotonic()
                end.wait()
    threads = [threading.Thread(target=write, args=(i,)) for i in range(files)]
    for thread in threads:
        thread.start()
    taken = []
    for _ in range(rounds):
        begin.wait()
        began = time.monotonic()
        end.wait()
        taken.append(sorted(ends)[files // 2] - began)
    for thread in threads:
        thread.join()
    return statistics.median(taken) * 1000


def processor():
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return "unknown"


def numbers(text):
    return [int(word) for word in text.replace(",", " ").split()]


def words(text):
    return text.replace(",", " ").split()


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupted(number, _):
    """Ends the script, once, and with it all that it started."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


@contextlib.contextmanager
def workplace(arguments, more):
    """A directory for the servers' data, on a disk; says where it is and how fast it syncs."""
    for number in ENDING:
        signal.signal(number, interrupted)
    # /tmp is often in memory.
    work = tempfile.mkdtemp(prefix="wormhole-bench-", dir=os.environ.get("TMPDIR", "/var/tmp"))
    try:
        kind, source = file_system_of(os.path.realpath(work))
        if kind in ("tmpfs", "ramfs"):
            sys.exit(f"{work} is in memory ({kind}), where syncing costs nothing: set TMPDIR to a directory on a disk")
        print(f"{os.cpu_count()} cores ({processor()}); data on {kind} ({source}), where writing and syncing 4 KiB takes "
              f"{sync_ms(work):.2f} ms; {arguments.rounds} rounds of {arguments.seconds_each:g} s; {more}", flush=True)
        yield work
    finally:
        if arguments.keep:
            print(f"data and logs: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)


def present(names, kinds):
    """Those that are installed; prints their versions, and why others are left out."""
    systems = []
    for name in names:
        absent = kinds[name].absent()
        if absent:
            print(f"left out: {name}: {absent}")
        else:
            systems.append(name)
            print(f"{name + ':':13}{kinds[name].version()}")
    return systems
