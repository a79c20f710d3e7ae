/* SPDX-License-Identifier: CC0-1.0 */
#include "link.h"

#include "schema.h"
#include "store.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BACKOFF_FIRST_MS 25 /* doubled with each failure, up to */
#define BACKOFF_MOST_MS 1000

int64_t link_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *text_of(const struct store *store, const char *option)
{
    const char *text = store->host->text(store->host, option, 0);
    return text && text[0] ? text : NULL;
}

/* As libpq has put it together out of our options and its own environment variables. */
static void name_server(struct link *link)
{
    const char *host = PQhost(link->conn), *port = PQport(link->conn);
    snprintf(link->where, sizeof(link->where), "postgres at %.150s:%.10s",
        host && host[0] ? host : "?", port && port[0] ? port : "5432");
}

static void drop(struct store *store)
{
    bell_lose(store);
    PQfinish(store->link.conn);
    store->link.conn = NULL;
    memset(store->link.prepared, 0, sizeof(store->link.prepared));
}

void link_close(struct store *store)
{
    if (store->link.conn)
        drop(store);
}

/* ------------------------------------------------------------------------------------------- */
/* Errors                                                                                      */
/* ------------------------------------------------------------------------------------------- */

/* What the server refused with (https://www.postgresql.org/docs/current/errcodes-appendix.html).
   A statement that failed has changed nothing. */
static int32_t code_of(const char *state)
{
    static const struct {
        const char *prefix;
        int32_t code;
    } codes[] = {{"55P03", DRAY_BUSY}, {"57014", DRAY_BUSY}, {"40", DRAY_BUSY}, {"23", DRAY_BUSY},
        {"53100", DRAY_FULL}, {"53200", DRAY_NOMEM}, {"53", DRAY_UNREACHABLE},
        {"57", DRAY_UNREACHABLE}, {"08", DRAY_UNREACHABLE}, {"25006", DRAY_UNREACHABLE},
        {"28", DRAY_DENIED}, {"42501", DRAY_DENIED}, {"3D", DRAY_CONFIG}, {"XX00", DRAY_CORRUPT}};
    for (size_t i = 0; state && i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strncmp(state, codes[i].prefix, strlen(codes[i].prefix)) == 0)
            return codes[i].code;
    }
    return DRAY_IO;
}

/* libpq's messages have several lines; people get the first. */
static int32_t fail(struct store *store, struct dray_call *call, int32_t code, const char *text)
{
    return store->host->fail(call, code, 0, "%s: %.*s", store->link.where,
        (int)strcspn(text ? text : "", "\n"), text ? text : "");
}

