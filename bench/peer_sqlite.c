/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite alone: one table, WAL, synchronous=FULL, prepared statements, one connection behind one
 * mutex. A dispatcher inserts a batch a transaction. A worker deletes what it has run and claims
 * the next jobs in the same transaction, 100 at a time or one.
 */
#include "crowd.h"
#include "footprint.h"
#include "peers.h"
#include "stopwatch.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#define CLAIM_MAX 100u
#define ONE_BY_ONE_MAX 2000u /* jobs a run */

struct bare {
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *insert, *claim, *finish;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    int closed;
    int failed;
    unsigned claim_size;
    struct tally tally;
    char path[4096];
};

static int complain(struct bare *bare, const char *what)
{
    fprintf(stderr, "dray-bench: bare SQLite: %s: %s\n", what, sqlite3_errmsg(bare->db));
    return -1;
}

static int prepare(struct bare *bare, sqlite3_stmt **stmt, const char *sql)
{
    int rc = sqlite3_prepare_v3(bare->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
    return rc == SQLITE_OK ? 0 : complain(bare, sql);
}

static int step(struct bare *bare, sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? 0 : complain(bare, sqlite3_sql(stmt));
}

static int bare_open(struct bare *bare, const struct load *load)
{
    static unsigned number;
    snprintf(bare->path, sizeof(bare->path), "%s/bare-%u.db", load->folder, ++number);
    if (sqlite3_open(bare->path, &bare->db) != SQLITE_OK)
        return complain(bare, bare->path);
    const char *schema = "PRAGMA journal_mode=WAL;"
                         "PRAGMA synchronous=FULL;"
                         "CREATE TABLE job(seq INTEGER PRIMARY KEY, type TEXT NOT NULL,"
                         " payload TEXT NOT NULL, state INTEGER NOT NULL);"
                         "CREATE INDEX ready ON job(seq) WHERE state = 1;";
    if (sqlite3_exec(bare->db, schema, NULL, NULL, NULL) != SQLITE_OK)
        return complain(bare, "schema");
    if (prepare(bare, &bare->begin, "BEGIN IMMEDIATE") != 0 ||
        prepare(bare, &bare->commit, "COMMIT") != 0 ||
        prepare(bare, &bare->insert,
            "INSERT INTO job(type, payload, state) VALUES('bench', ?1, 1)") != 0 ||
        prepare(bare, &bare->claim,
            "UPDATE job SET state = 2 WHERE seq IN (SELECT seq FROM job WHERE state = 1"
            " ORDER BY seq LIMIT ?1) RETURNING seq, type, payload") != 0 ||
        prepare(bare, &bare->finish, "DELETE FROM job WHERE seq = ?1") != 0)
        return -1;
    return sqlite3_bind_text(bare->insert, 1, peer_payload, PEER_PAYLOAD_LEN, SQLITE_STATIC) ==
                   SQLITE_OK
               ? 0
               : complain(bare, "bind");
}

static void bare_close(struct bare *bare)
{
    sqlite3_finalize(bare->begin);
    sqlite3_finalize(bare->commit);
    sqlite3_finalize(bare->insert);
    sqlite3_finalize(bare->claim);
    sqlite3_finalize(bare->finish);
    sqlite3_close(bare->db);
    unlink(bare->path);
    tally_done(&bare->tally);
    pthread_cond_destroy(&bare->work);
    pthread_mutex_destroy(&bare->mutex);
}

static int bare_start(struct bare *bare, const struct load *load, unsigned claim_size)
{
    *bare = (struct bare){.claim_size = claim_size};
    pthread_mutex_init(&bare->mutex, NULL);
    pthread_cond_init(&bare->work, NULL);
    tally_init(&bare->tally);
    if (bare_open(bare, load) == 0)
        return 0;
    bare_close(bare);
    return -1;
}

static int bare_put(void *arg, unsigned n)
{
    struct bare *bare = arg;
    pthread_mutex_lock(&bare->mutex);
    int rc = step(bare, bare->begin);
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = step(bare, bare->insert);
    if (rc == 0)
        rc = step(bare, bare->commit);
    pthread_cond_signal(&bare->work);
    pthread_mutex_unlock(&bare->mutex);
    return rc;
}

/* One transaction of the worker: deletes `ids` ([n]), claims the next ones into it. Returns how
   many, or -1. */
static int turn(struct bare *bare, sqlite3_int64 *ids, int n)
{
    if (step(bare, bare->begin) != 0)
        return -1;
    for (int i = 0; i < n; i++) {
        sqlite3_bind_int64(bare->finish, 1, ids[i]);
        if (step(bare, bare->finish) != 0)
            return -1;
    }
    int claimed = 0;
    sqlite3_bind_int64(bare->claim, 1, (sqlite3_int64)bare->claim_size);
    int rc = sqlite3_step(bare->claim);
    while (rc == SQLITE_ROW && claimed < (int)CLAIM_MAX) {
        ids[claimed++] = sqlite3_column_int64(bare->claim, 0);
        rc = sqlite3_step(bare->claim);
    }
    sqlite3_reset(bare->claim);
    if (rc != SQLITE_DONE)
        return complain(bare, "claim");
    return step(bare, bare->commit) == 0 ? claimed : -1;
}

static void *worker_main(void *arg)
{
    struct bare *bare = arg;
    sqlite3_int64 ids[CLAIM_MAX];
    int n = 0;
    pthread_mutex_lock(&bare->mutex);
    for (;;) {
        n = turn(bare, ids, n);
        if (n < 0) {
            bare->failed = 1;
            break;
        }
        if (n > 0) {
            pthread_mutex_unlock(&bare->mutex);
            for (int i = 0; i < n; i++)
                tally_hit(&bare->tally);
            pthread_mutex_lock(&bare->mutex);
        } else if (bare->closed) {
            break;
        } else {
            pthread_cond_wait(&bare->work, &bare->mutex); /* held since the look that found none */
        }
    }
    pthread_mutex_unlock(&bare->mutex);
    return NULL;
}

/* Waits until the worker has run `jobs`, and ends it. */
static int worker_finish(
    struct bare *bare, pthread_t worker, uint64_t jobs, struct sample *out, const struct lap *begin)
{
    int rc = tally_wait(&bare->tally, jobs);
    struct lap spent = stopwatch_since(begin);
    stopwatch_rates(out->values, jobs, &spent);
    pthread_mutex_lock(&bare->mutex);
    bare->closed = 1;
    pthread_cond_signal(&bare->work);
    pthread_mutex_unlock(&bare->mutex);
    pthread_join(worker, NULL);
    return bare->failed ? -1 : rc;
}

static uint64_t bare_count(struct bare *bare)
{
    sqlite3_stmt *count = NULL;
    uint64_t n = 0;
    if (prepare(bare, &count, "SELECT count(*) FROM job") == 0 && sqlite3_step(count) == SQLITE_ROW)
        n = (uint64_t)sqlite3_column_int64(count, 0);
    sqlite3_finalize(count);
    return n;
}

static int sqlite_dispatch(const struct load *load, struct sample *out)
{
    struct bare bare;
    if (bare_start(&bare, load, CLAIM_MAX) != 0)
        return -1;
    struct handed_in in;
    int rc = crowd_dispatch(load, bare_put, &bare, &in);
    stopwatch_rates(out->values, in.jobs, &in.spent);
    out->dispatched = in.jobs;
    out->handled = bare_count(&bare);
    bare_close(&bare);
    return rc;
}

/* `backlog`: hand everything in before the clock and the worker start. */
static int run_worker(const struct load *load, struct sample *out, unsigned claim, int backlog)
{
    struct bare bare;
    if (bare_start(&bare, load, claim) != 0)
        return -1;
    struct handed_in in = {.jobs = 0};
    int rc = backlog ? crowd_dispatch(load, bare_put, &bare, &in) : 0;
    pthread_t worker;
    struct lap begin = stopwatch_start();
    if (rc == 0)
        rc = pthread_create(&worker, NULL, worker_main, &bare) == 0 ? 0 : -1;
    if (rc == 0) {
        if (!backlog)
            rc = crowd_dispatch(load, bare_put, &bare, &in);
        rc |= worker_finish(&bare, worker, in.jobs, out, &begin);
    }
    out->dispatched = in.jobs;
    out->handled = atomic_load(&bare.tally.handled);
    bare_close(&bare);
    return rc;
}

static int sqlite_end_to_end_100(const struct load *load, struct sample *out)
{
    return run_worker(load, out, 100, 0);
}

/* One a transaction is slow on every disk: a dispatcher that hands in by 100 would be far ahead of
   such a worker, and the run would never end. */
static struct load shortened(const struct load *load)
{
    struct load shorter = *load;
    shorter.jobs = load->jobs < ONE_BY_ONE_MAX ? load->jobs : ONE_BY_ONE_MAX;
    return shorter;
}

static int sqlite_end_to_end_1(const struct load *load, struct sample *out)
{
    struct load shorter = shortened(load);
    return run_worker(&shorter, out, 1, 0);
}

static int sqlite_drain_100(const struct load *load, struct sample *out)
{
    return run_worker(load, out, 100, 1);
}

static int sqlite_drain_1(const struct load *load, struct sample *out)
{
    struct load shorter = shortened(load);
    return run_worker(&shorter, out, 1, 1);
}

static int sqlite_space(const struct load *load, struct sample *out)
{
    struct bare bare;
    if (bare_start(&bare, load, CLAIM_MAX) != 0)
        return -1;
    struct footprint before = footprint_take(bare.path);
    struct handed_in in;
    int rc = crowd_dispatch(load, bare_put, &bare, &in);
    struct footprint after = footprint_take(bare.path);
    footprint_sample(out, &before, &after, in.jobs);
    out->dispatched = in.jobs;
    out->handled = bare_count(&bare);
    bare_close(&bare);
    return rc;
}

const struct peer peer_sqlite_100 = {
    .name = "bare SQLite, by 100",
    .dispatch = sqlite_dispatch,
    .end_to_end = sqlite_end_to_end_100,
    .drain = sqlite_drain_100,
    .space = sqlite_space,
};

const struct peer peer_sqlite_1 = {
    .name = "bare SQLite, by 1",
    .end_to_end = sqlite_end_to_end_1,
    .drain = sqlite_drain_1,
};
