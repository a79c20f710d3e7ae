/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sqlite driver with one rule broken that only several processes, a second opening or a killed
 * process can see. Chosen by -DBREAK=BREAK_x, as in broken.c.
 */
#include "dray/driver.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BREAK_NOTHING 0
#define BREAK_OWN 1     /* a store for each process */
#define BREAK_CLOCK 2   /* leases end by a clock that each process has for itself */
#define BREAK_DEAF 3    /* a bell that never rings */
#define BREAK_FORGET 4  /* begins anew when it is opened */
#define BREAK_BUFFER 5  /* answers an ack before it is written */
#define BREAK_WALL 6    /* leases end by the wall clock */
#define BREAK_PATIENT 7 /* waits as long as it takes */

#define BUFFERED 4u

const struct dray_driver *sqlite_driver_entry(void);

/* One a process: the kit gives all instances of a process the same host. */
static struct {
    struct dray_host table;
    const struct dray_host *to;
    char path[1024];
} host;

static int64_t bent_mono_ms(const struct dray_host *table)
{
    (void)table;
    if (BREAK == BREAK_WALL)
        return host.to->wall_ms(host.to);
    return host.to->mono_ms(host.to) + (BREAK == BREAK_CLOCK ? (int64_t)getpid() * 1000000 : 0);
}

static int64_t bent_wall_ms(const struct dray_host *table)
{
    (void)table;
    return host.to->wall_ms(host.to);
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
    return host.to->number(host.to, option);
}

static const char *bent_text(const struct dray_host *table, const char *option, uint32_t index)
{
    const char *text = host.to->text(host.to, option, index);

    (void)table;
    if (BREAK != BREAK_OWN || !text || strcmp(option, "path") != 0)
        return text;
    snprintf(host.path, sizeof(host.path), "%s-%ld", text, (long)getpid());
    return host.path;
}

static void forget(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    char name[1024];

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        unlink(name);
    }
}

static int32_t open_bent(void *self, struct dray_call *call, const struct dray_host *given)
{
    host.to = given;
    host.table = *given;
    host.table.mono_ms = bent_mono_ms;
    host.table.wall_ms = bent_wall_ms;
    host.table.resize = bent_resize;
    host.table.random = bent_random;
    host.table.number = bent_number;
    host.table.text = bent_text;
    if (BREAK == BREAK_FORGET)
        forget(given->text(given, "path", 0));
    return sqlite_driver_entry()->open(self, call, &host.table);
}

static int32_t push_bent(void *self, struct dray_call *call, struct dray_push *group)
{
    if (BREAK == BREAK_PATIENT)
        call->budget_ms = 600000;
    return sqlite_driver_entry()->push(self, call, group);
}

static int32_t watch_bent(
    void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n, int32_t *fd)
{
    static int deaf = -1;

    if (BREAK != BREAK_DEAF)
        return sqlite_driver_entry()->watch(self, call, queues, n, fd);
    if (deaf < 0)
        deaf = eventfd(0, EFD_CLOEXEC);
    *fd = deaf;
    return DRAY_OK;
}

/* Acks that were answered and not made yet. */
static struct {
    struct dray_lease lease;
    char queue[DRAY_NAME_MAX], id[DRAY_NAME_MAX], type[DRAY_NAME_MAX];
} kept[BUFFERED];
static uint32_t nkept;

static struct dray_str copy(char out[DRAY_NAME_MAX], struct dray_str text)
{
    memcpy(out, text.data, text.len);
    return (struct dray_str){out, text.len};
}

static void flush(void *self, struct dray_call *call)
{
    for (uint32_t i = 0; i < nkept; i++) {
        const struct dray_lease *lease = &kept[i].lease;
        int32_t answer = DRAY_OK;
        sqlite_driver_entry()->ack(self, call, &lease, &answer, 1);
    }
    nkept = 0;
}

static int32_t ack_bent(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    if (BREAK != BREAK_BUFFER || n != 1)
        return sqlite_driver_entry()->ack(self, call, leases, answers, n);
    if (nkept == BUFFERED)
        flush(self, call);
    kept[nkept].lease = *leases[0];
    kept[nkept].lease.queue = copy(kept[nkept].queue, leases[0]->queue);
    kept[nkept].lease.id = copy(kept[nkept].id, leases[0]->id);
    kept[nkept].lease.type = copy(kept[nkept].type, leases[0]->type);
    nkept++;
    return DRAY_OK;
}

static void close_bent(void *self)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_call call = {.size = sizeof(call), .budget_ms = 5000, .error = &error};

    if (nkept)
        flush(self, &call);
    sqlite_driver_entry()->close(self);
}

DRAY_API const struct dray_driver *dray_driver_entry(void)
{
    static struct dray_driver driver;

    driver = *sqlite_driver_entry();
    driver.open = open_bent;
    driver.close = close_bent;
    driver.push = push_bent;
    driver.watch = watch_bent;
    driver.ack = ack_bent;
    if (BREAK == BREAK_BUFFER)
        driver.turn = NULL;
    return &driver;
}
