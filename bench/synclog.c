/* SPDX-License-Identifier: Apache-2.0 */
#include "synclog.h"

#include "crowd.h"
#include "peers.h"
#include "stopwatch.h"

#include "dray/dray.h"
#include "dray/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct synclog {
    const struct dray_host *host;
    int fd;
    char *lines; /* what the call under way will write */
    size_t len, room;
};

static int32_t synclog_open(void *self, struct dray_call *call, const struct dray_host *host)
{
    struct synclog *log = self;
    log->host = host;
    log->fd = -1;
    if (call->durability > DRAY_DURABILITY_HOST)
        return host->fail(call, DRAY_UNSUPPORTED, 0, "synclog gives host durability at most");
    const char *path = host->text(host, "path", 0);
    log->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log->fd < 0)
        return host->fail(call, DRAY_IO, errno, "cannot open %s", path);
    call->durability = DRAY_DURABILITY_HOST;
    return DRAY_OK;
}

static void synclog_close(void *self)
{
    struct synclog *log = self;
    if (log->lines)
        log->host->resize(log->host, log->lines, 0);
    if (log->fd >= 0)
        close(log->fd);
}

static int gather(struct synclog *log, const struct dray_str *text, char end)
{
    size_t need = log->len + (size_t)text->len + 1;
    if (need > log->room) {
        size_t room = need * 2;
        char *lines = log->host->resize(log->host, log->lines, room);
        if (!lines)
            return -1;
        log->lines = lines;
        log->room = room;
    }
    memcpy(log->lines + log->len, text->data, (size_t)text->len);
    log->lines[need - 1] = end;
    log->len = need;
    return 0;
}

static int32_t gather_group(
    struct synclog *log, struct dray_call *call, const struct dray_push *group)
{
    for (uint32_t i = 0; i < group->njobs; i++) {
        if (gather(log, &group->jobs[i]->id, ' ') != 0 ||
            gather(log, &group->jobs[i]->payload, '\n') != 0)
            return log->host->fail(call, DRAY_NOMEM, 0, "no memory for a batch of log lines");
    }
    return DRAY_OK;
}

static int32_t flush(struct synclog *log, struct dray_call *call)
{
    ssize_t written = write(log->fd, log->lines, log->len);
    if (written != (ssize_t)log->len || fdatasync(log->fd) != 0)
        return log->host->fail(call, DRAY_UNKNOWN, errno, "cannot append to the log");
    return DRAY_OK;
}

static int32_t synclog_push(void *self, struct dray_call *call, struct dray_push *group)
{
    struct synclog *log = self;
    log->len = 0;
    int32_t code = gather_group(log, call, group);
    return code == DRAY_OK ? flush(log, call) : code;
}

static int32_t synclog_reserve(void *self, struct dray_call *call, const struct dray_reserve *want)
{
    (void)self;
    (void)want;
    call->next_ms = DRAY_NEXT_NEVER;
    return DRAY_OK;
}

static int32_t synclog_settle(void *self, struct dray_call *call,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    (void)self;
    (void)call;
    (void)leases;
    for (uint32_t i = 0; i < n; i++)
        answers[i] = DRAY_STALE;
    return DRAY_OK;
}

static int32_t synclog_turn(void *self, struct dray_call *call, struct dray_turn *turn)
{
    struct synclog *log = self;
    log->len = 0;
    synclog_settle(self, call, turn->settle, turn->settle_answers, turn->nsettle);
    synclog_settle(self, call, turn->extend, turn->extend_answers, turn->nextend);
    for (uint32_t i = 0; i < turn->npush; i++) {
        int32_t code = gather_group(log, call, turn->push[i]);
        if (code != DRAY_OK)
            return code;
    }
    if (turn->reserve)
        call->next_ms = DRAY_NEXT_NEVER;
    return log->len > 0 ? flush(log, call) : DRAY_OK;
}

static const struct dray_option options[] = {
    {.type = DRAY_OPTION_PATH,
        .flags = DRAY_OPTION_REQUIRED,
        .name = "path",
        .help = "the log file"},
};

