/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sqlite driver without the core: a host whose clock and boot id a test sets by hand, one open
 * store, and the operations with little to write. One thread a rig.
 */
#ifndef TESTS_SQLITE_RIG_H
#define TESTS_SQLITE_RIG_H

#include "dray/driver.h"

#include <limits.h>

#define RIG_BUDGET_MS 20000 /* of each call; generous, for busy disks */
#define RIG_JOBS 1024       /* most jobs that one call may hand out or show */

struct rig_job {
    char id[DRAY_NAME_MAX + 1];
    char error[128];
    uint32_t state, attempts, releases, flags;
    struct dray_token token;
    uint64_t ref, payload_len, lease_left_ms;
    int64_t run_at_ms;
    uint64_t payload_sum;
};

struct rig {
    struct dray_host host; /* first: the host functions find the rig by it */
    const struct dray_driver *driver;
    void *self;
    int64_t wall_ms, mono_ms;
    char path[PATH_MAX];
    int64_t spare; /* bytes */
    int network;
    uint32_t durability;
    uint32_t budget_ms;
    char log[256]; /* the last line */
    int log_lines;

    struct dray_call call; /* of the last operation */
    struct dray_error error;
    struct rig_job jobs[RIG_JOBS];
    uint32_t njobs;
    struct dray_stats_row row; /* the last queue's; its strings are void */
    uint32_t notes;
    char note[512];
    uint64_t nonce; /* of the last reserve */
};

/* The driver in the build's driver folder (DRAY_DRIVER_PATH). NULL: not there. */
const struct dray_driver *rig_driver(void);

/* A rig with defaults; nothing is opened. `path` is copied. */
void rig_init(struct rig *rig, const char *path);
int32_t rig_open(struct rig *rig);
void rig_close(struct rig *rig);

/* A job as these tests push it. */
struct dray_job rig_job(const char *id, const char *payload);
struct dray_str rig_str(const char *text);

int32_t rig_push(struct rig *rig, const char *queue, const char *id, const char *payload);
int32_t rig_push_job(struct rig *rig, const char *queue, const struct dray_job *job);

/* What it handed out is in rig->jobs. */
int32_t rig_reserve(struct rig *rig, const char *queue, uint32_t max, uint64_t lease_ms);
int32_t rig_settle(struct rig *rig, const char *queue, const struct rig_job *job, uint32_t verdict,
    uint64_t delay_ms, int32_t *answer);
int32_t rig_extend(struct rig *rig, const char *queue, const struct rig_job *job, uint64_t lease_ms,
    int32_t *answer);
int32_t rig_list(struct rig *rig, const char *queue, uint32_t states);
int32_t rig_stats(struct rig *rig, const char *queue);
int32_t rig_change(
    struct rig *rig, const char *queue, uint32_t what, const char *id, int32_t *answer);
int32_t rig_tend(struct rig *rig, uint32_t what, struct dray_tend *tend);

/* A call of this rig, preset, for operations that have no function here. */
struct dray_call *rig_call(struct rig *rig);

#endif
