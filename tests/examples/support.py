# SPDX-License-Identifier: Apache-2.0
"""What the tests of the examples share: a copy of a built example, and the `dray` command in it."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ["DRAY_BUILD"]
SOURCE = os.environ["DRAY_SOURCE"]
DRAY = os.path.join(os.environ["DRAY_BIN"], "dray")


def check(condition, text):
    """Ends the test if the condition does not hold."""
    if not condition:
        sys.exit(f"failed: {text}")


def equal(got, expected, what):
    check(got == expected, f"{what}: expected {expected!r}, got {got!r}")


class Example:
    """A copy of build/examples/NAME to run in, removed at the end."""

    def __init__(self, name):
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
