/* SPDX-License-Identifier: CC0-1.0 */
#include "sql.h"

/* States: 1 ready, 2 delayed, 3 active, 4 dead, 5 done (dray/driver.h). */

#define JOB_COLUMNS                                                                                \
    "ref, queue, id, type, payload, name, ukey, grp, priority, state, run_at, timeout, "           \
    "max_attempts, attempts, releases, marked::int, counter, nonce, "                              \
    "CASE WHEN state = 3 THEN greatest(lease_until - now_ms($1), 0) ELSE 0 END, "                  \
    "created, ended, owner, error, result, progress"

/* The lease that a token names. Whoever comes with another one finds no row. */
#define TOKEN                                                                                      \
    "queue = $2::text AND id = $3::text AND state = 3 "                                            \
    "AND counter = $4::bigint AND nonce = $5::bigint "

/* A note that is empty leaves the last one. */
#define NOTE(column, arg) #column " = coalesce(nullif(" arg "::text, ''), " #column ")"

/*
 * One statement for a whole group. Members whose id or unique key is taken are left out (a second
 * INSERT in the same place waits for the first to end, so this holds for pushes at once, too); what
 * becomes of the group is decided by SQL_PUSH_LOOK, which is not needed when all were stored.
 * $3 on a resend: ids that have ended lately are left out as well. $4: restored jobs.
 */
#define PUSH                                                                                       \
    "WITH member AS MATERIALIZED (SELECT m.*, nextval('seq') AS ref FROM (SELECT * FROM "          \
    "unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], "             \
    "$11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], "   \
    "$17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], "                  \
    "$22::text[], $23::text[], $24::text[]) WITH ORDINALITY "                                      \
    "AS u (id, type, payload, name, ukey, grp, priority, run_at, delay, timeout, max_attempts, "   \
    "state, attempts, releases, counter, created, ended, error, result, progress, ord) "           \
    "ORDER BY ord) m), "                                                                           \
    "stored AS (INSERT INTO job (ref, seq, queue, id, type, payload, name, ukey, grp, priority, "  \
    "run_at, timeout, max_attempts, state, attempts, releases, counter, created, ended, error, "   \
    "result, progress) "                                                                           \
    "SELECT ref, ref, $2::text, id, type, payload, name, ukey, grp, priority, "                    \
    "CASE WHEN run_at = 0 AND delay > 0 THEN now_ms($1) + delay ELSE run_at END, timeout, "        \
    "max_attempts, CASE WHEN $4::bigint <> 0 THEN CASE state WHEN 3 THEN 1 ELSE state END "        \
    "WHEN run_at > now_ms($1) OR (run_at = 0 AND delay > 0) THEN 2 ELSE 1 END, "                   \
    "attempts, releases, counter, CASE WHEN $4::bigint <> 0 THEN created ELSE now_ms($1) END, "    \
    "ended, error, result, progress "                                                              \
    "FROM member WHERE $3::bigint = 0 OR NOT EXISTS "                                              \
    "(SELECT FROM ended WHERE ended.queue = $2::text AND ended.id = member.id) "                   \
    "ORDER BY ord ON CONFLICT DO NOTHING RETURNING ref) "                                          \
    "SELECT member.ref, (stored.ref IS NOT NULL)::int "                                            \
    "FROM member LEFT JOIN stored USING (ref) ORDER BY ord"

/* What stands in the way of each member: a job of its id (1 with the same content, 2 with another),
   the holder of its key, or an id that has ended lately. Members that came after it in the same
   group do not stand in its way. */
#define PUSH_LOOK                                                                                  \
    "SELECT CASE WHEN job.id IS NULL THEN 0 WHEN job.type = m.type AND job.payload = m.payload "   \
    "AND job.ukey = m.ukey THEN 1 ELSE 2 END, coalesce(holder.id, ''), "                           \
    "EXISTS (SELECT FROM ended WHERE ended.queue = $2::text AND ended.id = m.id)::int "            \
    "FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[]) WITH ORDINALITY "   \
    "AS m (id, type, payload, ukey, ref, ord) "                                                    \
    "LEFT JOIN job ON job.queue = $2::text AND job.id = m.id "                                     \
    "AND NOT (job.ref = ANY ($7::bigint[]) AND job.ref > m.ref) "                                  \
    "LEFT JOIN job holder ON holder.queue = $2::text AND holder.ukey = m.ukey "                    \
    "AND holder.ukey <> '' AND holder.state <= 3 ORDER BY ord"

