"""How long the machine itself stands still. The host of a virtual machine may stop all its processors for milliseconds,
again and again, once it has used the time that it may use; the kernel in it counts such a pause for the thread that it
hit. On each processor a thread that no other thread can hold up sleeps for 1 ms at a time and notes when it wakes late;
the kernel itself may hold up one of them, so a pause is when all are late at once. It needs the right to a real-time
priority (root has it)."""

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
    before = time.monotonic()
    while True:
        time.sleep(SLEEP_S)
        now = time.monotonic()
        late = now - before - SLEEP_S
        if late >= LEAST_S:
            print(now, late, flush=True)
        before = time.monotonic()


def overlaps(some, others):
    """The parts that two lists of intervals, in order of time, have in common."""
    found, i, j = [], 0, 0
    while i < len(some) and j < len(others):
        start, end = max(some[i][0], others[j][0]), min(some[i][1], others[j][1])
        if start < end:
            found.append((start, end))
        if some[i][1] < others[j][1]:
            i += 1
        else:
            j += 1
    return found


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
        """The lengths of the pauses of all processors that ended after `begun` (time.monotonic()), in ms; None: unknown."""
        common = None
        for process, path in self.watchers:
            if process.poll() is not None:
                return None
            late = []
            with open(path, encoding="ascii") as file:
                for line in file:
                    with contextlib.suppress(ValueError):  # the last one may be half written
                        end, length = map(float, line.split())
                        if end > begun:
                            late.append((end - length, end))
            common = late if common is None else overlaps(common, late)
        return [1000 * (end - start) for start, end in common or [] if end - start >= LEAST_S]


if __name__ == "__main__":
    watch(int(sys.argv[1]))
