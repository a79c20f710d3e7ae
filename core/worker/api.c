/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers may ask and say: the dray_attempt_ functions. */
#include "host/error.h"
#include "queue/instance.h"
#include "text/json.h"
#include "text/name.h"
#include "worker/attempt.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *dray_attempt_id(const struct dray_attempt *a)
{
    return a->lease.id.data;
}

const char *dray_attempt_type(const struct dray_attempt *a)
{
    return a->lease.type.data;
}

const char *dray_attempt_queue(const struct dray_attempt *a)
{
    return a->lease.queue.data;
}

const char *dray_attempt_name(const struct dray_attempt *a)
{
    return a->name;
}

uint32_t dray_attempt_number(const struct dray_attempt *a)
{
    return a->number;
}

uint32_t dray_attempt_max(const struct dray_attempt *a)
{
    return a->max_attempts;
}

const char *dray_attempt_last_error(const struct dray_attempt *a)
{
    return a->last_error;
}

const char *dray_attempt_payload(const struct dray_attempt *a, size_t *len)
{
    if (len)
        *len = a->payload_len;
    return a->payload;
}

const struct json_t *dray_attempt_json(struct dray_attempt *a)
{
    if (!a->json)
        a->json = json_loadb(a->payload, a->payload_len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    return a->json;
}

uint64_t dray_attempt_fence(const struct dray_attempt *a)
{
    return a->lease.token.counter;
}

struct dray *dray_attempt_dray(struct dray_attempt *a)
{
    return a->dray;
}

int dray_attempt_cancelled(const struct dray_attempt *a)
{
    return atomic_load_explicit(&a->stop_reasons, memory_order_relaxed) != 0;
}

int dray_attempt_progress(struct dray_attempt *a, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (len > DRAY_NOTE_MAX)
        return DRAY_LIMIT;
    int code = instance_check(a->dray, NULL);
    if (code != DRAY_OK)
        return code; /* in a child, where nobody gives back the lock */
    char *copy = malloc(len + 1);
    if (!copy)
        return DRAY_NOMEM;
    utf8_clean_tail(copy, len + 1, text ? text : "", len);
    pthread_mutex_lock(&a->dray->lock);
    free(a->progress_new);
    a->progress_new = copy;
    if (!a->renewing)
        attempt_fold_progress(a);
    pthread_mutex_unlock(&a->dray->lock);
    return DRAY_OK;
}

int dray_attempt_result(struct dray_attempt *a, const char *json)
{
    if (!json)
        return DRAY_INVALID;
    size_t len = strlen(json);
    size_t at;
    if (len > a->dray->config->job.max_payload)
        return DRAY_LIMIT;
    if (json_check(json, len, &at))
        return DRAY_INVALID;
    char *copy = malloc(len + 1);
    if (!copy)
        return DRAY_NOMEM;
    memcpy(copy, json, len + 1);
    free(a->result);
    a->result = copy;
    return DRAY_OK;
}

/* Keeps the last bytes of the error, as clean UTF-8. Without memory there is no text; the verdict
   stands all the same. */
DRAY_PRINTF(2, 0)
static void say_error(struct dray_attempt *a, const char *fmt, va_list args)
{
    char *text = NULL;
    free(a->error);
    a->error = NULL;
    int len = vasprintf(&text, fmt, args);
    if (len < 0)
        return;
    size_t size = ((size_t)len < DRAY_NOTE_MAX ? (size_t)len : DRAY_NOTE_MAX) + 1;
    a->error = malloc(size);
    if (a->error)
        utf8_clean_tail(a->error, size, text, (size_t)len);
    free(text);
}

int dray_attempt_fail(struct dray_attempt *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say_error(a, fmt, args);
    va_end(args);
    a->word = WORD_FAIL;
    return DRAY_FAILED;
}

int dray_attempt_retry_in(struct dray_attempt *a, uint64_t ms, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say_error(a, fmt, args);
    va_end(args);
    a->word = WORD_RETRY_IN;
    a->word_ms = ms;
    return DRAY_FAILED;
}

int dray_attempt_give_up(struct dray_attempt *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say_error(a, fmt, args);
    va_end(args);
    a->word = WORD_GIVE_UP;
    return DRAY_FAILED;
}

int dray_attempt_repeat_in(struct dray_attempt *a, uint64_t ms)
{
    a->word = WORD_REPEAT_IN;
    a->word_ms = ms;
    return DRAY_OK;
}
