/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver, linked in, on a clock that is moved by hand: one instance, called as the core calls
 * it. Everything is about the queue "q" and the type "t". One thread.
 */
#ifndef TESTS_FILE_RIG_H
#define TESTS_FILE_RIG_H

#include "dray/driver.h"

#include <stddef.h>

#define RIG_SEEN 4096
#define RIG_BUDGET_MS 20000            /* of each call; generous, for busy machines */
#define RIG_PATH "/tmp/dray-rig.jsonl" /* on the disk in memory: nothing is there in truth */

/* A job that was handed out or listed. */
struct seen {
    char id[DRAY_NAME_MAX + 1];
    uint32_t state, attempts, releases, priority;
    struct dray_token token;
    uint64_t ref, lease_left_ms;
    int64_t run_at_ms;
    size_t id_len, payload_len;
    char payload[512];
    char error[128];
    char result[64];
};

struct rig {
    struct dray_host host;
    void *self;
    const char *path; /* RIG_PATH if not set */
    int64_t max_file_size, max_backups, network;
    uint32_t durability; /* 0: host */
    uint32_t budget_ms;  /* 0: RIG_BUDGET_MS */
    int64_t wall_ms, mono_ms;
    const char *boot_id;
    uint64_t nonce;
    uint64_t next_ms;
    long blocks;   /* not yet freed */
    int64_t bytes; /* the same */
    unsigned warnings, notes;
    char last_note[512];
    struct dray_error error;
    struct dray_tend tend;
    struct seen seen[RIG_SEEN]; /* by the last take, list or stats */
    size_t nseen;
    struct dray_stats_row row, totals; /* of the last rig_stats */
};

/* How much of a thing to do: with sanitizers, which are slow, usually, and with DRAY_LONG. */
unsigned rig_amount(unsigned sanitized, unsigned usual, unsigned at_length);

void rig_init(struct rig *rig);
int32_t rig_open(struct rig *rig);
void rig_close(struct rig *rig);
void rig_advance(struct rig *rig, int64_t ms);

/* One job; `delay_ms`, `unique` (or NULL) and `payload` as given. The answer, or the group's code.
 */
int32_t rig_push(
    struct rig *rig, const char *id, const char *payload, uint64_t delay_ms, const char *unique);
/* `n` jobs with the ids PREFIX0, PREFIX1 ... in one group; its code. */
int32_t rig_push_group(struct rig *rig, const char *prefix, uint32_t n, const char *payload);
/* Up to `max` jobs, to rig->seen. */
int32_t rig_take(struct rig *rig, uint32_t max, uint64_t lease_ms);
int32_t rig_settle(struct rig *rig, const struct seen *job, uint32_t verdict, uint64_t delay_ms,
    const char *error, uint32_t flags);
int32_t rig_extend(struct rig *rig, const struct seen *job, uint64_t lease_ms);
int32_t rig_change(struct rig *rig, uint32_t what, const char *id, uint32_t flags);
/* All jobs, to rig->seen, in the order of their ids. */
int32_t rig_list(struct rig *rig);
/* The job of that id in rig->seen, or NULL. */
struct seen *rig_find(struct rig *rig, const char *id);
int32_t rig_stats(struct rig *rig);
int32_t rig_tend(struct rig *rig, uint32_t what);

#endif