#define SWEEP                                                                                      \
    "WITH over AS (SELECT ref FROM job WHERE queue = ANY ($2::text[]) AND state = 3 "              \
    "AND lease_until < now_ms($1) ORDER BY lease_until LIMIT 1000 FOR UPDATE SKIP LOCKED), "       \
    "expired AS (UPDATE job SET state = 1, seq = nextval('seq'), run_at = 0, owner = '', "         \
    "error = 'lease expired' FROM over WHERE job.ref = over.ref RETURNING job.queue, job.type), "  \
    "due AS (SELECT ref FROM job WHERE queue = ANY ($2::text[]) AND state = 2 "                    \
    "AND run_at <= now_ms($1) ORDER BY run_at, seq LIMIT 1000 FOR UPDATE SKIP LOCKED), "           \
    "promoted AS (UPDATE job SET state = 1, seq = nextval('seq') "                                 \
    "FROM due WHERE job.ref = due.ref), "                                                          \
    "seen AS (INSERT INTO queue (name, consumer, seen) "                                           \
    "SELECT DISTINCT q, $3::text, now_ms($1) FROM unnest($2::text[]) q WHERE $3::text <> '' "      \
    "AND NOT EXISTS (SELECT FROM queue WHERE name = q AND seen > now_ms($1) - 10000) ORDER BY q "  \
    "ON CONFLICT (name) DO UPDATE SET consumer = excluded.consumer, seen = excluded.seen) "        \
    "SELECT queue, type, count(*) FROM expired GROUP BY queue, type"

/* SKIP LOCKED: what another worker is taking at this moment is as good as gone. */
#define TAKE                                                                                       \
    "WITH pick AS MATERIALIZED (SELECT ref FROM job WHERE queue = $2::text AND state = 1 "         \
    "AND NOT EXISTS (SELECT FROM queue WHERE name = $2::text AND paused) "                         \
    "ORDER BY priority, seq LIMIT $3::bigint FOR UPDATE OF job SKIP LOCKED), "                     \
    "taken AS (UPDATE job SET state = 3, attempts = attempts + 1, counter = counter + 1, "         \
    "nonce = $4::bigint, lease_until = now_ms($1) + $5::bigint, owner = $6::text "                 \
    "FROM pick WHERE job.ref = pick.ref RETURNING job.*) "                                         \
    "SELECT " JOB_COLUMNS " FROM taken ORDER BY priority, seq"

/* Is any job ready; when does the next one fall due; when does the next lease end. */
#define NEXT                                                                                       \
    "SELECT bool_or(NOT coalesce(queue.paused, false) AND EXISTS "                                 \
    "(SELECT FROM job WHERE job.queue = q AND state = 1))::int, "                                  \
    "min((SELECT min(run_at) FROM job WHERE job.queue = q AND state = 2)) - now_ms($1), "          \
    "min((SELECT min(lease_until) FROM job WHERE job.queue = q AND state = 3)) + 1 - now_ms($1) "  \
    "FROM unnest($2::text[]) q LEFT JOIN queue ON queue.name = q"

/* $3 and $4: done and dead jobs that ended so long ago; -1: never. $5: keep so many ended jobs a
   queue; -1: all. $6: remember the ids of jobs that are gone for so long. */
#define PRUNE                                                                                      \
    "WITH old AS (SELECT ref FROM job WHERE queue = ANY ($2::text[]) AND (($3::bigint >= 0 "       \
    "AND state = 5 AND ended < now_ms($1) - $3::bigint) OR ($4::bigint >= 0 AND state = 4 "        \
    "AND ended < now_ms($1) - $4::bigint)) LIMIT 256), "                                           \
    "many AS (SELECT m.ref FROM unnest($2::text[]) q, LATERAL (SELECT ref FROM job "               \
    "WHERE queue = q AND state IN (4, 5) AND $5::bigint >= 0 "                                     \
    "ORDER BY ended DESC, ref DESC OFFSET greatest($5::bigint, 0) LIMIT 256) m), "                 \
    "forgotten AS (DELETE FROM ended WHERE (queue, id) IN (SELECT queue, id FROM ended "           \
    "WHERE at < now_ms($1) - $6::bigint ORDER BY at LIMIT 1000 FOR UPDATE SKIP LOCKED)) "          \
    "DELETE FROM job WHERE state IN (4, 5) AND ref IN (SELECT ref FROM job WHERE ref IN "          \
    "(SELECT ref FROM old UNION SELECT ref FROM many) FOR UPDATE SKIP LOCKED)"

