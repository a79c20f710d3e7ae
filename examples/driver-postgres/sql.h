/* SPDX-License-Identifier: CC0-1.0 */
/* Every statement that runs over and over: prepared once a connection. $1 is the time (args.h). */
#ifndef POSTGRES_SQL_H
#define POSTGRES_SQL_H

enum sql {
    SQL_PUSH,
    SQL_PUSH_LOOK,
    SQL_PUSH_UNDO,
    SQL_PUSH_ALONE,
    SQL_PUSH_LIVE,

    SQL_ACK,
    SQL_KEEP,
    SQL_RETRY,
    SQL_BURY,
    SQL_MARKED,
    SQL_EXTEND,

    SQL_SWEEP,
    SQL_REPLAY,
    SQL_TAKE,
    SQL_NEXT,
    SQL_PRUNE,

    SQL_KICK,
    SQL_CANCEL,
    SQL_REMOVE,
    SQL_STATE,
    SQL_PAUSE,
    SQL_RESET,

    SQL_LIST,
    SQL_STATS,
    SQL_TOTALS,
    SQL_TALLY,
    SQL_COUNT
};

const char *sql_text(enum sql which);

/* Columns of SQL_REPLAY, SQL_TAKE and SQL_LIST. */
enum {
    JOB_REF,
    JOB_QUEUE,
    JOB_ID,
    JOB_TYPE,
    JOB_PAYLOAD,
    JOB_NAME,
    JOB_KEY,
    JOB_GROUP,
    JOB_PRIORITY,
    JOB_STATE,
    JOB_RUN_AT,
    JOB_TIMEOUT,
    JOB_MAX_ATTEMPTS,
    JOB_ATTEMPTS,
    JOB_RELEASES,
    JOB_MARKED,
    JOB_COUNTER,
    JOB_NONCE,
    JOB_LEASE_LEFT,
    JOB_CREATED,
    JOB_ENDED,
    JOB_OWNER,
    JOB_ERROR,
    JOB_RESULT,
    JOB_PROGRESS
};

#endif
