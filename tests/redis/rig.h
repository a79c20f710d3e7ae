/* SPDX-License-Identifier: Apache-2.0 */
/* A real server in a folder of its own, and the driver loaded from its file. One thread. */
#ifndef TESTS_REDIS_RIG_H
#define TESTS_REDIS_RIG_H

#include "dray/driver.h"

#include <hiredis/hiredis.h>
#include <sys/types.h>

#define RIG_SHOWN 64

struct server {
    pid_t pid; /* 0: not running */
    int aof;   /* appendonly yes, appendfsync always */
    char folder[64];
    char socket[96];
};

/* Nonzero if redis-server is installed. */
int server_is_there(void);
void server_start(struct server *server, int aof);
/* Again in the same folder, after server_kill. */
void server_restart(struct server *server);
void server_kill(struct server *server); /* SIGKILL */
void server_remove(struct server *server);
/* A connection of the test's own. */
redisContext *server_talk(const struct server *server);

struct rig {
    struct dray_host host; /* first: the host's functions find the rig by it */
    struct dray_call call;
    struct dray_error error;
    const struct dray_driver *driver;
    void *self;
    const char *path; /* of a socket, or NULL: 127.0.0.1 at `port` */
    int port;
    uint32_t budget_ms; /* of each call; 0: a second */
    void *user;         /* for a test's own sinks */
    uint64_t nonce;
    char holder[1][DRAY_NAME_MAX + 1]; /* of the unique key, by rig_push */
    uint32_t nshown;
    struct {
        char id[DRAY_NAME_MAX + 1];
        struct dray_token token;
        uint32_t attempts;
    } shown[RIG_SHOWN];
};

/* Both end the test if the driver cannot be loaded; the answer is open's. */
int32_t rig_open(struct rig *rig, const char *path, int port);
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
