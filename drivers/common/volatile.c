/* SPDX-License-Identifier: Apache-2.0 */
#include "common/volatile.h"

const struct dray_option volatile_options[1] = {
    {.type = DRAY_OPTION_INTEGER,
        .name = "capacity",
        .fallback = "1000000",
        .help = "jobs kept at most, dead and done ones included; more are refused as full",
        .min = 1,
        .max = 100000000},
};

static struct table_now now_of(const struct volatile_store *store)
{
    int64_t mono_ms = store->host->mono_ms(store->host);

    return (struct table_now){mono_ms, store->host->wall_ms(store->host), mono_ms};
}

/* Whether a group needs the monotonic clock: only jobs that wait for a time do, and reading a clock
   is a good part of what a push costs. */
static int is_timed(const struct dray_push *group)
{
    for (uint32_t i = 0; i < group->njobs; i++) {
        if (group->jobs[i]->delay_ms || group->jobs[i]->run_at_ms)
            return 1;
    }
    return 0;
}

int32_t volatile_open(struct volatile_store *store, struct dray_call *call,
    const struct dray_host *host, const char *driver)
{
    if (call->durability > DRAY_DURABILITY_VOLATILE)
        return host->fail(call, DRAY_UNSUPPORTED, 0,
            "the %s driver keeps jobs in the memory of the process; for a durability other than "
            "volatile use file, sqlite or redis",
            driver);
    call->durability = DRAY_DURABILITY_VOLATILE;
    store->host = host;
    store->table = table_new(host, driver, (uint64_t)host->number(host, "capacity"));
    if (!store->table)
        return host->fail(call, DRAY_NOMEM, 0, "no memory to open the %s driver", driver);
    return DRAY_OK;
}

void volatile_close(void *self)
{
    struct volatile_store *store = self;

    table_free(store->table);
    store->table = NULL;
}

static int32_t push_at(struct volatile_store *store, struct dray_call *call,
    const struct table_now *now, struct dray_push *group)
{
    if (group->njobs <= VOLATILE_MAX)
        return table_push(store->table, call, now, group);
    group->code = store->host->fail(call, DRAY_LIMIT, 0,
        "a batch of %u jobs is above the limit of %u; split it", group->njobs, VOLATILE_MAX);
    return group->code;
}

int32_t volatile_push(void *self, struct dray_call *call, struct dray_push *group)
{
    struct volatile_store *store = self;
    struct table_now now = {0, 0, 0};

    if (is_timed(group))
        now = now_of(store);
    else
        now.wall_ms = store->host->wall_ms(store->host);
    return push_at(store, call, &now, group);
}

int32_t volatile_reserve(void *self, struct dray_call *call, const struct dray_reserve *want)
{
    struct volatile_store *store = self;
    struct table_now now = now_of(store);

    return table_reserve(store->table, call, &now, want);
}

int32_t volatile_settle(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    struct volatile_store *store = self;
    struct table_now now = now_of(store);

    table_settle(store->table, call, &now, leases, answers, n);
    return DRAY_OK;
}

int32_t volatile_extend(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    struct volatile_store *store = self;
    struct table_now now = now_of(store);

    table_extend(store->table, call, &now, leases, answers, n);
    return DRAY_OK;
}

int32_t volatile_turn(void *self, struct dray_call *call, struct dray_turn *turn)
{
    struct volatile_store *store = self;

    struct table_now now = now_of(store);
    table_settle(store->table, call, &now, turn->settle, turn->settle_answers, turn->nsettle);
    for (uint32_t i = 0; i < turn->npush; i++)
        push_at(store, call, &now, turn->push[i]);
    table_extend(store->table, call, &now, turn->extend, turn->extend_answers, turn->nextend);
    if (turn->reserve)
        turn->reserve_code = table_reserve(store->table, call, &now, turn->reserve);
    return DRAY_OK;
}

int32_t volatile_change(void *self, struct dray_call *call, const struct dray_change *change)
{
    struct volatile_store *store = self;
    struct table_now now = now_of(store);

    return table_change(store->table, call, &now, change);
}

int32_t volatile_list(void *self, struct dray_call *call, struct dray_filter *filter)
{
    struct volatile_store *store = self;
    struct table_now now = now_of(store);

    return table_list(store->table, call, &now, filter);
}

int32_t volatile_stats(
    void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n)
{
    struct volatile_store *store = self;
    struct table_now now = now_of(store);

    return table_stats(store->table, call, &now, queues, n);
}
