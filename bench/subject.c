/* SPDX-License-Identifier: Apache-2.0 */
#include "subject.h"

#ifdef BENCH_HIREDIS
#include "redis_server.h"
#endif
#include "stopwatch.h"

#include "dray/dray.h"
#include "dray/driver.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH_MAX 1000u
#define PATIENCE_NS (30 * NS_PER_S)
#define SETTINGS_MAX 8u
#define ROOMY_CAPACITY "20000000" /* jobs; above any backlog that is measured */

static int complain(const char *what, const struct dray_error *error)
{
    fprintf(stderr, "dray-bench: %s: %s\n", what, error->text);
    return -1;
}

/* ------------------------------------------------------------------------------------------- */
/* Opening                                                                                     */
/* ------------------------------------------------------------------------------------------- */

/* The settings that give a driver a store of its own. */
struct settings {
    struct dray_setting rows[SETTINGS_MAX];
    char keys[SETTINGS_MAX][128];
    char values[SETTINGS_MAX][4096];
    size_t n;
    const char *folder;
};

static void settings_add(
    struct settings *settings, const char *driver, const char *option, const char *value)
{
    if (settings->n == SETTINGS_MAX)
        return;
    size_t i = settings->n++;
    snprintf(settings->keys[i], sizeof(settings->keys[i]), "queue.%s.%s", driver, option);
    snprintf(settings->values[i], sizeof(settings->values[i]), "%s", value);
    settings->rows[i] = (struct dray_setting){settings->keys[i], settings->values[i]};
}

/* Every path of a driver's section goes to the temporary folder, whatever the driver is. */
static int settings_from_driver(const struct dray_found_driver *found, void *user)
{
    static unsigned number;
    struct settings *settings = user;
    const struct dray_driver *driver = found->driver;
    if (!driver)
        return 0;
    number++;
    for (uint32_t i = 0; i < driver->noptions; i++) {
        const struct dray_option *option =
            (const void *)((const char *)driver->options + (size_t)i * driver->option_size);
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s-%u.%s", settings->folder, driver->name, number,
            option->name);
        if (option->type == DRAY_OPTION_PATH)
            settings_add(settings, driver->name, option->name, path);
        else if (strcmp(option->name, "capacity") == 0)
            settings_add(settings, driver->name, option->name, ROOMY_CAPACITY);
    }
    return 0;
}

static int note_traits(const struct dray_found_driver *found, void *user)
{
    struct subject *subject = user;
    if (!found->driver)
        return 0;
    subject->quick = (found->driver->can & DRAY_IS_QUICK) != 0;
    subject->autostart = (found->driver->can & DRAY_IS_AUTOSTART) != 0;
    subject->max_push = found->driver->max_push;
    return 0;
}

/* The server of the connection that the redis driver uses, unless it wants a password: what the
   configuration shows of that is not it. */
static void note_server(struct subject *subject, const struct dray_config_row *row)
{
    static char name[128];
    char key[160];
    const char *host = row->value ? strstr(row->value, "://") : NULL;
    if (strcmp(row->key, "queue.redis.connection") == 0 && row->value)
        snprintf(name, sizeof(name), "%s", row->value);
    snprintf(key, sizeof(key), "connections.%s.url", name);
    if (strcmp(row->key, key) == 0 && host && !strchr(host, '@'))
        snprintf(subject->server, sizeof(subject->server), "%s", host + 3);
    snprintf(key, sizeof(key), "connections.%s.path", name);
    if (strcmp(row->key, key) == 0 && row->value)
        snprintf(subject->server, sizeof(subject->server), "%s", row->value);
    snprintf(key, sizeof(key), "connections.%s.password", name);
    if (strncmp(row->key, key, strlen(key)) == 0 && row->value)
        subject->server[0] = 0;
}

double subject_server_bytes(const struct subject *subject)
{
#ifdef BENCH_HIREDIS
    if (subject->server[0])
        return redis_server_bytes(subject->server);
#endif
    (void)subject;
    return -1;
}

static int note_store(const struct dray_config_row *row, void *user)
{
    struct subject *subject = user;
    char key[128];
    snprintf(key, sizeof(key), "queue.%s.path", subject->driver);
    if (strcmp(row->key, key) == 0 && row->value && row->value[0] == '/')
        snprintf(subject->store, sizeof(subject->store), "%s", row->value);
    note_server(subject, row);
    return 0;
}

