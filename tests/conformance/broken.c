/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory driver with one rule broken, chosen by -DBREAK=BREAK_x: proof that the checks can
 * fail. Each is registered with the clause that has to catch it. With -DBARE it offers the four
 * operations that every driver has, one job at a time, and nothing else.
 */
#include "common/volatile.h"

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BREAK_NOTHING 0
#define BREAK_STALE 1     /* takes tokens that are not current */
#define BREAK_MEMBER 2    /* stores a group without its last member */
#define BREAK_DELAY 3     /* forgets delays */
#define BREAK_ATTEMPTS 4  /* does not count the attempt it hands out */
#define BREAK_DOUBLE 5    /* hands out again while the lease lasts */
#define BREAK_BUSY 6      /* says busy now and then, and has stored the group */
#define BREAK_ORDER 7     /* the highest priority number first */
#define BREAK_PARTIAL 8   /* stores what is fine of a refused group */
#define BREAK_UNIQUE 9    /* does not keep unique keys */
#define BREAK_PAYLOAD 10  /* cuts long payloads */
#define BREAK_RELEASE 11  /* charges a released job */
#define BREAK_CANCEL 12   /* does not tell of a cancel */
#define BREAK_NOMEM 13    /* says out of memory, and has settled */
#define BREAK_LEAK 14     /* keeps its memory when closed */
#define BREAK_TOTALS 15   /* counts runs double */
#define BREAK_LIST 16     /* begins every listing anew: shows jobs twice */
#define BREAK_EXTEND 17   /* shortens leases */
#define BREAK_CONFLICT 18 /* takes other content under an old id for the same */
#define BREAK_CRASH 19    /* crashes when an ack comes */
#define BREAK_HANG 20     /* never comes back from a retry */
#define BREAK_EXIT 21     /* ends the process when an ack comes */
#define BREAK_OPENS 22    /* leaves a descriptor open */
#define BREAK_RESEND 23   /* takes whatever is sent again for stored */
#define BREAK_LEVEL 24    /* promises to outlive the host */
#define BREAK_QUIET 25    /* does not say why it refuses */
#define BREAK_CASE 26     /* takes "A" for "a" */
#define BREAK_PAUSE 27    /* does not pause */
#define BREAK_REMOVE 28   /* removes active jobs without force */
#define BREAK_RESTORE 29  /* stores what is restored as new */
#define BREAK_NEXT 30     /* says that nothing waits for a time */
#define BREAK_KEEP 31     /* never prunes */
#define BREAK_REPLAY 32   /* hands out more when asked for the same */
#define BREAK_BURY 33     /* forgets dead jobs */
#define BREAK_REPEAT 34   /* counts a repeat as a failure */
#define BREAK_KICK 35     /* kicks nothing, and says so to nobody */
#define BREAK_FIELDS 36   /* loses the group */
#define BREAK_ERROR 37    /* loses errors */
#define BREAK_ACK 38      /* an ack is forgotten */
#define BREAK_HINT 39     /* trusts the hint instead of the id */
#define BREAK_EARLY 40    /* ten seconds early for what is scheduled */
#define BREAK_FULL 41     /* says full, and has stored the group */
#define BREAK_TURNS 42    /* takes outcomes in the order of handing out alone */

#define MEMBERS_MAX 64u

static const struct dray_driver driver;

/* A copy of a job as the broken rule has it. */
static struct dray_job bend_job(const struct dray_job *job)
{
    struct dray_job bent = *job;

    if (BREAK == BREAK_DELAY)
        bent.delay_ms = 0;
    if (BREAK == BREAK_ORDER)
        bent.priority = DRAY_PRIORITY_LAST - bent.priority;
    if (BREAK == BREAK_UNIQUE)
        bent.unique.len = 0;
    if (BREAK == BREAK_PAYLOAD && bent.payload.len > 65535)
        bent.payload.len = 65535;
    if (BREAK == BREAK_EARLY && bent.run_at_ms)
        bent.run_at_ms -= 10000;
    if (BREAK == BREAK_FIELDS)
        bent.group.len = 0;
    return bent;
}

/* Small letters. */
static struct dray_str lower(char out[DRAY_NAME_MAX], struct dray_str id)
{
    for (uint64_t i = 0; i < id.len && i < DRAY_NAME_MAX; i++)
        out[i] = (char)tolower((unsigned char)id.data[i]);
    return (struct dray_str){out, id.len};
}

