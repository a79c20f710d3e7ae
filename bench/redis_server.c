/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define PATIENCE_S 30

static int complain(const char *what)
{
    fprintf(stderr, "dray-bench: bare redis: %s\n", what);
    return -1;
}

redisReply *redis_server_answer(redisContext *context)
{
    void *got = NULL;
    if (redisGetReply(context, &got) != REDIS_OK || !got) {
        complain(context->errstr);
        return NULL;
    }
    redisReply *reply = got;
    if (reply->type != REDIS_REPLY_ERROR)
        return reply;
    complain(reply->str);
    freeReplyObject(reply);
    return NULL;
}

int redis_server_skip(redisContext *context, unsigned n)
{
    for (; n > 0; n--) {
        redisReply *reply = redis_server_answer(context);
        if (!reply)
            return -1;
        freeReplyObject(reply);
    }
    return 0;
}

/* "HOST:PORT/DATABASE"; both numbers may be missing. */
static redisContext *connect_address(const char *address, struct timeval patience, long *database)
{
    char host[256];
    size_t len = strcspn(address, ":/");
    const char *rest = address + len;
    char *end = NULL;
    long port = 6379;
    if (len == 0 || len >= sizeof(host))
        return NULL;
    memcpy(host, address, len);
    host[len] = 0;
    if (*rest == ':') {
        port = strtol(rest + 1, &end, 10);
        rest = end;
    }
    if (*rest == '/')
        *database = strtol(rest + 1, NULL, 10);
    return port > 0 && port < 65536 ? redisConnectWithTimeout(host, (int)port, patience) : NULL;
}

redisContext *redis_server_connect(const char *address)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    long database = 0;
    redisContext *context = address[0] == '/' ? redisConnectUnixWithTimeout(address, patience)
                                              : connect_address(address, patience, &database);
    if (!context || context->err) {
        fprintf(stderr, "dray-bench: cannot connect to %s: %s\n", address,
            context ? context->errstr : "not an address");
    } else {
        redisSetTimeout(context, patience);
        if (database == 0)
            return context;
        redisAppendCommand(context, "SELECT %ld", database);
        if (redis_server_skip(context, 1) == 0)
            return context;
    }
    if (context)
        redisFree(context);
    return NULL;
}

double redis_server_bytes(const char *address)
{
    double bytes = -1;
    redisContext *context = redis_server_connect(address);
    if (!context)
        return -1;
    redisAppendCommand(context, "INFO memory");
    redisReply *reply = redis_server_answer(context);
    const char *at = reply ? strstr(reply->str, "used_memory:") : NULL;
    if (at)
        bytes = strtod(at + strlen("used_memory:"), NULL);
    if (reply)
        freeReplyObject(reply);
    redisFree(context);
    return bytes;
}