static int run_noop(struct dray_attempt *attempt, void *user)
{
    (void)attempt;
    struct subject *subject = user;
    tally_hit(&subject->tally);
    return DRAY_OK;
}

static int run_stamp(struct dray_attempt *attempt, void *user)
{
    (void)attempt;
    struct subject *subject = user;
    atomic_store(&subject->stamp_ns, stopwatch_ns());
    tally_hit(&subject->tally);
    return DRAY_OK;
}

static int exit_status_of(int code)
{
    switch (code) {
    case DRAY_CONFIG:
    case DRAY_NOTFOUND:
    case DRAY_UNSUPPORTED:
        return 78;
    case DRAY_UNREACHABLE:
        return 69;
    case DRAY_DENIED:
        return 77;
    case DRAY_IO:
    case DRAY_CORRUPT:
    case DRAY_POISONED:
        return 74;
    default:
        return 70;
    }
}

/* The room that this instance's driver needs for the largest backlog, if it keeps jobs to itself: a
   configured capacity is for another load. */
static int settings_for_room(struct subject *subject, struct settings *settings)
{
    const struct dray_info *info = dray_get_info(subject->dray);
    struct settings all = {.folder = settings->folder};
    if (info->shared || dray_each_driver(info->driver_path ? info->driver_path : info->driver,
                            settings_from_driver, &all, NULL) != DRAY_OK)
        return 0;
    for (size_t i = 0; i < all.n; i++) {
        if (strcmp(all.values[i], ROOMY_CAPACITY) == 0)
            settings_add(settings, info->driver, "capacity", ROOMY_CAPACITY);
    }
    return settings->n > 0;
}

static void note_instance(struct subject *subject, const struct dray_options *options)
{
    const struct dray_info *info = dray_get_info(subject->dray);
    subject->driver = info->driver;
    subject->durability = info->durability;
    subject->runs_inline = info->runs_inline;
    subject->shared = info->shared;
    dray_check_config(options, note_store, subject, NULL);
    dray_each_driver(
        info->driver_path ? info->driver_path : info->driver, note_traits, subject, NULL);
    /* A worker that starts by itself works on the configured queue alone; nobody else's jobs can be
       in that of a private store. */
    if (subject->autostart && !info->shared)
        snprintf(subject->queue, sizeof(subject->queue), "%s", info->queue);
}

static int open_instance(struct subject *subject, const struct source *source, int *code)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct settings settings = {.n = 0, .folder = source->folder};
    struct dray_options options = {
        .config = source->config,
        .driver = source->driver,
        .settings = settings.rows,
        .flags = DRAY_OPEN_NO_HANDLERS | (source->config ? 0 : DRAY_OPEN_NO_ENVIRONMENT),
    };
    int rc = DRAY_OK;
    if (!source->config)
        rc = dray_each_driver(source->driver, settings_from_driver, &settings, &error);
    options.nsettings = settings.n;
    if (rc == DRAY_OK)
        rc = dray_open(&subject->dray, &options, &error);
    if (rc == DRAY_OK && source->config && settings_for_room(subject, &settings)) {
        dray_close(subject->dray);
        subject->dray = NULL;
        options.nsettings = settings.n;
        rc = dray_open(&subject->dray, &options, &error);
    }
    if (rc != DRAY_OK) {
        *code = exit_status_of(rc);
        return complain("cannot open the queue", &error);
    }
    note_instance(subject, &options);
    return 0;
}

int subject_open(struct subject *subject, const struct source *source, int *code)
{
    static unsigned number;
    memset(subject, 0, sizeof(*subject));
    subject->temporary = !source->config;
    subject->max_push = 1;
    snprintf(subject->queue, sizeof(subject->queue), "dray-bench-%ld-%u", (long)getpid(), ++number);
    if (open_instance(subject, source, code) != 0)
        return -1;
    tally_init(&subject->tally);
    struct dray_error error = DRAY_ERROR_INIT;
    int rc = dray_on(subject->dray, SUBJECT_NOOP, run_noop, subject, NULL, &error);
    if (rc == DRAY_OK)
        rc = dray_on(subject->dray, SUBJECT_STAMP, run_stamp, subject, NULL, &error);
    if (rc == DRAY_OK)
        return 0;
    *code = exit_status_of(rc);
    complain("cannot register a handler", &error);
    subject_close(subject);
    return -1;
}