static int32_t push_bent(void *self, struct dray_call *call, struct dray_push *group)
{
    static unsigned calls;
    struct dray_job jobs[MEMBERS_MAX];
    const struct dray_job *list[MEMBERS_MAX];
    struct dray_push bent = *group;

    if (group->njobs > driver.max_push)
        return DRAY_LIMIT;
    if (group->njobs > MEMBERS_MAX)
        return volatile_push(self, call, group);
    if (BREAK == BREAK_RESEND && (group->flags & DRAY_PUSH_RESEND)) {
        for (uint32_t i = 0; i < group->njobs; i++)
            group->answers[i] = DRAY_EXISTS;
        return group->code = DRAY_OK;
    }
    char ids[MEMBERS_MAX][DRAY_NAME_MAX];
    for (uint32_t i = 0; i < group->njobs; i++) {
        jobs[i] = bend_job(group->jobs[i]);
        list[i] = &jobs[i];
        if (BREAK == BREAK_CASE)
            jobs[i].id = lower(ids[i], jobs[i].id);
    }
    bent.jobs = list;
    if (BREAK == BREAK_RESTORE)
        bent.flags &= ~(uint32_t)DRAY_PUSH_RESTORE;
    if (BREAK == BREAK_MEMBER && bent.njobs > 1)
        bent.njobs--;
    int32_t code = volatile_push(self, call, &bent);
    if (BREAK == BREAK_FULL && code == DRAY_FULL) {
        bent.capacity = 0;
        volatile_push(self, call, &bent);
    }
    if (BREAK == BREAK_QUIET)
        call->error->text[0] = 0;
    if (BREAK == BREAK_BUSY && ++calls % 50 == 0)
        return DRAY_BUSY;
    if (BREAK == BREAK_CONFLICT && bent.njobs == 1 && code == DRAY_CONFLICT) {
        bent.answers[0] = DRAY_EXISTS;
        return DRAY_OK;
    }
    for (uint32_t i = 0; BREAK == BREAK_PARTIAL && code != DRAY_OK && i < bent.njobs; i++) {
        int32_t answer = DRAY_OK;
        struct dray_push one = *group;
        one.jobs = &list[i];
        one.answers = &answer;
        one.holders = NULL;
        one.njobs = 1;
        volatile_push(self, call, &one);
    }
    return group->code = code;
}

/* BREAK_TURNS: the nonces that are out, the oldest first. */
static uint64_t out[MEMBERS_MAX];
static unsigned nout;

static void hand_out(struct dray_token token)
{
    if (BREAK == BREAK_TURNS && nout < MEMBERS_MAX)
        out[nout++] = token.nonce;
}

static int is_out_of_turn(struct dray_token token)
{
    if (BREAK != BREAK_TURNS || nout == 0)
        return 0;
    if (out[0] != token.nonce)
        return 1;
    memmove(out, out + 1, --nout * sizeof(out[0]));
    return 0;
}

/* The call that volatile_reserve sees, and the one to pass on to. */
struct relay {
    struct dray_call call;
    struct dray_call *to;
};

static void relay_job(struct dray_call *call, const struct dray_job *job)
{
    struct dray_call *to = ((struct relay *)(void *)call)->to;
    struct dray_job bent = *job;

    hand_out(job->token);
    if (BREAK == BREAK_ATTEMPTS)
        bent.attempts--;
    if (BREAK == BREAK_ORDER)
        bent.priority = DRAY_PRIORITY_LAST - bent.priority;
    to->job(to, &bent);
}

static int32_t reserve_bent(void *self, struct dray_call *call, const struct dray_reserve *want)
{
    struct relay relay = {*call, call};
    struct dray_reserve bent = *want;

    relay.call.job = relay_job;
    if (BREAK == BREAK_DOUBLE)
        bent.lease_ms /= 2;
    if (BREAK == BREAK_KEEP)
        bent.keep_done_ms = bent.keep_dead_ms = bent.keep_max = UINT64_MAX;
    if (BREAK == BREAK_REPLAY)
        bent.flags = 0;
    int32_t code = volatile_reserve(self, &relay.call, &bent);
    call->next_ms = BREAK == BREAK_NEXT ? DRAY_NEXT_NEVER : relay.call.next_ms;
    return code;
}

/* What does not come back, or not in one piece. */
static void be_fatal(uint32_t verdict)
{
    if (BREAK == BREAK_CRASH && verdict == DRAY_VERDICT_DONE)
        raise(SIGSEGV);
    if (BREAK == BREAK_EXIT && verdict == DRAY_VERDICT_DONE)
        exit(0);
    while (BREAK == BREAK_HANG && verdict == DRAY_VERDICT_AGAIN)
        pause();
}

static uint32_t bend_verdict(uint32_t verdict)
{
    if (BREAK == BREAK_RELEASE && verdict == DRAY_VERDICT_RELEASE)
        return DRAY_VERDICT_AGAIN;
    if (BREAK == BREAK_BURY && verdict == DRAY_VERDICT_BURY)
        return DRAY_VERDICT_DONE;
    if (BREAK == BREAK_REPEAT && verdict == DRAY_VERDICT_REPEAT)
        return DRAY_VERDICT_AGAIN;
    return verdict;
}

