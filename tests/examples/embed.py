# SPDX-License-Identifier: Apache-2.0
"""The embedded worker runs every job of every thread, and each tenth of them twice."""
from support import Example, equal

with Example("embed") as example:
    total = 4 * sum(range(250))
    equal(example.run("./embed"),
          f"1000 jobs dispatched, 1100 attempts, 1000 succeeded, 100 failed; the sum is {total}\n",
          "what embed says")