static const struct dray_driver driver = {
    .magic = DRAY_MAGIC,
    .abi = DRAY_ABI,
    .size = (uint32_t)sizeof(struct dray_driver),
    .instance_size = (uint32_t)sizeof(struct synclog),
    .name = SYNCLOG_NAME,
    .version = "1",
    .summary = "appends jobs to a file, for benchmarks",
    .max_push = 1000,
    .max_batch = 1000,
    .options = options,
    .noptions = 1,
    .option_size = (uint32_t)sizeof(struct dray_option),
    .open = synclog_open,
    .close = synclog_close,
    .push = synclog_push,
    .reserve = synclog_reserve,
    .ack = synclog_settle,
    .retry = synclog_settle,
    .extend = synclog_settle,
    .turn = synclog_turn,
};

int synclog_register(void)
{
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_register_driver(SYNCLOG_NAME, &driver, &error) == DRAY_OK)
        return 0;
    fprintf(stderr, "dray-bench: %s\n", error.text);
    return -1;
}

uint64_t synclog_count(const char *path)
{
    FILE *file = fopen(path, "re");
    uint64_t lines = 0;
    for (int c = file ? getc(file) : EOF; c != EOF; c = getc(file))
        lines += c == '\n';
    if (file)
        fclose(file);
    return lines;
}

/* ------------------------------------------------------------------------------------------- */
/* The driver without the core: as much of a host as it asks for                               */
/* ------------------------------------------------------------------------------------------- */

struct direct {
    struct dray_host host; /* first: the driver knows this alone */
    char path[4096];
    struct synclog log;
    pthread_mutex_t mutex;
};

static const char *direct_text(const struct dray_host *host, const char *option, uint32_t index)
{
    /* The host is the first member of the whole, so one address serves for both. */
    const struct direct *direct = (const void *)host;
    return strcmp(option, "path") == 0 && index == 0 ? direct->path : NULL;
}

static void *direct_resize(const struct dray_host *host, void *block, size_t size)
{
    (void)host;
    if (size > 0)
        return realloc(block, size);
    free(block);
    return NULL;
}

DRAY_PRINTF(4, 5)
static int32_t direct_fail(struct dray_call *call, int32_t code, int32_t sys, const char *fmt, ...)
{
    call->error->code = code;
    call->error->sys = sys;
    va_list args;
    va_start(args, fmt);
    vsnprintf(call->error->text, sizeof(call->error->text), fmt, args);
    va_end(args);
    return code;
}

static struct dray_str str_of(const char *text)
{
    return (struct dray_str){text, strlen(text)};
}

static int direct_put(void *arg, unsigned n)
{
    struct direct *direct = arg;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_call call = {.size = (uint32_t)sizeof(call), .budget_ms = 10000, .error = &error};
    struct dray_job job = {
        .size = (uint32_t)sizeof(job),
        .id = str_of("018f2d5e-0000-7000-8000-000000000000"),
        .queue = str_of("bench"),
        .type = str_of("bench"),
        .payload = {peer_payload, PEER_PAYLOAD_LEN},
    };
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++) {
        const struct dray_job *jobs[1] = {&job};
        int32_t answer = DRAY_OK;
        struct dray_push group = {
            .size = (uint32_t)sizeof(group),
            .queue = job.queue,
            .jobs = jobs,
            .answers = &answer,
            .njobs = 1,
        };
        pthread_mutex_lock(&direct->mutex);
        rc = driver.push(&direct->log, &call, &group);
        pthread_mutex_unlock(&direct->mutex);
    }
    if (rc != 0)
        fprintf(stderr, "dray-bench: synclog: %s\n", error.text);
    return rc == 0 ? 0 : -1;
}

int synclog_direct(const struct load *load, struct sample *out)
{
    static unsigned number;
    struct direct direct = {
        .host = {.size = (uint32_t)sizeof(direct.host),
            .text = direct_text,
            .resize = direct_resize,
            .fail = direct_fail},
        .mutex = PTHREAD_MUTEX_INITIALIZER,
    };
    snprintf(direct.path, sizeof(direct.path), "%s/direct-%u.log", load->folder, ++number);
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_call call = {.size = (uint32_t)sizeof(call), .budget_ms = 10000, .error = &error};
    int rc = driver.open(&direct.log, &call, &direct.host);
    if (rc == DRAY_OK) {
        struct handed_in in;
        rc = crowd_dispatch(load, direct_put, &direct, &in);
        stopwatch_rates(out->values, in.jobs, &in.spent);
        out->dispatched = in.jobs;
        out->handled = synclog_count(direct.path);
    } else {
        fprintf(stderr, "dray-bench: synclog: %s\n", error.text);
    }
    driver.close(&direct.log);
    unlink(direct.path);
    return rc == 0 ? 0 : -1;
}
