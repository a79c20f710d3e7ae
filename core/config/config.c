/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include "config/connection.h"
#include "config/environment.h"
#include "config/file.h"
#include "config/sections.h"
#include "config/settings.h"
#include "config/tree.h"
#include "config/value.h"
#include "dray/text.h"
#include "host/error.h"
#include "text/name.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What config_free frees; the public part comes first. */
struct config_state {
    struct config config;
    struct arena arena;
};

static const char *const top_keys[] = {
    "queue", "connections", "handlers_from", "handlers", "schedules", "hooks"};

/* Keys of `queue` that name no driver. */
static const char *const queue_keys[] = {"driver", "job", "worker", "keep", "health", "limits"};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static int is_among(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i], word) == 0)
            return 1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------- */

static int refuse_folder(struct dray_error *error, const char *folder)
{
    int sys = errno;
    int code = sys == EACCES ? DRAY_DENIED : sys == ENOENT ? DRAY_NOTFOUND : DRAY_IO;
    if (sys == ENOMEM)
        code = DRAY_NOMEM;
    return error_set(error, code, sys, "%s: the folder cannot be used: %s", folder,
        strerrordesc_np(sys) ? strerrordesc_np(sys) : "unknown error");
}

/* The absolute form of `folder`, without links. */
static int resolve(
    struct arena *arena, const char *folder, const char **out, struct dray_error *error)
{
    char path[PATH_MAX];
    if (!realpath(folder, path))
        return refuse_folder(error, folder);
    *out = arena_copy(arena, path, strlen(path));
    return *out ? DRAY_OK : error_set(error, DRAY_NOMEM, 0, "out of memory");
}

/* The folder that holds the file of the configuration; of none, the current one. */
static int file_folder(
    struct arena *arena, const char *path, const char **out, struct dray_error *error)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!slash)
        return resolve(arena, ".", out, error);
    const char *folder = arena_copy(arena, path, slash == path ? 1 : (size_t)(slash - path));
    return folder ? resolve(arena, folder, out, error)
                  : error_set(error, DRAY_NOMEM, 0, "out of memory");
}

/* What relative paths are relative to: a folder named config stands for the project around it. */
static const char *base_folder(struct arena *arena, const char *folder)
{
    const char *slash = strrchr(folder, '/');
    if (strcmp(slash + 1, "config") != 0)
        return folder;
    return arena_copy(arena, folder, slash == folder ? 1 : (size_t)(slash - folder));
}

/* Settles config->folder and reads .env, which lies beside the file. */
static int read_surroundings(struct config_state *state, const struct dray_options *options,
    struct environment *environment, struct dray_error *error)
{
    const char *beside = NULL;
    int code = file_folder(&state->arena, options->config, &beside, error);
    if (code != DRAY_OK)
        return code;
    if (options->folder)
        code = resolve(&state->arena, options->folder, &state->config.folder, error);
    else
        state->config.folder = options->config ? base_folder(&state->arena, beside) : beside;
    if (code != DRAY_OK || !options->config)
        return code;
    const char *path = file_path(&state->arena, beside, ".env");
    if (!path || !state->config.folder)
        return error_set(error, DRAY_NOMEM, 0, "out of memory");
    return environment_load(environment, path, error);
}

/* ------------------------------------------------------------------------------------------- */

static int read_text(struct config_state *state, const struct dray_options *options,
    const char **text, size_t *len, struct dray_error *error)
{
    if (options->config && options->yaml)
        return error_set(
            error, DRAY_INVALID, 0, "both a configuration file and its text are given; give one");
    *text = options->yaml ? options->yaml : "";
    *len = strlen(*text);
    if (!options->config)
        return DRAY_OK;
    state->config.path = arena_copy(&state->arena, options->config, strlen(options->config));
    if (!state->config.path)
        return error_set(error, DRAY_NOMEM, 0, "out of memory");
    return file_read(&state->arena, options->config, TREE_BYTES_MAX, text, len, error);
}

