/* SPDX-License-Identifier: CC0-1.0 */
/* The driver: jobs in a PostgreSQL database, shared by the programs of many machines. */
#include "people.h"
#include "store.h"
#include "turn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SCHEMA_MAX 63u /* NAMEDATALEN - 1 */

void store_enter(struct store *store, const struct dray_call *call)
{
    int64_t timeout = store->host->number(store->host, "connection.timeout");
    store->link.budget_ms = call->budget_ms;
    if (timeout > 0 && timeout < call->budget_ms)
        store->link.budget_ms = (uint32_t)timeout;
    store->link.deadline_ms = link_clock_ms() + store->link.budget_ms;
    bell_mute(store);
}

void store_leave(struct store *store)
{
    bell_unmute(store);
}

int32_t store_no_memory(struct store *store, struct dray_call *call)
{
    return store->host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", store->link.where);
}

/* A server's clock does not follow when somebody sets the clock of this machine; neither does the
   one that stands in for it in tests. */
int64_t store_schedule(const struct store *store, int64_t run_at_ms)
{
    const struct dray_host *host = store->host;
    int64_t ahead = store->ahead_ms + host->mono_ms(host) - host->wall_ms(host), sum;
    if (!store->host_clock || __builtin_add_overflow(run_at_ms, ahead, &sum))
        return run_at_ms;
    return sum;
}

/* Quoted for SQL: as an identifier, which is also fit for a text in single quotes. */
static int32_t read_schema(struct store *store, struct dray_call *call)
{
    const char *schema = store->host->text(store->host, "schema", 0);
    size_t len = schema ? strlen(schema) : 0;
    if (!len || len > SCHEMA_MAX || strpbrk(schema, "\"'\\") || strncmp(schema, "pg_", 3) == 0)
        return store->host->fail(call, DRAY_CONFIG, 0,
            "schema must have 1 to %u bytes, no quotes or backslashes, and not begin with pg_",
            SCHEMA_MAX);
    store->schema = schema;
    snprintf(store->schema_sql, sizeof(store->schema_sql), "\"%s\"", schema);
    return DRAY_OK;
}

static int32_t postgres_open(void *self, struct dray_call *call, const struct dray_host *host)
{
    struct store *store = self;
    uint64_t word = 0;
    store->host = host;
    store->bell.socket = -1;
    store->dedupe_ms = host->number(host, "dedupe_keep");
    store->host_clock = host->number(host, "clock") == 1;
    store->ahead_ms = host->wall_ms(host) - host->mono_ms(host);
    store->wish = call->durability;
    snprintf(store->link.where, sizeof(store->link.where), "postgres");
    int32_t code = read_schema(store, call);
    if (code == DRAY_OK)
        code = host->random(host, &word, sizeof(word));
    if (code != DRAY_OK)
        return code;
    snprintf(store->name, sizeof(store->name), "dray %016llx", (unsigned long long)word);
    store_enter(store, call);
    code = link_ready(store, call);
    call->durability = store->durability;
    return code;
}

static void postgres_close(void *self)
{
    struct store *store = self;
    if (!store->host)
        return;
    link_close(store);
    bell_close(store);
    args_free(store);
    tally_free(store);
    if (store->held)
        store->host->resize(store->host, store->held, 0);
}

static const struct dray_option options[] = {
    {.type = DRAY_OPTION_CONNECTION,
        .name = "connection",
        .fallback = "default",
        .help = "the entry of `connections` that says where the server is"},
    {.type = DRAY_OPTION_STRING,
        .name = "schema",
        .fallback = "dray",
        .help = "the tables lie there; stores of different schemas do not see each other"},
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

static const struct dray_driver driver = {
    .magic = DRAY_MAGIC,
    .abi = DRAY_ABI,
    .size = sizeof(struct dray_driver),
    .instance_size = sizeof(struct store),
    .name = "postgres",
    .version = "1.0.0",
    .summary = "a PostgreSQL database, programs of many machines",
    .can = DRAY_CAN_PRIORITY | DRAY_CAN_UNIQUE | DRAY_CAN_KEEP | DRAY_CAN_REPLAY | DRAY_IS_SHARED,
    .max_push = STORE_PUSH_MAX,
    .max_batch = STORE_BATCH_MAX,
    .options = options,
    .noptions = sizeof(options) / sizeof(options[0]),
    .option_size = sizeof(options[0]),
    .open = postgres_open,
    .close = postgres_close,
    .push = turn_push,
    .reserve = turn_reserve,
    .ack = turn_settle,
    .retry = turn_settle,
    .extend = turn_extend,
    .turn = turn_turn,
    .watch = bell_watch,
    .change = people_change,
    .list = people_list,
    .stats = people_stats,
};

DRAY_API const struct dray_driver *dray_driver_entry(void)
{
    return &driver;
}
