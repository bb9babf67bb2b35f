"""How long the machine itself stands still. The host of a virtual machine may stop all its processors for milliseconds,
again and again, once it has used the time that it may use; the kernel in it counts such a pause for the thread that it
hit. A thread that nothing in this machine can hold up, on each processor, sleeps for 1 ms at a time and notes when it
wakes late. It needs the right to a real-time priority (root has it)."""

import contextlib
import os
import signal
import subprocess
import sys
import time

SLEEP_S = 0.001
LEAST_S = 0.001  # what is less late is the timer


def watch(processor):
    """Prints the end and the length of each pause, in seconds, until it is killed."""
    os.sched_setaffinity(0, {processor})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    print("ready", flush=True)
    before = time.monotonic()
    while True:
        time.sleep(SLEEP_S)
        now = time.monotonic()
        late = now - before - SLEEP_S
        if late >= LEAST_S:
            print(now, late, flush=True)
        before = time.monotonic()


class Stalls:
    """Watches from entering to leaving."""

    def __init__(self, directory):
        self.directory = directory
        self.watchers = []  # process, the path of what it notes

    def __enter__(self):
        for processor in sorted(os.sched_getaffinity(0)):
            path = os.path.join(self.directory, f"stalls-{processor}")
            with open(path, "wb") as output:
                process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", sys.executable, os.path.realpath(__file__), str(processor)],
                                           stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL)
            self.watchers.append((process, path))
        return self

    def __exit__(self, *_):
        for process, _path in self.watchers:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def since(self, begun):
        """The lengths of the pauses of any processor that ended after `begun` (time.monotonic()), in ms; None: unknown."""
        found = []
        for process, path in self.watchers:
            if process.poll() is not None:
                return None
            with open(path, encoding="ascii") as file:
                for line in file:
                    with contextlib.suppress(ValueError):
                        end, length = map(float, line.split())
                        if end > begun:
                            found.append(length * 1000)
        return found


if __name__ == "__main__":
    watch(int(sys.argv[1]))
