# SPDX-License-Identifier: Apache-2.0
"""A Linux host for the tests: Debian's kernel and tools (guest/make) in QEMU, by software emulation, so it
runs where there is no KVM. The machine outside is 10.0.2.2 there. A job is a set of files with a script
`job` in it; it says things on the serial console, and `@ NAME ...` are for the test."""

import io
import os
import queue
import shutil
import subprocess
import tarfile
import threading
import time

import segue_array as array

HERE = os.path.dirname(os.path.abspath(__file__))
IMAGE = os.environ.get("SEGUE_GUEST", os.path.join(array.ROOT, "build-guest"))
HOST_ADDRESS = "10.0.2.2"


class Missing(Exception):
    """There can be no guest on this machine, and why."""


def make():
    """The guest's image, made once. Raises Missing."""
    if not shutil.which("qemu-system-x86_64"):
        raise Missing("there is no qemu-system-x86_64 here (Debian: qemu-system-x86)")
    answer = array.run([os.path.join(HERE, "guest", "make"), IMAGE], timeout=1800)
    for line in answer.stdout.splitlines():
        print("# " + line, flush=True)
    if answer.returncode != 0:
        raise Missing((answer.stdout.strip() or "guest/make failed").splitlines()[-1])


def tar_of(files):
    """The job disk: name -> text."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text.encode()), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class Guest:
    """One boot. `log` is a file that gets all of the console."""

    def __init__(self, files, log, memory="1024"):
        self.log = open(log, "ab")
        job = log + ".tar"
        with open(job, "wb") as f:
            f.write(tar_of(files))
        self.child = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", memory,
             "-icount", "shift=1", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot", "-nodefaults",
             "-kernel", os.path.join(IMAGE, "vmlinuz"), "-initrd", os.path.join(IMAGE, "initrd"),
             "-append", "console=ttyS0 quiet loglevel=3 mitigations=off tsc=reliable no_timer_check panic=-1",
             "-drive", "if=virtio,format=raw,snapshot=on,file=" + os.path.join(IMAGE, "root.ext4"),
             "-drive", "if=virtio,format=raw,readonly=on,file=" + job,
             "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,romfile=",
             "-device", "virtio-rng-pci"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.child.stdout:
            self.log.write(line)
            self.log.flush()
            self.lines.put(line.decode(errors="replace").strip("\r\n"))
        self.lines.put(None)

    def next_line(self, timeout):
        """The next line of the console. None: the guest is off. Raises Trouble when it says nothing."""
        try:
            return self.lines.get(timeout=timeout)
        except queue.Empty:
            raise array.Trouble("the guest has said nothing for %d s" % timeout) from None

    def say(self, text):
        """A line to the job's standard input."""
        self.child.stdin.write(text.encode() + b"\n")
        self.child.stdin.flush()

    def end(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self.log.close()
