/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings.h"

#include "host/error.h"

#include <string.h>

static int no_memory(struct dray_error *error)
{
    return error_set(error, DRAY_NOMEM, 0, "out of memory");
}

/* How much of `key` its first part takes: the longest child of `map` that matches up to a dot or
   the end, else up to the first dot. */
static size_t part_length(const struct node *map, const char *key)
{
    size_t longest = strcspn(key, ".");
    for (const struct node *child = map->first; child; child = child->next) {
        size_t len = strlen(child->key);
        if (len > longest && strncmp(child->key, key, len) == 0 &&
            (key[len] == '.' || key[len] == 0))
            longest = len;
    }
    return longest;
}

/* The map under `key` of `map`, made if there is nothing. NULL and *code on an error. */
static struct node *descend(struct arena *arena, struct node *map, const char *key,
    const char *file, struct dray_error *error, int *code)
{
    struct node *child = node_get(map, key);
    if (child && child->type == NODE_MAP)
        return child;
    if (!node_is_null(child)) {
        *code = error_set_at(error, DRAY_CONFIG, file, 0,
            "\"%.60s\" is a single value or a list; it has no keys", key);
        return NULL;
    }
    struct node *made = node_map(arena, file, 0);
    if (!made)
        *code = no_memory(error);
    else
        node_set(map, key, made);
    return made;
}

static int put(struct arena *arena, struct node *map, const char *key, const char *file,
    struct node *value, struct dray_error *error)
{
    for (unsigned depth = 0; depth < TREE_DEPTH_MAX; depth++) {
        size_t len = part_length(map, key);
        if (len == 0)
            return error_set_at(error, DRAY_CONFIG, file, 0,
                "the key has an empty part; write it like queue.worker.concurrency");
        const char *part = arena_copy(arena, key, len);
        if (!part)
            return no_memory(error);
        if (key[len] == 0) {
            node_set(map, part, value);
            return DRAY_OK;
        }
        int code = DRAY_OK;
        map = descend(arena, map, part, file, error, &code);
        if (!map)
            return code;
        key += len + 1;
    }
    return error_set_at(error, DRAY_CONFIG, file, 0, "the key has more than 16 parts");
}

int settings_apply(const struct environment *environment, const struct dray_setting *settings,
    size_t n, struct node *root, struct dray_error *error)
{
    struct arena *arena = environment->arena;
    for (size_t i = 0; i < n; i++) {
        const char *key = settings[i].key;
        const char *text = settings[i].value ? settings[i].value : "";
        if (!key || !key[0])
            return error_set(error, DRAY_INVALID, 0,
                "setting %zu has no key; write it like queue.worker.concurrency", i + 1);
        const char *file = arena_print(arena, "setting %s", key);
        if (!file)
            return no_memory(error);
        struct node *value = NULL;
        int code = tree_parse(arena, file, 0, text, strlen(text), &value, error);
        if (code == DRAY_OK)
            code = environment_expand(environment, value, error);
        if (code != DRAY_OK)
            return code;
        if (!value) {
            /* Nothing is written: the default. */
            value = node_text(arena, file, "");
            if (!value)
                return no_memory(error);
            value->quoted = 0;
        }
        code = put(arena, root, key, file, value, error);
        if (code != DRAY_OK)
            return code;
    }
    return DRAY_OK;
}

int settings_driver(struct arena *arena, struct node *root, const char *file, const char *driver,
    struct dray_error *error)
{
    struct node *value = node_text(arena, file, driver);
    return value ? put(arena, root, "queue.driver", file, value, error) : no_memory(error);
}
