/* SPDX-License-Identifier: CC0-1.0 */
#include "schema.h"

#include "store.h"

#include <stdio.h>
#include <string.h>

#define SERVER_VERSION 140000 /* pg_terminate_backend waits from here on */

/*
 * Texts compare as bytes (COLLATE "C"). Times are milliseconds since 1970. ref is the order of
 * pushes, seq that of entering ready; both come from one sequence. The partial indexes are what
 * each question walks along: the next ready job, the next due one, the next lease to end, the
 * holder of a key, the ended jobs by age.
 */
static const char tables[] =
    "CREATE TABLE dray (version int NOT NULL);"
    "CREATE SEQUENCE seq;"
    "CREATE TABLE job (ref bigint PRIMARY KEY, seq bigint NOT NULL,"
    " queue text COLLATE \"C\" NOT NULL, id text COLLATE \"C\" NOT NULL,"
    " type text COLLATE \"C\" NOT NULL, payload text COLLATE \"C\" NOT NULL,"
    " name text NOT NULL, ukey text COLLATE \"C\" NOT NULL, grp text NOT NULL,"
    " priority int NOT NULL, state int NOT NULL, run_at bigint NOT NULL, timeout bigint NOT NULL,"
    " max_attempts bigint NOT NULL, attempts bigint NOT NULL, releases bigint NOT NULL,"
    " marked boolean NOT NULL DEFAULT false, counter bigint NOT NULL,"
    " nonce bigint NOT NULL DEFAULT 0, lease_until bigint NOT NULL DEFAULT 0,"
    " created bigint NOT NULL, ended bigint NOT NULL, owner text NOT NULL DEFAULT '',"
    " error text NOT NULL, result text NOT NULL, progress text NOT NULL, UNIQUE (queue, id));"
    "CREATE INDEX ON job (queue, priority, seq) WHERE state = 1;"
    "CREATE INDEX ON job (queue, run_at) WHERE state = 2;"
    "CREATE INDEX ON job (queue, lease_until) WHERE state = 3;"
    "CREATE INDEX ON job (queue, ended) WHERE state IN (4, 5);"
    "CREATE UNIQUE INDEX ON job (queue, ukey) WHERE ukey <> '' AND state <= 3;"
    "CREATE TABLE ended (queue text COLLATE \"C\", id text COLLATE \"C\", at bigint NOT NULL,"
    " PRIMARY KEY (queue, id));"
    "CREATE INDEX ON ended (at);"
    "CREATE TABLE queue (name text COLLATE \"C\" PRIMARY KEY,"
    " paused boolean NOT NULL DEFAULT false, consumer text NOT NULL DEFAULT '',"
    " seen bigint NOT NULL);"
    "CREATE TABLE total (queue text COLLATE \"C\", type text COLLATE \"C\", slot int,"
    " pushed bigint NOT NULL, completed bigint NOT NULL, failed bigint NOT NULL,"
    " retried bigint NOT NULL, died bigint NOT NULL, runs bigint NOT NULL, run_ms bigint NOT NULL,"
    " PRIMARY KEY (queue, type, slot));"
    "CREATE FUNCTION now_ms(host bigint) RETURNS bigint LANGUAGE sql STABLE AS"
    " 'SELECT coalesce(host, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint)';";

/* ------------------------------------------------------------------------------------------- */
/* The server                                                                                  */
/* ------------------------------------------------------------------------------------------- */

static int is_on(const char *value)
{
    return strcmp(value, "off") != 0;
}

/* What a commit survives, as the server is set up. */
static uint32_t durability_of(const PGresult *rows)
{
    const char *fsync = PQgetvalue(rows, 0, 0), *commit = PQgetvalue(rows, 0, 1);
    const char *standbys = PQgetvalue(rows, 0, 2);
    if (!is_on(fsync) || !is_on(commit))
        return DRAY_DURABILITY_PROCESS;
    return standbys[0] && strcmp(commit, "local") != 0 ? DRAY_DURABILITY_REPLICATED
                                                       : DRAY_DURABILITY_HOST;
}

