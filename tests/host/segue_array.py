# SPDX-License-Identifier: Apache-2.0
"""An array of Segue that runs on this machine for a test: its own directory, its own ports, and only
its own processes are ever signalled. Also the counting of checks."""

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("SEGUE_BUILD", os.path.join(ROOT, "build")))
SEGUE = os.path.abspath(os.environ.get("SEGUE", os.path.join(BUILD, "src", "programs", "segue")))
# How long one waits for what has to come, on the slowest of machines: no check is about a time.
PATIENCE = 600

CONFIG = """\
array: {name}
state: {state}
limits: {{settle: {settle}, nop: {nop}}}
parts:
  modules: [A, B]
  switches:
  - {{name: IS1, portals: ["127.0.0.1:{port1}"]}}
  - {{name: IS2, portals: ["127.0.0.1:{port2}"]}}
  loops:
  - {{name: L1, tray: t0, drives: 2, size: {drive}}}
  - {{name: L2, tray: t1, drives: 2, size: {drive}}}
groups:
- {{name: g1, members: [A, B], owner: true}}
- {{name: g2, members: [B, A]}}
memory: {{buffers: 512MiB, mirror: 64MiB}}
create:
  pools:
  - {{name: p1, group: g1, level: raid1, cache: {cache1}, drives: [t0/00, t1/00]}}
  - {{name: p2, group: g2, level: raid1, cache: {cache2}, drives: [t0/01, t1/01]}}
  volumes:
  - {{name: v1, pool: p1, size: {volume}, lun: 0}}
  - {{name: v2, pool: p2, size: {volume}, lun: 1}}
"""


class Trouble(Exception):
    """The array did not do what every test takes for granted."""


def free_ports(count):
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def scratch(name):
    """A new directory below the build directory."""
    base = os.path.abspath(os.environ.get("SEGUE_SCRATCH", os.path.join(BUILD, "host")))
    os.makedirs(base, exist_ok=True)
    return tempfile.mkdtemp(prefix=name + "-", dir=base)


def process_state(pid):
    """R, S, T (stopped), Z and so on (proc(5)); an empty word when there is no such process."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def alive(pid):
    return process_state(pid) not in ("", "Z")


def until(wanted, function, *arguments):
    """Asks until the answer is what is wanted. Returns the last answer."""
    end = time.monotonic() + PATIENCE
    while (found := function(*arguments)) != wanted and time.monotonic() < end:
        time.sleep(0.02)
    return found


def run(command, timeout=PATIENCE, **options):
    """A command with its output as text; one that hangs counts as 124."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=timeout, check=False, **options)
    except subprocess.TimeoutExpired as e:
        out = e.stdout or b""
        text = out.decode(errors="replace") if isinstance(out, bytes) else out
        return subprocess.CompletedProcess(command, 124, text + "\n(hangs)")


def settled(units):
    """Whether a group has one primary and all its units in sync, in its epoch, and nothing left to do.
    A unit that hung while it was deposed still says `primary`, with a record in which all was well."""
    primaries = [u for u in units if u["state"] == "primary"]
    if len(primaries) != 1 or len({u["epoch"] for u in units}) != 1 \
            or any(u["state"] not in ("primary", "secondary") for u in units):
        return False
    record = primaries[0].get("record", {})
    return len(record.get("in_sync", [])) == len(units) == 2 \
        and not primaries[0].get("resync_left_bytes") \
        and not any(record.get(k) for k in ("previous", "dirty", "drives_failed", "drives_stale"))


