/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a configuration that need no driver: their tables, and how they become structs. */
#ifndef CORE_CONFIG_SECTIONS_H
#define CORE_CONFIG_SECTIONS_H

#include "config/config.h"
#include "config/tree.h"
#include "config/value.h"

enum { SECTION_ROWS_MAX = 16 }; /* no table has more rows */

/* job, worker, keep, limits, health, their backoff, and the keys that every driver's section has.
   The table of a driver's section has no section name: it depends on the driver. */
extern const struct table job_table;
extern const struct table worker_table;
extern const struct table keep_table;
extern const struct table limits_table;
extern const struct table health_table;
extern const struct table handler_table;
extern const struct table backoff_table;
extern const struct table driver_table;
enum { DRIVER_MODULE, DRIVER_RETRY_AFTER, DRIVER_DURABILITY, DRIVER_QUEUE }; /* its rows */

/* queue.job, worker, keep, limits and health into `config`. */
int sections_read(const struct reader *reader, const struct node *queue, struct config *config);

/* The common keys of the driver's section into `config`: module, queue, lease_ms, durability. */
int driver_section_read(const struct reader *reader, struct config *config);

/* A backoff map; what it leaves out is taken from `base`. */
int backoff_read(const struct reader *reader, const struct node *map, const char *section,
    const struct dray_backoff *base, struct dray_backoff *out);

/* The rows of `handlers` into `config`; sections_read comes first. */
int handlers_read(const struct reader *reader, const struct node *handlers, struct config *config);

/* A tree as JSON, in the arena. Plain scalars become null, true, false or numbers where JSON writes
   them so; everything else is a string. */
int node_json(const struct reader *reader, const struct node *node, const char **json);

/* The name of the driver's section under `queue`: the driver's own, or, for a path, its file name
   without "lib" and ".so". NULL without memory. */
const char *section_name(struct arena *arena, const char *driver);

#endif
