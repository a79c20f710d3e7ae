/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver beside a bare SQLite program with the same PRAGMAs, in the same run: microseconds a
 * job from push to ack, a batch a transaction. The bare program knows a row number, a type and a
 * payload; the driver the whole contract.
 *
 *     sqlite_bench [FOLDER [JOBS [BATCH [host|process]]]]
 *
 * Rounds alternate, and the medians are compared.
 */
#include "dray/driver.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5
#define BATCH_MAX 256u
#define PAYLOAD_LEN 107u

static char payload[PAYLOAD_LEN + 1];
static const char *path;
static int synced = 1;

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "sqlite_bench: %s: %s\n", what, why);
    exit(1);
}

static void remove_store(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock", "-spare"};
    char name[4096];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

/* ---- The bare program ---- */

struct bare {
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *insert, *claim, *finish;
    sqlite3_int64 ids[BATCH_MAX];
    unsigned held;
};

static void step(struct bare *bare, sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    if (rc != SQLITE_DONE)
        die(sqlite3_sql(stmt), sqlite3_errmsg(bare->db));
}

static void prepare(struct bare *bare, sqlite3_stmt **stmt, const char *sql)
{
    if (sqlite3_prepare_v3(bare->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) != SQLITE_OK)
        die(sql, sqlite3_errmsg(bare->db));
}

static void bare_open(struct bare *bare)
{
    memset(bare, 0, sizeof(*bare));
    if (sqlite3_open(path, &bare->db) != SQLITE_OK ||
        sqlite3_exec(bare->db,
            synced ? "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL"
                   : "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL",
            NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(bare->db,
            "CREATE TABLE job(seq INTEGER PRIMARY KEY,type TEXT NOT NULL,payload TEXT NOT NULL,"
            "state INTEGER NOT NULL);CREATE INDEX ready ON job(seq) WHERE state=1",
            NULL, NULL, NULL) != SQLITE_OK)
        die(path, sqlite3_errmsg(bare->db));
    prepare(bare, &bare->begin, "BEGIN IMMEDIATE");
    prepare(bare, &bare->commit, "COMMIT");
    prepare(bare, &bare->insert, "INSERT INTO job(type,payload,state) VALUES('bench',?1,1)");
    prepare(bare, &bare->claim,
        "UPDATE job SET state=2 WHERE seq IN (SELECT seq FROM job WHERE state=1 ORDER BY seq"
        " LIMIT ?1) RETURNING seq,type,payload");
    prepare(bare, &bare->finish, "DELETE FROM job WHERE seq=?1");
}

static void bare_close(struct bare *bare)
{
    sqlite3_finalize(bare->begin);
    sqlite3_finalize(bare->commit);
    sqlite3_finalize(bare->insert);
    sqlite3_finalize(bare->claim);
    sqlite3_finalize(bare->finish);
    sqlite3_close(bare->db);
    remove_store();
}

static void bare_push(struct bare *bare, unsigned batch)
{
    step(bare, bare->begin);
    for (unsigned i = 0; i < batch; i++) {
        sqlite3_bind_text(bare->insert, 1, payload, (int)PAYLOAD_LEN, SQLITE_STATIC);
        step(bare, bare->insert);
    }
    step(bare, bare->commit);
}

static unsigned bare_turn(struct bare *bare, unsigned batch)
{
    step(bare, bare->begin);
    for (unsigned i = 0; i < bare->held; i++) {
        sqlite3_bind_int64(bare->finish, 1, bare->ids[i]);
        step(bare, bare->finish);
    }
    unsigned finished = bare->held;
    bare->held = 0;
    sqlite3_bind_int64(bare->claim, 1, batch);
    while (sqlite3_step(bare->claim) == SQLITE_ROW && bare->held < BATCH_MAX)
        bare->ids[bare->held++] = sqlite3_column_int64(bare->claim, 0);
    sqlite3_reset(bare->claim);
    step(bare, bare->commit);
    return finished;
}

static double run_bare(unsigned jobs, unsigned batch)
{
    struct bare bare;
    bare_open(&bare);
    double from = now_us();
    for (unsigned done = 0, pushed = 0; done < jobs;) {
        if (pushed < jobs) {
            bare_push(&bare, batch);
            pushed += batch;
        }
        done += bare_turn(&bare, batch);
    }
    double elapsed = now_us() - from;
    bare_close(&bare);
    return elapsed / jobs;
}

/* ---- The driver ---- */

struct bench {
    struct dray_host host;
    struct dray_call call;
    struct dray_error error;
    const struct dray_driver *driver;
    void *self;
    uint64_t serial, nonce;
    uint32_t held;
    char ids[BATCH_MAX][40], leased[BATCH_MAX][40];
    struct dray_job jobs[BATCH_MAX];
    const struct dray_job *job_list[BATCH_MAX];
    struct dray_lease leases[BATCH_MAX];
    const struct dray_lease *lease_list[BATCH_MAX];
    int32_t answers[BATCH_MAX];
};

static const struct dray_str queue = {"default", 7};
static const struct dray_str type = {"bench", 5};

static int64_t clock_ms(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t wall_ms(const struct dray_host *host)
{
    (void)host;
    return clock_ms(CLOCK_REALTIME);
}

static int64_t mono_ms(const struct dray_host *host)
{
    (void)host;
    return clock_ms(CLOCK_BOOTTIME);
}

static void *resize(const struct dray_host *host, void *block, size_t size)
{
    (void)host;
    if (size)
        return realloc(block, size);
    free(block);
    return NULL;
}

static void log_line(const struct dray_host *host, uint32_t level, const char *fmt, ...)
{
    (void)host;
    (void)level;
    (void)fmt;
}

static int32_t fail(struct dray_call *call, int32_t code, int32_t sys, const char *fmt, ...)
{
    va_list args;
    (void)call;
    (void)sys;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
    return code;
}

static int64_t number(const struct dray_host *host, const char *option)
{
    (void)host;
    return strcmp(option, "spare") == 0 ? 4 << 20 : 0;
}

static const char *text(const struct dray_host *host, const char *option, uint32_t index)
{
    (void)host;
    return strcmp(option, "path") == 0 && index == 0 ? path : NULL;
}

static void take(struct dray_call *call, const struct dray_job *job)
{
    struct bench *bench = (struct bench *)(void *)((char *)call - offsetof(struct bench, call));
    uint32_t at = bench->held++;
    memcpy(bench->leased[at], job->id.data, job->id.len);
    bench->leases[at] = (struct dray_lease){.size = sizeof(struct dray_lease),
        .verdict = DRAY_VERDICT_DONE,
        .queue = queue,
        .id = {bench->leased[at], job->id.len},
        .type = type,
        .token = job->token,
        .ref = job->ref};
    bench->lease_list[at] = &bench->leases[at];
}

static void driver_open(struct bench *bench)
{
    memset(bench, 0, sizeof(*bench));
    bench->host = (struct dray_host){.size = sizeof(bench->host),
        .abi = DRAY_ABI,
        .boot_id = "bench",
        .wall_ms = wall_ms,
        .mono_ms = mono_ms,
        .resize = resize,
        .log = log_line,
        .fail = fail,
        .number = number,
        .text = text};
    bench->call = (struct dray_call){
        .size = sizeof(bench->call), .budget_ms = 10000, .error = &bench->error, .job = take};
    bench->call.durability = synced ? DRAY_DURABILITY_HOST : DRAY_DURABILITY_PROCESS;
    bench->driver = dray_driver_entry();
    bench->self = calloc(1, bench->driver->instance_size);
    if (!bench->self)
        die(path, "out of memory");
    bench->driver->open(bench->self, &bench->call, &bench->host);
}

static void driver_push(struct bench *bench, unsigned batch)
{
    for (unsigned i = 0; i < batch; i++) {
        bench->serial++;
        /* As a UUIDv7 looks: rising, and 36 bytes. */
        int n = snprintf(bench->ids[i], sizeof(bench->ids[i]), "0191f2c0-%04x-7%03x-8000-%012llx",
            (unsigned)(bench->serial >> 8 & 0xffff), i & 0xfff, (unsigned long long)bench->serial);
        bench->jobs[i] = (struct dray_job){.size = sizeof(struct dray_job),
            .priority = DRAY_PRIORITY_NORMAL,
            .id = {bench->ids[i], (uint64_t)n},
            .type = type,
            .payload = {payload, PAYLOAD_LEN}};
        bench->job_list[i] = &bench->jobs[i];
        bench->answers[i] = DRAY_OK;
    }
    struct dray_push push = {.size = sizeof(push),
        .queue = queue,
        .jobs = bench->job_list,
        .answers = bench->answers,
        .njobs = batch};
    if (bench->driver->push(bench->self, &bench->call, &push) != DRAY_OK)
        die("push", "refused");
}

static unsigned driver_turn(struct bench *bench, unsigned batch)
{
    struct dray_reserve want = {.size = sizeof(want),
        .max = batch,
        .queues = &queue,
        .nqueues = 1,
        .lease_ms = 90000,
        .nonce = ++bench->nonce,
        .owner = {"host:1234", 9},
        .keep_dead_ms = UINT64_MAX,
        .keep_max = 100000};
    struct dray_turn turn = {.size = sizeof(turn),
        .nsettle = bench->held,
        .settle = bench->lease_list,
        .settle_answers = bench->answers,
        .reserve = &want};
    unsigned finished = bench->held;
    bench->held = 0;
    bench->driver->turn(bench->self, &bench->call, &turn);
    for (unsigned i = 0; i < finished; i++)
        if (bench->answers[i] != DRAY_OK)
            die("ack", "refused");
    return finished;
}

static double run_driver(unsigned jobs, unsigned batch)
{
    static struct bench bench;
    driver_open(&bench);
    double from = now_us();
    for (unsigned done = 0, pushed = 0; done < jobs;) {
        if (pushed < jobs) {
            driver_push(&bench, batch);
            pushed += batch;
        }
        done += driver_turn(&bench, batch);
    }
    double elapsed = now_us() - from;
    bench.driver->close(bench.self);
    free(bench.self);
    remove_store();
    return elapsed / jobs;
}

static int compare(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static char name[4096];
    double bare[ROUNDS], driver[ROUNDS];
    unsigned jobs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 20000;
    unsigned batch = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 100;
    if (batch == 0 || batch > BATCH_MAX || jobs == 0)
        die("usage", "sqlite_bench [FOLDER [JOBS [BATCH (at most 256) [host|process]]]]");
    synced = argc <= 4 || strcmp(argv[4], "process") != 0;
    snprintf(
        name, sizeof(name), "%s/sqlite-bench-%ld.db", argc > 1 ? argv[1] : ".", (long)getpid());
    path = name;
    memset(payload, 'x', PAYLOAD_LEN);
    payload[0] = payload[PAYLOAD_LEN - 1] = '"';
    jobs = (jobs + batch - 1) / batch * batch;
    for (int i = 0; i < ROUNDS; i++) {
        bare[i] = run_bare(jobs, batch);
        driver[i] = run_driver(jobs, batch);
    }
    qsort(bare, ROUNDS, sizeof(bare[0]), compare);
    qsort(driver, ROUNDS, sizeof(driver[0]), compare);
    printf("%u jobs by %u, %s: bare %.2f us a job, driver %.2f, ratio %.2f\n", jobs, batch,
        synced ? "host" : "process", bare[ROUNDS / 2], driver[ROUNDS / 2],
        driver[ROUNDS / 2] / bare[ROUNDS / 2]);
    return 0;
}
