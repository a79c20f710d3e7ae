#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes corpus/redis, the inputs that fuzz_redis.c begins with: what the scripts of
drivers/redis/scripts answer, and how it may be wrong. Run it when answers or records change.
"""
import os
import struct

TURN, RESERVE, CHANGE, LIST, STATS, CHECK, GREET, RECORD = range(8)  # as in fuzz_redis.c
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "redis")
NOW = 1700000000000
LONG = "a" * 65  # longer than an id, a queue, a type or a group


# RESP: https://redis.io/docs/latest/develop/reference/protocol-spec/
def bulk(text):
    data = text if isinstance(text, bytes) else text.encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


def number(value):
    return b":%d\r\n" % value


def array(*parts):
    return b"*%d\r\n" % len(parts) + b"".join(parts)


def bulks(*texts):
    return array(*map(bulk, texts))


# Records: docs/redis.md.
def content(type="t", payload='{"n":1}', name="", group="", unique="", priority=5):
    return (struct.pack(">Q", NOW)[2:] + bytes([priority]) + struct.pack(">Q", 30000)[2:] +
            struct.pack(">I", 4) + bytes(map(len, (name, group, type, unique))) +
            (name + group + type + unique + payload).encode())


def state(letter="a", attempts=1, releases=0, flags=80, error="", progress="", result=""):
    owner = "host:1"
    return (letter.encode() + struct.pack(">QQBIIQBHH", 1, 9, flags, attempts, releases, NOW,
                                          len(owner), len(error), len(progress)) +
            bytes(26) + (owner + error + progress + result).encode())


def records(content, state):
    return bytes([len(content)]) + content + state


# Answers of the scripts.
def turn(settled, groups, extended, wait, blocks, trouble="", *strange):
    return array(bulk("turn"), bulk(settled), array(*groups), bulk(extended), number(wait),
                 array(*blocks), bulk(trouble), *strange)


def group(code, letters, *holders):
    return array(bulk(code), bulk(letters), bulks(*holders))


def block(queue, ids, contents, states):
    return array(number(queue), bulks(*ids), bulks(*contents),
                 bulks(*states) if isinstance(states, list) else bulk(states))


def reserved(*blocks, trouble=""):
    return turn("", [], "", 0, blocks, trouble)


def listed(*row):
    return bulks("q") + array(bulk("ids"), bulk("0"), bulks("a")) + array(
        bulk("jobs"), number(NOW), bulks(*row))


def put(name, call, step, *answers):
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(bytes([call, step]) + b"".join(answers))


def turns():
    put("turn", TURN, 0, turn("O", [group("O", "OO")], "O", -1, [
        block(0, "ab", [content(), content(unique="k", name="Ada")], state())]))
    put("turn-answers", TURN, 7, turn("S", [group("D", "OD", "", "holder")], "X", 250, []))
    put("turn-full", TURN, 0,
        turn("X", [group("F", "OO")], "S", 0, [], "CLEAN OOM command not allowed"))
    put("turn-registers", TURN, 0, array(bulk("register"), array(number(0))), bulk("1"), number(1),
        turn("O", [group("C", "CE")], "O", 5, []))
    put("turn-forgotten", TURN, 0, b"-NOSCRIPT No matching script.\r\n", bulk("1" * 40),
        bulk("2" * 40), turn("O", [group("E", "EE")], "O", 5, []))
    put("turn-long-holder", TURN, 0, turn("O", [group("D", "OD", "", LONG)], "O", 0, []))


def reserves():
    put("reserve", RESERVE, 0, reserved(
        block(0, "a", [content()], [state(error="boom", progress="half")]),
        block(1, "bc", [content(group="g"), content(priority=0)],
              [state(attempts=3, releases=2, flags=81), state()])))
    # Of odd length, which stands for two queues: so they are answers of the long script.
    put("reserve-strange", RESERVE, 0, turn("", [], "", 0, [], "", array(
        number(3), number(0), bulk("ab"), number(1), bulk(LONG * 9), number(0), bulk("\x1b\n"))))
    put("reserve-strange-queue", RESERVE, 0, turn("", [], "", 0, [], "", array(
        number(0), number(2), bulk("a"))))
    put("reserve-trouble", RESERVE, 1, reserved(trouble="DIRTY WRONGTYPE Operation against a key"))
    put("reserve-refused", RESERVE, 0, b"-READONLY You can't write against a read only replica.\r\n")
    put("reserve-many", RESERVE, 0, reserved(block(0, "abcd", [content()] * 4, state())))
    put("reserve-many-blocks", RESERVE, 0, reserved(
        block(0, "ab", [content()] * 2, state()), block(1, "cd", [content()] * 2, state())))
    for name, id, job, how in [
            ("long-id", LONG, content(), state()),
            ("empty-id", "", content(), state()),
            ("long-type", "a", content(type=LONG), state()),
            ("long-group", "a", content(group=LONG), state()),
            ("long-error", "a", content(), state(error="e" * 4097)),
            ("not-active", "a", content(), state("r"))]:
        put("reserve-" + name, RESERVE, 0, reserved(block(0, [id], [job], [how])))


def views():
    put("change", CHANGE, 0, bulks("change", "OC"))
    put("list", LIST, 0, bulks("q"), array(bulk("ids"), bulk("0"), bulks("a", "b", "c")),
        array(bulk("jobs"), number(NOW), bulks(
            "a", content(), "", "b", content(), state("x", error="boom"),
            "c", content(), state("o", result="[1]"))))
    put("list-parts", LIST, 0, bulks("q"), array(bulk("ids"), bulk("77"), bulks("a")),
        array(bulk("ids"), bulk("0"), bulks("a", "b")), array(bulk("jobs"), number(NOW), array()))
    put("list-long-id", LIST, 0, listed(LONG, content(), ""))
    put("list-names", LIST, 0, array(bulk(LONG), number(5), bulk("")),
        array(bulk("ids"), bulk("0"), array(bulk(LONG), number(1), bulk(""))))
    put("check", CHECK, 0, listed("a", "theirs", ""), bulks("q"),
        array(bulk("cross"), number(1), bulk("77"), bulk("leases"), bulks("a", LONG), number(0)),
        array(bulk("cross"), number(18), bulk("0"), bulk(""), bulks("b"), number(0)),
        array(bulk("cross"), number(0), bulk("0"), bulk(""), array(), number(3)))
    put("stats", STATS, 0, bulks("q", "r"), array(
        bulk("stats"),
        array(number(1), array(*map(number, range(7))), bulk("host:1"), number(20), number(NOW),
              bulks("pushed:t", "7", "runs:t", "5", "completed:u", "9")),
        array(number(0), array(*[number(0)] * 7), bulk(""), number(0), number(0), array())))
    put("stats-odd", STATS, 0, bulks("q"), array(bulk("stats"), array(
        number(0), array(*[number(1)] * 7), bulk("c" * 300), number(-5), number(-1),
        bulks("pushed:", "9" * 26, "runs:t", "-1", "odd"))))


def greetings():
    info = ("redis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:" + "a" * 40 +
            "\r\nrole:master\r\nmaxmemory_policy:noeviction\r\nloading:0\r\naof_enabled:1\r\n")
    scripts = b"".join(bulk(digit * 40) for digit in "1234")
    fine = array(bulk("rights"), array())
    less = array(bulk("rights"), bulks("ZADD k", LONG * 9, "X"))
    put("greet", GREET, 0, bulk(info), bulks("appendfsync", "always"), number(7), bulk("2"),
        scripts, fine)
    put("greet-new", GREET, 3, bulk(info.replace("enabled:1", "enabled:0")), number(7),
        b"$-1\r\n", b"$-1\r\n", scripts, fine)
    put("greet-before", GREET, 0, bulk(info.replace("enabled:1", "enabled:0")), number(7),
        bulk("1"), bulk("1"), scripts, fine)
    put("greet-refused", GREET, 0, bulk(info), bulks("appendfsync", "always"), number(7), bulk("2"),
        scripts, less)
    put("greet-replica", GREET, 0, bulk(info.replace("master", "slave")))


def alone():
    put("record", RECORD, 0, records(
        content(name="Ada", group="g", unique="k"),
        state(error="boom", progress="half", result="[]")))
    put("record-fresh", RECORD, 0, records(content(), b""))
    put("record-priority", RECORD, 0, records(content(priority=10), b""))
    put("record-short", RECORD, 0, records(content()[:24], state()[:67]))
    put("record-long-error", RECORD, 0, records(content(), state(error="e" * 4097)))


def main():
    os.makedirs(FOLDER, exist_ok=True)
    for old in os.listdir(FOLDER):
        os.unlink(os.path.join(FOLDER, old))
    turns()
    reserves()
    views()
    greetings()
    alone()


main()
