/* SPDX-License-Identifier: Apache-2.0 */
/* The Redis server that the measured configuration names, as the bare programs talk to it. */
#ifndef BENCH_REDIS_SERVER_H
#define BENCH_REDIS_SERVER_H

#include <hiredis/hiredis.h>

/* A connection to "HOST:PORT/DATABASE" or "/path/of/a.sock". NULL after one line on standard
   error. */
redisContext *redis_server_connect(const char *address);

/* Reads `n` answers of commands that were appended, and forgets them. -1 after one line if one of
   them is an error or never comes. */
int redis_server_skip(redisContext *context, unsigned n);

/* Bytes of memory that the server uses; below 0 after one line if it cannot be asked. */
double redis_server_bytes(const char *address);

/* The answer of the command that is next, or NULL after one line. The caller frees it. */
redisReply *redis_server_answer(redisContext *context);

#endif
