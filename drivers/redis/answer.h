/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that the server answers, and what they mean for the caller. */
#ifndef REDIS_ANSWER_H
#define REDIS_ANSWER_H

#include "dray/driver.h"

#include <hiredis/hiredis.h>

struct store;

/* What makes a connection's answers, with bounds; as long as the connection. */
struct answer_bounds {
    redisReplyObjectFunctions bounded;
    const redisReplyObjectFunctions *usual;
};

/* From here on an answer of more elements than any of ours is none: hiredis takes memory for as
   many as the server announces. */
void answer_bound(redisContext *context, struct answer_bounds *bounds);

/*
 * Fills in the error for an error reply to `what`. Everything that the server refuses is certainly
 * not done, unless our own script says that it had written. A server that can no longer serve this
 * connection (another role, a lost login, still loading) costs the connection.
 */
int32_t answer_error(
    struct store *store, struct dray_call *call, const redisReply *reply, const char *what);

/* The same for the text of an error inside an answer. */
int32_t answer_text(struct store *store, struct dray_call *call, struct dray_str text);

/* An answer that no Redis or no script of ours gives: the connection is closed. DRAY_UNKNOWN, or
   DRAY_UNREACHABLE if the request only read. */
int32_t answer_strange(struct store *store, struct dray_call *call, int reads);

/* What the server said, fit for a message: cut, without control characters and a full stop. Returns
   `out`. */
#define ANSWER_PLAIN 201
const char *answer_plain(struct dray_str text, char out[ANSWER_PLAIN]);

/* Nonzero for an error whose first word is that: NOSCRIPT, WRONGTYPE. */
int answer_is_error(const redisReply *reply, const char *word);

/* Elements of arrays, checked: NULL, or a string without data, if it is none. */
const redisReply *answer_array(const redisReply *reply, size_t index);
int answer_str(const redisReply *reply, size_t index, struct dray_str *text);
int answer_number(const redisReply *reply, size_t index, int64_t *number);

#endif
