/* SPDX-License-Identifier: Apache-2.0 */
#include "config/sections.h"
#include "host/error.h"
#include "text/json.h"
#include "text/name.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

enum {
    HANDLER_MODULE,
    HANDLER_COMMAND,
    HANDLER_TIMEOUT,
    HANDLER_GRACE,
    HANDLER_MAX_ATTEMPTS,
    HANDLER_BACKOFF,
    HANDLER_ISOLATION,
    HANDLER_MAX_MEMORY,
    HANDLER_OPTIONS
};
static const struct dray_option handler_rows[] = {
    {.type = DRAY_OPTION_PATH, .name = "module"},
    {.type = DRAY_OPTION_LIST, .name = "command"},
    {.type = DRAY_OPTION_DURATION, .name = "timeout", .min = 1, .max = INT64_MAX},
    {.type = DRAY_OPTION_DURATION, .name = "grace"},
    {.type = DRAY_OPTION_INTEGER, .name = "max_attempts", .min = 1, .max = 1000000},
    {.type = VALUE_SECTION, .name = "backoff"},
    {.type = DRAY_OPTION_CHOICE, .name = "isolation", .choices = "thread|process"},
    {.type = DRAY_OPTION_SIZE, .name = "max_memory", .min = 1, .max = INT64_MAX},
    {.type = VALUE_SECTION, .name = "options"},
};
const struct table handler_table = {"", handler_rows, COUNT(handler_rows)};

/* ------------------------------------------------------------------------------------------- */

/* A plain scalar as JSON would read it, or as a string. NULL without memory; *range is set if it is
   a number too large to be held. */
static json_t *scalar_value(const struct node *node, int *range)
{
    if (node_is_null(node))
        return json_null();
    if (!node->quoted && strcmp(node->text, "true") == 0)
        return json_true();
    if (!node->quoted && strcmp(node->text, "false") == 0)
        return json_false();
    int like_number = node->text[0] == '-' || (node->text[0] >= '0' && node->text[0] <= '9');
    if (node->quoted || !like_number || json_check(node->text, strlen(node->text), NULL))
        return json_string(node->text);
    json_error_t problem;
    json_t *number = json_loads(node->text, JSON_DECODE_ANY, &problem);
    *range = !number && json_error_code(&problem) == json_error_numeric_overflow;
    return number;
}

/* The depth is that of the tree, so at most 16. */
static json_t *tree_value(const struct node *node, const struct node **out_of_range)
{
    if (node->type == NODE_SCALAR) {
        int range = 0;
        json_t *value = scalar_value(node, &range);
        if (range)
            *out_of_range = node;
        return value;
    }
    json_t *value = node->type == NODE_MAP ? json_object() : json_array();
    for (const struct node *child = node->first; value && child; child = child->next) {
        json_t *member = tree_value(child, out_of_range);
        int failed = node->type == NODE_MAP ? json_object_set_new(value, child->key, member)
                                            : json_array_append_new(value, member);
        if (failed) {
            json_decref(value);
            return NULL;
        }
    }
    return value;
}

int node_json(const struct reader *reader, const struct node *node, const char **json)
{
    const size_t form = JSON_ENCODE_ANY | JSON_COMPACT;
    const struct node *out_of_range = NULL;
    json_t *value = tree_value(node, &out_of_range);
    if (out_of_range)
        return node_error(reader->error, out_of_range,
            "the number %.60s is out of range; quote it if it is a text", out_of_range->text);
    size_t size = value ? json_dumpb(value, NULL, 0, form) : 0;
    char *text = size > 0 ? arena_alloc(reader->arena, size + 1, 1) : NULL;
    int written = text && json_dumpb(value, text, size, form) == size;
    json_decref(value);
    *json = text;
    return written ? DRAY_OK : reader_no_memory(reader);
}

/* ------------------------------------------------------------------------------------------- */

