/* SPDX-License-Identifier: CC0-1.0 */
#include "job.h"

#include "store.h"

static struct dray_job read_job(const PGresult *rows, int row)
{
    return (struct dray_job){
        .size = sizeof(struct dray_job),
        .priority = (uint32_t)link_number(rows, row, JOB_PRIORITY),
        .id = link_text(rows, row, JOB_ID),
        .queue = link_text(rows, row, JOB_QUEUE),
        .type = link_text(rows, row, JOB_TYPE),
        .payload = link_text(rows, row, JOB_PAYLOAD),
        .name = link_text(rows, row, JOB_NAME),
        .unique = link_text(rows, row, JOB_KEY),
        .group = link_text(rows, row, JOB_GROUP),
        .run_at_ms = link_number(rows, row, JOB_RUN_AT),
        .timeout_ms = (uint64_t)link_number(rows, row, JOB_TIMEOUT),
        .max_attempts = (uint32_t)link_number(rows, row, JOB_MAX_ATTEMPTS),
        .state = (uint32_t)link_number(rows, row, JOB_STATE),
        .attempts = (uint32_t)link_number(rows, row, JOB_ATTEMPTS),
        .releases = (uint32_t)link_number(rows, row, JOB_RELEASES),
        .flags = link_number(rows, row, JOB_MARKED) ? DRAY_JOB_CANCELLED : 0,
        .token = {.counter = (uint64_t)link_number(rows, row, JOB_COUNTER),
            .nonce = (uint64_t)link_number(rows, row, JOB_NONCE)},
        .lease_left_ms = (uint64_t)link_number(rows, row, JOB_LEASE_LEFT),
        .created_ms = link_number(rows, row, JOB_CREATED),
        .ended_ms = link_number(rows, row, JOB_ENDED),
        .owner = link_text(rows, row, JOB_OWNER),
        .error = link_text(rows, row, JOB_ERROR),
        .result = link_text(rows, row, JOB_RESULT),
        .progress = link_text(rows, row, JOB_PROGRESS),
    };
}

void job_show(struct dray_call *call, const PGresult *rows)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        const struct dray_job job = read_job(rows, row);
        call->job(call, &job);
    }
}
