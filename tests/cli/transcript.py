#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""transcript.py SEGUE FAKE_SEGUED EXAMPLES FILE: runs each "$ command" of FILE by sh, one after the other in
one empty directory, and compares what it prints (stdout and stderr together) with the lines under
it. What differs from run to run is made the same first. --write puts what it printed in their place.

"[exit N]" stands for an exit code other than 0. Lines before the first command are remarks.
"""
import difflib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

write = "--write" in sys.argv
segue, fake, examples, path = [os.path.abspath(a) for a in sys.argv[1:] if a != "--write"]


def free_ports(count):
    """Ports that nobody listens at now: other arrays may run on this machine."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    numbers = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return numbers


def copy_examples(place):
    os.mkdir(os.path.join(place, "examples"))
    for name in os.listdir(examples):
        with open(os.path.join(examples, name), encoding="utf-8") as file:
            text = file.read()
        for number, port in enumerate(ports):
            text = text.replace(f":{3261 + number}", f":{port}")
        with open(os.path.join(place, "examples", name), "w", encoding="utf-8") as file:
            file.write(text)


def steady(text, place):
    text = text.replace(place + "/examples", "EXAMPLES").replace(place, "DIR")
    for number, port in enumerate(ports):
        text = text.replace(f":{port}", f":{3261 + number}")
    text = re.sub(r"\(pid \d+\)", "(pid N)", text)
    text = re.sub(r"\(supervisor \d+\)", "(supervisor N)", text)
    text = re.sub(r'"(pid|start_ticks)": \d+', r'"\1": N', text)
    text = re.sub(r"\b\d+(\.\d)? (ms|s)\b", "T", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    return re.sub(r"^\d\d:\d\d:\d\d  ", "CLOCK  ", text, flags=re.M)


def run(command, place):
    bin_dir = os.path.join(place, "bin")
    environment = {"PATH": bin_dir + ":/usr/bin:/bin", "HOME": place, "LC_ALL": "C",
                   "EXAMPLES": os.path.join(place, "examples"), "PORT": str(ports[0])}
    done = subprocess.run(["sh", "-c", command], cwd=place, env=environment, timeout=60, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = steady(done.stdout.decode(errors="replace"), place)
    if text and not text.endswith("\n"):
        text += "\n"
    return text + (f"[exit {done.returncode}]\n" if done.returncode else "")


with open(path, encoding="utf-8") as file:
    wanted = file.read()
ports = free_ports(2)
place = tempfile.mkdtemp(prefix="segue-cli-")
copy_examples(place)
os.mkdir(os.path.join(place, "bin"))
shutil.copy(segue, os.path.join(place, "bin", "segue"))
shutil.copy(fake, os.path.join(place, "bin", "segued"))
have, before_first = "", True
try:
    for line in wanted.splitlines(keepends=True):
        if line.startswith("$ "):
            before_first = False
            have += line + run(line[2:], place)
        elif before_first:
            have += line
finally:
    for state in ("state", "other"):
        subprocess.run([os.path.join(place, "bin", "segue"), "down", "--state",
                        os.path.join(place, state)], check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    shutil.rmtree(place)
if write:
    with open(path, "w", encoding="utf-8") as file:
        file.write(have)
elif have != wanted:
    sys.stdout.writelines(difflib.unified_diff(wanted.splitlines(keepends=True),
                                               have.splitlines(keepends=True), path, "this run"))
    sys.exit(1)
