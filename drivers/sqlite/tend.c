/* SPDX-License-Identifier: Apache-2.0 */
/* Checking, repairing, compacting. */
#include "sqlite/people.h"
#include "sqlite/txn.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A rule of ours that integrity_check cannot know. `find` gives a line for each breach; `mend`, if
   there is one, takes the breaches away. */
struct rule {
    const char *find;
    const char *mend;
};

#define COUNT(column, condition)                                                                   \
    column "=(SELECT count(*) FROM jobs WHERE queue=queues.id AND " condition ")"

static const struct rule rules[] = {
    {"SELECT 'job '||id||': its payload is lost' FROM jobs WHERE payload IS NULL AND ref NOT IN"
     " (SELECT ref FROM payloads)",
        "UPDATE jobs SET payload='null',state=4,rank=max(created_at,0),nonce=0,owner=NULL,"
        "error='payload lost, set aside by a repair' WHERE payload IS NULL AND ref NOT IN"
        " (SELECT ref FROM payloads)"},
    {"SELECT 'payload '||ref||': its job is gone' FROM payloads WHERE ref NOT IN (SELECT ref FROM"
     " jobs WHERE payload IS NULL)",
        "DELETE FROM payloads WHERE ref NOT IN (SELECT ref FROM jobs WHERE payload IS NULL)"},
    {"SELECT 'job '||id||': state '||state||' is unknown' FROM jobs WHERE state NOT BETWEEN 1 AND"
     " 5",
        "UPDATE jobs SET state=4,rank=max(created_at,0),nonce=0,owner=NULL,"
        "error='state unknown, set aside by a repair' WHERE state NOT BETWEEN 1 AND 5"},
    {"SELECT 'job '||id||': out of its priority' FROM jobs WHERE state=1 AND rank<>priority",
        "UPDATE jobs SET rank=priority WHERE state=1 AND rank<>priority"},
    {"SELECT 'job '||id||': its queue '||queue||' is missing' FROM jobs WHERE queue NOT IN (SELECT"
     " id FROM queues)",
        "INSERT INTO queues(id,name) SELECT DISTINCT queue,'lost-'||queue FROM jobs WHERE queue NOT"
        " IN (SELECT id FROM queues)"},
    {"SELECT 'numbering: '||next||' is used already' FROM meta WHERE next<=(SELECT"
     " coalesce(max(max(ref),max(seq)),0) FROM jobs)",
        "UPDATE meta SET next=(SELECT max(max(ref),max(seq))+1 FROM jobs) WHERE next<=(SELECT"
        " coalesce(max(max(ref),max(seq)),0) FROM jobs)"},
    {"SELECT 'queue '||name||': its counts are wrong' FROM queues WHERE NOT (" COUNT(
         "ready", "state=1") " AND " COUNT("delayed", "state=2") " AND " COUNT("retrying",
         "state=2 AND releases=0 AND attempts>0") " AND " COUNT("parked",
         "state=2 AND releases>0") " AND " COUNT("active", "state=3") " AND " COUNT("dead",
         "state=4") " AND " COUNT("done", "state=5") ")",
        "UPDATE queues SET " COUNT("ready", "state=1") "," COUNT("delayed", "state=2") "," COUNT(
            "retrying", "state=2 AND releases=0 AND attempts>0") "," COUNT("parked",
            "state=2 AND releases>0") "," COUNT("active", "state=3") "," COUNT("dead",
            "state=4") "," COUNT("done", "state=5")},
};

#define NRULES (sizeof(rules) / sizeof(rules[0]))