static int32_t settle_bent(void *self, struct dray_call *call,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct dray_lease bent = *leases[i];
        const struct dray_lease *list = &bent;
        be_fatal(bent.verdict);
        if (BREAK == BREAK_ACK && bent.verdict == DRAY_VERDICT_DONE)
            continue;
        bent.verdict = bend_verdict(bent.verdict);
        if (BREAK == BREAK_ERROR)
            bent.error.len = 0;
        if ((BREAK == BREAK_HINT && bent.ref == 0) || is_out_of_turn(bent.token))
            answers[i] = DRAY_STALE;
        if (answers[i] == DRAY_STALE)
            continue;
        if (BREAK == BREAK_TOTALS)
            bent.run_ms *= 2;
        volatile_settle(self, call, &list, &answers[i], 1);
        if (BREAK == BREAK_STALE && answers[i] == DRAY_STALE)
            answers[i] = DRAY_OK;
        if (BREAK == BREAK_NOMEM && answers[i] == DRAY_NOMEM) {
            bent.error.len = bent.result.len = bent.progress.len = 0;
            volatile_settle(self, call, &list, &answers[i], 1);
            answers[i] = DRAY_NOMEM;
        }
    }
    return DRAY_OK;
}

#ifndef BARE
static int32_t extend_bent(void *self, struct dray_call *call,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    int32_t code = DRAY_OK;

    for (uint32_t i = 0; i < n && code == DRAY_OK; i++) {
        struct dray_lease bent = *leases[i];
        const struct dray_lease *list = &bent;
        if (BREAK == BREAK_EXTEND)
            bent.lease_ms /= 2;
        code = volatile_extend(self, call, &list, &answers[i], 1);
        if (BREAK == BREAK_CANCEL && answers[i] == DRAY_CANCELLED)
            answers[i] = DRAY_OK;
    }
    return code;
}

static int32_t change_bent(void *self, struct dray_call *call, const struct dray_change *change)
{
    struct dray_change bent = *change;

    if (BREAK == BREAK_PAUSE && bent.what == DRAY_CHANGE_PAUSE)
        return DRAY_OK;
    if (BREAK == BREAK_KICK && bent.what == DRAY_CHANGE_KICK)
        return DRAY_OK;
    if (BREAK == BREAK_REMOVE)
        bent.flags |= DRAY_CHANGE_FORCE;
    return volatile_change(self, call, &bent);
}

static int32_t list_bent(void *self, struct dray_call *call, struct dray_filter *filter)
{
    if (BREAK == BREAK_LIST && filter->cursor[1] == 0) {
        filter->cursor[0] = 0;
        int32_t code = volatile_list(self, call, filter);
        filter->cursor[1] = filter->cursor[0] != 0;
        return code;
    }
    if (BREAK == BREAK_LIST)
        filter->cursor[0] = filter->cursor[1] = 0;
    return volatile_list(self, call, filter);
}

#endif

static void close_bent(void *self)
{
    if (BREAK != BREAK_LEAK)
        volatile_close(self);
}

static int32_t open_bent(void *self, struct dray_call *call, const struct dray_host *host)
{
    if (BREAK == BREAK_OPENS && open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
        return DRAY_IO;
    int32_t code = volatile_open(self, call, host, "broken");
    if (BREAK == BREAK_LEVEL)
        call->durability = DRAY_DURABILITY_HOST;
    return code;
}

static const struct dray_driver driver = {
    .magic = DRAY_MAGIC,
    .abi = DRAY_ABI,
    .size = sizeof(struct dray_driver),
    .instance_size = sizeof(struct volatile_store),
    .name = "broken",
    .version = VOLATILE_VERSION,
    .summary = "breaks one rule of the contract",
#ifndef BARE
    .can = DRAY_CAN_PRIORITY | DRAY_CAN_UNIQUE | DRAY_CAN_KEEP | DRAY_CAN_REPLAY | DRAY_IS_QUICK,
    .max_push = VOLATILE_MAX,
    .max_batch = VOLATILE_MAX,
    .extend = extend_bent,
    .change = change_bent,
    .list = list_bent,
    .stats = volatile_stats,
#else
    .max_push = 1,
    .max_batch = 1,
#endif
    .options = volatile_options,
    .noptions = sizeof(volatile_options) / sizeof(volatile_options[0]),
    .option_size = sizeof(struct dray_option),
    .open = open_bent,
    .close = close_bent,
    .push = push_bent,
    .reserve = reserve_bent,
    .ack = settle_bent,
    .retry = settle_bent,
};

const struct dray_driver *dray_driver_entry(void)
{
    return &driver;
}
