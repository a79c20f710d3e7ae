/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include "host_fail.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

unsigned rig_amount(unsigned sanitized, unsigned usual, unsigned at_length)
{
    return is_set("DRAY_LONG") ? at_length : is_set("DRAY_SANITIZE") ? sanitized : usual;
}

static struct rig *rig_of(const struct dray_host *host)
{
    return (struct rig *)(uintptr_t)((const char *)host - offsetof(struct rig, host));
}

/* A call that knows its rig. */
struct rig_call {
    struct dray_call call;
    struct rig *rig;
};

static int64_t wall_ms(const struct dray_host *host)
{
    return rig_of(host)->wall_ms;
}

static int64_t mono_ms(const struct dray_host *host)
{
    return rig_of(host)->mono_ms;
}

static void *resize(const struct dray_host *host, void *block, size_t size)
{
    struct rig *rig = rig_of(host);
    rig->bytes -= block ? (int64_t)malloc_usable_size(block) : 0;
    if (!size) {
        rig->blocks -= block != NULL;
        free(block);
        return NULL;
    }
    rig->blocks += block == NULL;
    void *got = realloc(block, size);
    if (!got)
        abort();
    rig->bytes += (int64_t)malloc_usable_size(got);
    return got;
}

static int32_t randomness(const struct dray_host *host, void *out, size_t len)
{
    static uint64_t state;
    (void)host;
    for (size_t i = 0; i < len; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ((unsigned char *)out)[i] = (unsigned char)(state >> 56);
    }
    return DRAY_OK;
}

static void say(const struct dray_host *host, uint32_t level, const char *fmt, ...)
    DRAY_PRINTF(3, 4);
static void say(const struct dray_host *host, uint32_t level, const char *fmt, ...)
{
    (void)fmt;
    rig_of(host)->warnings += level >= DRAY_LOG_WARN;
}

static int64_t number(const struct dray_host *host, const char *name)
{
    const struct rig *rig = rig_of(host);
    if (strcmp(name, "max_file_size") == 0)
        return rig->max_file_size;
    if (strcmp(name, "max_backups") == 0)
        return rig->max_backups;
    return strcmp(name, "network") == 0 ? rig->network : 0;
}

static const char *text(const struct dray_host *host, const char *name, uint32_t index)
{
    return strcmp(name, "path") == 0 && !index ? rig_of(host)->path : NULL;
}

static struct dray_str str(const char *s)
{
    return (struct dray_str){s, s ? strlen(s) : 0};
}

static void copy(char *out, size_t size, struct dray_str from)
{
    size_t n = from.len < size - 1 ? (size_t)from.len : size - 1;
    if (n)
        memcpy(out, from.data, n);
    out[n] = 0;
}

static void see(struct dray_call *call, const struct dray_job *job)
{
    struct rig *rig = ((struct rig_call *)(void *)call)->rig;
    if (rig->nseen == RIG_SEEN)
        abort();
    struct seen *seen = &rig->seen[rig->nseen++];
    *seen = (struct seen){.state = job->state,
        .attempts = job->attempts,
        .releases = job->releases,
        .priority = job->priority,
        .token = job->token,
        .ref = job->ref,
        .lease_left_ms = job->lease_left_ms,
        .run_at_ms = job->run_at_ms,
        .id_len = (size_t)job->id.len,
        .payload_len = (size_t)job->payload.len};
    copy(seen->id, sizeof(seen->id), job->id);
    copy(seen->payload, sizeof(seen->payload), job->payload);
    copy(seen->error, sizeof(seen->error), job->error);
    copy(seen->result, sizeof(seen->result), job->result);
}

static void see_row(struct dray_call *call, const struct dray_stats_row *row)
{
    struct rig *rig = ((struct rig_call *)(void *)call)->rig;
    if (row->type.len)
        rig->totals = *row;
    else
        rig->row = *row;
}

static void see_note(struct dray_call *call, const char *line)
{
    struct rig *rig = ((struct rig_call *)(void *)call)->rig;
    rig->notes++;
    snprintf(rig->last_note, sizeof(rig->last_note), "%s", line);
}

