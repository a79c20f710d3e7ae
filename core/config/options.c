/* SPDX-License-Identifier: Apache-2.0 */
#include "config/options.h"

#include "config/connection.h"
#include "config/sections.h"
#include "dray/text.h"
#include "host/error.h"

#include <stdlib.h>
#include <string.h>

/* One answer of number() and text(). */
struct option_value {
    struct option_value *next;
    const char *name; /* "path", "connection.host" */
    struct dray_option row;
    struct value value;
};

struct option_values {
    struct arena arena;
    const char *section;
    struct option_value *first, **last;
};

/* What is read, and for whom. */
struct filling {
    struct option_values *values;
    const struct config *config;
    const struct dray_driver *driver;
    struct reader reader;
};

/* A row of a table whose rows may be shorter or longer than ours. */
static struct dray_option row_at(const struct dray_driver *driver, uint32_t index)
{
    struct dray_option row;
    size_t stride = driver->option_size ? driver->option_size : sizeof(row);
    memset(&row, 0, sizeof(row));
    memcpy(&row, (const char *)driver->options + stride * index,
        stride < sizeof(row) ? stride : sizeof(row));
    return row;
}

static int is_declared(const struct dray_driver *driver, const char *name)
{
    for (uint32_t i = 0; i < driver->noptions; i++) {
        if (strcmp(row_at(driver, i).name, name) == 0)
            return 1;
    }
    return 0;
}

static int add(struct filling *filling, const char *name, const struct dray_option *row,
    const struct value *value)
{
    struct option_value *option = arena_alloc(filling->reader.arena, 1, sizeof(*option));
    if (!option)
        return reader_no_memory(&filling->reader);
    option->name = name;
    option->row = *row;
    option->value = *value;
    *filling->values->last = option;
    filling->values->last = &option->next;
    return DRAY_OK;
}

/* Only `custom` is told by its section where it is. */
static int is_custom(const struct config *config)
{
    return strcmp(config->driver, "custom") == 0;
}

static int check_keys(struct filling *filling)
{
    const struct node *section = filling->config->section;
    const struct dray_driver *driver = filling->driver;
    size_t n = 0;
    const char **words =
        arena_alloc(filling->reader.arena, driver->noptions + driver_table.nrows, sizeof(*words));
    if (!words)
        return reader_no_memory(&filling->reader);
    for (uint32_t i = 0; i < driver->noptions; i++)
        words[n++] = row_at(driver, i).name;
    for (size_t i = 0; i < driver_table.nrows; i++) {
        if (i != DRIVER_MODULE || is_custom(filling->config))
            words[n++] = driver_table.rows[i].name;
    }
    for (const struct node *child = section ? section->first : NULL; child; child = child->next) {
        size_t i = 0;
        while (i < n && strcmp(words[i], child->key) != 0)
            i++;
        if (i == n)
            return unknown_key(&filling->reader, child, filling->values->section, words, n);
    }
    return DRAY_OK;
}

/* module, retry_after, durability and queue, unless the driver declares them itself. */
static int add_common(struct filling *filling)
{
    int code = DRAY_OK;
    for (size_t i = 0; i < driver_table.nrows && code == DRAY_OK; i++) {
        const struct dray_option *row = &driver_table.rows[i];
        if (is_declared(filling->driver, row->name))
            continue;
        struct value value;
        code = value_read(&filling->reader, node_get(filling->config->section, row->name),
            filling->values->section, row, &value);
        if (code == DRAY_OK)
            code = add(filling, row->name, row, &value);
    }
    return code;
}

/* ------------------------------------------------------------------------------------------- */

struct connection {
    struct filling *filling;
    const char *option;
};

static int add_connection_value(
    void *user, const struct dray_option *row, const struct value *value)
{
    struct connection *connection = user;
    struct filling *filling = connection->filling;
    const char *name = arena_print(filling->reader.arena, "%s.%s", connection->option, row->name);
    return name ? add(filling, name, row, value) : reader_no_memory(&filling->reader);
}

/* A name that is not there is an error, unless it is only the driver's default: then the driver
   gets nothing and connects as it does by itself. */
static int add_connection(
    struct filling *filling, const struct dray_option *row, const struct value *value)
{
    const struct node *all = filling->config->connections;
    const struct node *entry = value->text ? node_get(all, value->text) : NULL;
    struct connection connection = {filling, row->name};
    if (entry)
        return connection_read(&filling->reader, entry, add_connection_value, &connection);
    if (!value->given)
        return DRAY_OK;
    size_t n = 0;
    const char **words = arena_alloc(filling->reader.arena, all ? all->count : 1, sizeof(*words));
    if (!words)
        return reader_no_memory(&filling->reader);
    for (const struct node *child = all ? all->first : NULL; child; child = child->next)
        words[n++] = child->key;
    const char *near = dray_nearest(value->text, words, n);
    return node_error(filling->reader.error, value->node,
        "%s.%s: connections has no \"%.60s\"%s%.60s%s", filling->values->section, row->name,
        value->text, near ? "; did you mean \"" : "; add it there, or name another one",
        near ? near : "", near ? "\"?" : "");
}

