/* SPDX-License-Identifier: Apache-2.0 */
/* A worker of the crew: its store, its handlers, and what they tell the oracle. */
#include "fault/crew.h"
#include "fault/oracle.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static int oracle = -1;
static char go[PATH_MAX];

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void say(const char *word, struct dray_attempt *a)
{
    oracle_say(oracle, word, dray_attempt_id(a), dray_attempt_number(a));
}

static int do_work(struct dray_attempt *a, void *user)
{
    (void)user;
    say("start", a);
    crew_nap_ms(1 + (long)(dray_attempt_fence(a) % 3));
    say("done", a);
    return DRAY_OK;
}

/* Pushes more, whatever is happening to the store. Each attempt's have ids of their own: an id that
   ended long ago may come again. */
static int do_parent(struct dray_attempt *a, void *user)
{
    say("start", a);
    for (int i = 0; i < 3; i++) {
        char id[80];
        snprintf(id, sizeof(id), "%.40s-%u-%d", dray_attempt_id(a), dray_attempt_number(a), i);
        struct dray_new_job more = {.id = id};
        if (dray_dispatch(user, "work", "{}", &more, NULL, NULL) == DRAY_OK)
            oracle_say(oracle, "pushed", id, 0);
    }
    say("done", a);
    return DRAY_OK;
}

/* Kills its own process at every attempt. */
static int do_poison(struct dray_attempt *a, void *user)
{
    (void)user;
    say("poison", a);
    raise(SIGKILL);
    return DRAY_OK;
}

/* The first attempt ends when the test says so, which has stopped its worker meanwhile; the second
   takes as long as the payload says. Neither knows that it was stopped. */
static int do_sleepy(struct dray_attempt *a, void *user)
{
    (void)user;
    say("start", a);
    long ms = strtol(dray_attempt_payload(a, NULL), NULL, 10);
    int64_t end = now_ms() + ms;
    while (dray_attempt_number(a) == 1 ? access(go, F_OK) != 0 : now_ms() < end)
        crew_nap_ms(5);
    say("done", a);
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

static const char *key(char out[64], const char *driver, const char *name)
{
    if (strcmp(driver, "redis") == 0 && strcmp(name, "path") == 0)
        return "connections.default.path";
    snprintf(out, 64, "queue.%s.%s", driver, name);
    return out;
}

struct dray *crew_open(const char *driver, const char *store, const char *lease)
{
    char path[64], retry_after[64], durability[64];
    struct dray_setting settings[] = {
        {key(path, driver, "path"), store},
        {key(retry_after, driver, "retry_after"), lease},
        {key(durability, driver, "durability"), "process"},
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
    struct dray_handler_options poison = {.max_attempts = CREW_POISON_ATTEMPTS};
    dray_on(dray, "work", do_work, NULL, NULL, NULL);
    dray_on(dray, "parent", do_parent, dray, NULL, NULL);
    dray_on(dray, "poison", do_poison, NULL, &poison, NULL);
    dray_on(dray, "sleepy", do_sleepy, NULL, NULL, NULL);
    return dray;
}

void crew_name_go(char *out, size_t size, const char *oracle_path)
{
    snprintf(out, size, "%s.go", oracle_path);
}

/* PROGRAM worker DRIVER STORE ORACLE LEASE */
int crew_work(int argc, char **argv)
{
    static const struct dray_callbacks callbacks = {
        .on_job_complete = on_complete, .on_job_dead = on_dead, .on_error = on_error};
    if (argc != 6 || strcmp(argv[1], "worker") != 0)
        return -1;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
    oracle = oracle_open(argv[4]);
    crew_name_go(go, sizeof(go), argv[4]);
    struct dray *dray = crew_open(argv[2], argv[3], argv[5]);
    if (!dray || oracle < 0)
        return 1;
    oracle_say(oracle, "open", "-", 0);
    struct dray_worker_options options = {.concurrency = 2, .callbacks = callbacks};
    int code = dray_work(dray, &options, NULL, NULL);
    dray_close(dray);
    return code == DRAY_OK ? 0 : 1;
}
