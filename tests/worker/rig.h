/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One instance under test, the clock that the test moves, and a record of what handlers and
 * callbacks saw. The record may be read while a worker runs, through the functions alone.
 */
#ifndef TESTS_WORKER_RIG_H
#define TESTS_WORKER_RIG_H

#include "dray/dray.h"
#include "worker/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define RIG_EVENTS 4096
#define RIG_PATIENCE_MS 60000 /* for what should happen at once; generous, for slow machines */

enum rig_kind {
    SAW_START,
    SAW_STOP,
    SAW_JOB_START,
    SAW_COMPLETE,
    SAW_ERROR,
    SAW_DEAD,
    SAW_TROUBLE
};

struct rig_event {
    enum rig_kind kind;
    char id[DRAY_ID_SIZE];
    char text[160]; /* the error, or the result */
    uint32_t attempt, max_attempts;
    uint64_t retry_in_ms;
    int code;
    int will_retry;
    uint64_t thread;
};

extern struct dray *rig;             /* the instance */
extern struct dray_clock *rig_clock; /* NULL: the system's */
extern struct dray_error rig_error;  /* of the last call that was given it */

/* Opens `driver` on a clock that stands still (`by_hand`) or the system's. The settings are pairs
   of key and value that end in NULL. Fails the test if it cannot. */
void rig_open(const char *driver, int by_hand, ...);

/* Closes what is open, and checks that the script's driver never had two calls at once. */
int rig_close(void **state);

/* Callbacks that record everything. */
struct dray_callbacks rig_callbacks(void);
unsigned rig_saw(enum rig_kind kind);
unsigned rig_saw_job(enum rig_kind kind, const char *id);
/* The nth (from 0) of that kind; fails the test if it is not there. */
struct rig_event rig_event(enum rig_kind kind, unsigned nth);
unsigned rig_events(struct rig_event *out, unsigned most); /* in order */

/* Dispatches a job with this id, or fails the test. */
void rig_push(const char *type, const char *id);
void rig_push_as(const char *type, const char *payload, const struct dray_new_job *more);

/* The job as it is stored; the state is "gone" if it is not. For rig_forget. */
const char *rig_state(const char *id);
struct dray_job_info *rig_get(const char *id);

void rig_advance(int64_t ms);

/* How many lines of the log at `level` had `part` in them. */
unsigned rig_logged(int level, const char *part);

/* A thread that dispatches one job of type "t"; `arg` is NULL or an int for the code. */
void *rig_dispatch_main(void *arg);

/* How many handlers have outlived their worker. */
unsigned rig_abandoned(void);
/* Lets an instance whose close was refused because of them be closed again. */
void rig_reopen_abandoned(void);

/* Wait until so many dispatchers' groups wait for the next turn; until an inline call waits. */
void rig_wait_for_groups(unsigned n);
void rig_wait_for_calls(void);
/* How many outcomes wait for a turn. */
unsigned rig_outcomes(void);
/* The keeper looks around now, and does not poll the store again before the next look that somebody
   else makes: what nobody tells it stays undone. */
void rig_stop_polling(void);
/* Waits until so many executors are asleep and nobody leads a turn. */
void rig_wait_for_idle(unsigned n);

/* Milliseconds that nobody moves. */
int64_t rig_real_ms(void);
void rig_nap(void); /* between two looks at a condition */

/* Polls until `condition` holds; fails the test if it does not in time. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        int64_t rig_end_ = rig_real_ms() + RIG_PATIENCE_MS;                                        \
        while (!(condition)) {                                                                     \
            if (rig_real_ms() > rig_end_)                                                          \
                fail_msg("%s never came true", #condition);                                        \
            rig_nap();                                                                             \
        }                                                                                          \
    } while (0)

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        int rig_code_ = (call);                                                                    \
        if (rig_code_ != DRAY_OK)                                                                  \
            fail_msg("%s: %s (%s)", #call, dray_code_name(rig_code_), rig_error.text);             \
    } while (0)

/* Handlers. */
int rig_succeed(struct dray_attempt *attempt, void *user);
int rig_fail(struct dray_attempt *attempt, void *user);
/* Waits until rig_release, or until it is told to stop; how many are inside. */
int rig_wait(struct dray_attempt *attempt, void *user);
/* The same, deaf to the flag. */
int rig_deaf(struct dray_attempt *attempt, void *user);
/* The same, and then it fails. */
int rig_fail_when_released(struct dray_attempt *attempt, void *user);
void rig_release(void);
void rig_hold_back(void); /* as before rig_release */
unsigned rig_inside(void);
unsigned rig_runs(void); /* starts of any of these handlers */
int rig_most_inside(void);

#endif
