/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/bell.h"

#include "redis/answer.h"
#include "redis/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_MS 1000
#define DIAL_MS 1000 /* jobs are handed out without a bell too */

static void hang_up(struct bell *bell)
{
    if (!bell->context)
        return;
    epoll_ctl(bell->epoll, EPOLL_CTL_DEL, bell->context->fd, NULL);
    redisFree(bell->context);
    bell->context = NULL;
}

/* One channel after another, each confirmed: from here on nothing is heard but rings. */
static int32_t subscribe(struct store *store, struct dray_call *call)
{
    struct bell *bell = &store->bell;
    const char *name = bell->channels.data;
    int32_t code = DRAY_OK;
    for (uint32_t i = 0; i < bell->n && code == DRAY_OK; i++, name += strlen(name) + 1) {
        const char *words[] = {"SUBSCRIBE", name, NULL};
        redisReply *reply = NULL;
        code = link_say(store, call, bell->context, words, &reply);
        if (code == DRAY_OK && reply->type == REDIS_REPLY_ERROR)
            code = answer_error(store, call, reply, "SUBSCRIBE");
        if (reply)
            freeReplyObject(reply);
    }
    return code;
}

static int32_t dial(struct store *store, struct dray_call *call)
{
    struct bell *bell = &store->bell;
    struct link *link = &store->link;
    struct epoll_event event = {.events = EPOLLIN};
    bell->retry_ms = store_clock_ms() + RETRY_MS;
    bell->server = store->link.server;
    int64_t deadline = link_hurry(store, DIAL_MS);
    int32_t code = link_connect(store, call, &bell->context, &bell->bounds);
    if (code == DRAY_OK)
        code = subscribe(store, call);
    link->deadline_ms = deadline;
    if (code == DRAY_OK && epoll_ctl(bell->epoll, EPOLL_CTL_ADD, bell->context->fd, &event) != 0)
        code = store->host->fail(
            call, DRAY_IO, errno, "%s: cannot wait for the bells", store->link.where);
    if (code != DRAY_OK)
        hang_up(bell);
    return code;
}

static int set_channels(struct store *store, const struct dray_str *queues, uint32_t n)
{
    struct bell *bell = &store->bell;
    buffer_reset(&bell->channels);
    for (uint32_t i = 0; i < n; i++) {
        size_t size = strlen(store->prefix) + (size_t)queues[i].len + 9;
        char *name = buffer_space(&bell->channels, size);
        if (name)
            snprintf(
                name, size, "{%s:%.*s}:bell", store->prefix, (int)queues[i].len, queues[i].data);
    }
    bell->n = bell->channels.failed ? 0 : n;
    return !bell->channels.failed;
}

int32_t bell_watch(struct store *store, struct dray_call *call, const struct dray_str *queues,
    uint32_t n, int32_t *fd)
{
    struct bell *bell = &store->bell;
    link_begin(store, call);
    if (!bell->watching) {
        bell->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (bell->epoll < 0) {
            int sys = errno;
            return store->host->fail(call, DRAY_IO, sys,
                "cannot make an epoll descriptor (%s); raise the limit of open files",
                strerror(sys));
        }
        bell->watching = 1;
        sentinel_ring(store);
    }
    hang_up(bell);
    if (!set_channels(store, queues, n))
        return store->host->fail(call, DRAY_NOMEM, 0, "%s: no memory", store->link.where);
    /* The server is found and judged over the main connection; the bells are where that one is. */
    int32_t code = link_ready(store, call);
    if (code == DRAY_OK)
        code = dial(store, call);
    if (code == DRAY_DENIED || code == DRAY_NOMEM)
        return code;
    *fd = bell->epoll; /* an unreachable server is dialled again by bell_clear */
    return DRAY_OK;
}

/* How many bytes were waiting; -1 once the subscription has broken. */
static ssize_t drain(struct bell *bell)
{
    char heard[4096];
    ssize_t all = 0;
    for (;;) {
        ssize_t n = recv(bell->context->fd, heard, sizeof(heard), MSG_DONTWAIT);
        if (n == 0)
            return -1;
        if (n < 0 && errno != EINTR)
            return errno == EAGAIN ? all : -1;
        all += n > 0 ? n : 0;
    }
}

void bell_clear(struct store *store, struct dray_call *call)
{
    struct bell *bell = &store->bell;
    struct link *link = &store->link;
    if (!bell->watching)
        return;
    if (bell->context && (bell->server != link->server || drain(bell) < 0)) {
        if (bell->server != link->server)
            bell->retry_ms = 0;
        hang_up(bell);
    }
    if (bell->context || store_clock_ms() < bell->retry_ms)
        return;
    /* Only where the main connection stands: a server that is down is not tried twice a call. */
    if (link_ready(store, call) == DRAY_OK)
        (void)dial(store, call); /* without it: polling, once a second */
}

int bell_rang(struct store *store)
{
    struct bell *bell = &store->bell;
    return bell->context && (bell->server != store->link.server || drain(bell) > 0);
}

void bell_add(struct store *store, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events};
    int epoll = store->bell.epoll;
    /* Without it: a look a second. */
    if (store->bell.watching && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

void bell_remove(struct store *store, int fd)
{
    if (store->bell.watching)
        epoll_ctl(store->bell.epoll, EPOLL_CTL_DEL, fd, NULL);
}

void bell_close(struct store *store)
{
    struct bell *bell = &store->bell;
    hang_up(bell);
    if (bell->watching)
        close(bell->epoll);
    bell->watching = 0;
    if (bell->channels.host)
        buffer_free(&bell->channels);
}
