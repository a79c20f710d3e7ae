/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that keeps nothing, compiled many times over: each time with one BREAK_ macro that
 * breaks one rule of dray/driver.h. Without any it is a driver that the core accepts.
 */
#include "dray/driver.h"

#if defined(BREAK_UNDEFINED_SYMBOL)
int32_t nobody_defines_this(void);
#endif

static int32_t open_store(void *self, struct dray_call *call, const struct dray_host *host)
{
    (void)self;
    (void)host;
    call->durability = DRAY_DURABILITY_VOLATILE;
    return DRAY_OK;
}

static void close_store(void *self)
{
    (void)self;
}

static int32_t push(void *self, struct dray_call *call, struct dray_push *group)
{
    (void)self;
    (void)call;
    (void)group;
#if defined(BREAK_UNDEFINED_SYMBOL)
    return nobody_defines_this();
#else
    return DRAY_OK;
#endif
}

static int32_t reserve(void *self, struct dray_call *call, const struct dray_reserve *want)
{
    (void)self;
    (void)call;
    (void)want;
    return DRAY_OK;
}

static int32_t settle(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    (void)self;
    (void)call;
    (void)leases;
    for (uint32_t i = 0; i < n; i++)
        answers[i] = DRAY_STALE;
    return DRAY_OK;
}

static const struct dray_option options[] = {
    {.type = DRAY_OPTION_INTEGER, .name = "depth", .fallback = "3", .help = "how deep"},
#if defined(BREAK_OPTION_TYPE)
    {.type = 99, .name = "odd", .help = "of no type"},
#elif defined(BREAK_OPTION_CHOICE)
    {.type = DRAY_OPTION_CHOICE, .name = "taste", .help = "a choice of nothing"},
#elif defined(BREAK_OPTION_TWICE)
    {.type = DRAY_OPTION_STRING, .name = "depth", .help = "again"},
#elif defined(BREAK_OPTION_NAME)
    {.type = DRAY_OPTION_STRING, .name = "../depth", .help = "no name"},
#endif
};

static const struct dray_driver driver = {
#if defined(BREAK_MAGIC)
    .magic = 0x12345678u,
#else
    .magic = DRAY_MAGIC,
#endif
#if defined(BREAK_ABI)
    .abi = DRAY_ABI + 6,
#else
    .abi = DRAY_ABI,
#endif
#if defined(BREAK_SIZE)
    .size = 64,
#elif defined(OLD)
    /* As if compiled before there were optional operations: what lies behind is not its own. */
    .size = offsetof(struct dray_driver, extend),
    .extend = settle,
#else
    .size = sizeof(struct dray_driver),
#endif
    .instance_size = 16,
#if defined(BREAK_NAME)
    .name = "../Good",
#else
    .name = "good",
#endif
#if defined(TRAP)
    .version = "trap",
#else
    .version = "1.0",
#endif
    .summary = "keeps nothing",
    .can = DRAY_IS_QUICK,
#if !defined(BREAK_MAX_PUSH)
    .max_push = 1,
#endif
#if !defined(BREAK_MAX_BATCH)
    .max_batch = 1,
#endif
    .options = options,
    .noptions = sizeof(options) / sizeof(options[0]),
#if defined(BREAK_OPTION_SIZE)
    .option_size = 8,
#else
    .option_size = sizeof(struct dray_option),
#endif
    .open = open_store,
    .close = close_store,
    .push = push,
    .reserve = reserve,
    .ack = settle,
#if !defined(BREAK_MISSING_OPERATION)
    .retry = settle,
#endif
};

#if defined(BREAK_NO_ENTRY)
DRAY_API const struct dray_driver *another_entry(void);
const struct dray_driver *another_entry(void)
{
    return &driver;
}
#else
const struct dray_driver *dray_driver_entry(void)
{
#if defined(BREAK_NULL_ENTRY)
    return driver.retry ? NULL : &driver;
#else
    return &driver;
#endif
}
#endif
