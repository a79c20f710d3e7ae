/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/rig.h"

#include "host_fail.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct rig *rig_of(struct dray_call *call)
{
    return (struct rig *)(void *)((char *)call - offsetof(struct rig, call));
}

static int64_t host_wall(const struct dray_host *host)
{
    return ((const struct rig *)(const void *)host)->wall_ms;
}

static int64_t host_mono(const struct dray_host *host)
{
    return ((const struct rig *)(const void *)host)->mono_ms;
}

static void *host_resize(const struct dray_host *host, void *block, size_t size)
{
    (void)host;
    if (size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, size);
}

static int32_t host_random(const struct dray_host *host, void *out, size_t len)
{
    (void)host;
    return getentropy(out, len) == 0 ? DRAY_OK : DRAY_IO;
}

DRAY_PRINTF(3, 4)
static void host_log(const struct dray_host *host, uint32_t level, const char *fmt, ...)
{
    char line[256];
    va_list args;
    (void)level;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    struct rig *rig = NULL;
    memcpy(&rig, &host, sizeof(rig)); /* the host is ours, const only for the driver */
    memcpy(rig->log, line, sizeof(line));
    rig->log_lines++;
}

static int64_t host_number(const struct dray_host *host, const char *option)
{
    const struct rig *rig = (const struct rig *)(const void *)host;
    if (strcmp(option, "spare") == 0)
        return rig->spare;
    if (strcmp(option, "network") == 0)
        return rig->network;
    return 0;
}

static const char *host_text(const struct dray_host *host, const char *option, uint32_t index)
{
    const struct rig *rig = (const struct rig *)(const void *)host;
    return strcmp(option, "path") == 0 && index == 0 ? rig->path : NULL;
}

const struct dray_driver *rig_driver(void)
{
    static const struct dray_driver *found;
    char path[PATH_MAX];
    const char *folder = getenv("DRAY_DRIVER_PATH");
    if (found)
        return found;
    snprintf(path, sizeof(path), "%s/sqlite.so", folder ? folder : "lib/dray");
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        fprintf(stderr, "%s\n", dlerror());
        return NULL;
    }
    const struct dray_driver *(*entry)(void) = NULL;
    void *symbol = dlsym(object, "dray_driver_entry");
    memcpy(&entry, &symbol, sizeof(entry));
    found = entry ? entry() : NULL;
    return found;
}

void rig_init(struct rig *rig, const char *path)
{
    memset(rig, 0, sizeof(*rig));
    rig->host = (struct dray_host){
        .size = sizeof(rig->host),
        .abi = DRAY_ABI,
        .boot_id = "boot-1",
        .wall_ms = host_wall,
        .mono_ms = host_mono,
        .resize = host_resize,
        .random = host_random,
        .log = host_log,
        .fail = host_fail,
        .number = host_number,
        .text = host_text,
    };
    rig->driver = rig_driver();
    rig->wall_ms = 1700000000000;
    rig->mono_ms = 1000000000;
    rig->budget_ms = RIG_BUDGET_MS;
    rig->nonce = 1;
    snprintf(rig->path, sizeof(rig->path), "%s", path);
}

static void copy_str(char *to, size_t size, struct dray_str from)
{
    size_t len = from.len < size - 1 ? (size_t)from.len : size - 1;
    if (len)
        memcpy(to, from.data, len);
    to[len] = '\0';
}

static void see_job(struct dray_call *call, const struct dray_job *job)
{
    struct rig *rig = rig_of(call);
    if (rig->njobs == RIG_JOBS)
        return;
    struct rig_job *seen = &rig->jobs[rig->njobs++];
    memset(seen, 0, sizeof(*seen));
    copy_str(seen->id, sizeof(seen->id), job->id);
    copy_str(seen->error, sizeof(seen->error), job->error);
    seen->state = job->state;
    seen->attempts = job->attempts;
    seen->releases = job->releases;
    seen->flags = job->flags;
    seen->token = job->token;
    seen->ref = job->ref;
    seen->payload_len = job->payload.len;
    seen->lease_left_ms = job->lease_left_ms;
    seen->run_at_ms = job->run_at_ms;
    for (uint64_t i = 0; i < job->payload.len; i++)
        seen->payload_sum = seen->payload_sum * 31 + (unsigned char)job->payload.data[i];
}

static void see_stats(struct dray_call *call, const struct dray_stats_row *row)
{
    if (row->type.len == 0)
        rig_of(call)->row = *row;
}

static void see_note(struct dray_call *call, const char *line)
{
    struct rig *rig = rig_of(call);
    rig->notes++;
    snprintf(rig->note, sizeof(rig->note), "%s", line);
}

struct dray_call *rig_call(struct rig *rig)
{
    rig->error = (struct dray_error)DRAY_ERROR_INIT;
    rig->njobs = 0;
    rig->notes = 0;
    rig->call = (struct dray_call){
        .size = sizeof(rig->call),
        .budget_ms = rig->budget_ms,
        .error = &rig->error,
        .job = see_job,
        .stats = see_stats,
        .note = see_note,
        .next_ms = DRAY_NEXT_UNKNOWN,
    };
    return &rig->call;
}

