/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two records of a job, as scripts/common.lua describes them: its content, fixed by the push,
 * and its state, which a job that was never handed out does not have.
 */
#ifndef REDIS_RECORD_H
#define REDIS_RECORD_H

#include "redis/buffer.h"

/* A token as scripts compare it: the letter of an active job, counter, nonce. */
#define RECORD_TOKEN 17u

/* Adds the content without the creation time, which the script puts in front. Returns its length.
 */
uint64_t record_add_content(struct buffer *buffer, const struct dray_job *job);
/* The creation time of a restored job. */
void record_pack_created(struct buffer *buffer, int64_t created_ms);
/* The state of a restored job. */
void record_pack_state(struct buffer *buffer, const struct dray_job *job);
void record_pack_token(struct buffer *buffer, struct dray_token token);

/*
 * A job, whose id is there already, out of its records; everything points into them. `state` may be
 * empty. `now_ms` is the server's time, for lease_left_ms. 0 if they are not what a script of this
 * layout writes.
 */
int record_read(
    struct dray_job *job, struct dray_str content, struct dray_str state, int64_t now_ms);

/* The same for what the state tells alone. */
int record_read_state(struct dray_job *job, struct dray_str state, int64_t now_ms);

#endif
