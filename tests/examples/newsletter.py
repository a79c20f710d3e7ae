# SPDX-License-Identifier: Apache-2.0
"""The newsletter, from the list to the Maildir: exactly one valid mail for each good address, a dead
job for each of the others, and nobody twice when it is all done again. The list and the mails are
read with Python's own csv and email packages."""
import csv
import email
import email.header
import email.policy
import email.utils
import os
import re
import socket
import stat

from support import Example, check, equal

ISSUE = {"list": "subscribers.csv", "issue": "2026-11"}
LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = re.compile(rf"{LOCAL}(\.{LOCAL})*@({LABEL}\.)+{LABEL}")
HEADERS = ["Date", "From", "To", "Subject", "Message-ID", "List-Unsubscribe",
           "List-Unsubscribe-Post", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]


def decode(line):
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def subscribers(path):
    """The first row of each address, as {key: (address, name, city)}."""
    with open(path, "rb") as file:
        text = "".join(decode(line) for line in file.read().splitlines(keepends=True))
    found = {}
    for row in list(csv.reader(text.lstrip("\ufeff").splitlines(keepends=True)))[1:]:
        address, name, city = (re.sub(r"[\x00-\x1f\x7f]", " ", field.strip())
                               for field in (row + ["", "", ""])[:3])
        if address or name:
            found.setdefault((address or name).lower(), (address, name, city))
    return found


def mails(folder):
    """The messages in new/, checked one by one, as {address: message}."""
    equal(os.listdir(os.path.join(folder, "tmp")), [], "left in tmp/")
    found = {}
    names = os.listdir(os.path.join(folder, "new"))
    for name in names:
        path = os.path.join(folder, "new", name)
        check(re.fullmatch(rf"\d+\.\d+_\d+\.{re.escape(socket.gethostname())}", name), name)
        equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, f"mode of {name}")
        with open(path, "rb") as file:
            data = file.read()
        check(data.isascii() and b"\r" not in data, f"{name}: not plain ASCII with LF")
        header, body = data.split(b"\n\n", 1)
        check(max(map(len, header.split(b"\n"))) <= 998, f"{name}: a line is too long")
        check(max(map(len, body.split(b"\n"))) <= 76, f"{name}: a line of the body is too long")
        check(all(len(line) <= 76 for line in header.split(b"\n") if b"=?UTF-8?" in line), header)
        message = email.message_from_bytes(data, policy=email.policy.default)
        address = message["To"].addresses[0].addr_spec
        check(address not in found, f"two mails to {address}")
        found[address] = message
    return found


def display_name(message):
    """The name in To. Encoded words are joined by hand: Python 3.11 leaves a space between two."""
    raw = dict(message.raw_items())["To"]
    if "=?" in raw and not raw.startswith('"'):
        words = email.header.decode_header(raw.rsplit("<", 1)[0].strip())
        return str(email.header.make_header(words))
    return message["To"].addresses[0].display_name


def check_mail(message, name, city):
    to = message["To"]
    equal(message.keys(), HEADERS, f"{to}: header fields")
    for field, value in message.items():
        equal(value.defects, (), f"{to}: {field}: {value!r}")
    equal(message.defects, [], f"{to}: defects")
    equal(len(to.addresses), 1, f"{to}: recipients")
    equal(display_name(message), name, f"{to}: display name")
    age = email.utils.localtime() - message["Date"].datetime
    check(-5 < age.total_seconds() < 600, f"{to}: Date {message['Date']}")
    check(re.fullmatch(r"<2026-11\.[0-9a-f]{16}@dray\.example>", message["Message-ID"]),
          message["Message-ID"])
    letter = message["Message-ID"][1:].split("@")[0]
    link = f"https://dray.example/unsubscribe?letter={letter}"
    equal(message["List-Unsubscribe"], f"<{link}>", "List-Unsubscribe")
    check(message["Subject"].endswith(f"November, for {name or 'reader'}"), message["Subject"])
    equal(message["Content-Transfer-Encoding"], "quoted-printable", "encoding")
    body = message.get_content()
    check(body.startswith(f"Dear {name or 'reader'},\n"), body[:80])
    check(f"The evenings in {city or 'your town'} draw in" in body, body[:200])
    check("„Grüße aus Köln“" in body and "東京からの手紙" in body and "= 3 shillings" in body, body)
    check(body.endswith(f"stop it: {link}\n"), body[-120:])


def import_and_work(example):
    """One import and all that follows. Returns the result of the import."""
    job = example.push("import", ISSUE)
    example.dray("work", "--until-empty", "-q")
    return example.show(job)["result"]


def main():
    with Example("newsletter") as example:
        people = subscribers(example.path("subscribers.csv"))
        good = {address: (name, city) for address, name, city in people.values()
                if ADDRESS.fullmatch(address)}
        check(len(good) > 280 and len(people) - len(good) == 20, "the list itself has changed")
        flaky = sum(address.endswith("@flaky.example") for address in good)
        check(flaky >= 10, "the list has too few addresses at flaky.example")

        result = import_and_work(example)
        equal(result["dispatched"], len(people), "dispatched")
        equal(result["rows"] - result["already"], len(people), "rows but for repeated ones")
        delivered = mails(example.path("var/mail"))
        equal(sorted(delivered), sorted(good), "who got mail")
        for address, message in delivered.items():
            check_mail(message, *good[address])
        equal(len({message["Message-ID"] for message in delivered.values()}), len(good), "ids")

        dead = example.list("dead")
        equal(len(dead), len(people) - len(good), "dead jobs")
        for job in dead:
            equal(job["attempts"], 1, f"attempts of {job['name']}")
            check(re.match(r"subscribers\.csv:\d+: ", job["last_error"]), job["last_error"])
        retried = [job for job in example.list("done") if job["attempts"] == 2]
        equal(len(retried), flaky, "jobs that were tried twice")

        result = import_and_work(example)
        equal(result["dispatched"], 0, "dispatched by the second import")
        equal(len(mails(example.path("var/mail"))), len(good), "mails after the second import")


main()
