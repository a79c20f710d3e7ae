/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers on a shared store, killed with SIGKILL at random moments and stopped with SIGSTOP past
 * their leases. What the handlers did is kept in an oracle outside the store (oracle.h).
 *
 * D2, D3, T6, T11, F2, L1: every pushed job is done, or dead after its attempts; none starts again
 * once the store has acknowledged its end; none stays behind.
 *
 * kill_workers DRIVER. The same program is the worker: kill_workers DRIVER worker STORE ORACLE
 * LEASE.
 */
#include "dray/dray.h"
#include "fault/oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 3
#define JOBS_A_ROUND 60
#define POISON_ATTEMPTS 3u

static const char *self;
static const char *driver;
static int oracle = -1;

static void nap_ms(long ms)
{
    struct timespec ts = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&ts, NULL);
}

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- the worker process ---- */

static int do_work(struct dray_attempt *a, void *user)
{
    (void)user;
    oracle_say(oracle, "start", dray_attempt_id(a), dray_attempt_number(a));
    nap_ms(1 + (long)(dray_attempt_fence(a) % 3));
    oracle_say(oracle, "done", dray_attempt_id(a), dray_attempt_number(a));
    return DRAY_OK;
}

/* Kills its own process at every attempt. */
static int do_poison(struct dray_attempt *a, void *user)
{
    (void)user;
    oracle_say(oracle, "poison", dray_attempt_id(a), dray_attempt_number(a));
    raise(SIGKILL);
    return DRAY_OK;
}

/* The first attempt takes 1.5 s, long enough for the test to stop its worker; the second as long as
   the payload says. Neither knows that it was stopped. */
static int do_sleepy(struct dray_attempt *a, void *user)
{
    (void)user;
    oracle_say(oracle, "start", dray_attempt_id(a), dray_attempt_number(a));
    long ms = dray_attempt_number(a) == 1 ? 1500 : strtol(dray_attempt_payload(a, NULL), NULL, 10);
    int64_t end = now_ms() + ms;
    while (now_ms() < end)
        nap_ms(5);
    oracle_say(oracle, "done", dray_attempt_id(a), dray_attempt_number(a));
    return DRAY_OK;
}

static void on_complete(const struct dray_event *event, void *user)
{
    (void)user;
    oracle_say(oracle, "acked", event->id, event->attempt);
}

static void on_dead(const struct dray_event *event, void *user)
{
    (void)user;
    oracle_say(oracle, "dead", event->id, event->attempt);
}

static void on_error(const struct dray_event *event, void *user)
{
    (void)user;
    if (event->id)
        oracle_say(
            oracle, event->code == DRAY_STALE ? "stale" : "error", event->id, event->attempt);
}

static const char *key(char out[64], const char *name)
{
    snprintf(out, 64, "queue.%s.%s", driver, name);
    return out;
}

static struct dray *open_store(const char *store, const char *lease)
{
    char path[64], retry_after[64], durability[64];
    struct dray_setting settings[] = {
        {key(path, "path"), store},
        {key(retry_after, "retry_after"), lease},
        {key(durability, "durability"), "process"},
        {"queue.job.max_attempts", "1000"},
        {"queue.job.backoff.strategy", "none"},
        /* Written anew under the workers' hands, again and again. */
        {"queue.file.max_file_size", "64KiB"},
    };
    size_t nsettings = sizeof(settings) / sizeof(settings[0]);
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray *dray = NULL;
    struct dray_options options = {.driver = driver,
        .settings = settings,
        .nsettings = strcmp(driver, "file") == 0 ? nsettings : nsettings - 1,
        .flags = DRAY_OPEN_NO_ENVIRONMENT};
    if (dray_open(&dray, &options, &error) != DRAY_OK) {
        fprintf(stderr, "%s\n", error.text);
        return NULL;
    }
    struct dray_handler_options poison = {.max_attempts = POISON_ATTEMPTS};
    dray_on(dray, "work", do_work, NULL, NULL, NULL);
    dray_on(dray, "poison", do_poison, NULL, &poison, NULL);
    dray_on(dray, "sleepy", do_sleepy, NULL, NULL, NULL);
    return dray;
}

static const struct dray_callbacks callbacks = {
    .on_job_complete = on_complete, .on_job_dead = on_dead, .on_error = on_error};

static int be_worker(char **argv)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
    oracle = oracle_open(argv[4]);
    struct dray *dray = open_store(argv[3], argv[5]);
    if (!dray || oracle < 0)
        return 1;
    struct dray_worker_options options = {.concurrency = 2, .callbacks = callbacks};
    int code = dray_work(dray, &options, NULL, NULL);
    dray_close(dray);
    return code == DRAY_OK ? 0 : 1;
}

/* ---- the test's side ---- */

struct place {
    char folder[64];
    char store[96];
    char oracle[96];
    const char *lease;
};

