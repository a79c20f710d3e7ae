/* SPDX-License-Identifier: Apache-2.0 */
#include "config/sections.h"

#include "host/error.h"
#include "text/name.h"

#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define ROW(type_, name_, fallback_, choices_, min_, max_)                                         \
    {                                                                                              \
        .type = (type_), .name = (name_), .fallback = (fallback_), .choices = (choices_),          \
        .min = (min_), .max = (max_)                                                               \
    }

#define YEARS_MS INT64_C(315619200000) /* what a duration can be at most: ten years */

enum { JOB_MAX_ATTEMPTS, JOB_MAX_PAYLOAD, JOB_BACKOFF };
static const struct dray_option job_rows[] = {
    ROW(DRAY_OPTION_INTEGER, "max_attempts", "4", NULL, 1, 1000000),
    ROW(DRAY_OPTION_SIZE, "max_payload", "1MiB", NULL, 1, DRAY_PAYLOAD_MAX),
    ROW(VALUE_SECTION, "backoff", NULL, NULL, 0, 0),
};
const struct table job_table = {"queue.job", job_rows, COUNT(job_rows)};

enum { BACKOFF_STRATEGY, BACKOFF_BASE, BACKOFF_CAP, BACKOFF_JITTER };
static const struct dray_option backoff_rows[] = {
    ROW(DRAY_OPTION_CHOICE, "strategy", "exponential", "exponential|linear|fixed|none", 0, 0),
    ROW(DRAY_OPTION_DURATION, "base", "1s", NULL, 1, YEARS_MS),
    ROW(DRAY_OPTION_DURATION, "cap", "1h", NULL, 1, YEARS_MS),
    ROW(VALUE_RATIO, "jitter", "0.25", NULL, 0, 0),
};
const struct table backoff_table = {"queue.job.backoff", backoff_rows, COUNT(backoff_rows)};

enum {
    WORKER_CONCURRENCY,
    WORKER_MAX_JOBS,
    WORKER_TIMEOUT,
    WORKER_DELAY,
    WORKER_QUEUES,
    WORKER_POLL_INTERVAL,
    WORKER_PREFETCH,
    WORKER_SHUTDOWN_TIMEOUT,
    WORKER_GRACE,
    WORKER_ISOLATION
};
static const struct dray_option worker_rows[] = {
    ROW(DRAY_OPTION_INTEGER, "concurrency", "2", NULL, 1, 1024),
    ROW(DRAY_OPTION_INTEGER, "max_jobs", NULL, NULL, 1, INT64_MAX),
    ROW(DRAY_OPTION_DURATION, "timeout", NULL, NULL, 0, 0),
    ROW(DRAY_OPTION_DURATION, "delay", "0", NULL, 0, 0),
    ROW(DRAY_OPTION_LIST, "queues", NULL, NULL, 0, 0),
    ROW(DRAY_OPTION_DURATION, "poll_interval", "500ms", NULL, 100, 1000),
    ROW(DRAY_OPTION_INTEGER, "prefetch", "auto", "auto", 0, 10000),
    ROW(DRAY_OPTION_DURATION, "shutdown_timeout", "30s", NULL, 0, 0),
    ROW(DRAY_OPTION_DURATION, "grace", "5s", NULL, 0, 0),
    ROW(DRAY_OPTION_CHOICE, "isolation", "thread", "thread|process", 0, 0),
};
const struct table worker_table = {"queue.worker", worker_rows, COUNT(worker_rows)};

enum { KEEP_DONE, KEEP_DEAD, KEEP_MAX };
static const struct dray_option keep_rows[] = {
    ROW(DRAY_OPTION_DURATION, "done", "0", NULL, 0, 0),
    ROW(DRAY_OPTION_DURATION, "dead", "30d", NULL, 0, 0),
    ROW(DRAY_OPTION_INTEGER, "max", "100000", NULL, 0, INT64_MAX),
};
const struct table keep_table = {"queue.keep", keep_rows, COUNT(keep_rows)};

enum { LIMITS_CAPACITY };
static const struct dray_option limits_rows[] = {
    ROW(DRAY_OPTION_INTEGER, "capacity", NULL, NULL, 1, INT64_MAX),
};
const struct table limits_table = {"queue.limits", limits_rows, COUNT(limits_rows)};

enum { HEALTH_FAILURE_RATE, HEALTH_PROCESSING, HEALTH_BACKLOG };
static const struct dray_option health_rows[] = {
    ROW(VALUE_RATIO, "failure_rate", "0.1", "off", 0, 0),
    ROW(DRAY_OPTION_INTEGER, "processing", "20", "off", 0, INT64_MAX),
    ROW(DRAY_OPTION_INTEGER, "backlog", "1000", "off", 0, INT64_MAX),
};
const struct table health_table = {"queue.health", health_rows, COUNT(health_rows)};

