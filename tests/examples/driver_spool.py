# SPDX-License-Identifier: Apache-2.0
"""The spool keeps what it promises: jobs survive kill -9 of their worker, damage is set aside, the
leases of an earlier boot are over, and what is no spool is refused."""
import glob
import os
import signal
import subprocess
import time

from support import DRAY, Example, check, equal

YAML = """queue:
  driver: custom
  custom: {module: ./spool.so, path: jobs, retry_after: 1s}
  worker: {poll_interval: 100ms, concurrency: 4}
handlers:
  count: {command: [sh, -c, 'echo "$DRAY_JOB_ID" >>done.txt; sleep 0.05']}
"""


def until(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"{what} within {seconds} s")
        time.sleep(0.05)


def done(example):
    try:
        with open(example.path("done.txt"), encoding="utf-8") as file:
            return set(file.read().split())
    except FileNotFoundError:
        return set()


def files(example):
    return [path for path in glob.glob(example.path("jobs/*/*/*"))]


with Example("driver-spool") as example:
    os.mkdir(example.path("var"))
    example.dray("push", "note", '"hello"')
    equal(len(glob.glob(example.path("var/spool/default/ready/5-*"))), 1, "files after a push")
    example.dray("work", "--once", "-q")
    with open(example.path("notes.txt"), encoding="utf-8") as notes:
        equal(notes.read(), '"hello"', "the note")

    with open(example.path("queue.yaml"), "w", encoding="utf-8") as file:
        file.write(YAML)
    workers = [example.start(DRAY, "work", "-q") for _ in range(3)]
    pushed = {example.push("count", n) for n in range(40)}
    until("a start", lambda: done(example))
    workers[0].send_signal(signal.SIGKILL)
    until("all jobs done", lambda: done(example) == pushed)
    until("an empty spool", lambda: not files(example))
    for worker in workers[1:]:
        worker.send_signal(signal.SIGTERM)
    equal([worker.wait() for worker in workers], [-signal.SIGKILL, 0, 0], "how the workers ended")

    # Damage: one byte of the payload.
    job = example.push("count", "fine")
    [path] = files(example)
    with open(path, "r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"F")
    example.dray("work", "--once", "-q", status=4)
    equal((job in done(example), files(example)), (False, []), "a damaged job")
    equal(len(glob.glob(example.path("jobs/.damaged-*"))), 1, "jobs set aside")

    # A lease that would last an hour, taken before the machine was started.
    job = example.push("count", 1)
    [ready] = files(example)
    active = ready.replace("/ready/", "/active/")
    os.rename(ready, active.replace("0000000000000000001", "9000000000000000000"))
    example.dray("work", "--once", "-q", status=4)
    with open(example.path("jobs/.lock"), "w", encoding="utf-8") as file:
        file.write("dray-spool 1 some-earlier-boot\n")
    example.dray("work", "--once", "-q")
    check(job in done(example), "a job leased before the boot")

    with open(example.path("jobs/.lock"), "w", encoding="utf-8") as file:
        file.write("dray-spool 2 x\n")
    said = subprocess.run([DRAY, "list"], cwd=example.folder, env=example.environment,
                          capture_output=True, text=True, check=False)
    check(said.returncode == 78 and "no spool that this version knows" in said.stderr, said.stderr)
