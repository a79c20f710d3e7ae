/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration in force, for people. */
#include "config/config.h"
#include "config/connection.h"
#include "config/options.h"
#include "config/sections.h"
#include "dray/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void value_show_amount(uint32_t type, uint64_t amount, char *out, size_t size)
{
    static const struct {
        uint32_t type;
        const char *name;
        uint64_t factor;
    } units[] = {
        {DRAY_OPTION_DURATION, "d", 86400000},
        {DRAY_OPTION_DURATION, "h", 3600000},
        {DRAY_OPTION_DURATION, "m", 60000},
        {DRAY_OPTION_DURATION, "s", 1000},
        {DRAY_OPTION_DURATION, "ms", 1},
        {DRAY_OPTION_SIZE, "GiB", UINT64_C(1) << 30},
        {DRAY_OPTION_SIZE, "MiB", UINT64_C(1) << 20},
        {DRAY_OPTION_SIZE, "KiB", UINT64_C(1) << 10},
        {DRAY_OPTION_SIZE, "", 1},
    };
    snprintf(out, size, "0");
    for (size_t i = 0; amount > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].type == type && amount % units[i].factor == 0) {
            snprintf(out, size, "%" PRIu64 "%s", amount / units[i].factor, units[i].name);
            return;
        }
    }
}

const char *value_hide_password(struct arena *arena, const char *text)
{
    const char *scheme = strstr(text, "://");
    const char *at = scheme ? strrchr(scheme, '@') : NULL;
    const char *colon = at ? memchr(scheme + 3, ':', (size_t)(at - scheme - 3)) : NULL;
    if (!colon)
        return text;
    return arena_print(arena, "%.*s***%s", (int)(colon + 1 - text), text, at);
}

/* [a, b] or {a: b} */
static const char *show_texts(struct arena *arena, const struct value *value, int is_map)
{
    size_t size = 3;
    for (size_t i = 0; i < value->ntexts; i++)
        size += strlen(value->texts[i]) + strlen(", ") + strlen("***");
    char *out = arena_alloc(arena, size, 1);
    if (!out)
        return NULL;
    size_t used = (size_t)snprintf(out, size, is_map ? "{" : "[");
    for (size_t i = 0; i < value->ntexts; i++) {
        const char *text = value_hide_password(arena, value->texts[i]);
        const char *separator = i == 0 ? "" : is_map && i % 2 ? ": " : ", ";
        if (!text)
            return NULL;
        used += (size_t)snprintf(out + used, size - used, "%s%s", separator, text);
    }
    snprintf(out + used, size - used, is_map ? "}" : "]");
    return out;
}

const char *value_show(
    struct arena *arena, const struct dray_option *row, const struct value *value)
{
    char text[DRAY_TIME_SIZE];
    if (!value->node)
        return "null";
    switch (row->type) {
    case DRAY_OPTION_DURATION:
    case DRAY_OPTION_SIZE:
        value_show_amount(row->type, (uint64_t)value->number, text, sizeof(text));
        return arena_copy(arena, text, strlen(text));
    case DRAY_OPTION_SECRET:
        return "***";
    case DRAY_OPTION_LIST:
    case DRAY_OPTION_MAP:
        return show_texts(arena, value, row->type == DRAY_OPTION_MAP);
    default:
        if (value->node->type != NODE_SCALAR)
            return "***";
        return value_hide_password(arena, value->text ? value->text : value->node->text);
    }
}

/* ------------------------------------------------------------------------------------------- */

struct show {
    struct reader reader; /* its arena is thrown away afterwards; errors cannot happen twice */
    const struct config *config;
    dray_config_fn each;
    void *user;
};

static int no_memory(void)
{
    return DRAY_NOMEM;
}

static int emit(
    struct show *show, const char *section, const char *name, const char *value, const char *origin)
{
    const char *dot = section[0] && name[0] ? "." : "";
    const char *key = arena_print(show->reader.arena, "%s%s%s", section, dot, name);
    if (!key || !value || !origin)
        return no_memory();
    const struct dray_config_row row = {key, value, origin};
    return show->each(&row, show->user);
}

static int emit_value(struct show *show, const char *section, const struct dray_option *row,
    const struct value *value)
{
    const char *origin = value->node ? node_origin(show->reader.arena, value->node) : "default";
    const char *text = value_show(show->reader.arena, row, value);
    return emit(show, section, row->name, text, origin);
}

/* What the tree has under `map`, and the defaults of the table if `all`. */
static int show_table(struct show *show, const struct node *map, const struct table *table, int all)
{
    struct value values[SECTION_ROWS_MAX];
    int code = table_read(&show->reader, map, table, NULL, 0, values);
    for (size_t i = 0; i < table->nrows && code == DRAY_OK; i++) {
        const struct dray_option *row = &table->rows[i];
        if ((!all && !values[i].given) || row->type == VALUE_SECTION)
            continue;
        if (table == &worker_table && values[i].node == NULL && strcmp(row->name, "queues") == 0)
            code = emit(show, table->section, row->name,
                arena_print(show->reader.arena, "[%s]", show->config->queue), "default");
        else
            code = emit_value(show, table->section, row, &values[i]);
    }
    return code;
}