static struct rig_call call_of(struct rig *rig)
{
    rig->error = (struct dray_error)DRAY_ERROR_INIT;
    return (struct rig_call){.call = {.size = sizeof(struct dray_call),
                                 .budget_ms = rig->budget_ms ? rig->budget_ms : RIG_BUDGET_MS,
                                 .error = &rig->error,
                                 .job = see,
                                 .stats = see_row,
                                 .note = see_note,
                                 .next_ms = DRAY_NEXT_UNKNOWN,
                                 .durability = rig->durability},
        .rig = rig};
}

void rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    rig->path = RIG_PATH;
    rig->max_file_size = 5 * 1024 * 1024;
    rig->max_backups = 5;
    rig->wall_ms = 1700000000000;
    rig->mono_ms = 1000000;
    rig->boot_id = "first boot";
}

int32_t rig_open(struct rig *rig)
{
    const struct dray_driver *driver = dray_driver_entry();
    struct rig_call call = call_of(rig);
    rig->host = (struct dray_host){.size = sizeof(rig->host),
        .abi = DRAY_ABI,
        .boot_id = rig->boot_id,
        .wall_ms = wall_ms,
        .mono_ms = mono_ms,
        .resize = resize,
        .random = randomness,
        .log = say,
        .fail = host_fail,
        .number = number,
        .text = text};
    rig->self = calloc(1, driver->instance_size);
    if (!rig->self)
        abort();
    return driver->open(rig->self, &call.call, &rig->host);
}

void rig_close(struct rig *rig)
{
    if (rig->self)
        dray_driver_entry()->close(rig->self);
    free(rig->self);
    rig->self = NULL;
}

void rig_advance(struct rig *rig, int64_t ms)
{
    rig->wall_ms += ms;
    rig->mono_ms += ms;
}

static struct dray_job job_of(const char *id, const char *payload)
{
    return (struct dray_job){.size = sizeof(struct dray_job),
        .priority = DRAY_PRIORITY_NORMAL,
        .id = str(id),
        .queue = str("q"),
        .type = str("t"),
        .payload = str(payload)};
}

int32_t rig_push(
    struct rig *rig, const char *id, const char *payload, uint64_t delay_ms, const char *unique)
{
    struct rig_call call = call_of(rig);
    struct dray_job job = job_of(id, payload);
    const struct dray_job *jobs[] = {&job};
    int32_t answer = DRAY_OK;
    struct dray_push group = {
        .size = sizeof(group), .queue = str("q"), .jobs = jobs, .answers = &answer, .njobs = 1};
    job.delay_ms = delay_ms;
    job.unique = str(unique);
    int32_t code = dray_driver_entry()->push(rig->self, &call.call, &group);
    return code != DRAY_OK ? code : answer;
}

int32_t rig_push_group(struct rig *rig, const char *prefix, uint32_t n, const char *payload)
{
    static struct dray_job jobs[1000];
    static const struct dray_job *list[1000];
    static int32_t answers[1000];
    static char ids[1000][32];
    struct rig_call call = call_of(rig);
    struct dray_push group = {
        .size = sizeof(group), .queue = str("q"), .jobs = list, .answers = answers, .njobs = n};
    for (uint32_t i = 0; i < n; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%s%u", prefix, i);
        jobs[i] = job_of(ids[i], payload);
        list[i] = &jobs[i];
        answers[i] = DRAY_OK;
    }
    return dray_driver_entry()->push(rig->self, &call.call, &group);
}

int32_t rig_take(struct rig *rig, uint32_t max, uint64_t lease_ms)
{
    struct rig_call call = call_of(rig);
    struct dray_str queue = str("q");
    struct dray_reserve want = {.size = sizeof(want),
        .max = max,
        .queues = &queue,
        .nqueues = 1,
        .lease_ms = lease_ms,
        .nonce = ++rig->nonce,
        .owner = str("host:1"),
        .keep_done_ms = 3600000,
        .keep_dead_ms = 24 * 3600000,
        .keep_max = 1000};
    rig->nseen = 0;
    int32_t code = dray_driver_entry()->reserve(rig->self, &call.call, &want);
    rig->next_ms = call.call.next_ms;
    return code;
}