class Array:
    """`settle`: how long a group stays with whom it has before it goes back to whom it prefers; `nop`: how
    long a host may be silent. Both are long, so that neither happens to a test that is slow."""

    def __init__(self, name="test", directory=None, cache=("mirrored", "write-through"),
                 volume="64MiB", drive="128MiB", settle="600s", nop="300s", config=CONFIG,
                 luns=2):
        self.luns = luns
        self.directory = directory or scratch(name)
        self.state = os.path.join(self.directory, "state")
        self.file = os.path.join(self.directory, "array.yaml")
        self.ports = free_ports(2)
        self.target = "iqn.2026-11.com.example.segue:" + name
        self.child = None
        self.log = os.path.join(self.directory, "up.log")
        with open(self.file, "w", encoding="ascii") as f:
            f.write(config.format(name=name, state=self.state, settle=settle, nop=nop, drive=drive,
                                  volume=volume, port1=self.ports[0], port2=self.ports[1],
                                  cache1=cache[0], cache2=cache[1]))

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def command(self, *words):
        return [SEGUE, *words, "--state", self.state]

    def start(self, timeout=PATIENCE):
        with open(self.log, "a", encoding="ascii") as log:
            self.child = subprocess.Popen([SEGUE, "up", self.file], stdout=log, stderr=log,
                                          stdin=subprocess.DEVNULL, start_new_session=True)
        self.wait_in_sync(timeout)

    def log_tail(self):
        with open(self.log, encoding="ascii", errors="replace") as f:
            return f.read()[-1500:]

    def status(self):
        """The merged status; None while nobody answers."""
        answer = subprocess.run(self.command("status", "-o", "json"), stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, check=False)
        try:
            return json.loads(answer.stdout)
        except ValueError:
            return None

    def processes(self):
        """Every process's own answer, by name."""
        return {p["process"]: p for p in ask_all(self.state) if p and "process" in p}

    def pids(self):
        return {name: p["pid"] for name, p in self.processes().items()}

    def units(self, group):
        """What the group's units say of themselves; those that answer."""
        return [u for p in self.processes().values() for u in p.get("units", [])
                if u["group"] == group]

    def epoch(self, group):
        """The newest that a unit knows of."""
        return max((u["epoch"] for u in self.units(group)), default=0)

    def primary(self, group):
        """The module that leads the group, which must be in sync."""
        units = self.units(group)
        if not settled(units):
            raise Trouble("%s is not in sync: %s" % (group, units))
        return next(u["module"] for u in units if u["state"] == "primary")

    def wait_for_takeover(self, group, before):
        """Until a unit of the group knows of another epoch."""
        end = time.monotonic() + PATIENCE
        while self.epoch(group) <= before:
            if time.monotonic() > end:
                raise Trouble("nobody took over %s" % group)
            time.sleep(0.02)

    def commands(self):
        """How many the hosts have given to the switches."""
        return sum(s["commands"] for p in self.processes().values() for s in p.get("switches", []))

    def in_sync(self):
        processes = self.processes()
        if set(processes) != {"A", "B", "IS1", "IS2", "L1", "L2"}:
            return False
        groups = {}
        for p in processes.values():
            for unit in p.get("units", []):
                groups.setdefault(unit["group"], []).append(unit)
        return len(groups) == 2 and all(settled(units) for units in groups.values()) and all(
            len(u.get("luns", [])) == self.luns for u in groups["g1"])

    def wait_in_sync(self, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.child and self.child.poll() is not None:
                raise Trouble("segue up ended with %d: %s" % (self.child.returncode,
                                                             self.log_tail()))
            if self.in_sync():
                return
            time.sleep(0.05)
        raise Trouble("not in sync after %d s: %s\n%s" % (
            timeout, run(self.command("status")).stdout[-1500:], self.log_tail()))

    def signal(self, part, number):
        """To the process that runs the part. Returns its pid."""
        pid = self.pids()[part]
        os.kill(pid, number)
        return pid

    def wait_for_restart(self, part, old_pid, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.pids().get(part, old_pid) != old_pid:
                return
            time.sleep(0.05)
        raise Trouble("%s was not started again" % part)

    def kill_everything(self):
        """As if the machine lost its power, but for what the kernel holds."""
        pids = list(self.pids().values())
        self.child.kill()
        self.child.wait()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        while any(alive(pid) for pid in pids):
            time.sleep(0.02)
        self.child = None

    def stop(self, timeout=PATIENCE):
        """In order. Returns the exit code of `segue up`."""
        self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(timeout)
        self.child = None
        return code

    def end(self):
        """However the test ended: nothing of it is left running; files stay if KEEP is set."""
        pids = list(self.pids().values()) if os.path.isdir(self.state) else []
        if self.child and self.child.poll() is None:
            try:
                self.stop(60)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        for pid in pids:
            if alive(pid) and self.file in command_line(pid):
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGKILL)
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, lun=0, switch=0):
        return "iscsi://127.0.0.1:%d/%s/%d" % (self.ports[switch], self.target, lun)

    def drill(self, *words, timeout=2 * PATIENCE):
        return run(self.command("drill", *words), timeout=timeout)

    def drill_json(self, *words, timeout=2 * PATIENCE):
        answer = self.drill("-o", "json", *words, timeout=timeout)
        try:
            return answer.returncode, json.loads(answer.stdout)
        except ValueError:
            return answer.returncode, {"complaints": [answer.stdout[-1500:]]}


def command_line(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def ask(path, request, timeout=10.0):
    """One request to a management socket. None: no answer, or the process is stopped."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(timeout)
            s.connect(path)
            credentials = s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            if process_state(struct.unpack("3i", credentials)[0]) == "T":
                return None
            s.sendall(json.dumps(request).encode() + b"\n")
            text = b""
            while not text.endswith(b"\n"):
                piece = s.recv(65536)
                if not piece:
                    return None
                text += piece
            return json.loads(text)
    except (OSError, ValueError):
        return None


def ask_all(state, verb="status"):
    run_directory = os.path.join(state, "run")
    if not os.path.isdir(run_directory):
        return []
    names = sorted(n for n in os.listdir(run_directory) if n.endswith(".sock"))
    return [ask(os.path.join(run_directory, n), {"verb": verb}) for n in names]


class Checks:
    """Prints `ok NAME` or `not ok NAME: why` for each check, and counts."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, good, why=""):
        if good:
            self.passed += 1
            print("ok %s" % name, flush=True)
        else:
            self.failed += 1
            line = re.sub(r"\s+", " ", str(why)).strip()
            print("not ok %s: %s" % (name, line[-700:] or "(no reason)"), flush=True)
        return good

    def attempt(self, name, function, *arguments):
        """A check that is a function: good when it returns without an exception."""
        try:
            function(*arguments)
        except (AssertionError, Trouble, OSError, ValueError, KeyError,
                subprocess.TimeoutExpired) as e:
            return self.check(name, False, "%s: %s" % (type(e).__name__, e))
        return self.check(name, True)

    def end(self):
        sys.exit(1 if self.failed else 0)
