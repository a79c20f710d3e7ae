/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/schema.h"

#include <inttypes.h>
#include <string.h>

/*
 * `rank` is what orders the jobs of a state: ready - the priority; delayed - the moment it falls
 * due (wall clock); active - the end of the lease (monotonic; -1: of an earlier boot); dead and
 * done - the end (wall clock). So one index serves every look. `seq` is the order of entering the
 * state ready. A large payload lies in its own table, for a row is rewritten with each transition.
 * The text must stay as it is: it is compared with what the database holds.
 */
static const struct object {
    const char *name;
    const char *sql;
} objects[] = {
    {"jobs", "CREATE TABLE jobs(ref INTEGER PRIMARY KEY,queue INTEGER NOT NULL,"
             "state INTEGER NOT NULL,rank INTEGER NOT NULL,seq INTEGER NOT NULL,id TEXT NOT NULL,"
             "type TEXT NOT NULL,priority INTEGER NOT NULL,attempts INTEGER NOT NULL,"
             "releases INTEGER NOT NULL,counter INTEGER NOT NULL,nonce INTEGER NOT NULL,"
             "flags INTEGER NOT NULL,run_at INTEGER NOT NULL,created_at INTEGER NOT NULL,"
             "timeout INTEGER NOT NULL,max_attempts INTEGER NOT NULL,name TEXT,ukey TEXT,grp TEXT,"
             "owner TEXT,error TEXT,progress TEXT,result TEXT,payload TEXT)STRICT"},
    {"jobs_id", "CREATE UNIQUE INDEX jobs_id ON jobs(id,queue)"},
    {"jobs_place", "CREATE INDEX jobs_place ON jobs(queue,state,rank,seq)"},
    {"jobs_unique", "CREATE UNIQUE INDEX jobs_unique ON jobs(queue,ukey)"
                    " WHERE ukey IS NOT NULL AND state<4"},
    {"payloads", "CREATE TABLE payloads(ref INTEGER PRIMARY KEY,payload TEXT NOT NULL)STRICT"},
    {"queues", "CREATE TABLE queues(id INTEGER PRIMARY KEY,name TEXT NOT NULL UNIQUE,"
               "paused INTEGER NOT NULL DEFAULT 0,ready INTEGER NOT NULL DEFAULT 0,"
               "delayed INTEGER NOT NULL DEFAULT 0,retrying INTEGER NOT NULL DEFAULT 0,"
               "parked INTEGER NOT NULL DEFAULT 0,active INTEGER NOT NULL DEFAULT 0,"
               "dead INTEGER NOT NULL DEFAULT 0,done INTEGER NOT NULL DEFAULT 0,"
               "consumer TEXT,consumer_at INTEGER NOT NULL DEFAULT 0)STRICT"},
    {"totals", "CREATE TABLE totals(queue INTEGER NOT NULL,type TEXT NOT NULL,"
               "pushed INTEGER NOT NULL,completed INTEGER NOT NULL,failed INTEGER NOT NULL,"
               "retried INTEGER NOT NULL,died INTEGER NOT NULL,runs INTEGER NOT NULL,"
               "run_ms INTEGER NOT NULL,PRIMARY KEY(queue,type))STRICT,WITHOUT ROWID"},
    {"meta", "CREATE TABLE meta(one INTEGER PRIMARY KEY,next INTEGER NOT NULL,"
             "boot TEXT NOT NULL)STRICT"},
};

#define NOBJECTS (sizeof(objects) / sizeof(objects[0]))

static int32_t compare_objects(struct store *store, struct dray_call *call)
{
    sqlite3_stmt *stmt = NULL;
    int32_t code = DRAY_OK;
    int rc = sqlite3_prepare_v2(
        store->db, "SELECT sql FROM sqlite_schema WHERE name=?1", -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return sql_fail(store, call, sqlite3_extended_errcode(store->db));
    for (size_t i = 0; i < NOBJECTS && code == DRAY_OK; i++) {
        int row = 0;
        sqlite3_reset(stmt);
        sql_bind_cstr(stmt, 1, objects[i].name);
        code = sql_step(store, call, stmt, &row);
        if (code != DRAY_OK)
            break;
        struct dray_str sql = row ? sql_str(stmt, 0) : str_of(NULL, 0);
        if (!sql.data || sql.len != strlen(objects[i].sql) ||
            memcmp(sql.data, objects[i].sql, sql.len) != 0)
            code = store->host->fail(call, DRAY_CORRUPT, 0,
                "%s: %s %s is %s; restore a backup, or move the file away to start anew",
                store->path, strstr(objects[i].sql, "INDEX") ? "index" : "table", objects[i].name,
                row ? "not as this driver made it" : "missing");
    }
    sqlite3_finalize(stmt);
    return code;
}

int32_t schema_check(struct store *store, struct dray_call *call, int *fresh)
{
    int64_t application = 0, version = 0, nobjects = 0;
    const struct dray_host *host = store->host;
    *fresh = 0;
    int32_t code = sql_number(store, call, "SELECT count(*) FROM sqlite_schema", &nobjects);
    if (code == DRAY_OK)
        code = sql_number(store, call, "PRAGMA application_id", &application);
    if (code == DRAY_OK)
        code = sql_number(store, call, "PRAGMA user_version", &version);
    if (code != DRAY_OK)
        return code;
    if (application == 0 && version == 0 && nobjects == 0) {
        *fresh = 1;
        return DRAY_OK;
    }
    if (application != SCHEMA_APPLICATION)
        return host->fail(call, DRAY_CONFIG, 0,
            "%s: the database of another program (application id %" PRId64 ", %" PRId64
            " tables and indexes); give the queue a file of its own",
            store->path, application, nobjects);
    if (version != SCHEMA_VERSION)
        return host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s: written by a newer version of Dray (format %" PRId64
            ", this driver knows up to %d); use that version",
            store->path, version, SCHEMA_VERSION);
    return compare_objects(store, call);
}

static int32_t create_objects(struct store *store, struct dray_call *call)
{
    int32_t code = DRAY_OK;
    for (size_t i = 0; i < NOBJECTS && code == DRAY_OK; i++)
        code = sql_exec(store, call, objects[i].sql);
    if (code == DRAY_OK)
        code = sql_exec(store, call, "INSERT INTO meta(one,next,boot) VALUES(1,1,'')");
    if (code == DRAY_OK) /* 1146241369 is 0x44524159 */
        code = sql_exec(store, call, "PRAGMA application_id=1146241369;PRAGMA user_version=1");
    return code;
}

int32_t schema_create(struct store *store, struct dray_call *call)
{
    int32_t code = sql_exec(store, call, "BEGIN IMMEDIATE");
    if (code != DRAY_OK)
        return code;
    code = create_objects(store, call);
    if (code == DRAY_OK)
        code = sql_exec(store, call, "COMMIT");
    if (code != DRAY_OK && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}