int32_t rig_open(struct rig *rig)
{
    if (!rig->driver)
        return DRAY_NOTFOUND;
    rig->self = calloc(1, rig->driver->instance_size);
    if (!rig->self)
        return DRAY_NOMEM;
    struct dray_call *call = rig_call(rig);
    call->durability = rig->durability;
    int32_t code = rig->driver->open(rig->self, call, &rig->host);
    rig->durability = call->durability;
    if (code != DRAY_OK)
        rig_close(rig);
    return code;
}

void rig_close(struct rig *rig)
{
    if (!rig->self)
        return;
    rig->driver->close(rig->self);
    free(rig->self);
    rig->self = NULL;
}

struct dray_str rig_str(const char *text)
{
    return (struct dray_str){text, text ? strlen(text) : 0};
}

struct dray_job rig_job(const char *id, const char *payload)
{
    return (struct dray_job){
        .size = sizeof(struct dray_job),
        .priority = DRAY_PRIORITY_NORMAL,
        .id = rig_str(id),
        .type = rig_str("test"),
        .payload = rig_str(payload),
    };
}

int32_t rig_push_job(struct rig *rig, const char *queue, const struct dray_job *job)
{
    int32_t answer = DRAY_OK;
    struct dray_push push = {.size = sizeof(push),
        .queue = rig_str(queue),
        .jobs = &job,
        .answers = &answer,
        .njobs = 1};
    int32_t code = rig->driver->push(rig->self, rig_call(rig), &push);
    return code == DRAY_OK ? answer : code;
}

int32_t rig_push(struct rig *rig, const char *queue, const char *id, const char *payload)
{
    struct dray_job job = rig_job(id, payload);
    return rig_push_job(rig, queue, &job);
}

int32_t rig_reserve(struct rig *rig, const char *queue, uint32_t max, uint64_t lease_ms)
{
    struct dray_str name = rig_str(queue);
    struct dray_reserve want = {
        .size = sizeof(want),
        .max = max,
        .queues = &name,
        .nqueues = 1,
        .lease_ms = lease_ms,
        .nonce = ++rig->nonce,
        .owner = rig_str("host:1"),
        .keep_dead_ms = UINT64_MAX,
        .keep_done_ms = UINT64_MAX,
        .keep_max = UINT64_MAX,
    };
    return rig->driver->reserve(rig->self, rig_call(rig), &want);
}

static struct dray_lease lease_of(const char *queue, const struct rig_job *job)
{
    return (struct dray_lease){
        .size = sizeof(struct dray_lease),
        .queue = rig_str(queue),
        .id = rig_str(job->id),
        .type = rig_str("test"),
        .token = job->token,
        .ref = job->ref,
    };
}

int32_t rig_settle(struct rig *rig, const char *queue, const struct rig_job *job, uint32_t verdict,
    uint64_t delay_ms, int32_t *answer)
{
    struct dray_lease lease = lease_of(queue, job);
    const struct dray_lease *leases = &lease;
    lease.verdict = verdict;
    lease.delay_ms = delay_ms;
    *answer = DRAY_OK;
    if (verdict == DRAY_VERDICT_DONE)
        return rig->driver->ack(rig->self, rig_call(rig), &leases, answer, 1);
    return rig->driver->retry(rig->self, rig_call(rig), &leases, answer, 1);
}

int32_t rig_extend(struct rig *rig, const char *queue, const struct rig_job *job, uint64_t lease_ms,
    int32_t *answer)
{
    struct dray_lease lease = lease_of(queue, job);
    const struct dray_lease *leases = &lease;
    lease.lease_ms = lease_ms;
    *answer = DRAY_OK;
    return rig->driver->extend(rig->self, rig_call(rig), &leases, answer, 1);
}

int32_t rig_list(struct rig *rig, const char *queue, uint32_t states)
{
    struct dray_filter filter = {
        .size = sizeof(filter), .states = states, .queue = rig_str(queue), .max = RIG_JOBS};
    return rig->driver->list(rig->self, rig_call(rig), &filter);
}

int32_t rig_stats(struct rig *rig, const char *queue)
{
    struct dray_str name = rig_str(queue);
    return rig->driver->stats(rig->self, rig_call(rig), &name, 1);
}

int32_t rig_change(
    struct rig *rig, const char *queue, uint32_t what, const char *id, int32_t *answer)
{
    struct dray_str name = rig_str(id);
    struct dray_change change = {.size = sizeof(change),
        .what = what,
        .nids = id != NULL,
        .queue = rig_str(queue),
        .ids = &name,
        .answers = answer};
    *answer = DRAY_OK;
    return rig->driver->change(rig->self, rig_call(rig), &change);
}

int32_t rig_tend(struct rig *rig, uint32_t what, struct dray_tend *tend)
{
    *tend = (struct dray_tend){.size = sizeof(*tend), .what = what};
    return rig->driver->tend(rig->self, rig_call(rig), tend);
}