void subject_close(struct subject *subject)
{
    if (!subject->dray)
        return;
    struct dray_error error = DRAY_ERROR_INIT;
    dray_worker_stop(subject->dray, NULL, NULL);
    if (!subject->temporary) {
        const struct dray_list_options all = {.queue = subject->queue};
        int rc = dray_remove_all(subject->dray, &all, NULL, &error);
        if (rc != DRAY_OK && rc != DRAY_NOTFOUND)
            fprintf(stderr, "dray-bench: jobs may be left in queue %s: %s\n", subject->queue,
                error.text);
        dray_reset_totals(subject->dray, subject->queue, NULL);
    }
    dray_close(subject->dray);
    tally_done(&subject->tally);
    subject->dray = NULL;
}

/* ------------------------------------------------------------------------------------------- */
/* Jobs in and out                                                                             */
/* ------------------------------------------------------------------------------------------- */

static int put_one(struct subject *subject, struct dray_error *error)
{
    const struct dray_new_job more = {.queue = subject->queue};
    return dray_dispatch(subject->dray, SUBJECT_NOOP, peer_payload, &more, NULL, error);
}

/* Not inlined: its large array must not burden the dispatch of one job. */
static __attribute__((noinline)) int put_many(
    struct subject *subject, unsigned n, struct dray_error *error)
{
    struct dray_new_job jobs[BATCH_MAX];
    if (n > BATCH_MAX)
        return DRAY_LIMIT;
    for (unsigned i = 0; i < n; i++) {
        jobs[i] = (struct dray_new_job){
            .type = SUBJECT_NOOP, .payload = peer_payload, .queue = subject->queue};
    }
    return dray_dispatch_batch(subject->dray, jobs, n, NULL, error);
}

int subject_put(void *arg, unsigned n)
{
    struct subject *subject = arg;
    struct dray_error error; /* clearing all of it would be half a kilobyte a job */
    error.size = (uint32_t)sizeof(error);
    uint64_t begin = 0;
    for (;;) {
        int rc = n == 1 ? put_one(subject, &error) : put_many(subject, n, &error);
        if (rc == DRAY_OK)
            return 0;
        if (rc != DRAY_FULL && rc != DRAY_BUSY)
            return complain("dispatch", &error);
        if (begin == 0)
            begin = stopwatch_ns();
        if (stopwatch_interrupted() || stopwatch_ns() - begin > PATIENCE_NS)
            return complain("dispatch", &error);
        struct timespec pause = {.tv_nsec = 100 * 1000};
        nanosleep(&pause, NULL);
    }
}

/* A worker on this queue alone. */
static struct dray_worker_options worker_options(
    const char *const *queues, unsigned executors, uint64_t max_jobs)
{
    return (struct dray_worker_options){
        .concurrency = executors,
        .max_jobs = max_jobs,
        .queues = queues,
        .nqueues = 1,
        .flags = DRAY_WORK_NO_DELAY,
    };
}

int subject_drain(struct subject *subject, uint64_t jobs, unsigned executors, struct lap *spent)
{
    if (jobs == 0)
        return 0;
    const char *queues[1] = {subject->queue};
    struct dray_worker_options options = worker_options(queues, executors, jobs);
    /* A job that got lost must not make the program wait for ever. */
    options.timeout_ms = 600 * 1000;
    struct dray_work_report report = {0};
    struct dray_error error = DRAY_ERROR_INIT;
    struct lap begin = stopwatch_start();
    if (dray_work(subject->dray, &options, &report, &error) != DRAY_OK)
        return complain("work", &error);
    if (spent)
        *spent = stopwatch_since(&begin);
    if (report.succeeded == jobs && report.lost == 0)
        return 0;
    fprintf(stderr,
        "dray-bench: of %" PRIu64 " waiting jobs %" PRIu64 " succeeded, %" PRIu64
        " outcomes were lost\n",
        jobs, report.succeeded, report.lost);
    return -1;
}

int subject_start(struct subject *subject, unsigned executors)
{
    if (subject->autostart)
        return 0;
    const char *queues[1] = {subject->queue};
    struct dray_worker_options options = worker_options(queues, executors, 0);
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_worker_start(subject->dray, &options, &error) != DRAY_OK)
        return complain("worker", &error);
    return 0;
}

int subject_stop(struct subject *subject)
{
    if (subject->autostart)
        return 0;
    struct dray_work_report report = {0};
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_worker_stop(subject->dray, &report, &error) != DRAY_OK)
        return complain("worker", &error);
    if (report.lost == 0)
        return 0;
    fprintf(stderr, "dray-bench: %" PRIu64 " outcomes were lost\n", report.lost);
    return -1;
}
