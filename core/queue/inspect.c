/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at stored jobs: list and get. */
#include "queue/inspect.h"

#include "host/error.h"
#include "queue/instance.h"
#include "text/name.h"
#include "worker/attempt.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 128u

static const char *const state_names[] = {"", "ready", "delayed", "active", "dead", "done"};

uint32_t state_by_name(const char *name)
{
    uint32_t state = DRAY_STATE_DONE;
    while (state > 0 && (!name || strcmp(name, state_names[state]) != 0))
        state--;
    return state;
}

/* ---- a job of our own ---- */

struct stored {
    struct dray_job_info info; /* first */
    struct stored *next;
    char text[];
};

static const char *put(char **place, const struct dray_str *str)
{
    if (!str->len)
        return NULL;
    char *copy = memcpy(*place, str->data, str->len);
    copy[str->len] = 0;
    *place = copy + str->len + 1;
    return copy;
}

static struct stored *stored_new(const struct dray *dray, const struct dray_job *job)
{
    const struct dray_str *parts[] = {&job->id, &job->queue, &job->type, &job->name, &job->unique,
        &job->group, &job->owner, &job->payload, &job->error, &job->result, &job->progress};
    size_t size = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        size += parts[i]->len + 1;
    struct stored *s = calloc(1, sizeof(*s) + size);
    if (!s)
        return NULL;
    char *place = s->text;
    struct dray_job_info *info = &s->info;
    info->id = put(&place, &job->id);
    info->queue = put(&place, &job->queue);
    info->type = put(&place, &job->type);
    info->name = put(&place, &job->name);
    info->unique_key = put(&place, &job->unique);
    info->group = put(&place, &job->group);
    info->payload = put(&place, &job->payload);
    info->payload_len = job->payload.len;
    info->last_error = put(&place, &job->error);
    info->result = put(&place, &job->result);
    info->progress = put(&place, &job->progress);
    info->state = job->state <= DRAY_STATE_DONE ? state_names[job->state] : "";
    info->priority = job->priority;
    info->attempts = job->attempts;
    info->releases = job->releases;
    info->fence = job->token.counter;
    info->max_attempts = job->max_attempts;
    info->cancelled = (job->flags & DRAY_JOB_CANCELLED) != 0;
    info->timeout_ms = job->timeout_ms;
    info->created_ms = job->created_ms;
    info->run_at_ms = job->run_at_ms;
    info->ended_ms = job->ended_ms;
    if (job->state == DRAY_STATE_ACTIVE) {
        info->owner = put(&place, &job->owner);
        /* However long a driver says: the sum stays a time. */
        uint64_t left_ms = job->lease_left_ms < DELAY_MAX_MS ? job->lease_left_ms : DELAY_MAX_MS;
        info->lease_until_ms = clock_wall_ms(dray->clock) + (int64_t)left_ms;
    }
    return s;
}

void dray_job_info_free(struct dray_job_info *job)
{
    free(job);
}

/* ---- a page at a time ---- */

struct page {
    struct dray_call call; /* first: the sink gets back from it to here */
    const struct dray *dray;
    struct stored *first, **last;
    int no_memory;
};

static void add_job(struct dray_call *call, const struct dray_job *job)
{
    struct page *page = (struct page *)(void *)call;
    struct stored *s = stored_new(page->dray, job);
    if (!s) {
        page->no_memory = 1;
        return;
    }
    *page->last = s;
    page->last = &s->next;
}

static int read_page(
    struct dray *dray, struct dray_filter *filter, struct page *page, struct dray_error *error)
{
    struct dray_error own = DRAY_ERROR_INIT;
    store_call_init(&page->call, error ? error : &own, dray->budget_ms);
    page->call.job = add_job;
    page->dray = dray;
    page->first = NULL;
    page->last = &page->first;
    page->no_memory = 0;
    turn_begin_alone(dray);
    int code = dray->store->driver.list(dray->store->self, &page->call, filter);
    turn_end_alone(dray);
    if (page->no_memory)
        return error_set(error, DRAY_NOMEM, 0, "out of memory");
    return code;
}

static void free_rest(struct stored *s)
{
    while (s) {
        struct stored *next = s->next;
        free(s);
        s = next;
    }
}

