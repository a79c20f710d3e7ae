/* SPDX-License-Identifier: Apache-2.0 */
/* The file driver: jobs in one file of JSON lines, shared by the processes of one machine. */
#include "dray/driver.h"
#include "file/open.h"
#include "file/people.h"
#include "file/session.h"
#include "file/turn.h"

#include <errno.h>
#include <string.h>

static const struct dray_option options[] = {
    {.type = DRAY_OPTION_PATH,
        .name = "path",
        .fallback = "var/queue/jobs.jsonl",
        .help = "the queue file; its folder is made if it is missing"},
    {.type = DRAY_OPTION_SIZE,
        .name = "max_file_size",
        .fallback = "5MiB",
        .help = "written anew when larger than this and than twice what lives in it",
        .min = 64 * 1024,
        .max = (int64_t)1 << 40},
    {.type = DRAY_OPTION_INTEGER,
        .name = "max_backups",
        .fallback = "5",
        .help = "old files kept as PATH.1 and so on, those above max_file_size excepted",
        .min = 0,
        .max = 1000},
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
    .name = "file",
    .version = "1",
    .summary = "one file of JSON lines, several processes of one machine",
    .can = DRAY_CAN_PRIORITY | DRAY_CAN_UNIQUE | DRAY_CAN_KEEP | DRAY_CAN_REPLAY | DRAY_IS_SHARED,
    .max_push = SESSION_MAX_PUSH,
    .max_batch = SESSION_MAX_BATCH,
    .options = options,
    .noptions = sizeof(options) / sizeof(options[0]),
    .option_size = sizeof(struct dray_option),
    .open = store_open,
    .close = store_close,
    .push = turn_push,
    .reserve = turn_reserve,
    .ack = turn_settle,
    .retry = turn_settle,
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
