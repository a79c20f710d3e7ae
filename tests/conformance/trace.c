/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

#include "check.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const verdicts[] = {"?", "done", "again", "release", "bury", "repeat"};

void trace_line(uint32_t step, const char *fmt, ...)
{
    va_list args;

    printf("%5u  ", step);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}

static void trace_group(uint32_t step, const struct dray_push *group)
{
    trace_line(step, "push to %.*s, flags %u, capacity %llu: %s", (int)group->queue.len,
        group->queue.data, group->flags, (unsigned long long)group->capacity,
        code_name(group->code));
    for (uint32_t i = 0; i < group->njobs; i++) {
        const struct dray_job *job = group->jobs[i];
        trace_line(step, "  %.*s type %.*s key %.*s priority %u state %u delay %llu at %lld: %s",
            (int)job->id.len, job->id.data, (int)job->type.len, job->type.data,
            (int)job->unique.len, job->unique.len ? job->unique.data : "", job->priority,
            job->state, (unsigned long long)job->delay_ms, (long long)job->run_at_ms,
            code_name(group->answers[i]));
    }
}

static void trace_lease(
    uint32_t step, const char *what, const struct dray_lease *lease, int32_t answer)
{
    trace_line(step, "%s %.*s/%.*s token %llu.%llu delay %llu lease %llu: %s", what,
        (int)lease->queue.len, lease->queue.data, (int)lease->id.len, lease->id.data,
        (unsigned long long)lease->token.counter, (unsigned long long)lease->token.nonce,
        (unsigned long long)lease->delay_ms, (unsigned long long)lease->lease_ms,
        code_name(answer));
}

void trace_turn(uint32_t step, const struct dray_turn *turn, const struct shown_list *handed)
{
    for (uint32_t i = 0; i < turn->nsettle; i++)
        trace_lease(
            step, verdicts[turn->settle[i]->verdict], turn->settle[i], turn->settle_answers[i]);
    for (uint32_t i = 0; i < turn->npush; i++)
        trace_group(step, turn->push[i]);
    for (uint32_t i = 0; i < turn->nextend; i++)
        trace_lease(step, "extend", turn->extend[i], turn->extend_answers[i]);
    if (!turn->reserve)
        return;
    trace_line(step, "reserve %u of %.*s%s, lease %llu: %s", turn->reserve->max,
        (int)turn->reserve->queues[0].len, turn->reserve->queues[0].data,
        turn->reserve->nqueues > 1 ? " and the other" : "",
        (unsigned long long)turn->reserve->lease_ms, code_name(turn->reserve_code));
    for (size_t i = 0; i < handed->n; i++)
        trace_line(step, "  %.*s/%.*s token %llu.%llu attempts %u",
            (int)handed->at[i].job.queue.len, handed->at[i].job.queue.data,
            (int)handed->at[i].job.id.len, handed->at[i].job.id.data,
            (unsigned long long)handed->at[i].job.token.counter,
            (unsigned long long)handed->at[i].job.token.nonce, handed->at[i].job.attempts);
}
