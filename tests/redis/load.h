/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An application under load: one instance pushes a job every few milliseconds, another one works.
 * It remembers which pushes were accepted, when, and how often each job ran. One at a time.
 */
#ifndef TESTS_REDIS_LOAD_H
#define TESTS_REDIS_LOAD_H

#include "dray/dray.h"
#include "redis/fleet.h"

#define LOAD_BACK_MS 2000 /* L3 */
#define LOAD_BUSY_MS 300  /* of load before something happens */

/* `connection` is what is between the braces in YAML. */
int32_t load_open(struct dray **dray, const char *connection, struct dray_error *error);

void load_begin(const char *connection);
void load_run(int64_t ms);
/* No more pushes; all that was accepted since `since` (fleet_ms) gets done, or the test fails. */
void load_stop(int64_t since);
void load_end(void);

int load_pushed(void);           /* so many pushes were answered */
int load_has_run(int64_t since); /* nonzero if a job accepted since then has run */
int load_lost(int64_t before);   /* so many accepted before have never run */
int64_t load_slowest(void);      /* the longest that a push took, in ms (worker/watch.h) */
/* Fails the test if a push was refused without a reason, or with one that does not fit a server
   that is away. */
void load_check_refusals(void);

/* From now on, when `server` takes writes again: jobs are done there within two seconds, and new
   ones ring there. Fails the test if not. */
void load_expect_work(const struct node *server);
void load_expect_bell(const struct node *server);

#endif