static int32_t look_at_server(struct store *store, struct dray_call *call)
{
    const struct dray_host *host = store->host;
    PGresult *rows = NULL;
    if (PQserverVersion(store->link.conn) < SERVER_VERSION)
        return host->fail(
            call, DRAY_UNSUPPORTED, 0, "%s: needs PostgreSQL 14 or later", store->link.where);
    int32_t code = link_say(store, call,
        "SELECT current_setting('fsync'), current_setting('synchronous_commit'), "
        "current_setting('synchronous_standby_names'), current_setting('server_encoding')",
        &rows);
    if (code == DRAY_OK && strcmp(PQgetvalue(rows, 0, 3), "UTF8") != 0)
        code = host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s: the database has the encoding %s; create one with ENCODING 'UTF8'",
            store->link.where, PQgetvalue(rows, 0, 3));
    if (code == DRAY_OK && durability_of(rows) < store->wish)
        code = host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s: fsync is %s, synchronous_commit %s, synchronous_standby_names '%s': too little "
            "for the durability asked for",
            store->link.where, PQgetvalue(rows, 0, 0), PQgetvalue(rows, 0, 1),
            PQgetvalue(rows, 0, 2));
    if (code == DRAY_OK)
        store->durability = durability_of(rows);
    PQclear(rows);
    return code;
}

/* ------------------------------------------------------------------------------------------- */
/* The tables                                                                                  */
/* ------------------------------------------------------------------------------------------- */

/* *version: 0 if the schema is missing or empty, -1 if what is in it is not ours. */
static int32_t find_version(struct store *store, struct dray_call *call, int64_t *version)
{
    PGresult *rows = NULL;
    char text[512];
    snprintf(text, sizeof(text),
        "SELECT CASE WHEN to_regclass('%s.dray') IS NOT NULL THEN 1 WHEN EXISTS (SELECT FROM "
        "pg_class WHERE relnamespace = to_regnamespace('%s')) THEN -1 ELSE 0 END",
        store->schema_sql, store->schema_sql);
    int32_t code = link_say(store, call, text, &rows);
    *version = code == DRAY_OK ? link_number(rows, 0, 0) : 0;
    PQclear(rows);
    if (code != DRAY_OK || *version < 1)
        return code;
    code = link_say(store, call, "SELECT max(version) FROM dray", &rows);
    *version = code == DRAY_OK ? link_number(rows, 0, 0) : 0;
    PQclear(rows);
    return code;
}

static int32_t judge(struct store *store, struct dray_call *call, int64_t version)
{
    if (version < 0)
        return store->host->fail(call, DRAY_CONFIG, 0,
            "%s: the schema %s holds other tables; name another one", store->link.where,
            store->schema);
    if (version > SCHEMA_VERSION)
        return store->host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s: the schema %s has version %lld, this driver knows %d; use a newer driver",
            store->link.where, store->schema, (long long)version, SCHEMA_VERSION);
    return DRAY_OK;
}

/* Under a lock that others who open the same schema at this moment wait for. */
static int32_t create(struct store *store, struct dray_call *call)
{
    int64_t version = 0;
    char text[sizeof(tables) + 512];
    snprintf(text, sizeof(text),
        "BEGIN; SET LOCAL lock_timeout = %u; "
        "SELECT pg_advisory_xact_lock(hashtextextended('dray ' || '%s', 0))",
        store->link.budget_ms, store->schema_sql);
    int32_t code = link_say(store, call, text, NULL);
    if (code == DRAY_OK)
        code = find_version(store, call, &version);
    if (code == DRAY_OK)
        code = judge(store, call, version);
    if (code == DRAY_OK && version == 0) {
        snprintf(text, sizeof(text),
            "CREATE SCHEMA IF NOT EXISTS %s; %s INSERT INTO dray VALUES (%d)", store->schema_sql,
            tables, SCHEMA_VERSION);
        code = link_say(store, call, text, NULL);
    }
    return link_end(store, call, code);
}

int32_t schema_greet(struct store *store, struct dray_call *call)
{
    int64_t version = 0;
    int32_t code = look_at_server(store, call);
    if (code == DRAY_OK)
        code = find_version(store, call, &version);
    if (code == DRAY_OK && version == 0)
        return create(store, call);
    return code == DRAY_OK ? judge(store, call, version) : code;
}
