/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

#include "check.h"
#include "journal.h"

/* Of a call on many items so many are told. */
#define ITEMS 6u

typedef unsigned long long number;

static void tell_rest(uint64_t n)
{
    if (n > ITEMS)
        journal_add("  and %llu more", (number)(n - ITEMS));
}

void trace_group(const struct dray_push *group, int32_t code)
{
    if (group->njobs != 1 || group->flags || group->capacity)
        journal_add("push %u to %.*s, flags %u, capacity %llu: %s", group->njobs,
            (int)group->queue.len, group->queue.data, group->flags, (number)group->capacity,
            code_name(code));
    for (uint32_t i = 0; i < group->njobs && i < ITEMS; i++) {
        const struct dray_job *job = group->jobs[i];
        journal_add("%s %.*s/%.*s type %.*s key %.*s priority %u state %u delay %llu at %lld: %s",
            group->njobs == 1 ? "push" : " ", (int)group->queue.len, group->queue.data,
            (int)job->id.len, job->id.data, (int)job->type.len, job->type.data,
            (int)job->unique.len, job->unique.len ? job->unique.data : "", job->priority,
            job->state, (number)job->delay_ms, (long long)job->run_at_ms,
            code_name(group->answers[i] != DRAY_OK ? group->answers[i] : code));
    }
    tell_rest(group->njobs);
}

void trace_leases(
    const char *what, const struct dray_lease *const *leases, const int32_t *answers, uint32_t n)
{
    static const char *const verdicts[] = {"?", "done", "again", "release", "bury", "repeat"};

    for (uint32_t i = 0; i < n && i < ITEMS; i++) {
        const struct dray_lease *lease = leases[i];
        const char *name = lease->verdict <= DRAY_VERDICT_REPEAT ? verdicts[lease->verdict] : "?";
        journal_add("%s %.*s/%.*s token %llu.%llu delay %llu lease %llu: %s", what ? what : name,
            (int)lease->queue.len, lease->queue.data, (int)lease->id.len, lease->id.data,
            (number)lease->token.counter, (number)lease->token.nonce, (number)lease->delay_ms,
            (number)lease->lease_ms, code_name(answers[i]));
    }
    tell_rest(n);
}

void trace_reserve(const struct dray_reserve *want, int32_t code, const struct shown_list *handed)
{
    journal_add("reserve %u of %.*s%s, lease %llu: %s, %zu handed out", want->max,
        (int)want->queues[0].len, want->queues[0].data, want->nqueues > 1 ? " and others" : "",
        (number)want->lease_ms, code_name(code), handed->n);
    for (size_t i = 0; i < handed->n && i < ITEMS; i++) {
        const struct dray_job *job = &handed->at[i].job;
        journal_add("  %.*s/%.*s token %llu.%llu attempts %u", (int)job->queue.len, job->queue.data,
            (int)job->id.len, job->id.data, (number)job->token.counter, (number)job->token.nonce,
            job->attempts);
    }
    tell_rest(handed->n);
}

void trace_turn(const struct dray_turn *turn, const struct shown_list *handed)
{
    journal_add("a turn:");
    trace_leases(NULL, turn->settle, turn->settle_answers, turn->nsettle);
    for (uint32_t i = 0; i < turn->npush; i++)
        trace_group(turn->push[i], turn->push[i]->code);
    trace_leases("extend", turn->extend, turn->extend_answers, turn->nextend);
    if (turn->reserve)
        trace_reserve(turn->reserve, turn->reserve_code, handed);
}

void trace_change(const struct dray_change *change, int32_t code)
{
    static const char *const kinds[] = {
        "?", "kick", "cancel", "remove", "pause", "resume", "reset"};
    const struct dray_str id = change->nids ? change->ids[0] : (struct dray_str){"", 0};

    journal_add("%s %.*s%s%.*s%s: %s",
        change->what <= DRAY_CHANGE_RESET ? kinds[change->what] : "?", (int)change->queue.len,
        change->queue.data, id.len ? "/" : "", (int)id.len, id.data,
        change->flags & DRAY_CHANGE_FORCE ? " by force" : "",
        code_name(code != DRAY_OK || !change->nids ? code : change->answers[0]));
}
