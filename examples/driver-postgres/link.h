/* SPDX-License-Identifier: CC0-1.0 */
/*
 * The connection to the server, and transactions on it. All waiting is done here, within the call's
 * budget. A connection that did not answer in time, or broke, is closed and never used again: no
 * answer meets another question. Until the COMMIT has been sent, that means "certainly not done",
 * for the server rolls back what was not committed; afterwards it is DRAY_UNKNOWN.
 */
#ifndef POSTGRES_LINK_H
#define POSTGRES_LINK_H

#include "sql.h"

#include <dray/driver.h>
#include <libpq-fe.h>

struct store;

struct link {
    PGconn *conn;        /* NULL: not connected */
    int64_t deadline_ms; /* of the call under way, on link_clock_ms */
    uint32_t budget_ms;  /* of the call under way */
    int64_t retry_ms;    /* not to connect before */
    uint32_t failures;   /* to connect, in a row */
    int lost;            /* server process of a COMMIT whose answer got lost; 0: none */
    char prepared[SQL_COUNT];
    char where[200]; /* the server, for messages; no password */
};

/* Real time in milliseconds that never jumps: what budgets are counted in. */
int64_t link_clock_ms(void);

void link_close(struct store *store);

/* A connection that is fit for use: made anew if the last one broke. */
int32_t link_ready(struct store *store, struct dray_call *call);

/*
 * A transaction. `synced`: its commit is synced to disk where the server does so. Anything that
 * link_ask or the caller answers other than DRAY_OK must be followed by link_end, which rolls back
 * then; it returns `code`, or why the commit failed.
 */
int32_t link_begin(struct store *store, struct dray_call *call, int synced);
int32_t link_end(struct store *store, struct dray_call *call, int32_t code);

/* Runs a statement with the values in store->args. *rows is the caller's to PQclear; it is NULL
   after an error. */
int32_t link_ask(struct store *store, struct dray_call *call, enum sql which, PGresult **rows);

/* Statements without values; those that come from people are quoted by the caller. */
int32_t link_say(struct store *store, struct dray_call *call, const char *text, PGresult **rows);

int64_t link_number(const PGresult *rows, int row, int column);
struct dray_str link_text(const PGresult *rows, int row, int column);

#endif
