# SPDX-License-Identifier: Apache-2.0
"""A handler module keeps its state, gives results, and gives up on what it cannot read."""
import shutil
import subprocess

from support import BUILD, SOURCE, Example, check, equal

with Example("job-module") as example:
    tea, nothing = example.push("stamp", {"parcel": "tea"}), example.push("stamp", {})
    example.dray("work", "--until-empty", "-q")
    job = example.show(tea)
    equal((job["state"], job["attempts"], job["result"]), ("done", 1, {"stamped": True}), "tea")
    job = example.show(nothing)
    equal((job["state"], job["attempts"]), ("dead", 1), "a payload without a parcel")
    check("needs a parcel" in job["last_error"], job["last_error"])
    with open(example.path("stamps.txt"), encoding="utf-8") as book:
        equal(book.read(), f"{tea} tea\n", "the book")

    # The Makefile builds the same module outside of this build.
    for file in ("Makefile", "stamp.c"):
        shutil.copy(f"{SOURCE}/examples/job-module/{file}", example.folder)
    example.run("rm", "stamp.so")
    subprocess.run(["make", "-s", f"CFLAGS=-I{SOURCE}/include", f"LDFLAGS=-L{BUILD}/lib"],
                   cwd=example.folder, check=True)
    again = example.push("stamp", {"parcel": "coffee"})
    example.dray("work", "--until-empty", "-q")
    equal(example.show(again)["state"], "done", "coffee")
