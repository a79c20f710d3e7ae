/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/rig.h"

#include "host_fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the host ---- */

static int64_t host_wall(const struct dray_host *host)
{
    const struct rig *rig = (const struct rig *)(const void *)host;
    return rig->clock ? rig->clock() : clock_ms(CLOCK_REALTIME);
}

static int64_t host_mono(const struct dray_host *host)
{
    const struct rig *rig = (const struct rig *)(const void *)host;
    return rig->clock ? rig->clock() : clock_ms(CLOCK_BOOTTIME);
}

static void *host_resize(const struct dray_host *host, void *block, size_t size)
{
    (void)host;
    if (size)
        return realloc(block, size);
    free(block);
    return NULL;
}

static int32_t host_random(const struct dray_host *host, void *out, size_t len)
{
    (void)host;
    return getentropy(out, len) == 0 ? DRAY_OK : DRAY_IO;
}

DRAY_PRINTF(3, 4)
static void host_log(const struct dray_host *host, uint32_t level, const char *fmt, ...)
{
    struct rig *rig = (struct rig *)(uintptr_t)(const void *)host;
    va_list args;
    (void)level;
    va_start(args, fmt);
    vsnprintf(rig->logged, sizeof(rig->logged), fmt, args);
    va_end(args);
    rig->nlogged++;
}

static int64_t host_number(const struct dray_host *host, const char *option)
{
    const struct rig *rig = (const struct rig *)(const void *)host;
    if (strcmp(option, "dedupe_keep") == 0)
        return RIG_DEDUPE_MS;
    if (strcmp(option, "clock") == 0)
        return rig->clock != NULL;
    if (strcmp(option, "connection.timeout") == 0)
        return rig->timeout_ms;
    return strcmp(option, "connection.port") == 0 ? rig->port : 0;
}

static const char *host_text(const struct dray_host *host, const char *option, uint32_t index)
{
    const struct rig *rig = (const struct rig *)(const void *)host;
    if (index)
        return NULL;
    if (strcmp(option, "prefix") == 0)
        return "dray";
    if (strcmp(option, "queue") == 0)
        return "q";
    int named = rig->path && !strchr(rig->path, '/');
    if (strcmp(option, "connection.host") == 0)
        return named ? rig->path : NULL;
    return strcmp(option, "connection.path") == 0 && !named ? rig->path : NULL;
}

struct rig *rig_of(struct dray_call *call)
{
    return (struct rig *)(void *)((char *)call - offsetof(struct rig, call));
}

static void see_job(struct dray_call *call, const struct dray_job *job)
{
    struct rig *rig = rig_of(call);
    assert_true(rig->nshown < RIG_SHOWN);
    snprintf(rig->shown[rig->nshown].id, sizeof(rig->shown[0].id), "%.*s", (int)job->id.len,
        job->id.data);
    rig->shown[rig->nshown].token = job->token;
    rig->shown[rig->nshown++].attempts = job->attempts;
}

static void see_stats(struct dray_call *call, const struct dray_stats_row *row)
{
    if (!row->type.len)
        call->next_ms = row->ready + row->active;
}

static const struct dray_driver *linked; /* NULL: none */

void rig_use(const struct dray_driver *driver)
{
    linked = driver;
}

static const struct dray_driver *load(void)
{
    char path[512];
    if (linked)
        return linked;
    const char *folder = getenv("DRAY_DRIVER_PATH");
    const struct dray_driver *(*entry)(void) = NULL;
    snprintf(path, sizeof(path), "%s/redis.so", folder ? folder : "lib/dray");
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        fail_msg("%s", dlerror());
    void *symbol = dlsym(object, "dray_driver_entry");
    assert_non_null(symbol);
    memcpy(&entry, &symbol, sizeof(entry));
    return entry();
}

/* ---- calls ---- */

