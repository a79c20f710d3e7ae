/* SPDX-License-Identifier: Apache-2.0 */
/* The program's own code on a worker's threads, and the functions of dray_run_inline. */
#include "host/error.h"
#include "host/fork.h"
#include "worker/worker.h"

#include <sysexits.h>
#include <unistd.h>

static _Thread_local const struct dray *works_for;

const struct dray *worker_enter(const struct dray *dray)
{
    const struct dray *before = works_for;
    works_for = dray;
    return before;
}

void worker_leave(const struct dray *before)
{
    works_for = before;
}

void worker_end_child(const struct dray *dray)
{
    static const char line[] =
        "dray: a handler or callback has forked and returned in the child, which ends here; "
        "end it by _exit()\n";
    if (dray->generation == fork_generation())
        return;
    ssize_t n = write(STDERR_FILENO, line, sizeof(line) - 1); /* the log is the parent's */
    (void)n;
    _exit(EX_SOFTWARE);
}

int worker_is_inside(const struct dray *dray)
{
    const struct dray_attempt *a = attempt_current(); /* on sync there is no worker */
    return works_for == dray || (a && a->dray == dray);
}

/* ---- inline calls ---- */

void calls_refuse(struct worker *w)
{
    for (struct inline_call *call = w->calls; call; call = w->calls) {
        w->calls = call->next;
        call->refused = 1;
        pthread_cond_signal(&call->finished);
        call->done = 1;
    }
    w->last_call = &w->calls;
}

/* Has an executor run it, and waits. */
static int call_executor(struct dray *dray, struct inline_call *call, struct dray_error *error)
{
    pthread_mutex_lock(&dray->lock);
    struct worker *w = dray->worker;
    if (!w || atomic_load(&w->stopping)) {
        pthread_mutex_unlock(&dray->lock);
        return error_set(error, DRAY_INVALID, 0,
            "no worker runs in the background; start one with dray_worker_start");
    }
    pthread_cond_init(&call->finished, NULL);
    *w->last_call = call;
    w->last_call = &call->next;
    atomic_fetch_add(&w->pushes, 1);
    worker_wake(w);
    while (!call->done)
        pthread_cond_wait(&call->finished, &dray->lock);
    pthread_mutex_unlock(&dray->lock);
    pthread_cond_destroy(&call->finished);
    if (call->refused)
        return error_set(error, DRAY_CLOSED, 0, "the worker ended before it ran the function");
    return DRAY_OK;
}

int dray_run_inline(
    struct dray *dray, int (*fn)(void *arg), void *arg, int *result, struct dray_error *error)
{
    struct inline_call call = {.fn = fn, .arg = arg};
    int code = instance_check(dray, error);
    if (code != DRAY_OK)
        return code;
    if (!fn)
        return error_set(error, DRAY_INVALID, 0, "no function was given");
    if (worker_is_inside(dray) || dray->info.runs_inline)
        call.result = fn(arg);
    else
        code = call_executor(dray, &call, error);
    if (code == DRAY_OK && result)
        *result = call.result;
    return code;
}