/* The file's tree, variables replaced; a map, if it is not given at all. */
static int read_tree(struct config_state *state, const struct dray_options *options,
    const struct environment *environment, const char *text, size_t len, struct dray_error *error)
{
    const char *name = options->config ? state->config.path : options->yaml ? "yaml" : "options";
    struct node *root = NULL;
    int code = tree_parse(&state->arena, name, 1, text, len, &root, error);
    if (code == DRAY_OK)
        code = environment_expand(environment, root, error);
    if (code != DRAY_OK)
        return code;
    if (node_is_null(root))
        root = node_map(&state->arena, name, 0);
    if (!root)
        return error_set(error, DRAY_NOMEM, 0, "out of memory");
    if (root->type != NODE_MAP)
        return node_error(
            error, root, "the configuration must be a map; begin it with queue: and a driver");
    state->config.root = root;
    return DRAY_OK;
}

/* Lays over the tree what beats the file: QUEUE_DRIVER, the program's driver, settings. */
static int overlay(struct config_state *state, const struct dray_options *options,
    const struct environment *environment, struct dray_error *error)
{
    struct node *root = state->config.root;
    const struct reader reader = {&state->arena, state->config.folder, error};
    int code = expect_map(&reader, node_get(root, "queue"), "queue");
    const char *driver = environment_get(environment, "QUEUE_DRIVER");
    if (code == DRAY_OK && driver && driver[0])
        code = settings_driver(&state->arena, root, "QUEUE_DRIVER", driver, error);
    if (code == DRAY_OK && options->driver && options->driver[0])
        code = settings_driver(&state->arena, root, "setting driver", options->driver, error);
    if (code == DRAY_OK)
        code = settings_apply(environment, options->settings, options->nsettings, root, error);
    return code;
}

/* ------------------------------------------------------------------------------------------- */

/* Keys whose place is taken but which nothing reads yet. */
static int refuse_later(const struct reader *reader, const struct node *node, const char *name)
{
    if (node_is_null(node) || (node->type != NODE_SCALAR && node->count == 0))
        return DRAY_OK;
    return node_error(reader->error, node, "%s is not available in this version; remove it", name);
}

static int check_top(const struct reader *reader, const struct node *root)
{
    for (const struct node *child = root->first; child; child = child->next) {
        if (!is_among(child->key, top_keys, COUNT(top_keys)))
            return unknown_key(reader, child, "", top_keys, COUNT(top_keys));
    }
    int code = refuse_later(reader, node_get(root, "schedules"), "schedules");
    if (code == DRAY_OK)
        code = refuse_later(reader, node_get(root, "hooks"), "hooks");
    return code;
}

/* A key of `queue` that is neither known nor the map that a driver's section would be. */
static int no_section(const struct reader *reader, const struct node *node)
{
    if (dray_nearest(node->key, queue_keys, COUNT(queue_keys)))
        return unknown_key(reader, node, "queue", queue_keys, COUNT(queue_keys));
    return node_error(reader->error, node,
        "queue.%.60s must be a map, the section of a driver; or is it meant for queue.worker or "
        "queue.job?",
        node->key);
}

static int check_queue(const struct reader *reader, const struct node *queue)
{
    int code = expect_map(reader, queue, "queue");
    if (code != DRAY_OK || node_is_null(queue))
        return code;
    for (const struct node *child = queue->first; child; child = child->next) {
        if (is_among(child->key, queue_keys, COUNT(queue_keys)))
            continue;
        if (child->type != NODE_MAP && !node_is_null(child))
            return no_section(reader, child);
        const char *problem = driver_name_check(child->key);
        if (problem)
            return node_error(reader->error, child,
                "queue.%.60s must be the section of a driver, but the name %s", child->key,
                problem);
    }
    return DRAY_OK;
}

static int no_driver(const struct config *config, struct dray_error *error)
{
    static const char what[] = "no driver is chosen; write queue: {driver: sqlite} (or sync, "
                               "memory, file, redis ...), or set QUEUE_DRIVER";
    const struct node *queue = node_get(config->root, "queue");
    if (!config->root->first)
        return error_set_at(error, DRAY_CONFIG, config->root->file, 0, "%s", what);
    return node_error(error, queue ? queue : config->root->first, "%s", what);
}

