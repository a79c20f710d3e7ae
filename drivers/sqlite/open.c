/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/open.h"

#include "common/gate.h"
#include "common/os.h"
#include "common/place.h"
#include "sqlite/queue.h"
#include "sqlite/schema.h"
#include "sqlite/txn.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* SQLite asks us whether to try again: until the call's budget ends. */
static int on_busy(void *arg, int tries)
{
    const struct store *store = arg;
    if (gate_clock_ms() >= store->deadline_ms)
        return 0;
    sqlite3_sleep(tries < 10 ? 1 : 5);
    return 1;
}

/* What a long read asks in between. */
static int on_progress(void *arg)
{
    const struct store *store = arg;
    return gate_clock_ms() >= store->deadline_ms;
}

static int on_commit(void *arg, sqlite3 *db, const char *name, int frames)
{
    struct store *store = arg;
    (void)db;
    (void)name;
    store->wal_frames = frames;
    return SQLITE_OK;
}

#define PROGRESS_EVERY 50000 /* instructions of SQLite's machine: about a millisecond */

/* A database is input: nothing that somebody planted in it may run. */
static int32_t harden(struct store *store, struct dray_call *call)
{
    static const struct {
        int option, on;
    } settings[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1}, {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0}, {SQLITE_DBCONFIG_ENABLE_FKEY, 0},
        {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1}, /* closing writes nothing: we do, under our lock */
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        int rc = sqlite3_db_config(store->db, settings[i].option, settings[i].on, NULL);
        if (rc != SQLITE_OK)
            return store->host->fail(call, DRAY_UNSUPPORTED, 0,
                "%s: this SQLite (%s) lacks a protection that the driver needs; install 3.37 or "
                "later",
                store->path, sqlite3_libversion());
    }
    return sql_exec(store, call, "PRAGMA cell_size_check=ON");
}

static int32_t open_database(struct store *store, struct dray_call *call)
{
    const struct dray_host *host = store->host;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(store->path, &store->db, flags, NULL);
    if (!store->db)
        return host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", store->path);
    if (rc != SQLITE_OK)
        return sql_fail(store, call, rc);
    sqlite3_busy_handler(store->db, on_busy, store);
    sqlite3_progress_handler(store->db, PROGRESS_EVERY, on_progress, store);
    if (sqlite3_db_readonly(store->db, "main") == 1)
        return host->fail(call, DRAY_DENIED, EACCES,
            "%s: cannot be written; let this user write the file and its folder", store->path);
    return harden(store, call);
}

/* The first look at the file: what says "not ours" must not sound like damage of a queue. */
static int32_t identify(struct store *store, struct dray_call *call, int *fresh)
{
    int rc = sqlite3_exec(store->db, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);
    if ((rc & 0xff) == SQLITE_NOTADB)
        return store->host->fail(call, DRAY_CONFIG, 0,
            "%s: not an SQLite database, or its first page is lost; choose another path, or "
            "restore a backup",
            store->path);
    if (rc != SQLITE_OK)
        return sql_fail(store, call, rc);
    int32_t code = sql_exec(store, call,
        "PRAGMA mmap_size=0;PRAGMA temp_store=MEMORY;PRAGMA cache_size=-16384;"
        "PRAGMA wal_autocheckpoint=0;PRAGMA journal_size_limit=67108864");
    sqlite3_wal_hook(store->db, on_commit, store); /* in place of SQLite's own checkpoints */
    return code == DRAY_OK ? schema_check(store, call, fresh) : code;
}

static int32_t set_wal(struct store *store, struct dray_call *call)
{
    sqlite3_stmt *stmt = NULL;
    int row = 0;
    int rc = sqlite3_prepare_v2(store->db, "PRAGMA journal_mode=WAL", -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return sql_fail(store, call, rc);
    int32_t code = sql_step(store, call, stmt, &row);
    struct dray_str mode = row ? sql_str(stmt, 0) : str_of(NULL, 0);
    if (code == DRAY_OK && (mode.len != 3 || memcmp(mode.data, "wal", 3) != 0))
        code = store->host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s: the file system does not support SQLite's write-ahead log (shared memory); use a "
            "local disk",
            store->path);
    sqlite3_finalize(stmt);
    return code;
}

/* SQLite would make it readable for others. It was not there a moment ago, so closing it drops
   nobody's POSIX locks. */