/* Exactly one of module and command. */
static int check_program(const struct reader *reader, const struct node *row, const char *section,
    const struct value *values)
{
    int module = values[HANDLER_MODULE].given;
    int command = values[HANDLER_COMMAND].given;
    if (module && command)
        return node_error(
            reader->error, row, "%s has both a module and a command; keep one", section);
    if (!module && !command)
        return node_error(reader->error, row,
            "%s needs a module (a shared object) or a command (a list of program and arguments)",
            section);
    if (command && (values[HANDLER_COMMAND].ntexts == 0 || !values[HANDLER_COMMAND].texts[0][0]))
        return node_error(reader->error, values[HANDLER_COMMAND].node,
            "%s.command names no program; write it as [program, argument]", section);
    if (command && values[HANDLER_ISOLATION].given && values[HANDLER_ISOLATION].number == 0)
        return node_error(reader->error, values[HANDLER_ISOLATION].node,
            "%s.isolation: a command always runs in a process of its own; remove this", section);
    return DRAY_OK;
}

static int read_options(
    const struct reader *reader, const struct value *value, const char *section, const char **json)
{
    *json = "{}";
    const char *name = arena_print(reader->arena, "%s.options", section);
    if (!name)
        return reader_no_memory(reader);
    if (!value->given)
        return DRAY_OK;
    int code = expect_map(reader, value->node, name);
    return code ? code : node_json(reader, value->node, json);
}

static int read_backoff(const struct reader *reader, const struct value *value, const char *section,
    const struct dray_backoff *base, struct dray_backoff *out)
{
    if (!value->given)
        return DRAY_OK;
    const char *name = arena_print(reader->arena, "%s.backoff", section);
    if (!name)
        return reader_no_memory(reader);
    return backoff_read(reader, value->node, name, base, out);
}

static int read_handler(const struct reader *reader, const struct node *row,
    const struct config *config, struct config_handler *handler)
{
    const char *problem = name_check(row->key, strlen(row->key));
    if (problem)
        return node_error(reader->error, row, "the type \"%.70s\" %s", row->key, problem);
    const char *section = arena_print(reader->arena, "handlers.%s", row->key);
    if (!section)
        return reader_no_memory(reader);
    struct table table = handler_table;
    table.section = section;
    struct value values[COUNT(handler_rows)];
    int code = table_read(reader, row, &table, NULL, 0, values);
    if (code == DRAY_OK)
        code = check_program(reader, row, section, values);
    if (code != DRAY_OK)
        return code;
    handler->type = row->key;
    handler->line = row->line;
    handler->module = values[HANDLER_MODULE].text;
    handler->command = values[HANDLER_COMMAND].texts;
    handler->timeout_ms = (uint64_t)values[HANDLER_TIMEOUT].number;
    handler->grace_ms = values[HANDLER_GRACE].given ? (uint64_t)values[HANDLER_GRACE].number
                                                    : config->worker.grace_ms;
    handler->max_attempts = (uint32_t)values[HANDLER_MAX_ATTEMPTS].number;
    handler->isolate = values[HANDLER_ISOLATION].given ? (int)values[HANDLER_ISOLATION].number : -1;
    if (values[HANDLER_ISOLATION].given)
        handler->isolation_line = values[HANDLER_ISOLATION].node->line;
    handler->max_memory = (uint64_t)values[HANDLER_MAX_MEMORY].number;
    code = read_backoff(
        reader, &values[HANDLER_BACKOFF], section, &config->job.backoff, &handler->backoff);
    return code ? code : read_options(reader, &values[HANDLER_OPTIONS], section, &handler->options);
}

int handlers_read(const struct reader *reader, const struct node *handlers, struct config *config)
{
    int code = expect_map(reader, handlers, "handlers");
    if (code != DRAY_OK || node_is_null(handlers) || handlers->count == 0)
        return code;
    config->handlers = arena_alloc(reader->arena, handlers->count, sizeof(*config->handlers));
    if (!config->handlers)
        return reader_no_memory(reader);
    for (const struct node *row = handlers->first; row && code == DRAY_OK; row = row->next) {
        code = read_handler(reader, row, config, &config->handlers[config->nhandlers]);
        config->nhandlers += code == DRAY_OK;
    }
    return code;
}
