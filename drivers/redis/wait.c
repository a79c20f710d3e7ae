/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/wait.h"

#include "redis/store.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum { TIME_UP, READY, NEWS };

static int wait_for(int fd, short events, int news, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - store_clock_ms();
        if (left <= 0)
            return TIME_UP;
        struct pollfd both[] = {{.fd = fd, .events = events}, {.fd = news, .events = POLLIN}};
        int n = poll(both, news < 0 ? 1 : 2, left > 60000 ? 60000 : (int)left);
        if (n > 0)
            return both[0].revents ? READY : NEWS;
        if (n < 0 && errno != EINTR)
            return READY; /* let the read or write say what is wrong */
    }
}

/* The server itself takes no longer values. */
#define ANSWER_MAX ((size_t)512 * 1024 * 1024)

int wait_connected(redisContext *context, int news, int64_t deadline_ms)
{
    int sys = 0;
    socklen_t size = sizeof(sys);
    if (wait_for(context->fd, POLLOUT, news, deadline_ms) != READY)
        return ETIMEDOUT;
    if (getsockopt(context->fd, SOL_SOCKET, SO_ERROR, &sys, &size) != 0)
        return errno;
    return sys;
}

/* Not hiredis's own writing: a peer that has gone would end the program by SIGPIPE. */
static int send_all(
    const redisContext *context, const char *data, size_t len, int news, int64_t deadline_ms)
{
    size_t sent = 0;
    while (sent < len) {
        ssize_t n = send(context->fd, data + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            return sent ? WAIT_LOST : WAIT_UNSENT;
        if (sent < len && wait_for(context->fd, POLLOUT, news, deadline_ms) != READY)
            return sent ? WAIT_TIME : WAIT_UNSENT;
    }
    return WAIT_OK;
}

int wait_answer(redisContext *context, const char *data, size_t len, int news, int64_t deadline_ms,
    redisReply **reply)
{
    int result = send_all(context, data, len, news, deadline_ms);
    *reply = NULL;
    while (result == WAIT_OK) {
        void *got = NULL;
        if (redisGetReplyFromReader(context, &got) != REDIS_OK || context->reader->len > ANSWER_MAX)
            return WAIT_STRANGE;
        if (got) {
            *reply = got;
            return WAIT_OK;
        }
        int end = wait_for(context->fd, POLLIN, news, deadline_ms);
        if (end != READY)
            return end == NEWS ? WAIT_LOST : WAIT_TIME;
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