static void make_place(struct place *place, const char *lease)
{
    snprintf(place->folder, sizeof(place->folder), "/tmp/dray-kill-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->store, sizeof(place->store), "%s/queue.db", place->folder);
    snprintf(place->oracle, sizeof(place->oracle), "%s/oracle", place->folder);
    place->lease = lease;
    oracle = oracle_open(place->oracle);
    assert_true(oracle >= 0);
}

static void remove_place(const struct place *place)
{
    char command[128];
    snprintf(command, sizeof(command), "%s", place->folder);
    char *argv[] = {(char *)(uintptr_t) "rm", (char *)(uintptr_t) "-rf", command, NULL};
    pid_t pid;
    assert_int_equal(posix_spawnp(&pid, "rm", NULL, NULL, argv, environ), 0);
    waitpid(pid, NULL, 0);
    close(oracle);
}

static pid_t start_worker(struct place *place)
{
    char *argv[] = {(char *)(uintptr_t)self, (char *)(uintptr_t)driver,
        (char *)(uintptr_t) "worker", place->store, place->oracle, (char *)(uintptr_t)place->lease,
        NULL};
    pid_t pid;
    assert_int_equal(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0);
    return pid;
}

static void kill_worker(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

struct tally {
    unsigned starts, dones, acked, dead, stale, poison;
    unsigned acked_attempt, stale_attempt;
    unsigned after_end; /* starts after the store had acknowledged the end */
};

static struct tally tally_of(const struct oracle_line *lines, size_t n, const char *id)
{
    struct tally t = {0};
    int ended = 0;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(lines[i].id, id) != 0)
            continue;
        int starts = strcmp(lines[i].word, "start") == 0;
        int poison = strcmp(lines[i].word, "poison") == 0;
        t.starts += (unsigned)starts;
        t.poison += (unsigned)poison;
        t.dones += strcmp(lines[i].word, "done") == 0;
        t.acked += strcmp(lines[i].word, "acked") == 0;
        t.dead += strcmp(lines[i].word, "dead") == 0;
        t.stale += strcmp(lines[i].word, "stale") == 0;
        if (strcmp(lines[i].word, "acked") == 0)
            t.acked_attempt = lines[i].number;
        if (strcmp(lines[i].word, "stale") == 0)
            t.stale_attempt = lines[i].number;
        t.after_end += ended && (starts || poison);
        ended |= t.acked || t.dead;
    }
    return t;
}

static uint64_t stored(struct dray *dray, const char *what)
{
    struct dray_stats *stats = NULL;
    assert_int_equal(dray_get_stats(dray, NULL, &stats, NULL), DRAY_OK);
    uint64_t n = 0;
    for (size_t i = 0; i < stats->nqueues; i++) {
        const struct dray_queue_stats *q = &stats->queues[i];
        n += strcmp(what, "dead") == 0 ? q->dead : q->ready + q->delayed + q->active;
    }
    dray_stats_free(stats);
    return n;
}

static int rounds(void)
{
    const char *wish = getenv("DRAY_LONG");
    return wish && *wish ? 400 : 12;
}

/* Lets one worker after another finish the rest. A poisoned job takes its worker along, so it takes
   as many workers as it has attempts left. */
static int finish_with_workers(struct place *place, struct dray *dray)
{
    int64_t end = now_ms() + 30000 + rounds() * 1000;
    while (now_ms() < end) {
        pid_t last = start_worker(place);
        int gone = 0;
        while (!gone && stored(dray, "waiting") && now_ms() < end) {
            nap_ms(20);
            gone = waitpid(last, NULL, WNOHANG) == last;
        }
        if (gone)
            continue;
        kill(last, SIGTERM); /* what it has told its callbacks is written before it ends */
        waitpid(last, NULL, 0);
        return stored(dray, "waiting") == 0;
    }
    return 0;
}

/* Pushes while workers come and go. A push that is refused or unsure binds to nothing. */
static void push_some(struct dray *dray, char (*ids)[65], size_t *n)
{
    for (unsigned i = 0; i < JOBS_A_ROUND; i++) {
        struct dray_dispatched out;
        int poison = *n % 199 == 7;
        int code = dray_dispatch(dray, poison ? "poison" : "work", "{}", NULL, &out, NULL);
        if (code == DRAY_OK)
            memcpy(ids[(*n)++], out.id, sizeof(out.id));
    }
}

static int is_dead(struct dray *dray, const char *id)
{
    struct dray_job_info *job = NULL;
    assert_int_equal(dray_get(dray, NULL, id, &job, NULL), DRAY_OK);
    int dead = strcmp(job->state, "dead") == 0 && job->attempts >= POISON_ATTEMPTS;
    dray_job_info_free(job);
    return dead;
}