static int32_t fail_by(struct store *store, struct dray_call *call, const PGresult *rows)
{
    const char *state = PQresultErrorField(rows, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(rows, PG_DIAG_MESSAGE_PRIMARY);
    return fail(store, call, code_of(state), text);
}

/* ------------------------------------------------------------------------------------------- */
/* Waiting                                                                                     */
/* ------------------------------------------------------------------------------------------- */

/* Nonzero if the socket came to it before the deadline. */
static int wait_for(const struct link *link, short events)
{
    struct pollfd fd = {.fd = PQsocket(link->conn), .events = events};
    int64_t left = link->deadline_ms - link_clock_ms();
    return fd.fd >= 0 && left > 0 && poll(&fd, 1, (int)left) > 0;
}

/* The last answer to what has been sent, or the first that is an error. NULL: none came; the
   connection is closed. */
static PGresult *wait_answer(struct store *store)
{
    struct link *link = &store->link;
    PGresult *last = NULL;
    for (;;) {
        int unsent = PQflush(link->conn), alive = unsent >= 0;
        while (alive && (unsent || PQisBusy(link->conn))) {
            alive = wait_for(link, (short)(unsent ? POLLIN | POLLOUT : POLLIN)) &&
                    PQconsumeInput(link->conn);
            unsent = alive ? PQflush(link->conn) : 0;
            alive = alive && unsent >= 0;
        }
        PGresult *rows = alive ? PQgetResult(link->conn) : NULL;
        if (alive && !rows)
            break;
        if (!alive || (last && PQresultStatus(last) == PGRES_FATAL_ERROR)) {
            PQclear(rows);
        } else {
            PQclear(last);
            last = rows;
        }
        if (!alive)
            break;
    }
    if (PQstatus(link->conn) == CONNECTION_OK && PQtransactionStatus(link->conn) != PQTRANS_ACTIVE)
        return last;
    PQclear(last);
    drop(store);
    return NULL;
}

/* For anything but a COMMIT. */
static int32_t take_answer(struct store *store, struct dray_call *call, PGresult **rows)
{
    *rows = wait_answer(store);
    if (!*rows && link_clock_ms() >= store->link.deadline_ms)
        return fail(store, call, DRAY_BUSY, "no answer within the call's time; nothing was done");
    if (!*rows)
        return fail(store, call, DRAY_UNREACHABLE, "the connection broke; nothing was done");
    ExecStatusType status = PQresultStatus(*rows);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return DRAY_OK;
    int32_t code = fail_by(store, call, *rows);
    PQclear(*rows);
    *rows = NULL;
    return code;
}

int32_t link_say(struct store *store, struct dray_call *call, const char *text, PGresult **rows)
{
    PGresult *own = NULL;
    PGresult **out = rows ? rows : &own;
    *out = NULL;
    if (!PQsendQuery(store->link.conn, text))
        return fail(store, call, DRAY_UNREACHABLE, PQerrorMessage(store->link.conn));
    int32_t code = take_answer(store, call, out);
    PQclear(own);
    return code;
}

static int32_t prepare(struct store *store, struct dray_call *call, enum sql which, char *name)
{
    static const Oid time[] = {20}; /* bigint, also in statements that do not look at it */
    PGresult *rows = NULL;
    if (store->link.prepared[which])
        return DRAY_OK;
    if (!PQsendPrepare(store->link.conn, name, sql_text(which), 1, time))
        return fail(store, call, DRAY_UNREACHABLE, PQerrorMessage(store->link.conn));
    int32_t code = take_answer(store, call, &rows);
    PQclear(rows);
    store->link.prepared[which] = code == DRAY_OK;
    return code;
}

int32_t link_ask(struct store *store, struct dray_call *call, enum sql which, PGresult **rows)
{
    struct args *args = &store->args;
    char name[16];
    *rows = NULL;
    snprintf(name, sizeof(name), "dray%d", (int)which);
    if (!args_ready(store))
        return store_no_memory(store, call);
    int32_t code = prepare(store, call, which, name);
    if (code != DRAY_OK)
        return code;
    if (!PQsendQueryPrepared(
            store->link.conn, name, args->n, args->values, args->lengths, args->formats, 0))
        return fail(store, call, DRAY_UNREACHABLE, PQerrorMessage(store->link.conn));
    return take_answer(store, call, rows);
}

int64_t link_number(const PGresult *rows, int row, int column)
{
    return strtoll(PQgetvalue(rows, row, column), NULL, 10);
}

struct dray_str link_text(const PGresult *rows, int row, int column)
{
    return str_of(PQgetvalue(rows, row, column), (uint64_t)PQgetlength(rows, row, column));
}

/* ------------------------------------------------------------------------------------------- */
/* Connecting                                                                                  */
/* ------------------------------------------------------------------------------------------- */

static void ignore_notice(void *user, const char *message)
{
    (void)user;
    (void)message;
}

/* What is not given, libpq takes from its environment variables and defaults. */
static PGconn *start(const struct store *store)
{
    static const char *const names[] = {"host", "port", "user", "password", "dbname", "sslmode",
        "sslrootcert", "sslcert", "sslkey", "client_encoding", "application_name", NULL};
    const struct dray_host *host = store->host;
    const char *path = text_of(store, "connection.path"),
               *ca = text_of(store, "connection.ca_file");
    int64_t port = host->number(host, "connection.port");
    char digits[16];
    snprintf(digits, sizeof(digits), "%lld", (long long)port);
    const char *values[] = {path ? path : text_of(store, "connection.host"), port ? digits : NULL,
        text_of(store, "connection.username"), text_of(store, "connection.password"),
        text_of(store, "connection.database"),
        ca                                     ? "verify-full"
        : host->number(host, "connection.tls") ? "require"
                                               : NULL,
        ca, text_of(store, "connection.cert_file"), text_of(store, "connection.key_file"), "UTF8",
        store->name, NULL};
    return PQconnectStartParams(names, values, 0);
}

/* libpq keeps the code of a refused connection to itself, but verbose messages have it: "FATAL:
   28P01: password authentication failed for user ...". "" if there is none. */
static const char *refusal_in(const char *text)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t end = strcspn(text, "\n");
    for (const char *p = text; (size_t)(p - text) + 9 < end; p++) {
        if (memcmp(p, ":  ", 3) == 0 && strspn(p + 3, digits) == 5 && memcmp(p + 8, ": ", 2) == 0)
            return p + 3;
    }
    return "";
}

