/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/attempt.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

struct dray_attempt *attempt_new(struct dray *dray)
{
    struct dray_attempt *a = calloc(1, sizeof(*a));
    if (!a)
        return NULL;
    a->dray = dray;
    a->cancel_fd = -1;
    a->lease.size = (uint32_t)sizeof(a->lease);
    return a;
}

static void drop_text(char **text)
{
    if (*text) {
        free(*text);
        *text = NULL;
    }
}

void attempt_reset(struct dray_attempt *a)
{
    drop_text(&a->error);
    drop_text(&a->result);
    drop_text(&a->progress);
    drop_text(&a->progress_new);
    drop_text(&a->overflow);
    if (a->json) {
        json_decref(a->json);
        a->json = NULL;
    }
    struct dray *dray = a->dray;
    memset(a, 0, offsetof(struct dray_attempt, text));
    a->dray = dray;
    a->cancel_fd = -1;
    a->lease.size = (uint32_t)sizeof(a->lease);
}

void attempt_free(struct dray_attempt *a)
{
    if (!a)
        return;
    attempt_reset(a);
    free(a);
}

/* Copies a string with a zero behind it and moves the place on. */
static const char *put(char **place, const struct dray_str *str)
{
    char *start = *place;
    if (str->len)
        memcpy(start, str->data, str->len);
    start[str->len] = 0;
    *place = start + str->len + 1;
    return start;
}

static struct dray_str put_str(char **place, const struct dray_str *str)
{
    struct dray_str copy = {put(place, str), str->len};
    return copy;
}

void attempt_fill(struct dray_attempt *a, const struct dray_job *job)
{
    char *place = a->text;
    size_t rest = job->payload.len + job->name.len + job->error.len + 3;
    a->lease.id = put_str(&place, &job->id);
    a->lease.queue = put_str(&place, &job->queue);
    a->lease.type = put_str(&place, &job->type);
    a->lease.token = job->token;
    a->lease.ref = job->ref;
    a->number = job->attempts;
    a->max_attempts = job->max_attempts;
    a->releases = job->releases;
    a->timeout_ms = job->timeout_ms;
    a->marked = (job->flags & DRAY_JOB_CANCELLED) != 0;
    a->name = a->last_error = "";
    if (rest > ATTEMPT_INLINE - (size_t)(place - a->text)) {
        a->overflow = malloc(rest);
        if (!a->overflow)
            return; /* payload stays NULL: it can only be released */
        place = a->overflow;
    }
    a->payload = put(&place, &job->payload);
    a->payload_len = job->payload.len;
    a->name = put(&place, &job->name);
    a->last_error = put(&place, &job->error);
}

void attempt_stop(struct dray_attempt *a, uint32_t reason)
{
    uint32_t before = atomic_fetch_or(&a->stop_reasons, reason);
    if (before == 0 && a->cancel_fd >= 0)
        (void)eventfd_write(a->cancel_fd, 1);
}

void attempt_fold_progress(struct dray_attempt *a)
{
    if (!a->progress_new)
        return;
    free(a->progress);
    a->progress = a->progress_new;
    a->progress_new = NULL;
    a->lease.progress.data = a->progress;
    a->lease.progress.len = strlen(a->progress);
}
