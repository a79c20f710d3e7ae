/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PostgreSQL example with one rule broken that only a server at the other end of a connection
 * can show. Chosen by -DBREAK=BREAK_x, as in broken.c.
 */
#include "dray/driver.h"

#include <string.h>

#define BREAK_NOTHING 0
#define BREAK_LATE 1    /* after an answer that did not come in time each is one behind */
#define BREAK_CERTAIN 2 /* says "not done" of what may have been done */
#define BREAK_OWNTIME 3 /* goes by the clock of its own machine */

const struct dray_driver *postgres_driver_entry(void);

static struct {
    struct dray_host table;
    const struct dray_host *to;
} host;

static struct {
    int behind;
    int32_t answer;
} late;

/* The answer to the question before, kept in place of this one's. */
static int32_t one_behind(int32_t code)
{
    if (BREAK == BREAK_LATE && late.behind) {
        int32_t before = late.answer;
        late.answer = code;
        return before;
    }
    late.behind = code == DRAY_BUSY || code == DRAY_UNREACHABLE || code == DRAY_UNKNOWN;
    return code;
}

static int32_t certain(struct dray_call *call, int32_t code)
{
    if (BREAK != BREAK_CERTAIN || code != DRAY_UNKNOWN)
        return code;
    call->error->code = DRAY_UNREACHABLE;
    return DRAY_UNREACHABLE;
}

static int32_t bent_push(void *self, struct dray_call *call, struct dray_push *group)
{
    int32_t code = one_behind(postgres_driver_entry()->push(self, call, group));

    for (uint32_t i = 0; BREAK == BREAK_LATE && late.behind && i < group->njobs; i++)
        group->answers[i] = code;
    return certain(call, code);
}

static int64_t bent_wall_ms(const struct dray_host *table)
{
    (void)table;
    return host.to->wall_ms(host.to);
}

static int64_t bent_mono_ms(const struct dray_host *table)
{
    (void)table;
    return host.to->mono_ms(host.to);
}

static void *bent_resize(const struct dray_host *table, void *block, size_t size)
{
    (void)table;
    return host.to->resize(host.to, block, size);
}

static int32_t bent_random(const struct dray_host *table, void *out, size_t len)
{
    (void)table;
    return host.to->random(host.to, out, len);
}

static int64_t bent_number(const struct dray_host *table, const char *option)
{
    (void)table;
    if (BREAK == BREAK_OWNTIME && strcmp(option, "clock") == 0)
        return 1;
    return host.to->number(host.to, option);
}

static const char *bent_text(const struct dray_host *table, const char *option, uint32_t index)
{
    (void)table;
    return host.to->text(host.to, option, index);
}

static int32_t bent_open(void *self, struct dray_call *call, const struct dray_host *to)
{
    host.to = to;
    host.table = *to;
    host.table.wall_ms = bent_wall_ms;
    host.table.mono_ms = bent_mono_ms;
    host.table.resize = bent_resize;
    host.table.random = bent_random;
    host.table.number = bent_number;
    host.table.text = bent_text;
    return postgres_driver_entry()->open(self, call, &host.table);
}

DRAY_API const struct dray_driver *dray_driver_entry(void)
{
    static struct dray_driver bent;

    bent = *postgres_driver_entry();
    bent.open = bent_open;
    bent.push = bent_push;
    return &bent;
}