static int show_queue(struct show *show)
{
    const struct node *queue = node_get(show->config->root, "queue");
    const struct node *job = node_get(queue, "job");
    int code = show_table(show, job, &job_table, 1);
    if (code == DRAY_OK)
        code = show_table(show, node_get(job, "backoff"), &backoff_table, 1);
    if (code == DRAY_OK)
        code = show_table(show, node_get(queue, "worker"), &worker_table, 1);
    if (code == DRAY_OK)
        code = show_table(show, node_get(queue, "keep"), &keep_table, 1);
    if (code == DRAY_OK)
        code = show_table(show, node_get(queue, "limits"), &limits_table, 1);
    if (code == DRAY_OK)
        code = show_table(show, node_get(queue, "health"), &health_table, 1);
    return code;
}

/* A value of a connection as it was written. */
static const char *connection_text(struct arena *arena, const struct node *node)
{
    static const struct dray_option texts = {.type = DRAY_OPTION_LIST, .name = ""};
    struct value value;
    if (node_is_null(node))
        return "null";
    if (strcmp(node->key, "password") == 0 || strcmp(node->key, "sentinel_password") == 0)
        return "***";
    if (node->type == NODE_SCALAR)
        return value_hide_password(arena, node->text);
    const struct reader reader = {arena, "", NULL};
    return value_read(&reader, node, "", &texts, &value) == DRAY_OK
               ? value_show(arena, &texts, &value)
               : NULL;
}

static int show_connections(struct show *show)
{
    const struct node *map = show->config->connections;
    int code = DRAY_OK;
    for (const struct node *entry = map ? map->first : NULL; entry && code == DRAY_OK;
         entry = entry->next) {
        for (const struct node *child = entry->first; child && code == DRAY_OK;
             child = child->next) {
            struct arena *arena = show->reader.arena;
            const char *section = arena_print(arena, "connections.%s", entry->key);
            code = section ? emit(show, section, child->key, connection_text(arena, child),
                                 node_origin(arena, child))
                           : no_memory();
        }
    }
    return code;
}

static int show_handler(struct show *show, const struct node *row)
{
    struct arena *arena = show->reader.arena;
    struct table table = handler_table;
    table.section = arena_print(arena, "handlers.%s", row->key);
    if (!table.section)
        return no_memory();
    int code = show_table(show, row, &table, 0);
    const struct node *backoff = node_get(row, "backoff");
    if (code == DRAY_OK && !node_is_null(backoff)) {
        struct table inner = backoff_table;
        inner.section = arena_print(arena, "%s.backoff", table.section);
        code = inner.section ? show_table(show, backoff, &inner, 0) : no_memory();
    }
    /* Options may be anything, keys of other services included. */
    const struct node *options = node_get(row, "options");
    if (code == DRAY_OK && !node_is_null(options))
        code = emit(show, table.section, "options", options->count > 0 ? "***" : "{}",
            node_origin(arena, options));
    return code;
}

static int show_handlers(struct show *show)
{
    const struct config *config = show->config;
    const struct node *from = node_get(config->root, "handlers_from");
    int code =
        emit(show, "handlers_from", "", config->handlers_from ? config->handlers_from : "null",
            node_is_null(from) ? "default" : node_origin(show->reader.arena, from));
    const struct node *handlers = node_get(config->root, "handlers");
    for (const struct node *row = handlers ? handlers->first : NULL; row && code == DRAY_OK;
         row = row->next)
        code = show_handler(show, row);
    return code;
}

static int show_option(
    void *user, const char *section, const struct dray_option *row, const struct value *value)
{
    /* Most drivers are installed and need no module. */
    if (strcmp(row->name, "module") == 0 && !value->given)
        return DRAY_OK;
    return emit_value(user, section, row, value);
}

int config_each(const struct config *config, const struct option_values *values,
    const struct dray_driver *driver, dray_config_fn each, void *user)
{
    (void)driver; /* the values remember their rows */
    struct arena arena = {NULL};
    struct show show = {{&arena, config->folder, NULL}, config, each, user};
    int code = emit(&show, "queue", "driver", config->driver, config->driver_origin);
    if (code == DRAY_OK && values)
        code = option_values_each(values, show_option, &show);
    if (code == DRAY_OK)
        code = show_queue(&show);
    if (code == DRAY_OK)
        code = show_connections(&show);
    if (code == DRAY_OK)
        code = show_handlers(&show);
    arena_free(&arena);
    return code;
}