static int missing(struct filling *filling, const struct dray_option *row)
{
    const struct config *config = filling->config;
    const struct node *queue = node_get(config->root, "queue");
    const struct node *place = config->section ? config->section : queue ? queue : config->root;
    return node_error(filling->reader.error, place, "%s.%s is required: %s",
        filling->values->section, row->name, row->help ? row->help : "give it a value");
}

/* A default that does not pass its own rules is the driver's mistake, not the configuration's. */
static int wrong_default(
    struct filling *filling, const struct dray_option *row, const struct dray_error *problem)
{
    if (problem->code != DRAY_CONFIG)
        return error_copy(filling->reader.error, problem);
    return error_set(filling->reader.error, DRAY_CONFIG, 0,
        "driver %s: the default of its option %s is wrong: %s", filling->driver->name, row->name,
        problem->text);
}

static int add_option(struct filling *filling, const struct dray_option *row)
{
    struct option_values *values = filling->values;
    const struct node *node = node_get(filling->config->section, row->name);
    if (node_is_null(node) && (row->flags & DRAY_OPTION_REQUIRED))
        return missing(filling, row);
    struct dray_error problem = DRAY_ERROR_INIT;
    struct reader reader = filling->reader;
    reader.error = &problem;
    struct value value;
    int code = value_read(&reader, node, values->section, row, &value);
    if (code != DRAY_OK)
        return value.given ? error_copy(filling->reader.error, &problem)
                           : wrong_default(filling, row, &problem);
    code = add(filling, row->name, row, &value);
    if (code == DRAY_OK && row->type == DRAY_OPTION_CONNECTION)
        code = add_connection(filling, row, &value);
    return code;
}

static int fill(struct filling *filling)
{
    struct arena *arena = filling->reader.arena;
    const char *name = section_name(arena, filling->config->driver);
    filling->values->section = name ? arena_print(arena, "queue.%s", name) : NULL;
    if (!filling->values->section)
        return reader_no_memory(&filling->reader);
    int code = check_keys(filling);
    if (code == DRAY_OK)
        code = add_common(filling);
    for (uint32_t i = 0; i < filling->driver->noptions && code == DRAY_OK; i++) {
        struct dray_option row = row_at(filling->driver, i);
        code = add_option(filling, &row);
    }
    return code;
}

int option_values_read(struct option_values **out, const struct config *config,
    const struct dray_driver *driver, struct dray_error *error)
{
    struct option_values *values = calloc(1, sizeof(*values));
    if (!values)
        return error_set(error, DRAY_NOMEM, 0, "out of memory");
    values->last = &values->first;
    struct filling filling = {values, config, driver, {&values->arena, config->folder, error}};
    int code = fill(&filling);
    if (code != DRAY_OK) {
        option_values_free(values);
        return code;
    }
    *out = values;
    return DRAY_OK;
}

void option_values_free(struct option_values *values)
{
    if (!values)
        return;
    arena_free(&values->arena);
    free(values);
}

/* ------------------------------------------------------------------------------------------- */

static const struct option_value *find(const struct option_values *values, const char *name)
{
    for (const struct option_value *option = values->first; option; option = option->next) {
        if (strcmp(option->name, name) == 0)
            return option;
    }
    return NULL;
}

int64_t option_number(const struct option_values *values, const char *option)
{
    const struct option_value *found = find(values, option);
    if (!found || !found->value.node)
        return 0;
    /* connection.database is a text that often is a number. */
    int64_t number = 0;
    if (found->row.type == DRAY_OPTION_STRING)
        return value_integer(found->value.text, &number) ? 0 : number;
    return found->value.number;
}

const char *option_text(const struct option_values *values, const char *option, uint32_t index)
{
    const struct option_value *found = find(values, option);
    if (!found || !found->value.node)
        return NULL;
    const struct value *value = &found->value;
    if (value->texts)
        return index < value->ntexts ? value->texts[index] : NULL;
    if (index > 0)
        return NULL;
    if (value->text)
        return value->text;
    return found->row.type != DRAY_OPTION_BOOLEAN && value->node->type == NODE_SCALAR
               ? value->node->text
           : value->number ? "true"
                           : "false";
}

int option_values_each(const struct option_values *values, option_fn each, void *user)
{
    int code = 0;
    for (const struct option_value *option = values->first; option && code == 0;
         option = option->next) {
        if (!strchr(option->name, '.'))
            code = each(user, values->section, &option->row, &option->value);
    }
    return code;
}