#define LIST                                                                                       \
    "SELECT " JOB_COLUMNS " FROM job WHERE ref > $2::bigint "                                      \
    "AND ($3::bigint >> state) & 1 = 1 AND ($4::text = '' OR queue = $4::text) "                   \
    "AND ($5::text = '' OR type = $5::text) AND ($6::text = '' OR id = $6::text) "                 \
    "AND created >= $7::bigint ORDER BY ref LIMIT $8::bigint"

/* $2: of these queues alone; none: of all that there are. */
#define STATS                                                                                      \
    "SELECT n.q, coalesce(queue.paused, false)::int, count(*) FILTER (WHERE state = 1), "          \
    "count(*) FILTER (WHERE state = 2), "                                                          \
    "count(*) FILTER (WHERE state = 2 AND releases = 0 AND attempts > 0), "                        \
    "count(*) FILTER (WHERE state = 2 AND releases > 0), count(*) FILTER (WHERE state = 3), "      \
    "count(*) FILTER (WHERE state = 4), count(*) FILTER (WHERE state = 5), "                       \
    "coalesce(queue.consumer, ''), greatest(now_ms($1) - coalesce(queue.seen, 0), 0), "            \
    "coalesce((SELECT created FROM job j WHERE j.queue = n.q AND j.state = 1 "                     \
    "ORDER BY j.priority, j.seq LIMIT 1), 0) "                                                     \
    "FROM (SELECT q FROM unnest($2::text[]) q UNION SELECT * FROM (SELECT queue FROM job "         \
    "UNION SELECT queue FROM total UNION SELECT name FROM queue) a WHERE $2::text[] = '{}') n "    \
    "LEFT JOIN queue ON queue.name = n.q LEFT JOIN job ON job.queue = n.q "                        \
    "GROUP BY n.q, queue.name ORDER BY n.q COLLATE \"C\""

#define TOTALS                                                                                     \
    "SELECT queue, type, sum(pushed), sum(completed), sum(failed), sum(retried), sum(died), "      \
    "sum(runs), sum(run_ms) FROM total WHERE $2::text[] = '{}' OR queue = ANY ($2::text[]) "       \
    "GROUP BY queue, type ORDER BY queue, type"

/* Sixteen rows a type, so that workers at once do not wait for each other's. */
#define TALLY                                                                                      \
    "WITH added AS (SELECT * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], "     \
    "$6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[]) "                      \
    "AS a (queue, type, pushed, completed, failed, retried, died, runs, run_ms)), "                \
    "summed AS (INSERT INTO total SELECT queue, type, pg_backend_pid() % 16, pushed, completed, "  \
    "failed, retried, died, runs, run_ms FROM added WHERE type <> '' ORDER BY queue, type "        \
    "ON CONFLICT (queue, type, slot) DO UPDATE SET pushed = total.pushed + excluded.pushed, "      \
    "completed = total.completed + excluded.completed, failed = total.failed + excluded.failed, "  \
    "retried = total.retried + excluded.retried, died = total.died + excluded.died, "              \
    "runs = total.runs + excluded.runs, run_ms = total.run_ms + excluded.run_ms) "                 \
    "SELECT pg_notify(current_schema(), queue) FROM added WHERE type = ''"

