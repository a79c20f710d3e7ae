/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue in a known state, one act of the driver on it, and the queue as somebody else sees it.
 * `rig` acts, over whatever the test puts in between; `eye` prepares and looks, undisturbed.
 */
#ifndef TESTS_REDIS_SCENE_H
#define TESTS_REDIS_SCENE_H

#include "redis/redis_server.h"
#include "redis/rig.h"

#define SCENE_JOBS 512
#define SCENE_TEXT 131072

struct scene {
    struct server server;
    redisContext *own;
    struct rig rig, eye;
    uint32_t n; /* jobs of a batch */
    int plain;  /* its jobs have no unique keys */
    uint64_t nonce;
    struct dray_token tokens[SCENE_JOBS]; /* of those that the scene's beginning leased */
    int32_t answers[SCENE_JOBS];          /* of the act */
    uint32_t nanswers;
    char said[SCENE_TEXT]; /* what the act handed out, a line each */
    size_t nsaid;
};

struct act {
    const char *name;
    void (*prepare)(struct scene *scene); /* after the queue was emptied */
    /* `again`: as a client asks that was not told. The driver's answer; those to each job or lease
       into `answers`. */
    int32_t (*run)(struct scene *scene, int again);
    int32_t done; /* how a job answers that knows the act already; DRAY_OK: just so */
    int reads;    /* changes nothing, so that it is never UNKNOWN */
    int mixed;    /* its answers are those of leases and, last, of a push */
};

/* Text that grows up to SCENE_TEXT bytes. */
struct scene_text {
    char *data;
    size_t len;
};

/* In acts.c. */
extern const struct act scene_acts[];
extern const unsigned scene_nacts;

/* A server, `own` and `eye` on it. The test opens `rig`. */
void scene_start(struct scene *scene, int aof);
void scene_end(struct scene *scene);

/* Empties the server's data and makes the beginning of an act. */
void scene_reset(struct scene *scene, const struct act *act);

/* Runs the act; what it handed out goes into `said`. */
int32_t scene_run(struct scene *scene, const struct act *act, int again);

/* Nonzero if every answer is OK or, where it is asked again, tells of the first time. */
int scene_answered(const struct scene *scene, const struct act *act, int again);

/* All that lists and statistics show of the queue, but for times. */
void scene_look(struct scene *scene, char *data);

/* A call whose jobs and statistics become lines of `text`, and calls that use it. */
struct dray_call *scene_looking(struct rig *rig, struct scene_text *text);
int32_t scene_list(struct rig *rig, struct scene_text *text);
int32_t scene_stats(struct rig *rig, struct scene_text *text);

/* The driver's own check of the store: how much damage it finds, its notes a line each. `what`: the
   case, for messages. */
uint64_t scene_check(struct rig *rig, const char *what, char notes[SCENE_TEXT]);

/* A wish for jobs of the queue. */
struct dray_reserve scene_want(uint32_t max, uint32_t flags, uint64_t nonce);

/* Takes all that is ready; how many came. */
uint32_t scene_drain(struct scene *scene);

#endif
