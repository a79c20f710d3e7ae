/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/shim.h"

#include <sqlite3.h>
#include <stddef.h>

struct fault {
    int count, at, times, code;
};

static struct fault writes, syncs;
static sqlite3_vfs vfs, *below;
/* The system has several tables of methods, for the database, its log ..., with the same write and
   sync. Each gets a copy with these two replaced. A file keeps its shape: the functions do not look
   at the table that they were called through. */
#define TABLES 8
static const sqlite3_io_methods *real[TABLES];
static sqlite3_io_methods copies[TABLES];

static int fails(struct fault *fault)
{
    fault->count++;
    return fault->at && fault->count >= fault->at && fault->count - fault->at < fault->times;
}

static int shim_write(sqlite3_file *file, const void *data, int n, sqlite3_int64 at)
{
    return fails(&writes) ? writes.code : real[0]->xWrite(file, data, n, at);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    return fails(&syncs) ? syncs.code : real[0]->xSync(file, flags);
}

static int shim_open(
    sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    (void)self;
    int rc = below->xOpen(below, name, file, flags, out_flags);
    if (rc != SQLITE_OK || !file->pMethods)
        return rc;
    int at = 0;
    while (at < TABLES - 1 && real[at] && real[at] != file->pMethods)
        at++;
    if (!real[at]) {
        real[at] = file->pMethods;
        copies[at] = *real[at];
        copies[at].xWrite = shim_write;
        copies[at].xSync = shim_sync;
    }
    file->pMethods = &copies[at];
    return rc;
}

int shim_register(void)
{
    below = sqlite3_vfs_find(NULL);
    if (!below)
        return SQLITE_ERROR;
    vfs = *below;
    vfs.pNext = NULL;
    vfs.zName = "shim";
    vfs.xOpen = shim_open;
    return sqlite3_vfs_register(&vfs, 1);
}

void shim_fail_writes(int k, int times, int code)
{
    writes = (struct fault){0, k, times, code};
}

void shim_fail_syncs(int k, int times, int code)
{
    syncs = (struct fault){0, k, times, code};
}

int shim_writes(void)
{
    return writes.count;
}

int shim_syncs(void)
{
    return syncs.count;
}
