# SPDX-License-Identifier: Apache-2.0
"""The manual pages leave nothing out: every verb, every option of all verbs, every key of the
configuration, every operation, capability and trait of the driver interface; and groff finds
nothing wrong with them."""
import os
import re
import subprocess
import sys

SOURCE = os.environ["DRAY_SOURCE"]
DRAY = os.path.join(os.environ["DRAY_BIN"], "dray")


def read(*parts):
    with open(os.path.join(SOURCE, *parts), encoding="utf-8") as file:
        return file.read()


def words(page):
    """What a page shows: its text without macros and punctuation between words."""
    return set(re.findall(r"[A-Za-z_][A-Za-z0-9_-]*", read("docs", "man", page)))


def need(page, names):
    missing = [name for name in names if name not in words(page)]
    if missing or not names:
        sys.exit(f"failed: {page} says nothing of {', '.join(missing) or 'anything'}")


said = subprocess.run([DRAY, "-h"], check=True, capture_output=True, text=True).stdout
verbs = re.search(r"Verbs:\n(.*?)\n\n", said, re.DOTALL)[1].splitlines()
rows = (re.match(r"  ([a-z]+(?: [a-z]+(?= ))?)", line) for line in verbs)
for verb in (row[1] for row in rows if row):  # the others go on from the line above
    if not re.search(rf"^\.It (.* , )?Ic {verb}\b", read("docs", "man", "dray.1"), re.MULTILINE):
        sys.exit(f"failed: dray.1 says nothing of {verb}")
need("dray.1", [option.lstrip("-") for option in re.findall(r"--[a-z]+", said.split("every verb:")[1])
                if option not in ("--help", "--queue", "--concurrency", "--state")])

rows = subprocess.run([DRAY, "config", "-c", os.path.join(SOURCE, "config", "memory.yaml")],
                      check=True, capture_output=True, text=True).stdout.splitlines()
keys = [row.split("\t")[0] for row in rows]
need("dray-config.5", [part for key in keys for part in key.split(".")
                       if not key.startswith(("queue.memory.capacity", "handlers.hello"))])

need("dray-driver.7", re.findall(r"^dray_driver\.(\w+) at \d+, 8", read("tests", "install",
     "layout.txt"), re.MULTILINE)[5:])
need("dray-driver.7", re.findall(r"#define (DRAY_(?:CAN|IS)_[A-Z]+)\b(?!_|\()",
                                 read("include", "dray", "driver.h")))

for page in ("dray.1", "dray-config.5", "dray-driver.7"):
    wrong = subprocess.run(["groff", "-mdoc", "-Tutf8", "-ww", "-z", "docs/man/" + page],
                           cwd=SOURCE, check=True, capture_output=True, text=True).stderr
    if wrong:
        sys.exit(f"failed: {wrong}")