static const struct dray_option driver_rows[] = {
    ROW(DRAY_OPTION_PATH, "module", NULL, NULL, 0, 0),
    ROW(DRAY_OPTION_DURATION, "retry_after", "90s", NULL, 1000, YEARS_MS),
    /* In the order of DRAY_DURABILITY_..., from 1. */
    ROW(DRAY_OPTION_CHOICE, "durability", NULL, "volatile|process|host|replicated", 0, 0),
    ROW(DRAY_OPTION_STRING, "queue", "default", NULL, 0, 0),
};
const struct table driver_table = {"", driver_rows, COUNT(driver_rows)};

int backoff_read(const struct reader *reader, const struct node *map, const char *section,
    const struct dray_backoff *base, struct dray_backoff *out)
{
    struct table table = backoff_table;
    table.section = section;
    struct value values[COUNT(backoff_rows)];
    int code = table_read(reader, map, &table, NULL, 0, values);
    if (code != DRAY_OK)
        return code;
    *out = *base;
    if (values[BACKOFF_STRATEGY].given)
        out->strategy = (int)values[BACKOFF_STRATEGY].number + DRAY_BACKOFF_EXPONENTIAL;
    if (values[BACKOFF_BASE].given)
        out->base_ms = (uint64_t)values[BACKOFF_BASE].number;
    if (values[BACKOFF_CAP].given)
        out->cap_ms = (uint64_t)values[BACKOFF_CAP].number;
    if (values[BACKOFF_JITTER].given)
        out->jitter = values[BACKOFF_JITTER].real > 0 ? values[BACKOFF_JITTER].real : -1;
    if (out->base_ms > out->cap_ms)
        return node_error(
            reader->error, map, "%s.base is longer than its cap; lower base or raise cap", section);
    return DRAY_OK;
}

static int read_job(const struct reader *reader, const struct node *map, struct config_job *job)
{
    static const struct dray_backoff usual = {DRAY_BACKOFF_EXPONENTIAL, 1000, 3600000, 0.25};
    struct value values[COUNT(job_rows)];
    int code = table_read(reader, map, &job_table, NULL, 0, values);
    if (code != DRAY_OK)
        return code;
    job->max_attempts = (uint32_t)values[JOB_MAX_ATTEMPTS].number;
    job->max_payload = (uint64_t)values[JOB_MAX_PAYLOAD].number;
    return backoff_read(
        reader, values[JOB_BACKOFF].node, backoff_table.section, &usual, &job->backoff);
}

static int check_queue_name(
    const struct reader *reader, const struct node *node, const char *section, const char *name)
{
    const char *problem = name_check(name, strlen(name));
    if (!problem)
        return DRAY_OK;
    return node_error(
        reader->error, node, "%s: the queue name \"%.70s\" %s", section, name, problem);
}

static int read_queues(
    const struct reader *reader, const struct value *value, struct config_worker *worker)
{
    if (!value->given)
        return DRAY_OK;
    if (value->ntexts == 0)
        return node_error(reader->error, value->node,
            "queue.worker.queues is empty; name a queue, or leave it out for the default one");
    const char **queues = arena_alloc(reader->arena, value->ntexts, sizeof(*queues));
    if (!queues)
        return reader_no_memory(reader);
    const struct node *member = value->node->first;
    for (size_t i = 0; i < value->ntexts; i++, member = member->next) {
        queues[i] = value->texts[i];
        int code = check_queue_name(reader, member, "queue.worker.queues", queues[i]);
        if (code != DRAY_OK)
            return code;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(queues[i], queues[j]) == 0)
                return node_error(reader->error, member,
                    "queue.worker.queues names %s twice; remove one", queues[i]);
        }
    }
    worker->queues = queues;
    worker->nqueues = value->ntexts;
    return DRAY_OK;
}

