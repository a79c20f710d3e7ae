# SPDX-License-Identifier: Apache-2.0
"""What the tests of the examples share: a copy of a built example, and the `dray` command in it."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

BUILD = os.environ["DRAY_BUILD"]
SOURCE = os.environ["DRAY_SOURCE"]
DRAY = os.path.join(os.environ["DRAY_BIN"], "dray")


# Told to end, a test still removes what it has made.
signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def check(condition, text):
    """Ends the test if the condition does not hold."""
    if not condition:
        sys.exit(f"failed: {text}")


def equal(got, expected, what):
    check(got == expected, f"{what}: expected {expected!r}, got {got!r}")


class Example:
    """A copy of build/examples/NAME to run in, removed at the end with all that was started."""

    def __init__(self, name):
        self.started = []
        self.folder = tempfile.mkdtemp(prefix=f"dray-{name}-")
        built = os.path.join(BUILD, "examples", name)
        shutil.copytree(built, self.folder, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("CMakeFiles", "var", "*.cmake"))
        # The configuration of whoever runs the tests has no say here.
        self.environment = {key: value for key, value in os.environ.items()
                            if key not in ("DRAY_CONFIG", "QUEUE_DRIVER")}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def run(self, *command, status=0, stderr=False, **environment):
        """Runs a command in the copy and returns its standard output, or what it complains of."""
        done = subprocess.run(command, cwd=self.folder, env={**self.environment, **environment},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        check(done.returncode == status,
              f"{' '.join(command)}: exit status {done.returncode}, not {status}\n"
              f"{done.stdout}{done.stderr}")
        return done.stderr if stderr else done.stdout

    def start(self, *command, **options):
        """Starts a command in the copy and does not wait for it."""
        process = subprocess.Popen(command, cwd=self.folder, env=self.environment, **options)
        self.started.append(process)
        return process

    def dray(self, *arguments, **options):
        return self.run(DRAY, *arguments, **options)

    def push(self, kind, payload):
        """Pushes a job and returns its id."""
        return self.dray("push", kind, json.dumps(payload)).strip()

    def show(self, job):
        return json.loads(self.dray("show", job, "--json"))

    def list(self, state):
        """The jobs of a state."""
        return [json.loads(line)
                for line in self.dray("list", "--state", state, "--json").splitlines()]
