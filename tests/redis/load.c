/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/load.h"

#include "worker/watch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOBS 100000

static struct {
    struct dray *worker, *producer;
    pthread_t thread;
    atomic_int stop;
    atomic_int pushed;              /* numbers below were pushed, or refused */
    _Atomic int64_t accepted[JOBS]; /* when the push was answered; 0: it was refused */
    atomic_int runs[JOBS];
    _Atomic int64_t slowest;
    int code; /* of the first refusal that should not have been */
    char text[512];
} load;

static int do_work(struct dray_attempt *attempt, void *user)
{
    (void)user;
    long number = strtol(dray_attempt_payload(attempt, NULL), NULL, 10);
    atomic_fetch_add(&load.runs[number], 1);
    return DRAY_OK;
}

int32_t load_open(struct dray **dray, const char *connection, struct dray_error *error)
{
    char yaml[700];
    snprintf(yaml, sizeof(yaml),
        "queue: {driver: redis, job: {backoff: {strategy: none}, max_attempts: 100}}\n"
        "connections: {default: {%s}}\n",
        connection);
    struct dray_options options = {.yaml = yaml, .folder = "/", .flags = DRAY_OPEN_NO_ENVIRONMENT};
    *error = (struct dray_error)DRAY_ERROR_INIT;
    int32_t code = dray_open(dray, &options, error);
    return code == DRAY_OK ? dray_on(*dray, "work", do_work, NULL, NULL, error) : code;
}

static struct dray *must_open(const char *connection)
{
    struct dray_error error;
    struct dray *dray = NULL;
    if (load_open(&dray, connection, &error) != DRAY_OK)
        fail_msg("%s", error.text);
    return dray;
}

/* A server that is away: one line that says so. */
static int is_away(int code, const char *text)
{
    return (code == DRAY_UNREACHABLE || code == DRAY_BUSY || code == DRAY_UNKNOWN) && text[0] &&
           !strchr(text, '\n');
}

static void push(int number)
{
    struct dray_error error = DRAY_ERROR_INIT;
    char payload[16];
    snprintf(payload, sizeof(payload), "%d", number);
    struct watch begun = watch_start();
    int code = dray_dispatch(load.producer, "work", payload, NULL, NULL, &error);
    int64_t now = fleet_ms(), took = watch_ms(&begun);
    if (took > load.slowest)
        load.slowest = took;
    /* EXISTS: an answer that got lost, and the same push once more. */
    if (code == DRAY_OK || code == DRAY_EXISTS) {
        load.accepted[number] = now;
        return;
    }
    if (!is_away(code, error.text) && load.code == DRAY_OK) {
        load.code = code;
        snprintf(load.text, sizeof(load.text), "%s", error.text);
    }
}

static void *push_on(void *user)
{
    (void)user;
    for (int i = 0; i < JOBS && !load.stop; i++) {
        push(i);
        load.pushed = i + 1;
        fleet_nap();
    }
    return NULL;
}

void load_begin(const char *connection)
{
    memset(&load, 0, sizeof(load));
    load.worker = must_open(connection);
    load.producer = must_open(connection);
    struct dray_worker_options options = {.concurrency = 2};
    assert_int_equal(dray_worker_start(load.worker, &options, NULL), DRAY_OK);
    assert_int_equal(pthread_create(&load.thread, NULL, push_on, NULL), 0);
}

void load_run(int64_t ms)
{
    for (int64_t end = fleet_ms() + ms; fleet_ms() < end;)
        fleet_nap();
}

int load_pushed(void)
{
    return load.pushed;
}

int load_has_run(int64_t since)
{
    for (int i = load.pushed; i-- > 0;) {
        if (load.accepted[i] >= since && load.runs[i])
            return 1;
    }
    return 0;
}

static int waiting(int64_t since, int64_t before)
{
    int n = 0;
    for (int i = 0; i < load.pushed; i++) {
        int64_t accepted = load.accepted[i];
        n += accepted && accepted >= since && accepted < before && !load.runs[i];
    }
    return n;
}

int load_lost(int64_t before)
{
    return waiting(0, before);
}

int64_t load_slowest(void)
{
    return load.slowest;
}

void load_check_refusals(void)
{
    if (load.code != DRAY_OK)
        fail_msg("%s: %s", dray_code_name(load.code), load.text);
}

void load_stop(int64_t since)
{
    WAIT_FOR(load_has_run(since));
    load.stop = 1;
    pthread_join(load.thread, NULL);
    WAIT_FOR(waiting(since, INT64_MAX) == 0);
}

void load_end(void)
{
    dray_worker_stop(load.worker, NULL, NULL);
    dray_close(load.worker);
    dray_close(load.producer);
}

/* ---- in time ---- */

static void expect_in_time(const char *what, const struct watch *since)
{
    int64_t took = watch_ms(since);
    print_message("%s after %d ms (and the machine was away %d ms)\n", what, (int)took,
        (int)watch_away_ms(since));
    assert_true(took < LOAD_BACK_MS);
}

static long long completed(const struct node *node)
{
    redisReply *reply = node_ask(node, "HGET {dray:default}:totals completed:work");
    long long number = reply->str ? strtoll(reply->str, NULL, 10) : 0;
    freeReplyObject(reply);
    return number;
}

void load_expect_bell(const struct node *server)
{
    struct watch writable = watch_start();
    WAIT_FOR(node_says(server, "CLIENT LIST TYPE pubsub", " sub=1"));
    expect_in_time("bell", &writable);
}

void load_expect_work(const struct node *server)
{
    struct watch writable = watch_start();
    long long before = completed(server);
    WAIT_FOR(completed(server) > before);
    expect_in_time("at work", &writable);
    WAIT_FOR(node_says(server, "CLIENT LIST TYPE pubsub", " sub=1"));
    expect_in_time("bell", &writable);
}