/* What the server, or libpq without asking it, refused; and what to do about it. */
static int32_t fail_to_connect(struct store *store, struct dray_call *call)
{
    PGconn *conn = store->link.conn;
    const char *text = PQerrorMessage(conn), *state = refusal_in(text);
    int32_t code = PQconnectionNeedsPassword(conn) ? DRAY_DENIED : code_of(state);
    if (code == DRAY_IO || (!state[0] && code != DRAY_DENIED))
        return fail(store, call, DRAY_UNREACHABLE, text);
    const char *said = state[0] ? state + 7 : "no password was given";
    const char *cure = code == DRAY_DENIED   ? "; give the connection a username and password that "
                                               "the server's pg_hba.conf lets in"
                       : code == DRAY_CONFIG ? "; create it, or name another one in the connection"
                                             : "";
    return store->host->fail(
        call, code, 0, "%s: %.*s%s", store->link.where, (int)strcspn(said, "\n"), said, cure);
}

static int32_t connect_once(struct store *store, struct dray_call *call)
{
    struct link *link = &store->link;
    link->conn = start(store);
    if (!link->conn)
        return store_no_memory(store, call);
    name_server(link);
    PQsetNoticeProcessor(link->conn, ignore_notice, NULL);
    PQsetErrorVerbosity(link->conn, PQERRORS_VERBOSE);
    PostgresPollingStatusType step =
        PQstatus(link->conn) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING) {
        if (!wait_for(link, step == PGRES_POLLING_READING ? POLLIN : POLLOUT))
            return fail(store, call, DRAY_UNREACHABLE, "no answer within the call's time");
        step = PQconnectPoll(link->conn);
    }
    if (step != PGRES_POLLING_OK)
        return fail_to_connect(store, call);
    PQsetErrorVerbosity(link->conn, PQERRORS_DEFAULT);
    return PQsetnonblocking(link->conn, 1) == 0 ? DRAY_OK : store_no_memory(store, call);
}

/* A COMMIT without an answer may still be under way. It ends before anything is asked again: what
   it did can be seen then, and what it did not do never comes. */
static int32_t end_the_lost(struct store *store, struct dray_call *call)
{
    char text[256];
    PGresult *rows = NULL;
    if (!store->link.lost)
        return DRAY_OK;
    snprintf(text, sizeof(text),
        "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
        "WHERE pid = %d AND application_name = '%s'",
        store->link.lost, store->name);
    int32_t code = link_say(store, call, text, &rows);
    if (code == DRAY_OK && PQntuples(rows) && PQgetvalue(rows, 0, 0)[0] != 't')
        code = fail(store, call, DRAY_UNREACHABLE, "the last commit is still under way");
    if (code == DRAY_OK)
        store->link.lost = 0;
    PQclear(rows);
    return code;
}

