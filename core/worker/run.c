/* SPDX-License-Identifier: Apache-2.0 */
/* Running one attempt, and what its end means for the job. */
#include "handler/command.h"
#include "host/error.h"
#include "host/random.h"
#include "queue/instance.h"
#include "worker/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A command that nobody gave a time. */
#define COMMAND_TIMEOUT_MS 60000u

/* W6: the wait before a type without a handler is looked at again. */
#define PARK_FIRST_MS 1000u
#define PARK_MOST_MS 30000u

static _Thread_local struct dray_attempt *current;

/* A handler on sync may be left by longjmp, and then nobody else frees its attempt. The stack grows
   downwards, so an attempt whose frame is not above `frame`, the caller's, is one of those. */
static struct dray_attempt *live_above(const void *frame)
{
    while (current && current->frame <= (uintptr_t)frame) {
        struct dray_attempt *left = current;
        current = left->outer;
        attempt_free(left);
    }
    return current;
}

struct dray_attempt *attempt_current(void)
{
    return live_above(__builtin_frame_address(0));
}

/* ---- commands ---- */

static int command_cancelled(const void *arg)
{
    return dray_attempt_cancelled(arg);
}

static void set_cancel_fd(struct dray_attempt *a, int fd)
{
    pthread_mutex_lock(&a->dray->lock);
    a->cancel_fd = fd;
    pthread_mutex_unlock(&a->dray->lock);
}

static int command_verdict(struct dray_attempt *a, struct command_outcome *outcome)
{
    a->result = outcome->result;
    switch (outcome->verdict) {
    case COMMAND_DONE:
        return DRAY_OK;
    case COMMAND_GIVE_UP:
        return dray_attempt_give_up(a, "%s", outcome->error);
    default:
        return dray_attempt_fail(a, "%s", outcome->error);
    }
}

static int run_command(struct dray_attempt *a)
{
    struct command_outcome *outcome = calloc(1, sizeof(*outcome));
    if (!outcome)
        return dray_attempt_fail(a, "out of memory");
    struct command_job job = {
        .id = a->lease.id.data,
        .type = a->lease.type.data,
        .queue = a->lease.queue.data,
        .attempt = a->number,
        .max_attempts = a->max_attempts,
        .payload = a->payload,
        .payload_len = a->payload_len,
        .timeout_ms = a->timeout_ms ? a->timeout_ms : COMMAND_TIMEOUT_MS,
        .grace_ms = a->handler->grace_ms,
        .max_result = a->dray->config->job.max_payload,
        .cancelled = command_cancelled,
        .arg = a,
        .cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
    };
    set_cancel_fd(a, job.cancel_fd);
    command_run(a->handler->command, &job, outcome);
    set_cancel_fd(a, -1);
    if (job.cancel_fd >= 0)
        close(job.cancel_fd);
    int rc = command_verdict(a, outcome);
    free(outcome);
    return rc;
}

/* ---- verdicts ---- */

static void set_error(struct dray_attempt *a, const char *text)
{
    free(a->error);
    a->error = strdup(text);
}

/* A failure always has a text. */
static void complete_error(struct dray_attempt *a, int rc, uint32_t reasons)
{
    char text[120];
    if (a->error && *a->error && !(reasons & STOP_CANCELLED))
        return;
    if (reasons & STOP_CANCELLED)
        snprintf(text, sizeof(text), "cancelled");
    else if (reasons & STOP_TIMEOUT)
        snprintf(text, sizeof(text), "timed out after %llu ms", (unsigned long long)a->timeout_ms);
    else if (reasons & STOP_LEASE)
        snprintf(text, sizeof(text), "the lease was lost while the handler ran");
    else
        snprintf(text, sizeof(text), "the handler returned %d", rc);
    set_error(a, text);
}

static uint64_t bounded(uint64_t ms)
{
    return ms < DELAY_MAX_MS ? ms : DELAY_MAX_MS;
}

