/* SPDX-License-Identifier: CC0-1.0 */
#include "bell.h"

#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void ring(struct bell *bell)
{
    const uint64_t one = 1;
    /* It fails only when it has rung already. */
    if (write(bell->event, &one, sizeof(one)) < 0)
        return;
}

static int is_watched(const struct bell *bell, const char *queue)
{
    for (uint64_t at = 0; at < bell->size; at += strlen(bell->queues + at) + 1) {
        if (strcmp(bell->queues + at, queue) == 0)
            return 1;
    }
    return 0;
}

/* Takes what libpq has received. Nonzero if another session rang for one of the queues. */
static int heard(struct store *store)
{
    int rang = 0;
    PGnotify *note;
    while (store->link.conn && (note = PQnotifies(store->link.conn))) {
        rang |=
            note->be_pid != PQbackendPID(store->link.conn) && is_watched(&store->bell, note->extra);
        PQfreemem(note);
    }
    return rang;
}

void bell_clear(struct store *store)
{
    uint64_t rings;
    heard(store);
    if (store->bell.watching && read(store->bell.event, &rings, sizeof(rings)) < 0)
        return; /* it had not rung */
}

void bell_mute(struct store *store)
{
    struct bell *bell = &store->bell;
    if (bell->watching && bell->socket >= 0)
        epoll_ctl(bell->epoll, EPOLL_CTL_DEL, bell->socket, NULL);
    bell->socket = -1;
}

void bell_unmute(struct store *store)
{
    struct bell *bell = &store->bell;
    if (!bell->watching)
        return;
    if (heard(store))
        ring(bell);
    if (!store->link.conn)
        return;
    struct epoll_event event = {.events = EPOLLIN};
    bell->socket = PQsocket(store->link.conn);
    if (epoll_ctl(bell->epoll, EPOLL_CTL_ADD, bell->socket, &event) != 0)
        bell->socket = -1; /* the core looks once a second in any case */
}

void bell_lose(struct store *store)
{
    bell_mute(store);
    if (store->bell.watching)
        ring(&store->bell);
}

int32_t bell_find(struct store *store, struct dray_call *call)
{
    char text[160];
    if (!store->bell.watching)
        return DRAY_OK;
    snprintf(text, sizeof(text), "LISTEN %s", store->schema_sql);
    ring(&store->bell);
    return link_say(store, call, text, NULL);
}

/* ------------------------------------------------------------------------------------------- */
/* Watching                                                                                    */
/* ------------------------------------------------------------------------------------------- */

static int32_t make(struct store *store, struct dray_call *call)
{
    struct bell *bell = &store->bell;
    struct epoll_event event = {.events = EPOLLIN};
    bell->socket = -1;
    bell->epoll = epoll_create1(EPOLL_CLOEXEC);
    bell->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bell->watching = bell->epoll >= 0 && bell->event >= 0 &&
                     epoll_ctl(bell->epoll, EPOLL_CTL_ADD, bell->event, &event) == 0;
    if (bell->watching)
        return DRAY_OK;
    int sys = errno;
    if (bell->epoll >= 0)
        close(bell->epoll);
    if (bell->event >= 0)
        close(bell->event);
    return store->host->fail(call, DRAY_IO, sys, "no descriptor for a bell: %s", strerror(sys));
}

static int32_t remember(
    struct store *store, struct dray_call *call, const struct dray_str *queues, uint32_t n)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < n; i++)
        size += queues[i].len + 1;
    char *names = store->host->resize(store->host, store->bell.queues, (size_t)size + 1);
    if (!names)
        return store_no_memory(store, call);
    store->bell.queues = names;
    store->bell.size = size;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(names, queues[i].data, (size_t)queues[i].len);
        names[queues[i].len] = 0;
        names += queues[i].len + 1;
    }
    return DRAY_OK;
}

int32_t bell_watch(
    void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n, int32_t *fd)
{
    struct store *store = self;
    int fresh = !store->bell.watching;
    store_enter(store, call);
    int32_t code = remember(store, call, queues, n);
    if (code == DRAY_OK && fresh)
        code = make(store, call);
    if (code == DRAY_OK && (fresh || !store->link.conn))
        code = store->link.conn ? bell_find(store, call) : link_ready(store, call);
    store_leave(store);
    if (code == DRAY_OK || code == DRAY_UNREACHABLE) { /* it listens when it is connected again */
        *fd = store->bell.epoll;
        code = store->bell.watching ? DRAY_OK : code;
    }
    return code;
}

void bell_close(struct store *store)
{
    struct bell *bell = &store->bell;
    if (bell->watching) {
        close(bell->epoll);
        close(bell->event);
    }
    if (bell->queues)
        store->host->resize(store->host, bell->queues, 0);
    *bell = (struct bell){.socket = -1};
}
