/* SPDX-License-Identifier: CC0-1.0 */
/*
 * A driver that keeps each job as a file of its own in a folder, for any number of processes on one
 * machine: `ls -R` shows the queue. One lock file makes calls wait for each other, and each step is
 * one rename(2), so that a process may be killed at any moment.
 */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MARKER "dray-spool 1" /* what .lock begins with; the number is that of the format */

int32_t spool_fail(struct spool *spool, struct dray_call *call, int sys, const char *doing)
{
    int32_t code = sys == ENOSPC || sys == EDQUOT                     ? DRAY_FULL
                   : sys == EACCES || sys == EPERM || sys == EROFS    ? DRAY_DENIED
                   : sys == EMSGSIZE                                  ? DRAY_LIMIT
                   : sys == ENOMEM                                    ? DRAY_NOMEM
                   : sys == ENOENT || sys == ENOTDIR || sys == EISDIR ? DRAY_CONFIG
                                                                      : DRAY_IO;
    return spool->host->fail(
        call, code, sys, "the spool %s: cannot %s: %s", spool->path, doing, strerror(sys));
}

int64_t spool_later(int64_t now, uint64_t ms)
{
    return ms < (uint64_t)(INT64_MAX - now) ? now + (int64_t)ms : INT64_MAX;
}

/* ------------------------------------------------------------------------------------------- */
/* The lock                                                                                    */
/* ------------------------------------------------------------------------------------------- */

/* The budget is real time: a clock that a test has stopped would make this wait for ever. */
static int64_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int32_t spool_begin(struct spool *spool, struct dray_call *call)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    int64_t give_up = spool_later(real_ms(), call->budget_ms);
    while (flock(spool->lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return spool_fail(spool, call, errno, "lock it");
        if (real_ms() >= give_up)
            return spool->host->fail(call, DRAY_BUSY, 0,
                "the spool %s: other processes held its lock for %u ms", spool->path,
                call->budget_ms);
        nanosleep(&nap, NULL);
    }
    return DRAY_OK;
}

void spool_end(struct spool *spool)
{
    flock(spool->lock, LOCK_UN);
}

/* ------------------------------------------------------------------------------------------- */
/* Opening                                                                                     */
/* ------------------------------------------------------------------------------------------- */

static void mark(const struct place *place, void *user)
{
    struct place *found = user;
    if (place->when > 0)
        *found = *place;
}

/* Leases end at monotonic times, which begin anew with each boot: those of an earlier one are over,
   nobody can hold them. */
static int expire_all(struct spool *spool)
{
    for (;;) {
        struct place place = {.state = 0}, over;
        int error = place_scan(spool->root, NULL, PLACE_BIT(DRAY_STATE_ACTIVE), mark, &place);
        if (error || !place.state)
            return error;
        over = place;
        over.when = 0;
        if ((error = place_move(spool->root, &place, &over)))
            return error;
    }
}

/* Under the lock: is this a spool, of this format, and of this boot? */
static int32_t check_marker(struct spool *spool, struct dray_call *call)
{
    const size_t word = sizeof(MARKER) - 1;
    char text[128] = "", now[128];
    ssize_t n = pread(spool->lock, text, sizeof(text) - 1, 0);
    if (n < 0)
        return spool_fail(spool, call, errno, "read .lock in it");
    if (n > 0 && (strncmp(text, MARKER, word) != 0 || text[word] != ' '))
        return spool->host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s is no spool that this version knows: its .lock does not begin with '%s'",
            spool->path, MARKER);
    int len = snprintf(now, sizeof(now), "%s %s\n", MARKER, spool->host->boot_id);
    if (strcmp(text, now) == 0)
        return DRAY_OK;
    int error = n > 0 ? expire_all(spool) : 0;
    if (error)
        return spool_fail(spool, call, error, "end the leases of an earlier boot");
    if (ftruncate(spool->lock, 0) != 0 || pwrite(spool->lock, now, (size_t)len, 0) != len)
        return spool_fail(spool, call, errno, "write .lock in it");
    return DRAY_OK;
}