static uint64_t retry_delay(const struct dray_attempt *a)
{
    const struct dray_handler_options *own = &a->handler->options;
    if (a->word == WORD_RETRY_IN)
        return bounded(a->word_ms);
    if (own->backoff_fn)
        return bounded(own->backoff_fn(a->number, a->handler->user));
    if (own->backoff.strategy != DRAY_BACKOFF_DEFAULT)
        return backoff_ms(&own->backoff, a->number);
    return backoff_ms(&a->dray->handlers.default_backoff, a->number);
}

static void decide_success(struct dray_attempt *a)
{
    a->fate = FATE_DONE;
    if (a->word == WORD_REPEAT_IN) {
        a->lease.verdict = DRAY_VERDICT_REPEAT;
        a->lease.delay_ms = bounded(a->word_ms);
    } else {
        a->lease.verdict = DRAY_VERDICT_DONE;
        if (a->dray->config->keep.done_ms && (a->dray->store->driver.can & DRAY_CAN_KEEP))
            a->lease.flags |= DRAY_LEASE_KEEP;
    }
    if (a->result)
        a->lease.result = str_from(a->result);
}

static void decide_failure(struct dray_attempt *a, int rc)
{
    uint32_t reasons = atomic_load(&a->stop_reasons);
    int said_when = a->word == WORD_RETRY_IN || a->word == WORD_GIVE_UP;
    complete_error(a, rc, reasons);
    a->lease.error = str_from(a->error);
    if ((reasons & STOP_WORKER) && !(reasons & (STOP_CANCELLED | STOP_TIMEOUT)) && !said_when) {
        a->fate = FATE_RELEASED;
        a->lease.verdict = DRAY_VERDICT_RELEASE;
    } else if ((reasons & STOP_CANCELLED) || a->word == WORD_GIVE_UP ||
               a->number >= a->max_attempts) {
        a->fate = FATE_DEAD;
        a->lease.verdict = DRAY_VERDICT_BURY;
    } else {
        a->fate = FATE_AGAIN;
        a->lease.verdict = DRAY_VERDICT_AGAIN;
        a->lease.delay_ms = retry_delay(a);
    }
}

void attempt_run(struct dray_attempt *a)
{
    a->outer = live_above(__builtin_frame_address(0));
    a->frame = (uintptr_t)__builtin_frame_address(0);
    current = a;
    int rc = a->handler->command ? run_command(a) : a->handler->fn(a, a->handler->user);
    current = a->outer;
    int failed = a->word == WORD_NONE || a->word == WORD_REPEAT_IN ? rc != DRAY_OK : 1;
    if (failed)
        decide_failure(a, rc);
    else
        decide_success(a);
}

/* Drawn from the last quarter of the wait, so that parked jobs do not come back together. */
static uint64_t park_delay(uint32_t releases)
{
    uint64_t ms = releases < 5 ? PARK_FIRST_MS << releases : PARK_MOST_MS;
    if (ms > PARK_MOST_MS)
        ms = PARK_MOST_MS;
    return (uint64_t)((double)ms * (0.75 + 0.25 * random_unit()));
}

void attempt_decide_unstarted(struct dray_attempt *a, enum attempt_fate fate)
{
    a->fate = fate;
    if (fate == FATE_EXHAUSTED) {
        a->lease.verdict = DRAY_VERDICT_BURY;
        a->lease.flags |= DRAY_LEASE_UNCHARGE;
        return;
    }
    a->lease.verdict = DRAY_VERDICT_RELEASE;
    a->lease.delay_ms = fate == FATE_PARKED ? park_delay(a->releases) : 0;
}

void attempt_decide_cancelled(struct dray_attempt *a)
{
    static const char text[] = "cancelled";
    int started = a->fate == FATE_AGAIN || a->fate == FATE_DONE;
    a->fate = FATE_DEAD;
    a->lease.verdict = DRAY_VERDICT_BURY;
    a->lease.flags = started ? 0 : DRAY_LEASE_UNCHARGE;
    a->lease.error = str_of(text, sizeof(text) - 1);
    set_error(a, text);
}