static struct dray_lease lease_of(const struct seen *job)
{
    return (struct dray_lease){.size = sizeof(struct dray_lease),
        .queue = str("q"),
        .id = str(job->id),
        .type = str("t"),
        .token = job->token,
        .ref = job->ref};
}

int32_t rig_settle(struct rig *rig, const struct seen *job, uint32_t verdict, uint64_t delay_ms,
    const char *error, uint32_t flags)
{
    struct rig_call call = call_of(rig);
    struct dray_lease lease = lease_of(job);
    const struct dray_lease *leases[] = {&lease};
    int32_t answer = DRAY_OK;
    lease.verdict = verdict;
    lease.delay_ms = delay_ms;
    lease.error = str(error);
    lease.flags = flags;
    lease.run_ms = 3;
    lease.result = str(verdict == DRAY_VERDICT_DONE ? "{\"ok\":1}" : NULL);
    int32_t code =
        (verdict == DRAY_VERDICT_DONE ? dray_driver_entry()->ack : dray_driver_entry()->retry)(
            rig->self, &call.call, leases, &answer, 1);
    return code != DRAY_OK ? code : answer;
}

int32_t rig_extend(struct rig *rig, const struct seen *job, uint64_t lease_ms)
{
    struct rig_call call = call_of(rig);
    struct dray_lease lease = lease_of(job);
    const struct dray_lease *leases[] = {&lease};
    int32_t answer = DRAY_OK;
    lease.lease_ms = lease_ms;
    int32_t code = dray_driver_entry()->extend(rig->self, &call.call, leases, &answer, 1);
    return code != DRAY_OK ? code : answer;
}

int32_t rig_change(struct rig *rig, uint32_t what, const char *id, uint32_t flags)
{
    struct rig_call call = call_of(rig);
    struct dray_str ids[] = {str(id)};
    int32_t answer = DRAY_OK;
    struct dray_change change = {.size = sizeof(change),
        .what = what,
        .flags = flags,
        .nids = id ? 1 : 0,
        .queue = str("q"),
        .ids = ids,
        .answers = &answer};
    int32_t code = dray_driver_entry()->change(rig->self, &call.call, &change);
    return code != DRAY_OK ? code : answer;
}

static int by_id(const void *left, const void *right)
{
    return strcmp(((const struct seen *)left)->id, ((const struct seen *)right)->id);
}

int32_t rig_list(struct rig *rig)
{
    struct dray_filter filter = {.size = sizeof(filter), .max = 1000};
    int32_t code;
    rig->nseen = 0;
    do {
        struct rig_call call = call_of(rig);
        code = dray_driver_entry()->list(rig->self, &call.call, &filter);
    } while (code == DRAY_OK && filter.cursor[0]);
    qsort(rig->seen, rig->nseen, sizeof(rig->seen[0]), by_id);
    return code;
}

struct seen *rig_find(struct rig *rig, const char *id)
{
    for (size_t i = 0; i < rig->nseen; i++) {
        if (strcmp(rig->seen[i].id, id) == 0)
            return &rig->seen[i];
    }
    return NULL;
}

int32_t rig_stats(struct rig *rig)
{
    struct rig_call call = call_of(rig);
    struct dray_str queue = str("q");
    memset(&rig->totals, 0, sizeof(rig->totals));
    return dray_driver_entry()->stats(rig->self, &call.call, &queue, 1);
}

int32_t rig_tend(struct rig *rig, uint32_t what)
{
    struct rig_call call = call_of(rig);
    rig->notes = 0;
    rig->tend = (struct dray_tend){.size = sizeof(rig->tend), .what = what};
    return dray_driver_entry()->tend(rig->self, &call.call, &rig->tend);
}