struct dray_call *rig_call(struct rig *rig)
{
    rig->error = (struct dray_error)DRAY_ERROR_INIT;
    rig->call = (struct dray_call){.size = sizeof(rig->call),
        .budget_ms = rig->budget_ms ? rig->budget_ms : RIG_BUDGET_MS,
        .error = &rig->error,
        .job = see_job,
        .stats = see_stats,
        .next_ms = DRAY_NEXT_UNKNOWN};
    return &rig->call;
}

static int32_t open_rig(struct rig *rig, const char *path, int port, int64_t (*clock)(void))
{
    memset(rig, 0, sizeof(*rig));
    rig->host = (struct dray_host){.size = sizeof(rig->host),
        .abi = DRAY_ABI,
        .boot_id = "boot",
        .wall_ms = host_wall,
        .mono_ms = host_mono,
        .resize = host_resize,
        .random = host_random,
        .log = host_log,
        .fail = host_fail,
        .number = host_number,
        .text = host_text};
    rig->path = path;
    rig->port = port;
    rig->clock = clock;
    rig->driver = load();
    rig->self = calloc(1, rig->driver->instance_size);
    assert_non_null(rig->self);
    return rig->driver->open(rig->self, rig_call(rig), &rig->host);
}

int32_t rig_open(struct rig *rig, const char *path, int port)
{
    return open_rig(rig, path, port, NULL);
}

int32_t rig_open_timed(struct rig *rig, const char *path, int64_t (*clock)(void))
{
    return open_rig(rig, path, 0, clock);
}

void rig_close(struct rig *rig)
{
    rig->driver->close(rig->self);
    free(rig->self);
}

static struct dray_str str(const char *text)
{
    return (struct dray_str){text, strlen(text)};
}

int32_t rig_push(struct rig *rig, const char *id, uint32_t flags)
{
    struct dray_job job = {.size = sizeof(job),
        .priority = DRAY_PRIORITY_NORMAL,
        .id = str(id),
        .queue = str("q"),
        .type = str("t"),
        .payload = str("{\"n\":1}")};
    const struct dray_job *jobs[] = {&job};
    int32_t answer = DRAY_OK;
    struct dray_push group = {.size = sizeof(group),
        .flags = flags,
        .queue = str("q"),
        .jobs = jobs,
        .answers = &answer,
        .holders = rig->holder,
        .njobs = 1};
    int32_t code = rig->driver->push(rig->self, rig_call(rig), &group);
    return code == DRAY_OK ? answer : code;
}

int32_t rig_reserve(struct rig *rig, uint32_t max, uint32_t flags, uint64_t nonce)
{
    struct dray_str queue = str("q");
    struct dray_reserve want = {.size = sizeof(want),
        .max = max,
        .queues = &queue,
        .nqueues = 1,
        .flags = flags,
        .lease_ms = 60000,
        .nonce = nonce ? nonce : ++rig->nonce,
        .owner = str("host:1"),
        .keep_done_ms = UINT64_MAX,
        .keep_dead_ms = UINT64_MAX,
        .keep_max = UINT64_MAX};
    rig->nshown = 0;
    return rig->driver->reserve(rig->self, rig_call(rig), &want);
}

int32_t rig_ack(struct rig *rig, uint32_t shown)
{
    struct dray_lease lease = {.size = sizeof(lease),
        .verdict = DRAY_VERDICT_DONE,
        .queue = str("q"),
        .id = str(rig->shown[shown].id),
        .type = str("t"),
        .token = rig->shown[shown].token};
    const struct dray_lease *leases[] = {&lease};
    int32_t answer = DRAY_OK;
    int32_t code = rig->driver->ack(rig->self, rig_call(rig), leases, &answer, 1);
    return code == DRAY_OK ? answer : code;
}

int64_t rig_live(struct rig *rig)
{
    struct dray_str queue = str("q");
    struct dray_call *call = rig_call(rig);
    int32_t code = rig->driver->stats(rig->self, call, &queue, 1);
    return code == DRAY_OK ? (int64_t)call->next_ms : -1;
}
