/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tree.h"

#include "host/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct node *node_get(const struct node *map, const char *key)
{
    if (!map || map->type != NODE_MAP)
        return NULL;
    for (struct node *child = map->first; child; child = child->next) {
        if (strcmp(child->key, key) == 0)
            return child;
    }
    return NULL;
}

int node_is_null(const struct node *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (!node)
        return 1;
    if (node->type != NODE_SCALAR || node->quoted)
        return 0;
    if (node->expanded)
        return !node->text[0];
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(node->text, words[i]) == 0)
            return 1;
    }
    return 0;
}

struct node *node_text(struct arena *arena, const char *file, const char *text)
{
    struct node *node = arena_alloc(arena, 1, sizeof(*node));
    if (!node)
        return NULL;
    node->type = NODE_SCALAR;
    node->quoted = 1;
    node->file = file;
    node->text = arena_copy(arena, text, strlen(text));
    return node->text ? node : NULL;
}

struct node *node_map(struct arena *arena, const char *file, unsigned line)
{
    struct node *node = arena_alloc(arena, 1, sizeof(*node));
    if (!node)
        return NULL;
    node->type = NODE_MAP;
    node->file = file;
    node->line = line;
    return node;
}

void node_set(struct node *map, const char *key, struct node *child)
{
    struct node **link = &map->first;
    child->key = key;
    while (*link && strcmp((*link)->key, key) != 0)
        link = &(*link)->next;
    if (*link) {
        child->next = (*link)->next;
    } else {
        child->next = NULL;
        map->count++;
    }
    *link = child;
    if (!child->next)
        map->last = child;
}

int node_error(struct dray_error *error, const struct node *node, const char *fmt, ...)
{
    char what[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    return error_set_at(error, DRAY_CONFIG, node->file, node->line, "%s", what);
}

const char *node_origin(struct arena *arena, const struct node *node)
{
    if (node->line > 0)
        return arena_print(arena, "%s:%u", node->file, node->line);
    return strncmp(node->file, "setting ", 8) == 0 ? "setting" : node->file;
}
