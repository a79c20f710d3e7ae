/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node read as the type that a table demands. The rows are struct dray_option, for the core's own
 * keys as for those that drivers declare: one set of rules, one set of messages.
 */
#ifndef CORE_CONFIG_VALUE_H
#define CORE_CONFIG_VALUE_H

#include "config/arena.h"
#include "config/tree.h"
#include "dray/driver.h"

/* Types that only the core's own tables have. */
enum {
    VALUE_RATIO = 100,  /* a number from 0 to 1: `real` */
    VALUE_SECTION = 101 /* a map with rows of its own, or something that its reader checks */
};

/* What every reading needs. */
struct reader {
    struct arena *arena;
    const char *folder; /* for paths */
    struct dray_error *error;
};

struct value {
    const struct node *node; /* NULL: neither given nor a default */
    int given;               /* by the configuration: no default, not null */
    int64_t number;
    double real;
    const char *text;
    const char *const
        *texts; /* list: members; map: keys and values in turn; NULL behind the last */
    size_t ntexts;
};

/* A table of keys. In INTEGER and RATIO rows `choices` is a word that is allowed in place of the
   number (number and real are -1 then). */
struct table {
    const char *section; /* "queue.worker" */
    const struct dray_option *rows;
    size_t nrows;
};

/*
 * Reads `map` (NULL or null: nothing given) by `table`: unknown keys, types, ranges, required keys,
 * defaults. values[i] belongs to rows[i]. `known` are keys that somebody else reads.
 */
int table_read(const struct reader *reader, const struct node *map, const struct table *table,
    const char *const *known, size_t nknown, struct value *values);

/* One value. `node` may be NULL: then the row's default, or nothing. */
int value_read(const struct reader *reader, const struct node *node, const char *section,
    const struct dray_option *row, struct value *value);

/* The value as a person would write it; secrets as ***. NULL without memory. "" if there is
   none. */
const char *value_show(
    struct arena *arena, const struct dray_option *row, const struct value *value);

/* A whole decimal number: no sign but minus, no leading zeros, no 0x, no 1_000. 0, or -1. */
int value_integer(const char *text, int64_t *number);

/* Text with the password of a URL in it as ***. NULL without memory. */
const char *value_hide_password(struct arena *arena, const char *text);

/* A duration or size as YAML writes it, in the largest unit that has no remainder. */
void value_show_amount(uint32_t type, uint64_t amount, char *out, size_t size);

/* DRAY_CONFIG: `node` is a key of `section` that nobody knows; `words` are those that are. */
int unknown_key(const struct reader *reader, const struct node *node, const char *section,
    const char *const *words, size_t n);

/* Checks that `node` (of the full name `name`) is a map, if it is there at all. */
int expect_map(const struct reader *reader, const struct node *node, const char *name);

int reader_no_memory(const struct reader *reader);

#endif
