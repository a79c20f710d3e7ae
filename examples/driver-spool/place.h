/* SPDX-License-Identifier: CC0-1.0 */
/*
 * Where a job stands, which is where its file lies: QUEUE/STATE/PRIORITY-WHEN-ID below the spool
 * folder. WHEN is what the state waits for: a place in the row of ready jobs, the wall-clock time
 * at which a delayed job falls due, the monotonic time at which the lease of an active one ends,
 * the wall-clock time at which a dead one died.
 *
 * All functions take the spool folder as a descriptor. Errors are errno values, 0 is success.
 */
#ifndef SPOOL_PLACE_H
#define SPOOL_PLACE_H

#include <dray/driver.h>

#define PLACE_PATH_SIZE 256

struct place {
    char queue[DRAY_NAME_MAX + 1];
    char id[DRAY_NAME_MAX + 1];
    uint32_t state; /* 0: nowhere */
    uint32_t priority;
    int64_t when;
};

/* Bits for the functions that look. */
#define PLACE_BIT(state) (1u << (state))
#define PLACE_ALL                                                                                  \
    (PLACE_BIT(DRAY_STATE_READY) | PLACE_BIT(DRAY_STATE_DELAYED) | PLACE_BIT(DRAY_STATE_ACTIVE) |  \
        PLACE_BIT(DRAY_STATE_DEAD))

/* The file of a place, relative to the spool folder. */
void place_path(const struct place *place, char out[PLACE_PATH_SIZE]);

/* Calls `each` for every job in one of the states; `queue` NULL: of all queues. */
int place_scan(int root, const char *queue, uint32_t states,
    void (*each)(const struct place *place, void *user), void *user);

/* The job of that id, or state 0. */
int place_find(int root, const char *queue, uint32_t states, struct dray_str id, struct place *out);

/* The job of that state which is next in turn: ready ones by priority and row, others by `when`. */
int place_first(int root, const char *queue, uint32_t state, struct place *out);

/* Makes the folders of a queue. */
int place_make_folders(int root, const char *queue);

/* rename(2): the job stands at `to`, at once and for everybody. */
int place_move(int root, const struct place *from, const struct place *to);

#endif