/* Each row of `text` is a finding; "ok" is none. */
static int32_t report(struct store *store, struct dray_call *call, const char *text,
    struct dray_tend *tend, uint64_t *found)
{
    sqlite3_stmt *stmt = NULL;
    int row = 0;
    int32_t code;
    int rc = sqlite3_prepare_v2(store->db, text, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return sql_fail(store, call, sqlite3_extended_errcode(store->db));
    while ((code = sql_step(store, call, stmt, &row)) == DRAY_OK && row) {
        char line[512];
        struct dray_str said = sql_str(stmt, 0);
        if (said.len == 2 && memcmp(said.data, "ok", 2) == 0)
            continue;
        snprintf(line, sizeof(line), "%s: %.*s", store->path, (int)said.len, said.data);
        call->note(call, line);
        tend->damaged++;
        (*found)++;
    }
    sqlite3_finalize(stmt);
    return code;
}

static int32_t check_pages(
    struct store *store, struct dray_call *call, struct dray_tend *tend, uint64_t *found)
{
    return report(store, call, "PRAGMA integrity_check(1000)", tend, found);
}

static int32_t count_records(struct store *store, struct dray_call *call, struct dray_tend *tend)
{
    int64_t n = 0;
    int32_t code = sql_number(store, call, "SELECT count(*) FROM jobs NOT INDEXED", &n);
    tend->records = (uint64_t)n;
    return code;
}

static int32_t check(struct store *store, struct dray_call *call, struct dray_tend *tend)
{
    uint64_t found = 0;
    int32_t code = txn_begin_read(store, call);
    if (code == DRAY_OK)
        code = check_pages(store, call, tend, &found);
    if (code == DRAY_OK)
        code = count_records(store, call, tend);
    for (size_t i = 0; i < NRULES && code == DRAY_OK; i++)
        code = report(store, call, rules[i].find, tend, &found);
    txn_end_read(store);
    return code;
}

static int32_t mend(struct store *store, struct dray_call *call, struct dray_tend *tend)
{
    uint64_t found = 0;
    int32_t code = check_pages(store, call, tend, &found);
    if (code == DRAY_OK && found) { /* indexes are made anew; what then remains is beyond us */
        uint64_t left = 0;
        code = sql_exec(store, call, "REINDEX");
        if (code == DRAY_OK)
            code = check_pages(store, call, tend, &left);
        if (code == DRAY_OK && left)
            return store->host->fail(call, DRAY_CORRUPT, 0,
                "%s: damaged beyond its indexes; stop the workers and run `sqlite3 %s .recover`, "
                "or restore a backup",
                store->path, store->path);
        tend->repaired += found;
    }
    for (size_t i = 0; i < NRULES && code == DRAY_OK; i++) {
        uint64_t breaches = 0;
        code = report(store, call, rules[i].find, tend, &breaches);
        if (code == DRAY_OK && breaches)
            code = sql_exec(store, call, rules[i].mend);
        tend->repaired += code == DRAY_OK ? breaches : 0;
    }
    return code == DRAY_OK ? count_records(store, call, tend) : code;
}

static int32_t repair(struct store *store, struct dray_call *call, struct dray_tend *tend)
{
    int32_t code = txn_begin(store, call, 1);
    if (code != DRAY_OK)
        return code;
    code = mend(store, call, tend);
    /* The numbering may have been mended under us: what was read at the beginning is not written
       back. */
    store->next_dirty = 0;
    return txn_end(store, call, code);
}

static uint64_t size_of(struct store *store, const char *suffix)
{
    char path[4096];
    struct stat st;
    int n = snprintf(path, sizeof(path), "%s%s", store->path, suffix);
    if (n < 0 || (size_t)n >= sizeof(path) || stat(path, &st) != 0)
        return 0;
    return (uint64_t)st.st_size;
}

static int32_t compact(struct store *store, struct dray_call *call, struct dray_tend *tend)
{
    if (store->poisoned)
        return store->host->fail(call, DRAY_POISONED, 0,
            "%s: an earlier write failed; open it again first", store->path);
    int32_t code = txn_lock(store, call);
    if (code != DRAY_OK)
        return code;
    tend->bytes_before = size_of(store, "") + size_of(store, "-wal");
    /* In files: the copy may be larger than memory. */
    code = sql_exec(store, call, "PRAGMA temp_store=FILE;VACUUM;PRAGMA temp_store=MEMORY");
    if (code == DRAY_OK)
        code = txn_checkpoint(store, call, SQLITE_CHECKPOINT_TRUNCATE);
    tend->bytes_after = size_of(store, "") + size_of(store, "-wal");
    txn_unlock(store);
    return code;
}

int32_t people_tend(void *self, struct dray_call *call, struct dray_tend *tend)
{
    struct store *store = self;
    txn_start_budget(store, call);
    switch (tend->what) {
    case DRAY_TEND_CHECK:
        return check(store, call, tend);
    case DRAY_TEND_REPAIR:
        return repair(store, call, tend);
    case DRAY_TEND_COMPACT:
        return compact(store, call, tend);
    default:
        return store->host->fail(
            call, DRAY_UNSUPPORTED, 0, "the sqlite driver knows no care number %u", tend->what);
    }
}
