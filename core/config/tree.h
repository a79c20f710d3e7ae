/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as a tree whose values know where they were written.
 *
 * A subset on purpose: one document of maps, lists and scalars. Aliases, anchors, tags, merge keys
 * and duplicate keys are refused, and so is what is larger, deeper or longer than any configuration
 * has reason to be. Nodes live in the arena that they were made in.
 */
#ifndef CORE_CONFIG_TREE_H
#define CORE_CONFIG_TREE_H

#include "config/arena.h"
#include "dray/error.h"
#include "dray/export.h"

#include <stddef.h>

#define TREE_BYTES_MAX (64u * 1024)
#define TREE_DEPTH_MAX 16u
#define TREE_EVENTS_MAX 8192u

enum node_type { NODE_SCALAR = 1, NODE_LIST, NODE_MAP };

struct node {
    enum node_type type;
    int quoted;       /* scalar: in quotes or a block, so neither a number nor null */
    int expanded;     /* scalar: holds the value of a variable, so null only if empty */
    const char *text; /* scalar; never with a zero byte inside */
    const char *key;  /* in a map */
    const char *file;
    unsigned line; /* of the key, or of the value outside a map; 0: not from a file */
    size_t count;  /* children */
    struct node *first, *last, *next;
};

/*
 * Parses `text`. `file` is borrowed for the life of the nodes and names the text in messages; with
 * `lines` 0 it stands for the whole place ("default", "setting queue.driver"). *root is NULL if the
 * text holds nothing. DRAY_CONFIG, DRAY_NOMEM.
 */
int tree_parse(struct arena *arena, const char *file, int lines, const char *text, size_t len,
    struct node **root, struct dray_error *error);

/* The child of a map; NULL if there is none, or `map` is NULL or no map. */
struct node *node_get(const struct node *map, const char *key);

/* Plain null, ~ or nothing; also a NULL node: all of them mean "the default". */
int node_is_null(const struct node *node);

/* A scalar as if written in quotes. NULL without memory. */
struct node *node_text(struct arena *arena, const char *file, const char *text);

/* An empty map. NULL without memory. */
struct node *node_map(struct arena *arena, const char *file, unsigned line);

/* Puts `child` into `map` under `key` (borrowed), in place of what was there. */
void node_set(struct node *map, const char *key, struct node *child);

/* DRAY_CONFIG with the place of the node in front. */
int node_error(struct dray_error *error, const struct node *node, const char *fmt, ...)
    DRAY_PRINTF(3, 4);

/* Where a value comes from, as config rows say it: "FILE:LINE", "default", "QUEUE_DRIVER",
   "setting". NULL without memory. */
const char *node_origin(struct arena *arena, const struct node *node);

#endif
