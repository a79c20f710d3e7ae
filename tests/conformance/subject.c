/* SPDX-License-Identifier: Apache-2.0 */
/* Loading, opening and the host of the driver under test. */
#include "subject.h"

#include <dlfcn.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
        exit(2);
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

static const char *value_of(const struct subject *subject, const char *name)
{
    for (size_t i = 0; i < subject->nsettings; i++) {
        if (strcmp(subject->settings[i].name, name) == 0)
            return subject->values[i];
    }
    for (uint32_t i = 0; i < subject->driver->noptions; i++) {
        const struct dray_option *option =
            (const struct dray_option *)(const void *)((const char *)subject->driver->options +
                                                       (size_t)i * subject->driver->option_size);
        if (strcmp(option->name, name) == 0)
            return option->fallback;
    }
    return NULL;
}

static int64_t choice_of(const struct subject *subject, const char *name, const char *value)
{
    for (uint32_t i = 0; i < subject->driver->noptions; i++) {
        const struct dray_option *option = &subject->driver->options[i];
        if (strcmp(option->name, name) != 0 || option->type != DRAY_OPTION_CHOICE)
            continue;
        int64_t index = 0;
        for (const char *at = option->choices; at; index++) {
            size_t len = strcspn(at, "|");
            if (strlen(value) == len && strncmp(at, value, len) == 0)
                return index;
            at = at[len] ? at + len + 1 : NULL;
        }
    }
    return -1;
}

/* A number with the units of durations and sizes, as they are written in YAML. */
static int64_t host_number(const struct dray_host *host, const char *name)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
        {"KiB", 1024}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
    const struct subject *subject = subject_of(host);
    const char *value = value_of(subject, name);
    char *end;

    if (!value)
        return 0;
    int64_t choice = choice_of(subject, name, value);
    if (choice >= 0)
        return choice;
    if (strcmp(value, "true") == 0)
        return 1;
    long long number = strtoll(value, &end, 10);
    for (size_t i = 0; end != value && i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit) == 0)
            return number * units[i].factor;
    }
    return 0;
}

static const char *host_text(const struct dray_host *host, const char *name, uint32_t index)
{
    return index ? NULL : value_of(subject_of(host), name);
}

const struct dray_driver *subject_load(const char *path)
{
    const struct dray_driver *(*entry)(void) = NULL;
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!object) {
        fprintf(stderr, "conformance: %s\n", dlerror());
        return NULL;
    }
    void *symbol = dlsym(object, "dray_driver_entry");
    if (!symbol) {
        fprintf(stderr, "conformance: %s has no dray_driver_entry\n", path);
        return NULL;
    }
    memcpy(&entry, &symbol, sizeof(entry));
    const struct dray_driver *driver = entry();
    if (driver->magic != DRAY_MAGIC || driver->abi != DRAY_ABI) {
        fprintf(stderr, "conformance: %s is no driver for this version\n", path);
        return NULL;
    }
    return driver;
}

/* Copies a value with "{tmp}" replaced by a folder made for this store. */
static void expand(struct subject *subject, char *out, size_t size, const char *value)
{
    const char *mark = strstr(value, "{tmp}");

    if (!mark) {
        snprintf(out, size, "%s", value);
        return;
    }
    if (!subject->folder[0]) {
        snprintf(subject->folder, sizeof(subject->folder), "/tmp/conformance-XXXXXX");
        if (!mkdtemp(subject->folder)) {
            perror("conformance: /tmp");
            exit(2);
        }
    }
    snprintf(out, size, "%.*s%s%s", (int)(mark - value), value, subject->folder, mark + 5);
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

int32_t subject_open(struct subject *subject, const struct dray_driver *driver,
    const struct setting *settings, size_t nsettings)
{
    struct dray_call call = {.size = sizeof(call), .budget_ms = 5000, .error = &subject->error};

    subject->driver = driver;
    subject->error = (struct dray_error)DRAY_ERROR_INIT;
    subject->wall_ms = SUBJECT_WALL_START;
    subject->mono_ms = 1000000;
    subject->nsettings = nsettings < SUBJECT_OPTIONS_MAX ? nsettings : SUBJECT_OPTIONS_MAX;
    for (size_t i = 0; i < subject->nsettings; i++) {
        subject->settings[i] = settings[i];
        expand(subject, subject->values[i], sizeof(subject->values[i]), settings[i].value);
    }
    fill_host(subject);
    subject->self = calloc(1, driver->instance_size ? driver->instance_size : 1);
    if (!subject->self) {
        fprintf(stderr, "conformance: out of memory\n");
        exit(2);
    }
    subject->code = driver->open(subject->self, &call, &subject->host);
    subject->durability = call.durability;
    return subject->code;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void subject_close(struct subject *subject)
{
    if (subject->self)
        subject->driver->close(subject->self);
    free(subject->self);
    subject->self = NULL;
    if (subject->folder[0])
        nftw(subject->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    subject->folder[0] = 0;
    shown_free(&subject->shown);
    shown_free(&subject->past);
    free(subject->rows.at);
    memset(&subject->rows, 0, sizeof(subject->rows));
}

void subject_advance(struct subject *subject, int64_t ms)
{
    subject->wall_ms += ms;
    subject->mono_ms += ms;
}
