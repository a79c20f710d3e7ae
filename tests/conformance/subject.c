/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, and the host of the driver under test. */
#include "subject.h"

#include "journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct subject *subject_of(const struct dray_host *host)
{
    return (struct subject *)(uintptr_t)((const char *)host - offsetof(struct subject, host));
}

static int64_t host_wall_ms(const struct dray_host *host)
{
    return subject_of(host)->wall_ms;
}

static int64_t host_mono_ms(const struct dray_host *host)
{
    return subject_of(host)->mono_ms;
}

static void *host_resize(const struct dray_host *host, void *block, size_t size)
{
    struct subject *subject = subject_of(host);

    if (!size) {
        subject->blocks -= block != NULL;
        free(block);
        return NULL;
    }
    subject->allocations++;
    if (subject->fail_from &&
        (subject->allocations == subject->fail_from ||
            (subject->fail_on && subject->allocations > subject->fail_from))) {
        subject->failures++;
        return NULL;
    }
    void *now = realloc(block, size);
    if (!now) {
        fprintf(stderr, "conformance: out of memory\n");
        exit(70);
    }
    subject->blocks += block == NULL;
    return now;
}

static int32_t host_random(const struct dray_host *host, void *out, size_t len)
{
    (void)host;
    memset(out, 0x35, len);
    return DRAY_OK;
}

static void host_log(const struct dray_host *host, uint32_t level, const char *fmt, ...)
{
    (void)host;
    (void)level;
    (void)fmt;
}

static int32_t host_fail(struct dray_call *call, int32_t code, int32_t sys, const char *fmt, ...)
    DRAY_PRINTF(4, 5);

static int32_t host_fail(struct dray_call *call, int32_t code, int32_t sys, const char *fmt, ...)
{
    va_list args;

    call->error->code = code;
    call->error->sys = sys;
    va_start(args, fmt);
    vsnprintf(call->error->text, sizeof(call->error->text), fmt, args);
    va_end(args);
    return code;
}

static int64_t host_number(const struct dray_host *host, const char *name)
{
    const struct subject *subject = subject_of(host);

    if (subject->relay && subject->relay->port && strcmp(name, "connection.port") == 0)
        return subject->relay->port;
    if (subject->server_clock && strcmp(name, "clock") == 0)
        return target_choice(subject->target, "clock", "server");
    return option_number(subject->target->values, name);
}

/* Texts that differ from the configured ones are kept until the store is closed. */
static const char *keep_text(
    struct subject *subject, const char *name, uint32_t index, const char *text)
{
    for (uint32_t i = 0; i < subject->ntold; i++) {
        if (subject->told[i].index == index && strcmp(subject->told[i].option, name) == 0)
            return subject->told[i].text;
    }
    char *copy = subject->ntold < SUBJECT_TEXTS ? strdup(text) : NULL;
    if (!copy) {
        fprintf(stderr, "conformance: no room for the option %s\n", name);
        exit(70);
    }
    struct told *told = &subject->told[subject->ntold++];
    snprintf(told->option, sizeof(told->option), "%s", name);
    told->index = index;
    told->text = copy;
    return copy;
}

static const char *host_text(const struct dray_host *host, const char *name, uint32_t index)
{
    struct subject *subject = subject_of(host);
    const struct target_place place = {subject->folder, subject->word};
    const struct relay *relay = subject->relay;
    char own[1024];
    if (relay && relay->path[0] && index == 0 && strcmp(name, "connection.path") == 0)
        return relay->path;
    if (relay && relay->host[0] && index == 0 && strcmp(name, "connection.host") == 0)
        return relay->host;
    const char *text = target_text(subject->target, &place, name, index, own, sizeof(own));

    return text == own ? keep_text(subject, name, index, own) : text;
}

static void fill_host(struct subject *subject)
{
    subject->host = (struct dray_host){.size = sizeof(struct dray_host),
        .abi = DRAY_ABI,
        .boot_id = "6f1f8a3e-conformance",
        .wall_ms = host_wall_ms,
        .mono_ms = host_mono_ms,
        .resize = host_resize,
        .random = host_random,
        .log = host_log,
        .fail = host_fail,
        .number = host_number,
        .text = host_text};
}

int32_t subject_open_another(struct subject *subject)
{
    const struct dray_driver *driver = subject->driver;
    struct dray_call call = {.size = sizeof(call),
        .budget_ms = 5000,
        .error = &subject->error,
        .next_ms = DRAY_NEXT_UNKNOWN,
        .durability = subject->wish};
    void *self = calloc(1, driver->instance_size ? driver->instance_size : 1);

    if (!self || subject->ninstances == SUBJECT_INSTANCES) {
        fprintf(stderr, "conformance: out of memory\n");
        exit(70);
    }
    subject->error = (struct dray_error)DRAY_ERROR_INIT;
    subject->self = subject->selves[subject->ninstances++] = self;
    journal_doing("open");
    subject->code = driver->open(self, &call, &subject->host);
    journal_add("open: %d", subject->code);
    subject->durability = call.durability;
    return subject->code;
}

int32_t subject_open(struct subject *subject, const struct target *target)
{
    subject->target = target;
    subject->driver = &target->driver;
    subject->wish = target->config->durability;
    subject->budget_ms = SUBJECT_BUDGET_MS;
    subject->wall_ms = SUBJECT_WALL_START;
    subject->mono_ms = 1000000;
    fill_host(subject);
    if (!folder_make(subject->folder, subject->word)) {
        perror("conformance: the folder of a store");
        exit(70);
    }
    return subject_open_another(subject);
}

void subject_use(struct subject *subject, uint32_t instance)
{
    subject->self = subject->selves[instance];
}

void subject_leave(struct subject *subject)
{
    for (uint32_t i = 0; i < subject->ninstances; i++) {
        journal_doing("close");
        subject->driver->close(subject->selves[i]);
        journal_add("close");
        free(subject->selves[i]);
        subject->selves[i] = NULL;
    }
    subject->ninstances = 0;
    subject->self = NULL;
}

void subject_close(struct subject *subject)
{
    subject_leave(subject);
    if (subject->folder[0])
        folder_remove(subject->folder);
    subject->folder[0] = 0;
    for (uint32_t i = 0; i < subject->ntold; i++)
        free(subject->told[i].text);
    subject->ntold = 0;
    shown_free(&subject->shown);
    shown_free(&subject->past);
    free(subject->rows.at);
    memset(&subject->rows, 0, sizeof(subject->rows));
}

struct relay_server subject_server(const struct subject *subject)
{
    const struct option_values *values = subject->target->values;

    return (struct relay_server){.path = option_text(values, "connection.path", 0),
        .host = option_text(values, "connection.host", 0),
        .port = option_number(values, "connection.port")};
}

int subject_use_server_clock(struct subject *subject)
{
    subject->server_clock = target_choice(subject->target, "clock", "server") >= 0;
    return subject->server_clock;
}

void subject_advance(struct subject *subject, int64_t ms)
{
    subject->wall_ms += ms;
    subject->mono_ms += ms;
    journal_add("%lld ms pass", (long long)ms);
}
