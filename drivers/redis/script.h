/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Script calls: KEYS are the meta keys of the queues that are touched, ARGV is one plan in
 * MessagePack. The scripts' text is constant (scripts/), called by digest, and loaded again
 * whenever the server has forgotten it.
 */
#ifndef REDIS_SCRIPT_H
#define REDIS_SCRIPT_H

#include "dray/driver.h"

#include <hiredis/hiredis.h>

struct store;

enum { SCRIPT_TURN = 0, SCRIPT_APPEND = 1, SCRIPT_PEOPLE = 2, SCRIPT_PLAIN = 3 };

/* Loads all scripts. */
int32_t script_load(struct store *store, struct dray_call *call);

/* A new plan, without queues. The caller packs the whole plan into store->plan, and what it takes
   from there by lengths into store->bulk. */
void script_begin(struct store *store);

/* A text of its own behind the plan; a plan that is empty is left out. Or what was added to
   store->bulk since the last one. */
void script_text(struct store *store, struct dray_str text);
void script_added(struct store *store, uint64_t len);

/* The number of a queue in this call, from 0; entered if it is new. Beyond STORE_QUEUES_MAX: that.
 */
uint32_t script_queue(struct store *store, struct dray_str name);

/*
 * Calls a script with the plan. DRAY_OK with an array whose first element is a word; the caller
 * frees it. `reads`: the script changes nothing. NOSCRIPT is dealt with; `register` answers too, by
 * registering the queues and calling again with the byte at `registered` of the plan set to 1.
 */
int32_t script_call(struct store *store, struct dray_call *call, int which, int reads,
    uint64_t registered, redisReply **reply);

/* Nonzero if the answer begins with that word and has that many elements at least. */
int script_said(const redisReply *reply, const char *word, size_t elements);

#endif
