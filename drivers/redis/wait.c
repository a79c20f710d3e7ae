/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/wait.h"

#include "redis/store.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* Nonzero once the descriptor is ready, 0 when time is up. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - store_clock_ms();
        if (left <= 0)
            return 0;
        struct pollfd one = {.fd = fd, .events = events};
        int n = poll(&one, 1, left > 60000 ? 60000 : (int)left);
        if (n > 0)
            return 1;
        if (n < 0 && errno != EINTR)
            return 1; /* let the read or write say what is wrong */
    }
}

int wait_connected(redisContext *context, int64_t deadline_ms)
{
    int sys = 0;
    socklen_t size = sizeof(sys);
    if (!wait_for(context->fd, POLLOUT, deadline_ms))
        return ETIMEDOUT;
    if (getsockopt(context->fd, SOL_SOCKET, SO_ERROR, &sys, &size) != 0)
        return errno;
    return sys;
}

static int send_all(redisContext *context, int64_t deadline_ms)
{
    int done = 0, left = 0;
    while (!done) {
        if (redisBufferWrite(context, &done) != REDIS_OK)
            return left ? WAIT_LOST : WAIT_UNSENT;
        left = 1;
        if (!done && !wait_for(context->fd, POLLOUT, deadline_ms))
            return WAIT_TIME;
    }
    return WAIT_OK;
}

int wait_answer(redisContext *context, int64_t deadline_ms, redisReply **reply)
{
    int result = send_all(context, deadline_ms);
    *reply = NULL;
    while (result == WAIT_OK) {
        void *got = NULL;
        if (redisGetReplyFromReader(context, &got) != REDIS_OK)
            return WAIT_LOST;
        if (got) {
            *reply = got;
            return WAIT_OK;
        }
        if (!wait_for(context->fd, POLLIN, deadline_ms))
            return WAIT_TIME;
        if (redisBufferRead(context) != REDIS_OK)
            return WAIT_LOST;
    }
    return result;
}

int wait_is_dead(const redisContext *context)
{
    struct pollfd one = {.fd = context->fd, .events = POLLIN};
    if (context->reader->len != context->reader->pos)
        return 1; /* more came than was asked for */
    return poll(&one, 1, 0) != 0;
}