static int32_t greet(struct store *store, struct dray_call *call)
{
    char text[512];
    /* A process that is stopped in the middle of a turn does not keep others from its jobs. No
       statement here has a plan that depends on its values: it is made once a connection. */
    snprintf(text, sizeof(text),
        "SET search_path = %s, pg_temp; SET idle_in_transaction_session_timeout = '10s'; "
        "SET plan_cache_mode = force_generic_plan%s",
        store->schema_sql,
        store->wish == DRAY_DURABILITY_PROCESS ? "; SET synchronous_commit = off" : "");
    int32_t code = link_say(store, call, text, NULL);
    if (code == DRAY_OK)
        code = end_the_lost(store, call);
    if (code == DRAY_OK)
        code = schema_greet(store, call);
    if (code == DRAY_OK)
        code = bell_find(store, call);
    return code;
}

static int32_t connect_again(struct store *store, struct dray_call *call)
{
    struct link *link = &store->link;
    int64_t now = link_clock_ms();
    if (link->failures && now < link->retry_ms)
        return fail(store, call, DRAY_UNREACHABLE, "not reachable; tried a moment ago");
    int32_t code = connect_once(store, call);
    if (code == DRAY_OK)
        code = greet(store, call);
    if (code == DRAY_OK) {
        link->failures = 0;
        return DRAY_OK;
    }
    link_close(store);
    int64_t pause = BACKOFF_FIRST_MS << (link->failures < 6 ? link->failures : 6);
    link->failures++;
    link->retry_ms = link_clock_ms() + (pause < BACKOFF_MOST_MS ? pause : BACKOFF_MOST_MS);
    return code;
}

int32_t link_ready(struct store *store, struct dray_call *call)
{
    struct link *link = &store->link;
    /* What the server said meanwhile: a bell, or that it goes. */
    if (link->conn && (!PQconsumeInput(link->conn) || PQstatus(link->conn) != CONNECTION_OK))
        drop(store);
    return link->conn ? DRAY_OK : connect_again(store, call);
}

/* ------------------------------------------------------------------------------------------- */
/* Transactions                                                                                */
/* ------------------------------------------------------------------------------------------- */

int32_t link_begin(struct store *store, struct dray_call *call, int synced)
{
    char text[160];
    /* Waits for locks end first, so that the answer still comes within the budget. */
    snprintf(text, sizeof(text), "BEGIN; SET LOCAL lock_timeout = %u%s",
        store->link.budget_ms - store->link.budget_ms / 4 + 1,
        synced ? "" : "; SET LOCAL synchronous_commit = off");
    for (int again = 0;; again++) {
        int32_t code = link_ready(store, call);
        if (code == DRAY_OK)
            code = link_say(store, call, text, NULL);
        /* A server that was restarted is noticed only now. */
        if (code != DRAY_UNREACHABLE || store->link.conn || store->link.failures || again)
            return code;
    }
}

static int32_t commit(struct store *store, struct dray_call *call)
{
    struct link *link = &store->link;
    if (!PQsendQuery(link->conn, "COMMIT")) {
        drop(store);
        return fail(store, call, DRAY_UNREACHABLE, "the connection broke; nothing was done");
    }
    int server = PQbackendPID(link->conn);
    PGresult *rows = wait_answer(store);
    int32_t code = DRAY_OK;
    if (!rows) {
        link->lost = server;
        code = fail(store, call, DRAY_UNKNOWN,
            "no answer to a commit: it may have been done; ask again with the same id or token");
    } else if (PQresultStatus(rows) != PGRES_COMMAND_OK) {
        code = fail_by(store, call, rows);
    } else if (strcmp(PQcmdStatus(rows), "COMMIT") != 0) {
        code = fail(store, call, DRAY_IO, "the server rolled back; nothing was done");
    }
    PQclear(rows);
    return code;
}

int32_t link_end(struct store *store, struct dray_call *call, int32_t code)
{
    if (!store->link.conn)
        return code;
    if (code == DRAY_OK)
        return commit(store, call);
    if (PQtransactionStatus(store->link.conn) == PQTRANS_IDLE)
        return code;
    /* The error of the call is told, not one of the rollback. */
    struct dray_error silent = DRAY_ERROR_INIT, *loud = call->error;
    call->error = &silent;
    if (link_say(store, call, "ROLLBACK", NULL) != DRAY_OK)
        link_close(store);
    call->error = loud;
    return code;
}
