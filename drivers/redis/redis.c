/* SPDX-License-Identifier: Apache-2.0 */
/* The redis driver: jobs in a Redis server, shared by the programs of many machines. */
#include "dray/driver.h"
#include "redis/people.h"
#include "redis/split.h"
#include "redis/store.h"
#include "redis/turn.h"

static const struct dray_option options[] = {
    {.type = DRAY_OPTION_CONNECTION,
        .name = "connection",
        .fallback = "default",
        .help = "the entry of `connections` that says where the server is"},
    {.type = DRAY_OPTION_STRING,
        .name = "prefix",
        .fallback = "dray",
        .help = "begins every key; stores of different prefixes do not see each other"},
    {.type = DRAY_OPTION_DURATION,
        .name = "dedupe_keep",
        .fallback = "2m",
        .help = "how long ids that have ended are remembered, so that a push sent twice runs once",
        .min = 0,
        .max = 86400000},
    {.type = DRAY_OPTION_CHOICE,
        .name = "clock",
        .fallback = "server",
        .choices = "server|host",
        .help = "whose time counts; host is for tests that move the clock by hand"},
};

static int32_t watch(
    void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n, int32_t *fd)
{
    return bell_watch(self, call, queues, n, fd);
}

static const struct dray_driver driver = {
    .magic = DRAY_MAGIC,
    .abi = DRAY_ABI,
    .size = sizeof(struct dray_driver),
    .instance_size = sizeof(struct store),
    .name = "redis",
    .version = "1",
    .summary = "a Redis server, programs of many machines",
    .can = DRAY_CAN_PRIORITY | DRAY_CAN_UNIQUE | DRAY_CAN_KEEP | DRAY_CAN_REPLAY | DRAY_IS_SHARED,
    .max_push = TURN_MAX_PUSH,
    .max_batch = TURN_MAX_BATCH,
    .options = options,
    .noptions = sizeof(options) / sizeof(options[0]),
    .option_size = sizeof(struct dray_option),
    .open = store_open,
    .close = store_close,
    .push = split_push,
    .reserve = turn_reserve,
    .ack = turn_settle,
    .retry = turn_settle,
    .extend = turn_extend,
    .turn = split_turn,
    .watch = watch,
    .change = people_change,
    .list = people_list,
    .stats = people_stats,
    .tend = people_tend,
};

DRAY_API const struct dray_driver *dray_driver_entry(void)
{
    return &driver;
}
