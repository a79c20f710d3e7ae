# SPDX-License-Identifier: Apache-2.0
"""The application passes its own test under QUEUE_DRIVER=sync, which fails under another driver; by
itself it works on sqlite."""
from support import Example, equal

with Example("sync-tested") as example:
    equal(example.run("./test_signup", QUEUE_DRIVER="sync"), "ok\n", "the test")
    example.run("./test_signup", QUEUE_DRIVER="memory", status=1)
    equal(example.run("./signup", "Ada", "Grace"), "2 welcomed\n", "the application")
    with open(example.path("outbox.txt"), encoding="utf-8") as outbox:
        equal(sorted(outbox), ["Welcome, Ada!\n", "Welcome, Grace!\n"], "its outbox")