static int read_worker(
    const struct reader *reader, const struct node *map, struct config_worker *worker)
{
    struct value values[COUNT(worker_rows)];
    int code = table_read(reader, map, &worker_table, NULL, 0, values);
    if (code != DRAY_OK)
        return code;
    worker->concurrency = (uint32_t)values[WORKER_CONCURRENCY].number;
    worker->max_jobs = (uint64_t)values[WORKER_MAX_JOBS].number;
    worker->timeout_ms = (uint64_t)values[WORKER_TIMEOUT].number;
    worker->delay_ms = (uint64_t)values[WORKER_DELAY].number;
    worker->poll_interval_ms = (uint64_t)values[WORKER_POLL_INTERVAL].number;
    /* "auto" is -1 in the value and all ones in the struct. */
    worker->prefetch = (uint32_t)values[WORKER_PREFETCH].number;
    worker->shutdown_timeout_ms = (uint64_t)values[WORKER_SHUTDOWN_TIMEOUT].number;
    worker->grace_ms = (uint64_t)values[WORKER_GRACE].number;
    worker->isolate = (int)values[WORKER_ISOLATION].number;
    if (values[WORKER_ISOLATION].given)
        worker->isolation_line = values[WORKER_ISOLATION].node->line;
    return read_queues(reader, &values[WORKER_QUEUES], worker);
}

static int read_keep(const struct reader *reader, const struct node *map, struct config_keep *keep)
{
    struct value values[COUNT(keep_rows)];
    int code = table_read(reader, map, &keep_table, NULL, 0, values);
    if (code != DRAY_OK)
        return code;
    keep->done_ms = (uint64_t)values[KEEP_DONE].number;
    keep->dead_ms = (uint64_t)values[KEEP_DEAD].number;
    keep->max = (uint64_t)values[KEEP_MAX].number;
    return DRAY_OK;
}

static int read_health(
    const struct reader *reader, const struct node *map, struct config_health *health)
{
    struct value values[COUNT(health_rows)];
    int code = table_read(reader, map, &health_table, NULL, 0, values);
    if (code != DRAY_OK)
        return code;
    /* "off": -1, or all ones. */
    health->failure_rate = values[HEALTH_FAILURE_RATE].real;
    health->processing = (uint64_t)values[HEALTH_PROCESSING].number;
    health->backlog = (uint64_t)values[HEALTH_BACKLOG].number;
    return DRAY_OK;
}

static int read_limits(
    const struct reader *reader, const struct node *map, struct config_limits *limits)
{
    struct value values[COUNT(limits_rows)];
    int code = table_read(reader, map, &limits_table, NULL, 0, values);
    if (code == DRAY_OK)
        limits->capacity = (uint64_t)values[LIMITS_CAPACITY].number;
    return code;
}

int sections_read(const struct reader *reader, const struct node *queue, struct config *config)
{
    int code = read_job(reader, node_get(queue, "job"), &config->job);
    if (code == DRAY_OK)
        code = read_worker(reader, node_get(queue, "worker"), &config->worker);
    if (code == DRAY_OK)
        code = read_keep(reader, node_get(queue, "keep"), &config->keep);
    if (code == DRAY_OK)
        code = read_limits(reader, node_get(queue, "limits"), &config->limits);
    if (code == DRAY_OK)
        code = read_health(reader, node_get(queue, "health"), &config->health);
    return code;
}

const char *section_name(struct arena *arena, const char *driver)
{
    const char *slash = strrchr(driver, '/');
    const char *name = slash ? slash + 1 : driver;
    size_t len = strlen(name);
    if (slash && len > 3 && strcmp(name + len - 3, ".so") == 0)
        len -= 3;
    if (slash && len > 3 && strncmp(name, "lib", 3) == 0) {
        name += 3;
        len -= 3;
    }
    return arena_copy(arena, name, len);
}

int driver_section_read(const struct reader *reader, struct config *config)
{
    const char *name = section_name(reader->arena, config->driver);
    const char *section = name ? arena_print(reader->arena, "queue.%s", name) : NULL;
    if (!section)
        return reader_no_memory(reader);
    int code = expect_map(reader, config->section, section);
    struct value values[COUNT(driver_rows)];
    for (size_t i = 0; i < COUNT(driver_rows) && code == DRAY_OK; i++)
        code = value_read(reader, node_get(config->section, driver_rows[i].name), section,
            &driver_rows[i], &values[i]);
    if (code != DRAY_OK)
        return code;
    config->module = values[DRIVER_MODULE].text;
    if (values[DRIVER_MODULE].given)
        config->module_line = values[DRIVER_MODULE].node->line;
    config->lease_ms = (uint64_t)values[DRIVER_RETRY_AFTER].number;
    if (values[DRIVER_DURABILITY].given) {
        config->durability = (uint32_t)values[DRIVER_DURABILITY].number + DRAY_DURABILITY_VOLATILE;
        config->durability_line = values[DRIVER_DURABILITY].node->line;
    }
    config->queue = values[DRIVER_QUEUE].text;
    return check_queue_name(reader, values[DRIVER_QUEUE].node, section, config->queue);
}
