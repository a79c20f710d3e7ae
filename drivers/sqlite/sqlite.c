/* SPDX-License-Identifier: Apache-2.0 */
/* The sqlite driver: jobs in one SQLite database, shared by the processes of one machine. */
#include "dray/driver.h"
#include "sqlite/open.h"
#include "sqlite/people.h"
#include "sqlite/turn.h"

#include <errno.h>
#include <string.h>

static const struct dray_option options[] = {
    {.type = DRAY_OPTION_PATH,
        .name = "path",
        .fallback = "var/queue.db",
        .help = "the database file; its folder is made if it is missing"},
    {.type = DRAY_OPTION_SIZE,
        .name = "spare",
        .fallback = "4MiB",
        .help = "disk room kept for outcomes when the disk is full; 0 keeps none",
        .min = 0,
        .max = (int64_t)1 << 30},
    {.type = DRAY_OPTION_BOOLEAN,
        .name = "network",
        .fallback = "false",
        .help = "allow a network file system, for one machine alone"},
};

/* `watch`: the bell serves all queues. */
static int32_t watch(
    void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n, int32_t *fd)
{
    struct store *store = self;
    (void)queues;
    (void)n;
    *fd = bell_watch(&store->bell, store->lock_path);
    if (*fd >= 0)
        return DRAY_OK;
    int sys = errno;
    return store->host->fail(call, DRAY_IO, sys,
        "%s: cannot be watched (%s); raise fs.inotify.max_user_instances, or live with polling",
        store->lock_path, strerror(sys));
}

static const struct dray_driver driver = {
    .magic = DRAY_MAGIC,
    .abi = DRAY_ABI,
    .size = sizeof(struct dray_driver),
    .instance_size = sizeof(struct store),
    .name = "sqlite",
    .version = "1",
    .summary = "one SQLite database file, several processes of one machine",
    .can = DRAY_CAN_PRIORITY | DRAY_CAN_UNIQUE | DRAY_CAN_KEEP | DRAY_CAN_REPLAY | DRAY_IS_SHARED,
    .max_push = TURN_MAX_PUSH,
    .max_batch = TURN_MAX_BATCH,
    .options = options,
    .noptions = sizeof(options) / sizeof(options[0]),
    .option_size = sizeof(struct dray_option),
    .open = store_open,
    .close = store_close,
    .push = turn_push,
    .reserve = turn_reserve,
    .ack = turn_ack,
    .retry = turn_retry,
    .extend = turn_extend,
    .turn = turn_turn,
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