static int read_driver(const struct reader *reader, struct config *config, const struct node *queue)
{
    static const struct dray_option row = {.type = DRAY_OPTION_STRING, .name = "driver"};
    struct value value;
    const struct node *node = node_get(queue, "driver");
    int code = value_read(reader, node, "queue", &row, &value);
    if (code != DRAY_OK)
        return code;
    if (!value.given || !value.text[0])
        return no_driver(config, reader->error);
    if (strchr(value.text, '/')) {
        config->driver = file_path(reader->arena, config->folder, value.text);
    } else {
        const char *problem = driver_name_check(value.text);
        if (problem)
            return node_error(reader->error, node,
                "the driver's name \"%.60s\" %s; a path needs a slash (./%.60s)", value.text,
                problem, value.text);
        config->driver = value.text;
    }
    config->driver_origin = node_origin(reader->arena, node);
    const char *section = config->driver ? section_name(reader->arena, config->driver) : NULL;
    if (!section || !config->driver_origin)
        return reader_no_memory(reader);
    if (is_among(section, queue_keys, COUNT(queue_keys)))
        return node_error(reader->error, node,
            "a driver cannot be called %s: queue.%s means something else", section, section);
    struct node *map = node_get(queue, section);
    config->section = node_is_null(map) ? NULL : map;
    return driver_section_read(reader, config);
}

static int read_handlers_from(const struct reader *reader, struct config *config)
{
    static const struct dray_option row = {.type = DRAY_OPTION_PATH, .name = "handlers_from"};
    struct value value;
    int code = value_read(reader, node_get(config->root, "handlers_from"), "", &row, &value);
    if (code == DRAY_OK)
        config->handlers_from = value.text;
    if (code == DRAY_OK && value.given)
        config->handlers_from_line = value.node->line;
    return code;
}

static int check_tree(struct config_state *state, struct dray_error *error)
{
    struct config *config = &state->config;
    const struct reader reader = {&state->arena, config->folder, error};
    const struct node *queue = node_get(config->root, "queue");
    struct node *connections = node_get(config->root, "connections");
    config->connections = node_is_null(connections) ? NULL : connections;
    int code = check_top(&reader, config->root);
    if (code == DRAY_OK)
        code = check_queue(&reader, queue);
    if (code == DRAY_OK)
        code = read_driver(&reader, config, queue);
    if (code == DRAY_OK)
        code = sections_read(&reader, queue, config);
    if (code == DRAY_OK)
        code = connections_check(&reader, connections);
    if (code == DRAY_OK)
        code = read_handlers_from(&reader, config);
    if (code == DRAY_OK)
        code = handlers_read(&reader, node_get(config->root, "handlers"), config);
    return code;
}

int config_place(const struct config *config, unsigned line, int code, struct dray_error *error)
{
    if (code == DRAY_OK || !error || error->line > 0 || line == 0 || !config->path)
        return code;
    error_prefix(error, code, "%s:%u: ", config->path, line);
    snprintf(error->file, sizeof(error->file), "%s", config->path);
    error->line = line;
    return code;
}

const struct node *config_stray_section(const struct config *config, const char **meant)
{
    const struct node *queue = config->root ? node_get(config->root, "queue") : NULL;
    if (config->section || strchr(config->driver, '/'))
        return NULL;
    *meant = config->driver;
    for (const struct node *child = queue ? queue->first : NULL; child; child = child->next) {
        if (child->type == NODE_MAP && !is_among(child->key, queue_keys, COUNT(queue_keys)) &&
            dray_nearest(child->key, meant, 1))
            return child;
    }
    return NULL;
}

int config_read(struct config **out, const struct dray_options *options, struct dray_error *error)
{
    static const struct dray_options none;
    if (!options)
        options = &none;
    if (options->flags & ~(uint32_t)(DRAY_OPEN_NO_ENVIRONMENT | DRAY_OPEN_NO_HANDLERS))
        return error_set(
            error, DRAY_INVALID, 0, "the options have flags that this version does not know");
    struct config_state *state = calloc(1, sizeof(*state));
    if (!state)
        return error_set(error, DRAY_NOMEM, 0, "out of memory");
    struct environment environment = {
        .arena = &state->arena, .ignored = (options->flags & DRAY_OPEN_NO_ENVIRONMENT) != 0};
    const char *text = NULL;
    size_t len = 0;
    int code = read_text(state, options, &text, &len, error);
    if (code == DRAY_OK)
        code = read_surroundings(state, options, &environment, error);
    if (code == DRAY_OK)
        code = read_tree(state, options, &environment, text, len, error);
    if (code == DRAY_OK)
        code = overlay(state, options, &environment, error);
    if (code == DRAY_OK)
        code = check_tree(state, error);
    if (code != DRAY_OK) {
        config_free(&state->config);
        return code;
    }
    *out = &state->config;
    return DRAY_OK;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    struct config_state *state = (struct config_state *)(void *)config;
    arena_free(&state->arena);
    free(state);
}