static const char *const texts[SQL_COUNT] = {
    [SQL_PUSH] = PUSH,
    [SQL_PUSH_LOOK] = PUSH_LOOK,
    [SQL_PUSH_UNDO] = "DELETE FROM job WHERE ref = ANY ($2::bigint[])",
    /* A bound on a queue is kept by one push at a time. */
    [SQL_PUSH_ALONE] = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '/' || "
                       "$2::text, 0))",
    [SQL_PUSH_LIVE] = "SELECT count(*) FROM (SELECT FROM job WHERE queue = $2::text "
                      "AND state <= 3 LIMIT $3::bigint) live",

    [SQL_ACK] = "WITH gone AS (DELETE FROM job WHERE " TOKEN "RETURNING queue, id, type), "
                "kept AS (INSERT INTO ended SELECT queue, id, now_ms($1) FROM gone "
                "WHERE $6::bigint > 0 ON CONFLICT (queue, id) DO UPDATE SET at = excluded.at) "
                "SELECT type FROM gone",
    [SQL_KEEP] = "UPDATE job SET state = 5, ended = now_ms($1), marked = false, owner = '', " NOTE(
        error, "$6") ", " NOTE(progress, "$7") ", " NOTE(result, "$8") " WHERE " TOKEN
                                                                       "RETURNING type",
    /* $9: again 2, release 3, repeat 5. */
    [SQL_RETRY] =
        "UPDATE job SET state = CASE WHEN $8::bigint = 0 THEN 1 ELSE 2 END, "
        "run_at = CASE WHEN $8::bigint = 0 THEN 0 ELSE now_ms($1) + $8::bigint END, "
        "seq = nextval('seq'), owner = '', " NOTE(error, "$6") ", " NOTE(progress,
            "$7") ", "
                  "attempts = CASE $9::bigint WHEN 2 THEN attempts WHEN 3 THEN attempts - 1 "
                  "ELSE 0 END, releases = CASE $9::bigint WHEN 3 THEN releases + 1 ELSE 0 END "
                  "WHERE " TOKEN "AND NOT marked RETURNING type",
    [SQL_BURY] = "UPDATE job SET state = 4, ended = now_ms($1), marked = false, owner = '', " NOTE(
        error, "$6") ", " NOTE(progress, "$7") ", attempts = attempts - $8::bigint "
                                               "WHERE " TOKEN "RETURNING type",
    [SQL_MARKED] = "SELECT FROM job WHERE " TOKEN,
    [SQL_EXTEND] =
        "UPDATE job SET lease_until = greatest(lease_until, now_ms($1) + $6::bigint), " NOTE(
            progress, "$7") " WHERE " TOKEN "RETURNING marked::int",

    [SQL_SWEEP] = SWEEP,
    [SQL_REPLAY] = "SELECT " JOB_COLUMNS " FROM job WHERE queue = ANY ($2::text[]) AND state = 3 "
                   "AND nonce = $3::bigint ORDER BY priority, seq LIMIT $4::bigint",
    [SQL_TAKE] = TAKE,
    [SQL_NEXT] = NEXT,
    [SQL_PRUNE] = PRUNE,

    [SQL_KICK] = "UPDATE job SET seq = nextval('seq'), run_at = 0, ended = 0, "
                 "attempts = CASE state WHEN 4 THEN 0 ELSE attempts END, "
                 "releases = CASE state WHEN 4 THEN 0 ELSE releases END, "
                 "error = CASE state WHEN 4 THEN '' ELSE error END, state = 1 "
                 "WHERE queue = $2::text AND id = $3::text "
                 "AND (state = 2 OR (state = 4 AND NOT EXISTS (SELECT FROM job h "
                 "WHERE h.queue = job.queue AND h.ukey = job.ukey AND h.ukey <> '' "
                 "AND h.state <= 3))) RETURNING state",
    [SQL_CANCEL] = "UPDATE job SET marked = (state = 3), "
                   "error = CASE state WHEN 3 THEN error ELSE 'cancelled' END, "
                   "ended = CASE state WHEN 3 THEN 0 ELSE now_ms($1) END, "
                   "state = CASE state WHEN 3 THEN 3 ELSE 4 END "
                   "WHERE queue = $2::text AND id = $3::text AND state <= 3 RETURNING state, type",
    [SQL_REMOVE] = "DELETE FROM job WHERE queue = $2::text AND id = $3::text "
                   "AND (state <> 3 OR $4::bigint <> 0) RETURNING state",
    [SQL_STATE] = "SELECT state FROM job WHERE queue = $2::text AND id = $3::text",
    [SQL_PAUSE] = "INSERT INTO queue (name, paused, seen) SELECT $2::text, $3::bigint <> 0, 0 "
                  "ON CONFLICT (name) DO UPDATE SET paused = excluded.paused",
    [SQL_RESET] = "DELETE FROM total WHERE queue = $2::text",

    [SQL_LIST] = LIST,
    [SQL_STATS] = STATS,
    [SQL_TOTALS] = TOTALS,
    [SQL_TALLY] = TALLY,
};

const char *sql_text(enum sql which)
{
    return texts[which];
}
