/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/line.h"

#include "redis/store.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

int line_dial(struct line *line, const struct place *place)
{
    line_close(line);
    line->context = redisConnectNonBlock(place->host, place->port);
    line->dialled = 1;
    if (!line->context) {
        errno = ENOMEM;
        return LINE_BROKEN;
    }
    return line->context->err ? LINE_BROKEN : 0;
}

int line_say(struct line *line, int n, const char **words)
{
    char *data = NULL;
    long long len = redisFormatCommandArgv(&data, n, words, NULL);
    if (len < 0) {
        errno = ENOMEM;
        return LINE_BROKEN;
    }
    ssize_t sent = send(line->context->fd, data, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    redisFreeCommand(data);
    return sent == len ? 0 : LINE_BROKEN;
}

static struct pollfd poll_of(const struct line *line)
{
    struct pollfd one = {.fd = -1, .events = POLLIN};
    if (line->context)
        one.fd = line->context->fd;
    if (line->dialled)
        one.events = POLLOUT;
    return one;
}

static int see_connection(struct line *line)
{
    struct pollfd one = poll_of(line);
    int sys = 0;
    socklen_t size = sizeof(sys);
    if (poll(&one, 1, 0) <= 0)
        return LINE_QUIET;
    if (getsockopt(line->context->fd, SOL_SOCKET, SO_ERROR, &sys, &size) != 0)
        return LINE_BROKEN;
    errno = sys;
    /* So that it is found out when the other side has vanished without a word. */
    if (sys || redisEnableKeepAlive(line->context) != REDIS_OK)
        return LINE_BROKEN;
    answer_bound(line->context, &line->bounds);
    line->dialled = 0;
    return LINE_STANDS;
}

int line_step(struct line *line, redisReply **reply)
{
    struct pollfd one;
    if (!line->context)
        return LINE_QUIET;
    if (line->dialled)
        return see_connection(line);
    for (;;) {
        void *got = NULL;
        errno = EPROTO;
        if (redisGetReplyFromReader(line->context, &got) != REDIS_OK)
            return LINE_BROKEN;
        if (got) {
            *reply = got;
            return LINE_ANSWER;
        }
        one = poll_of(line);
        if (poll(&one, 1, 0) <= 0)
            return LINE_QUIET;
        errno = ECONNRESET;
        if (redisBufferRead(line->context) != REDIS_OK)
            return LINE_BROKEN;
    }
}

static int poll_both(const struct line *one, const struct line *other, int ms)
{
    struct pollfd both[] = {poll_of(one), poll_of(other)};
    return poll(both, 2, ms) > 0;
}

int lines_have_news(const struct line *one, const struct line *other)
{
    return poll_both(one, other, 0);
}

void lines_wait(const struct line *one, const struct line *other, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - store_clock_ms();
        if (left <= 0 || poll_both(one, other, left > 60000 ? 60000 : (int)left))
            return;
    }
}

void line_close(struct line *line)
{
    if (line->context)
        redisFree(line->context);
    line->context = NULL;
    line->dialled = 0;
    line->logging_in = 0;
}
