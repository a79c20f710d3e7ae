# SPDX-License-Identifier: Apache-2.0
"""The postgres driver keeps what it promises when workers die, sessions are ended and the answer to
a commit is lost, and refuses schemas that it does not know."""
import os
import signal
import subprocess
import time

from support import DRAY, Example, check, equal

YAML = """queue:
  driver: custom
  custom: {module: ./postgres.so, schema: SCHEMA, retry_after: 2s}
  worker: {concurrency: 4, poll_interval: 1s}
connections:
  default: {path: "HOST", database: postgres, username: dray}
handlers:
  count: {command: [sh, -c, 'echo "$DRAY_JOB_ID" >>done.txt; sleep 0.05']}
  note: {command: [tee, -a, notes.txt]}
"""
# The first commit of such a job takes long, and no other: a sequence is not rolled back.
SLOW_COMMIT = """CREATE SEQUENCE jobs.commits;
CREATE FUNCTION jobs.slow() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN IF nextval(''jobs.commits'') = 1 THEN PERFORM pg_sleep(20); END IF; RETURN NULL; END';
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON jobs.job DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (new.type = 'slow') EXECUTE FUNCTION jobs.slow()"""


def sql(text):
    """Runs SQL and returns what it says, a row a line."""
    done = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text], text=True,
                          capture_output=True, check=False)
    check(done.returncode == 0, f"{text}: {done.stderr}")
    return done.stdout.strip()


def until(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"{what} within {seconds} s")
        time.sleep(0.05)


def configure(example, schema):
    with open(example.path("queue.yaml"), "w", encoding="utf-8") as file:
        file.write(YAML.replace("SCHEMA", schema).replace("HOST", os.environ["PGHOST"]))


def done(example):
    try:
        with open(example.path("done.txt"), encoding="utf-8") as file:
            return set(file.read().split())
    except FileNotFoundError:
        return set()


def first_job(example):
    """As its README has it."""
    example.dray("push", "note", '"hello"')
    example.dray("work", "--once", "-q")
    with open(example.path("notes.txt"), encoding="utf-8") as notes:
        equal(notes.read(), '"hello"', "the note")
    equal(sql("SELECT count(*) FROM jobs.job"), "0", "jobs left")


def workers_and_sessions_die(example):
    """A worker is killed, then every session is ended under the others: each job is done."""
    workers = [example.start(DRAY, "work", "-q") for _ in range(3)]
    pushed = {example.push("count", n) for n in range(40)}
    until("a start", lambda: done(example))
    workers[0].send_signal(signal.SIGKILL)
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^dray '")
    until("all jobs done", lambda: done(example) == pushed)
    until("an empty store", lambda: sql("SELECT count(*) FROM jobs.job") == "0")
    for worker in workers[1:]:
        worker.send_signal(signal.SIGTERM)
    equal([worker.wait() for worker in workers], [-signal.SIGKILL, 0, 0], "how the workers ended")


def sessions_of(state):
    return sql("SELECT pid FROM pg_stat_activity WHERE application_name ~ '^dray ' AND " + state)


def commit_answer_is_lost(example):
    """The session ends in the middle of a commit. The push is sent again, and the job is there
    once."""
    sql(SLOW_COMMIT)
    push = example.start(DRAY, "push", "slow", "1", "--id", "once", stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    until("a commit", lambda: sessions_of("query = 'COMMIT' AND state = 'active'"))
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE query = 'COMMIT' AND application_name ~ '^dray '")
    said, complaint = push.communicate(timeout=60)
    equal((push.returncode, said.strip()), (0, "once"), f"the push ({complaint})")
    equal(sql("SELECT id, state FROM jobs.job"), "once|1", "the job")
    equal(sql("SELECT last_value FROM jobs.commits"), "2", "commits")
    example.dray("delete", "once")


def ask_for_a_password(role):
    """Whoever is that role has to give one from now on."""
    path = os.path.join(os.environ["PGFOLDER"], "data", "pg_hba.conf")
    with open(path, encoding="utf-8") as file:
        rest = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"local all {role} scram-sha-256\n{rest}")
    sql(f"CREATE ROLE {role} LOGIN PASSWORD 'right'; SELECT pg_reload_conf()")
    until("the new rule", lambda: subprocess.run(["psql", "-qwX", "-U", role, "-c", ""],
                                                 capture_output=True, check=False).returncode)


def connect_as(example, status, **values):
    """What `dray list` says when these values of the connection are others."""
    values = {"path": os.environ["PGHOST"], "database": "postgres", "username": "dray", **values}
    connection = ", ".join(f"{key}: {value}" for key, value in values.items())
    with open(example.path("other.yaml"), "w", encoding="utf-8") as file:
        file.write("queue: {driver: custom, custom: {module: ./postgres.so, schema: locked}}\n"
                   f"connections: {{default: {{{connection}}}}}\n")
    return example.run(DRAY, "list", "-c", "other.yaml", status=status, stderr=True)


def doors(example):
    """Who is not let in is told so, and not that the server is away."""
    ask_for_a_password("locked")
    wrong = connect_as(example, 77, username="locked", password="wrong")
    check("password authentication failed" in wrong and "pg_hba.conf" in wrong, wrong)
    none = connect_as(example, 77, username="locked")
    check("no password was given" in none, none)
    nobody = connect_as(example, 77, username="nobody")
    check('role "nobody" does not exist' in nobody, nobody)
    nowhere = connect_as(example, 78, database="nowhere")
    check('database "nowhere" does not exist; create it' in nowhere, nowhere)
    away = connect_as(example, 69, path="/nowhere")
    check("No such file" in away, away)
    for said in (wrong, none, nobody, nowhere, away):
        equal(said.count("\n"), 1, f"lines of {said!r}")
    sql("GRANT CREATE ON DATABASE postgres TO locked")
    connect_as(example, 0, username="locked", password="right")


def refusals(example):
    sql("UPDATE jobs.dray SET version = 2")
    newer = example.run(DRAY, "list", status=78, stderr=True)
    check("has version 2, this driver knows 1" in newer, newer)
    sql("CREATE SCHEMA others; CREATE TABLE others.thing (x int)")
    configure(example, "others")
    others = example.run(DRAY, "list", status=78, stderr=True)
    check("the schema others holds other tables" in others, others)
    configure(example, "bad\\\\name")
    bad = example.run(DRAY, "list", status=78, stderr=True)
    check("no quotes or backslashes" in bad, bad)


with Example("driver-postgres") as example:
    configure(example, "jobs")
    first_job(example)
    workers_and_sessions_die(example)
    commit_answer_is_lost(example)
    doors(example)
    refusals(example)