/* "dead,delayed" to bits. */
static int parse_states(const char *text, uint32_t *bits, struct dray_error *error)
{
    const char *p = text;
    while (p && *p) {
        size_t len = strcspn(p, ",");
        uint32_t state = DRAY_STATE_READY;
        while (state <= DRAY_STATE_DONE &&
               (strlen(state_names[state]) != len || strncmp(p, state_names[state], len) != 0))
            state++;
        if (state > DRAY_STATE_DONE)
            return error_set(error, DRAY_INVALID, 0,
                "the state %.*s is not one of ready, delayed, active, dead, done", (int)len, p);
        *bits |= 1u << state;
        p += len;
        if (*p == ',')
            p++;
    }
    return DRAY_OK;
}

static int check_name(const char *what, const char *name, struct dray_error *error)
{
    const char *why = name ? name_check(name, strlen(name)) : NULL;
    /* Nothing can have that name, and no driver should have to see it. */
    return why ? error_set(error, DRAY_NOTFOUND, 0, "no such %s: it %s", what, why) : DRAY_OK;
}

static int make_filter(
    const struct dray_list_options *o, struct dray_filter *filter, struct dray_error *error)
{
    int code;
    if ((code = check_name("queue", o->queue, error)) != DRAY_OK ||
        (code = check_name("type", o->type, error)) != DRAY_OK ||
        (code = check_name("id", o->id, error)) != DRAY_OK)
        return code;
    memset(filter, 0, sizeof(*filter));
    filter->size = (uint32_t)sizeof(*filter);
    filter->queue = str_from(o->queue);
    filter->type = str_from(o->type);
    filter->id = str_from(o->id);
    filter->since_ms = o->since_ms;
    return parse_states(o->state, &filter->states, error);
}

int dray_list(struct dray *dray, const struct dray_list_options *options, dray_job_fn each,
    void *user, struct dray_error *error)
{
    static const struct dray_list_options all;
    struct dray_filter filter;
    if (!options)
        options = &all;
    int code = instance_check(dray, error);
    if (code == DRAY_OK && !each)
        code = error_set(error, DRAY_INVALID, 0, "dray_list needs a function to show jobs to");
    if (code == DRAY_OK && !store_has(&dray->store->driver, "list"))
        code = instance_lacks(dray, "list jobs", error);
    if (code == DRAY_OK)
        code = make_filter(options, &filter, error);
    uint64_t left = options->limit ? options->limit : UINT64_MAX;
    while (code == DRAY_OK && left > 0) {
        struct page page;
        filter.max = left < PAGE ? (uint32_t)left : PAGE;
        code = read_page(dray, &filter, &page, error);
        struct stored *s = page.first;
        while (s && code == DRAY_OK && left > 0) {
            struct stored *next = s->next;
            code = each(&s->info, user);
            left--;
            free(s);
            s = next;
        }
        free_rest(s);
        if (!filter.cursor[0] && !filter.cursor[1])
            break;
    }
    return code;
}

/* ---- one job ---- */

int find_job(struct dray *dray, const char *queue, const char *id, struct dray_job_info **out,
    struct dray_error *error)
{
    struct dray_filter filter;
    struct page page = {.first = NULL};
    struct stored *found = NULL;
    int code = instance_check(dray, error);
    if (code != DRAY_OK)
        return code;
    if (!id || !*id)
        return error_set(error, DRAY_INVALID, 0, "no id was given");
    if (!store_has(&dray->store->driver, "list"))
        return instance_lacks(dray, "show jobs", error);
    code = make_filter(&(struct dray_list_options){.queue = queue, .id = id}, &filter, error);
    do {
        filter.max = 2;
        if (code == DRAY_OK)
            code = read_page(dray, &filter, &page, error);
        for (struct stored *s = page.first, *next; s; s = next) {
            next = s->next;
            if (!found) {
                found = s;
                continue;
            }
            if (code == DRAY_OK)
                code = error_set(error, DRAY_CONFLICT, 0,
                    "job %s is in two queues, %s and %s; say which one", id, found->info.queue,
                    s->info.queue);
            free(s);
        }
    } while (code == DRAY_OK && (filter.cursor[0] || filter.cursor[1]));
    if (code == DRAY_OK && !found)
        code = error_set(error, DRAY_NOTFOUND, 0, "no job %s%s%s", id,
            queue ? " in queue " : " in any queue", queue ? queue : "");
    if (code != DRAY_OK) {
        free(found);
        return code;
    }
    *out = &found->info;
    return DRAY_OK;
}

int dray_get(struct dray *dray, const char *queue, const char *id, struct dray_job_info **out,
    struct dray_error *error)
{
    if (!out)
        return error_set(error, DRAY_INVALID, 0, "dray_get needs a place for the job");
    return find_job(dray, queue, id, out, error);
}
