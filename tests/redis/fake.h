/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What claims to be a Redis server, on a unix socket and a thread of its own. It greets like a
 * sound one; one chosen command is answered with chosen bytes.
 */
#ifndef TESTS_REDIS_FAKE_H
#define TESTS_REDIS_FAKE_H

#include "scratch.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_BYTES 4096

enum fake_then {
    FAKE_GO_ON = 0, /* answers what comes next as before */
    FAKE_SILENT = 1,
    FAKE_END = 2 /* ends the connection */
};

/* The answer to commands that begin with `word`; NULL: whatever they are. */
struct fake_answer {
    const char *word;
    const char *bytes;
    size_t len;
    enum fake_then then;
    unsigned times; /* 0: for ever */
};

struct fake {
    char path[96];
    char folder[SCRATCH_SIZE];
    int listener;
    int wake[2];
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    int stop;
    struct fake_answer answer;
    char bytes[FAKE_BYTES]; /* of `answer` */
    unsigned given;         /* how often `answer` was given */
    unsigned connections;
};

/* 0, or -1. */
int fake_start(struct fake *fake);
void fake_stop(struct fake *fake);

/* From now on. The bytes, at most FAKE_BYTES, are copied. */
void fake_set(struct fake *fake, const struct fake_answer *answer);
unsigned fake_given(struct fake *fake);
unsigned fake_connections(struct fake *fake);

#endif
