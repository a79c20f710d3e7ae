#!/usr/bin/env python3
# SPDX-License-Identifier: CC0-1.0
"""Shows: a handler in another language. A command handler is any program.

It finds the payload on standard input and the job's particulars in the environment. Its exit
status is the verdict: 0 done, 75 try again later, 65 give up for good, anything else an ordinary
failure with the usual retries. One JSON value on standard output is the job's result; the end of
standard error is the text of the error.
"""
import json
import os
import sys

GIVE_UP = 65
TRY_AGAIN = 75


def main():
    try:
        path = json.load(sys.stdin)["file"]
    except (ValueError, KeyError, TypeError):
        print("the payload needs a file", file=sys.stderr)
        return GIVE_UP
    try:
        with open(path, encoding="utf-8") as text:
            words = sum(len(line.split()) for line in text)
    except FileNotFoundError:
        # Perhaps it is still on its way.
        print(f"{path} is not there (attempt {os.environ['DRAY_JOB_ATTEMPT']} of "
              f"{os.environ['DRAY_JOB_MAX_ATTEMPTS']})", file=sys.stderr)
        return TRY_AGAIN
    except UnicodeDecodeError as error:
        print(f"{path} is not text: {error}", file=sys.stderr)
        return GIVE_UP
    json.dump({"file": path, "words": words}, sys.stdout)
    return 0


sys.exit(main())
