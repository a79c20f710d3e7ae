/* SPDX-License-Identifier: Apache-2.0 */
/* The driver loaded from its file, without the core. One thread. */
#ifndef TESTS_REDIS_RIG_H
#define TESTS_REDIS_RIG_H

#include "dray/driver.h"

#define RIG_SHOWN 64
#define RIG_BUDGET_MS 20000  /* of each call; generous, for busy machines */
#define RIG_DEDUPE_MS 120000 /* the option dedupe_keep */

struct rig {
    struct dray_host host; /* first: the host's functions find the rig by it */
    struct dray_call call;
    struct dray_error error;
    const struct dray_driver *driver;
    void *self;
    const char *path; /* of a socket; without a slash, a host; NULL: 127.0.0.1, at `port` */
    int port;
    int64_t (*clock)(void); /* milliseconds; NULL: the server's time counts */
    uint32_t timeout_ms;    /* of the connection; 0: none */
    uint32_t budget_ms;     /* of each call; 0: RIG_BUDGET_MS */
    void *user;             /* for a test's own sinks */
    uint64_t nonce;
    char holder[1][DRAY_NAME_MAX + 1]; /* of the unique key, by rig_push */
    unsigned nlogged;                  /* lines of the log */
    char logged[1024];                 /* the last one */
    uint32_t nshown;
    struct {
        char id[DRAY_NAME_MAX + 1];
        struct dray_token token;
        uint32_t attempts;
    } shown[RIG_SHOWN];
};

/* From now on this one, instead of the driver's file. */
void rig_use(const struct dray_driver *driver);

/* Both end the test if the driver cannot be loaded; the answer is open's. */
int32_t rig_open(struct rig *rig, const char *path, int port);
/* On a clock that the test moves; it is asked once a call of a script, before that is sent. */
int32_t rig_open_timed(struct rig *rig, const char *path, int64_t (*clock)(void));
void rig_close(struct rig *rig);

int32_t rig_push(struct rig *rig, const char *id, uint32_t flags);
/* A call that begins now, with the sinks that fill in `shown`. */
struct dray_call *rig_call(struct rig *rig);
struct rig *rig_of(struct dray_call *call);

/* Up to `max` of the queue "q" into `shown`. */
int32_t rig_reserve(struct rig *rig, uint32_t max, uint32_t flags, uint64_t nonce);
int32_t rig_ack(struct rig *rig, uint32_t shown);
/* Ready and active jobs of "q" together; -1 if there is no answer. */
int64_t rig_live(struct rig *rig);

#endif