static int32_t create_file(struct store *store, struct dray_call *call)
{
    int fd = os->open(store->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return DRAY_OK;
    if (fd < 0)
        return place_fail(store->host, call, store->path, "create it");
    os->close(fd);
    return DRAY_OK;
}

static int32_t sync_name(struct store *store, struct dray_call *call)
{
    if (place_sync_folder(store->path) == 0)
        return DRAY_OK;
    return place_fail(store->host, call, store->path, "make its name safe on the disk");
}

/* Under the lock. Frames that a failed fsync left in the log (maybe in memory alone) are copied
   and synced before anybody is told that they are there. */
static int32_t settle_down(struct store *store, struct dray_call *call, int fresh)
{
    int32_t code = set_wal(store, call);
    if (code == DRAY_OK)
        code = sql_exec(store, call, "PRAGMA synchronous=FULL");
    store->syncing = 1;
    if (code == DRAY_OK && fresh)
        code = schema_create(store, call);
    if (code == DRAY_OK)
        code = txn_checkpoint(store, call, SQLITE_CHECKPOINT_PASSIVE);
    store->troubles = lock_mark(&store->lock);
    if (code == DRAY_OK && fresh)
        code = sync_name(store, call);
    return code;
}

static int32_t open_lock(struct store *store, struct dray_call *call)
{
    int sys = 0;
    store->lock_path = place_beside(store->host, store->path, "-lock");
    if (!store->lock_path)
        return store->host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", store->path);
    int32_t code = lock_open(&store->lock, store->lock_path, &sys);
    if (code != DRAY_OK)
        return store->host->fail(call, code, sys,
            "%s: cannot be the lock file (%s); let this user write it, or remove what is there",
            store->lock_path, sys ? strerror(sys) : "not a regular file");
    return DRAY_OK;
}

static int32_t open_spare(struct store *store, struct dray_call *call)
{
    char *path = place_beside(store->host, store->path, "-spare");
    if (!path)
        return store->host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", store->path);
    int sys = spare_open(&store->spare, path, store->host->number(store->host, "spare"));
    if (sys)
        return store->host->fail(call, DRAY_DENIED, sys,
            "%s: cannot be opened (%s); let this user write it, or remove what is there", path,
            strerror(sys));
    return DRAY_OK;
}

/* On a full disk the log cannot be copied. What there is must be worked off all the same. */
static int32_t settle_in_spare(struct store *store, struct dray_call *call, int fresh)
{
    int32_t code = settle_down(store, call, fresh);
    if (code == DRAY_FULL && !fresh && spare_drop(&store->spare, gate_clock_ms()))
        code = settle_down(store, call, fresh);
    if (code == DRAY_OK && !spare_is_there(&store->spare, gate_clock_ms()))
        store->host->log(store->host, DRAY_LOG_WARN,
            "%s: no room for the spare file, pushes are refused until there is", store->spare.path);
    return code;
}

static int32_t open_locked(struct store *store, struct dray_call *call, int missing)
{
    int fresh = 0;
    int32_t code = missing ? create_file(store, call) : DRAY_OK;
    if (code == DRAY_OK && !store->db)
        code = open_database(store, call);
    if (code == DRAY_OK)
        code = identify(store, call, &fresh);
    if (code == DRAY_OK)
        code = open_spare(store, call);
    if (code == DRAY_OK)
        code = settle_in_spare(store, call, fresh);
    return code;
}

static int32_t choose_durability(struct store *store, struct dray_call *call)
{
    uint32_t wanted = call->durability ? call->durability : DRAY_DURABILITY_HOST;
    if (wanted != DRAY_DURABILITY_PROCESS && wanted != DRAY_DURABILITY_HOST)
        return store->host->fail(call, DRAY_UNSUPPORTED, 0,
            "durability: sqlite gives `host` or `process`; choose one of them");
    store->durability = call->durability = wanted;
    return DRAY_OK;
}

int32_t store_open(void *self, struct dray_call *call, const struct dray_host *host)
{
    struct store *store = self;
    int missing = 0, fresh = 0;
    store->host = host;
    store->arena.host = host;
    store->lock.fd = -1;
    txn_start_budget(store, call);
    const char *path = host->text(host, "path", 0);
    if (!path || path[0] != '/')
        return host->fail(call, DRAY_CONFIG, 0, "path: not given; name the database file");
    int32_t code = choose_durability(store, call);
    if (code == DRAY_OK)
        code = place_prepare(host, call, path, host->number(host, "network") != 0, &store->path);
    if (code == DRAY_OK)
        code = place_check(host, call, store->path, "database", &missing);
    /* What is there already is looked at before anything is laid beside it. */
    if (code == DRAY_OK && !missing)
        code = open_database(store, call);
    if (code == DRAY_OK && !missing)
        code = identify(store, call, &fresh);
    if (code == DRAY_OK)
        code = open_lock(store, call);
    if (code == DRAY_OK)
        code = txn_lock(store, call);
    if (code != DRAY_OK)
        return code;
    code = open_locked(store, call, missing);
    txn_unlock(store);
    return code;
}

static void free_paths(struct store *store)
{
    const struct dray_host *host = store->host;
    host->resize(host, store->lock_path, 0);
    host->resize(host, store->spare.path, 0);
    host->resize(host, store->path, 0);
    queue_free(store);
}

#define CLOSE_BUDGET_MS 200

/* Carries the log into the database, if nobody is in the way: then the file alone is whole. */
static void last_checkpoint(struct store *store)
{
    int sys;
    store->deadline_ms = gate_clock_ms() + CLOSE_BUDGET_MS;
    if (store->poisoned || lock_take(&store->lock, store->deadline_ms, &sys) != DRAY_OK)
        return;
    store->deadline_ms = 0; /* no waiting for readers */
    sqlite3_progress_handler(store->db, 0, NULL, NULL);
    sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    lock_give(&store->lock);
}

void store_close(void *self)
{
    struct store *store = self;
    if (!store->host)
        return;
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(store->stmts[i]);
    if (store->db && store->lock.fd >= 0)
        last_checkpoint(store);
    sqlite3_close_v2(store->db);
    bell_close(&store->bell);
    spare_close(&store->spare);
    lock_close(&store->lock);
    arena_free(&store->arena);
    free_paths(store);
    memset(store, 0, sizeof(*store));
}