static int32_t spool_open(void *self, struct dray_call *call, const struct dray_host *host)
{
    struct spool *spool = self;
    spool->host = host;
    spool->path = host->text(host, "path", 0);
    spool->root = spool->lock = -1;
    if (call->durability > DRAY_DURABILITY_PROCESS)
        return host->fail(call, DRAY_UNSUPPORTED, 0,
            "a spool survives its processes, not a power loss: nothing waits for the disk");
    call->durability = DRAY_DURABILITY_PROCESS;
    spool->in = host->resize(host, NULL, RECORD_MAX);
    spool->out = host->resize(host, NULL, RECORD_MAX);
    if (!spool->in || !spool->out)
        return spool_fail(spool, call, ENOMEM, "take memory to work in");
    if (mkdir(spool->path, 0700) != 0 && errno != EEXIST)
        return spool_fail(spool, call, errno, "make the folder");
    spool->root = open(spool->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spool->root < 0)
        return spool_fail(spool, call, errno, "open the folder");
    spool->lock = openat(spool->root, ".lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (spool->lock < 0)
        return spool_fail(spool, call, errno, "open .lock in it");
    int32_t code = spool_begin(spool, call);
    if (code != DRAY_OK)
        return code;
    code = check_marker(spool, call);
    spool_end(spool);
    return code;
}

static void spool_close(void *self)
{
    struct spool *spool = self;
    if (spool->lock > 0)
        close(spool->lock);
    if (spool->root > 0)
        close(spool->root);
    spool->host->resize(spool->host, spool->in, 0);
    spool->host->resize(spool->host, spool->out, 0);
}

/* ------------------------------------------------------------------------------------------- */
/* Jobs                                                                                        */
/* ------------------------------------------------------------------------------------------- */

/* Under another name than jobs have, where a person finds it. */
static void set_aside(struct spool *spool, const char *path)
{
    char aside[64];
    snprintf(aside, sizeof(aside), ".damaged-%lld", (long long)spool->host->wall_ms(spool->host));
    int kept = renameat(spool->root, path, spool->root, aside) == 0;
    spool->host->log(spool->host, DRAY_LOG_WARN, "%s/%s is damaged and %s %s", spool->path, path,
        kept ? "was set aside as" : "cannot be set aside as", aside);
}

int32_t spool_read(
    struct spool *spool, struct dray_call *call, const struct place *place, struct dray_job *job)
{
    char path[PLACE_PATH_SIZE];
    place_path(place, path);
    int error = record_read(spool->in, spool->root, path, job);
    if (error == EBADMSG) {
        set_aside(spool, path);
        return DRAY_NOTFOUND;
    }
    job->id = (struct dray_str){place->id, strlen(place->id)};
    job->queue = (struct dray_str){place->queue, strlen(place->queue)};
    job->priority = place->priority;
    job->state = place->state;
    return error ? spool_fail(spool, call, error, "read a job") : DRAY_OK;
}

int32_t spool_change(struct spool *spool, struct dray_call *call, const struct place *from,
    const struct dray_job *old, const struct place *to, const struct dray_job *now)
{
    char path[PLACE_PATH_SIZE];
    place_path(from, path);
    int error = record_write(spool->out, spool->root, path, now);
    if (error)
        return spool_fail(spool, call, error, "write a job");
    error = place_move(spool->root, from, to);
    if (!error)
        return DRAY_OK;
    int32_t code = spool_fail(spool, call, error, "move a job");
    return record_write(spool->out, spool->root, path, old) == 0 ? code : DRAY_UNKNOWN;
}

/* ------------------------------------------------------------------------------------------- */
/* The driver                                                                                  */
/* ------------------------------------------------------------------------------------------- */

static const struct dray_option options[] = {
    {.type = DRAY_OPTION_PATH,
        .name = "path",
        .fallback = "var/spool",
        .help = "the folder of the jobs; made if its parent is there"},
};

static const struct dray_driver driver = {
    .magic = DRAY_MAGIC,
    .abi = DRAY_ABI,
    .size = sizeof(struct dray_driver),
    .instance_size = sizeof(struct spool),
    .name = "spool",
    .version = "1.0.0",
    .summary = "keeps each job as a file in a folder",
    .can = DRAY_CAN_PRIORITY | DRAY_IS_SHARED,
    .max_push = 1,
    .max_batch = 1,
    .options = options,
    .noptions = sizeof(options) / sizeof(options[0]),
    .option_size = sizeof(options[0]),
    .open = spool_open,
    .close = spool_close,
    .push = spool_push,
    .reserve = spool_reserve,
    .ack = spool_settle,
    .retry = spool_settle,
    .extend = spool_extend,
    .list = spool_list,
};

const struct dray_driver *dray_driver_entry(void)
{
    return &driver;
}