static void killed_workers_lose_nothing(void **state)
{
    (void)state;
    struct place place;
    make_place(&place, "1s");
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    srandom(seed);
    struct dray *dray = open_store(place.store, place.lease);
    assert_non_null(dray);
    char(*ids)[65] = calloc((size_t)rounds() * JOBS_A_ROUND, sizeof(*ids));
    size_t n = 0;
    pid_t worker[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        worker[i] = start_worker(&place);
    for (int round = 0; round < rounds(); round++) {
        push_some(dray, ids, &n);
        nap_ms(random() % 120);
        int victim = (int)(random() % WORKERS);
        kill_worker(worker[victim]);
        worker[victim] = start_worker(&place);
    }
    for (int i = 0; i < WORKERS; i++)
        kill_worker(worker[i]);
    assert_true(finish_with_workers(&place, dray));
    struct oracle_line *lines;
    size_t nlines = oracle_read(place.oracle, &lines);
    unsigned again = 0;
    unsigned poisoned = 0;
    for (size_t i = 0; i < n; i++) {
        struct tally t = tally_of(lines, nlines, ids[i]);
        poisoned += t.poison > 0;
        if (t.poison) {
            /* Fewer if its worker was killed between the reserve and the handler. */
            if (t.poison > POISON_ATTEMPTS || t.dones || !is_dead(dray, ids[i]))
                fail_msg("poisoned job %s started %u times", ids[i], t.poison);
        } else if (t.dones == 0) {
            fail_msg("job %s was lost: %u starts", ids[i], t.starts);
        }
        if (t.after_end)
            fail_msg("job %s started again after its end was acknowledged", ids[i]);
        again += t.starts > 1;
    }
    printf("%zu jobs, %u ran more than once, %u killed their workers, %d workers killed by us\n", n,
        again, poisoned, rounds() + WORKERS);
    assert_true(poisoned > 0);
    free(lines);
    free(ids);
    assert_int_equal(dray_close(dray), DRAY_OK);
    remove_place(&place);
}

static int wait_for_lines(const struct place *place, const char *word, const char *id, int wanted)
{
    int64_t end = now_ms() + 15000;
    while (now_ms() < end) {
        struct oracle_line *lines;
        size_t n = oracle_read(place->oracle, &lines);
        int found = 0;
        for (size_t i = 0; i < n; i++)
            found += strcmp(lines[i].word, word) == 0 && strcmp(lines[i].id, id) == 0;
        free(lines);
        if (found >= wanted)
            return 1;
        nap_ms(10);
    }
    return 0;
}

/* A worker is stopped past its lease, while another one takes its job; `then` is what the other one
   has done by the time the first goes on. */
static void stop_and_go_on(const char *second_runs_ms, const char *then, int times)
{
    struct place place;
    make_place(&place, "1s");
    struct dray *dray = open_store(place.store, place.lease);
    assert_non_null(dray);
    struct dray_dispatched job;
    assert_int_equal(dray_dispatch(dray, "sleepy", second_runs_ms, NULL, &job, NULL), DRAY_OK);
    pid_t first = start_worker(&place);
    assert_true(wait_for_lines(&place, "start", job.id, 1));
    kill(first, SIGSTOP);
    pid_t second = start_worker(&place);
    assert_true(wait_for_lines(&place, then, job.id, times));
    kill(first, SIGCONT);
    assert_true(wait_for_lines(&place, "stale", job.id, 1));
    assert_true(wait_for_lines(&place, "acked", job.id, 1));
    kill_worker(first);
    kill_worker(second);
    struct oracle_line *lines;
    size_t n = oracle_read(place.oracle, &lines);
    struct tally t = tally_of(lines, n, job.id);
    free(lines);
    assert_int_equal(t.starts, 2);
    assert_int_equal(t.acked, 1);
    assert_int_equal(t.stale, 1);
    assert_int_equal(t.stale_attempt, 1);
    assert_int_equal(t.acked_attempt, 2);
    assert_int_equal(t.after_end, 0);
    assert_int_equal(stored(dray, "waiting"), 0);
    assert_int_equal(dray_close(dray), DRAY_OK);
    remove_place(&place);
}

static void late_outcome_after_the_end_is_refused(void **state)
{
    (void)state;
    stop_and_go_on("0", "acked", 1);
}

static void late_outcome_beside_the_new_owner_is_refused(void **state)
{
    (void)state;
    stop_and_go_on("3000", "start", 2);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: kill_workers DRIVER\n", stderr);
        return 2;
    }
    driver = argv[1];
    if (argc == 6 && strcmp(argv[2], "worker") == 0)
        return be_worker(argv);
    static char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (len <= 0)
        return 1;
    self = path;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_workers_lose_nothing),
        cmocka_unit_test(late_outcome_after_the_end_is_refused),
        cmocka_unit_test(late_outcome_beside_the_new_owner_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
