/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handlers of an instance, by type. Guarded by the instance's lock. A handler that was replaced
 * stays allocated until the instance is closed, since an attempt may still be running in it.
 */
#ifndef CORE_HANDLER_HANDLERS_H
#define CORE_HANDLER_HANDLERS_H

#include "config/config.h"
#include "dray/dray.h"

struct command;
struct module;

struct handler {
    struct handler *next; /* in the bucket, then among the replaced */
    char type[DRAY_ID_SIZE];
    dray_handler_fn fn; /* NULL: a command */
    void *user;
    struct command *command;
    struct dray_handler_options options;
    uint64_t grace_ms;
    int isolate; /* wants a process of its own */
};

#define HANDLERS_BUCKETS 64

struct handlers {
    struct handler *bucket[HANDLERS_BUCKETS];
    struct handler *replaced;
    struct module **modules;
    size_t nmodules;
    uint32_t n;
    uint64_t default_grace_ms;
    struct dray_backoff default_backoff;
    uint32_t default_attempts;
};

/* The handler of a type, or NULL. The lock is held. */
struct handler *handlers_find(const struct handlers *handlers, const char *type, size_t len);

/* Adds a copy of `handler` or replaces the one of that type; `fn` and `command` both NULL removes
   it. The lock is held. */
int handlers_set(
    struct handlers *handlers, const struct handler *handler, struct dray_error *error);

/* Refuses what is not there yet: modules in processes of their own. */
int handlers_check_isolation(const struct config *config, struct dray_error *error);

/* Loads what the configuration names. The lock is not held (modules run their init). */
int handlers_configure(struct dray *dray, struct dray_error *error);

/* Calls the modules' fini and frees everything. */
void handlers_clear(struct handlers *handlers);

#endif
