/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration in force, read and checked: YAML, environment, .env and settings together.
 *
 * The tree (tree.h) knows the line of every value; this struct is what the rest of the core reads.
 * Everything is owned by the configuration and lives until config_free.
 */
#ifndef CORE_CONFIG_CONFIG_H
#define CORE_CONFIG_CONFIG_H

#include "dray/dray.h"

struct node; /* a value in the tree: tree.h */

struct config_job {
    uint32_t max_attempts; /* 4 */
    uint64_t max_payload;  /* 1 MiB */
    struct dray_backoff backoff;
};

struct config_worker {
    uint32_t concurrency;
    uint64_t max_jobs;   /* 0: unlimited */
    uint64_t timeout_ms; /* 0: none */
    uint64_t delay_ms;
    const char **queues; /* NULL: the default queue */
    size_t nqueues;
    uint64_t poll_interval_ms;
    uint32_t prefetch; /* UINT32_MAX: auto */
    uint64_t shutdown_timeout_ms;
    uint64_t grace_ms;
    int isolate; /* 1: isolation: process */
    unsigned isolation_line;
};

struct config_keep {
    uint64_t done_ms; /* 0: done jobs are not kept */
    uint64_t dead_ms;
    uint64_t max;
};

struct config_limits {
    uint64_t capacity; /* jobs of a queue that have not ended; 0: no bound */
};

struct config_health {
    double failure_rate; /* below 0: not watched */
    uint64_t processing; /* UINT64_MAX: not watched */
    uint64_t backlog;
};

/* A row of `handlers`. */
struct config_handler {
    const char *type;
    const char *module;          /* absolute path, or NULL */
    const char *const *command;  /* argument vector ending in NULL, or NULL */
    uint64_t timeout_ms;         /* 0: not given */
    uint64_t grace_ms;           /* queue.worker.grace if not given */
    uint32_t max_attempts;       /* 0: not given */
    struct dray_backoff backoff; /* strategy 0: not given */
    int isolate;                 /* -1: as the worker; 0: thread; 1: process */
    uint64_t max_memory;         /* bytes, 0: unlimited */
    const char *options;         /* `options` map as JSON; "{}" if none */
    unsigned line;
    unsigned isolation_line;
};

struct config {
    const char *path;   /* NULL: no file */
    const char *folder; /* absolute; relative paths are relative to it */
    const char *driver; /* a name, or "custom"; anything with a slash is a path, made absolute */
    const char *driver_origin; /* where that came from: "FILE:LINE", "QUEUE_DRIVER" ... */
    const char *module;        /* the driver section's `module`, absolute; NULL: none given */
    unsigned module_line;
    const char *queue;   /* default queue: the driver section's `queue`, else "default" */
    uint64_t lease_ms;   /* retry_after */
    uint32_t durability; /* DRAY_DURABILITY_..., 0: the driver's default */
    unsigned durability_line;
    struct config_job job;
    struct config_worker worker;
    struct config_keep keep;
    struct config_limits limits;
    struct config_health health;
    const char *handlers_from; /* absolute folder, or NULL */
    unsigned handlers_from_line;
    struct config_handler *handlers;
    size_t nhandlers;
    struct node *root;
    struct node *section;     /* the driver's map under `queue`; NULL: none */
    struct node *connections; /* NULL: none */
};

/*
 * Reads everything `options` says. Checks all that needs no driver: syntax, limits, unknown keys,
 * types, ranges. On success *out is for config_free.
 */
int config_read(struct config **out, const struct dray_options *options, struct dray_error *error);
void config_free(struct config *config);

/* Puts FILE:LINE before what was reported, for what shows only after reading: a module that is not
   there, a durability that the driver cannot give. Leaves an error alone that has a place, and any
   if there is no file. Returns `code`. */
int config_place(const struct config *config, unsigned line, int code, struct dray_error *error);

/* For a driver without a section: one under `queue` with almost its name, which is likely to be
   meant for it; *meant is that name. NULL: none. */
const struct node *config_stray_section(const struct config *config, const char **meant);

/*
 * The driver's own options, checked against its table: unknown keys, types, ranges, defaults,
 * connections resolved. `custom_only` keys (`module`) and the common ones (retry_after, durability,
 * queue) are known to every section. The values are what the host's number() and text() answer.
 */
struct dray_driver;
struct option_values;
int option_values_read(struct option_values **out, const struct config *config,
    const struct dray_driver *driver, struct dray_error *error);
void option_values_free(struct option_values *values);
int64_t option_number(const struct option_values *values, const char *option);
const char *option_text(const struct option_values *values, const char *option, uint32_t index);

/* Every value in force, defaults included, in the order of the documentation. `values` NULL leaves
   the driver's section out. */
int config_each(const struct config *config, const struct option_values *values,
    const struct dray_driver *driver, dray_config_fn each, void *user);

#endif
