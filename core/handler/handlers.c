/* SPDX-License-Identifier: Apache-2.0 */
#include "handler/handlers.h"

#include "handler/command.h"
#include "handler/module.h"
#include "host/error.h"
#include "queue/instance.h"
#include "text/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint32_t bucket_of(const char *type, size_t len)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)type[i]) * 16777619u;
    return hash % HANDLERS_BUCKETS;
}

struct handler *handlers_find(const struct handlers *handlers, const char *type, size_t len)
{
    struct handler *h = handlers->bucket[bucket_of(type, len)];
    while (h && (strncmp(h->type, type, len) != 0 || h->type[len] != 0))
        h = h->next;
    return h;
}

static void take_out(struct handlers *handlers, const char *type)
{
    struct handler **p = &handlers->bucket[bucket_of(type, strlen(type))];
    while (*p && strcmp((*p)->type, type) != 0)
        p = &(*p)->next;
    struct handler *old = *p;
    if (!old)
        return;
    *p = old->next;
    old->next = handlers->replaced;
    handlers->replaced = old;
    handlers->n--;
}

int handlers_set(struct handlers *handlers, const struct handler *handler, struct dray_error *error)
{
    if (!handler->fn && !handler->command) {
        take_out(handlers, handler->type);
        return DRAY_OK;
    }
    struct handler *copy = malloc(sizeof(*copy));
    if (!copy)
        return error_set(error, DRAY_NOMEM, 0, "out of memory");
    take_out(handlers, handler->type);
    *copy = *handler;
    struct handler **bucket = &handlers->bucket[bucket_of(copy->type, strlen(copy->type))];
    copy->next = *bucket;
    *bucket = copy;
    handlers->n++;
    return DRAY_OK;
}

static void free_chain(struct handler *h)
{
    while (h) {
        struct handler *next = h->next;
        if (h->command)
            command_free(h->command);
        free(h);
        h = next;
    }
}

void handlers_clear(struct handlers *handlers)
{
    for (size_t i = 0; i < HANDLERS_BUCKETS; i++)
        free_chain(handlers->bucket[i]);
    free_chain(handlers->replaced);
    for (size_t i = handlers->nmodules; i > 0; i--)
        module_close(handlers->modules[i - 1]);
    free(handlers->modules);
    memset(handlers, 0, sizeof(*handlers));
}

static int add_locked(struct dray *dray, const struct handler *handler, struct dray_error *error)
{
    pthread_mutex_lock(&dray->lock);
    int code = handlers_set(&dray->handlers, handler, error);
    pthread_mutex_unlock(&dray->lock);
    return code;
}

static int check_backoff(const struct dray_backoff *backoff, struct dray_error *error)
{
    if (backoff->strategy < DRAY_BACKOFF_DEFAULT || backoff->strategy > DRAY_BACKOFF_NONE)
        return error_set(error, DRAY_INVALID, 0, "the backoff strategy %d is none of DRAY_BACKOFF_",
            backoff->strategy);
    if (!(backoff->jitter <= 1))
        return error_set(error, DRAY_INVALID, 0, "the jitter of a backoff is at most 1");
    return DRAY_OK;
}

int dray_on(struct dray *dray, const char *type, dray_handler_fn fn, void *user,
    const struct dray_handler_options *options, struct dray_error *error)
{
    int code = instance_check(dray, error);
    if (code != DRAY_OK)
        return code;
    const char *why = type ? name_check(type, strlen(type)) : "is missing";
    if (why)
        return error_set(error, DRAY_INVALID, 0, "the type of the handler %s", why);
    if (options && (code = check_backoff(&options->backoff, error)) != DRAY_OK)
        return code;
    struct handler handler = {.fn = fn, .user = user, .grace_ms = dray->handlers.default_grace_ms};
    snprintf(handler.type, sizeof(handler.type), "%s", type);
    if (options)
        handler.options = *options;
    return add_locked(dray, &handler, error);
}

/* ---- modules ---- */

static int keep_module(struct dray *dray, struct module *module, struct dray_error *error)
{
    pthread_mutex_lock(&dray->lock);
    struct handlers *h = &dray->handlers;
    struct module **more = realloc(h->modules, (h->nmodules + 1) * sizeof(*more));
    if (more) {
        h->modules = more;
        h->modules[h->nmodules++] = module;
    }
    pthread_mutex_unlock(&dray->lock);
    if (more)
        return DRAY_OK;
    module_close(module);
    return error_set(error, DRAY_NOMEM, 0, "out of memory");
}

/* What the configuration says about a handler wins over the module's own table. */
static void lay_over(struct handler *handler, const struct config_handler *row)
{
    if (row->timeout_ms)
        handler->options.timeout_ms = row->timeout_ms;
    if (row->max_attempts)
        handler->options.max_attempts = row->max_attempts;
    if (row->backoff.strategy) {
        handler->options.backoff = row->backoff;
        handler->options.backoff_fn = NULL;
    }
    handler->grace_ms = row->grace_ms;
    handler->isolate = row->isolate == 1;
}

/* Registers the module's rows: the one of `row->type`, or all if `row` is NULL. */
static int add_rows(struct dray *dray, const struct module *module, const char *path,
    const struct config_handler *row, struct dray_error *error)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < module_table(module)->nhandlers; i++) {
        const struct dray_module_handler *from = module_handler(module, i);
        if (row && strcmp(from->type, row->type) != 0)
            continue;
        struct handler handler = {.fn = from->fn,
            .user = module_state(module),
            .options = from->options,
            .grace_ms = dray->handlers.default_grace_ms};
        snprintf(handler.type, sizeof(handler.type), "%s", from->type);
        if (row)
            lay_over(&handler, row);
        int code = add_locked(dray, &handler, error);
        if (code != DRAY_OK)
            return code;
        found++;
    }
    if (row && !found)
        return error_set_at(error, DRAY_CONFIG,
            dray->config->path ? dray->config->path : "handlers", row->line,
            "the module %s has no handler of type %s", path, row->type);
    return DRAY_OK;
}

static int add_module(struct dray *dray, const char *path, const char *options,
    const struct config_handler *row, struct dray_error *error)
{
    struct module *module = NULL;
    int code = module_open(&module, path, options, error);
    if (code != DRAY_OK || (code = keep_module(dray, module, error)) != DRAY_OK)
        return code;
    return add_rows(dray, module, path, row, error);
}

struct folder {
    struct dray *dray;
    struct dray_error *error;
};

static int add_of_folder(const char *path, void *user)
{
    struct folder *folder = user;
    return add_module(folder->dray, path, "{}", NULL, folder->error);
}

static int add_path(struct dray *dray, const char *path, struct dray_error *error)
{
    struct folder folder = {dray, error};
    return module_each(path, add_of_folder, &folder, error);
}

int dray_load_handlers(struct dray *dray, const char *path, struct dray_error *error)
{
    int code = instance_check(dray, error);
    if (code != DRAY_OK)
        return code;
    if (!path || !*path)
        return error_set(error, DRAY_INVALID, 0, "no path of a module or a folder was given");
    char *real = realpath(path, NULL);
    if (!real)
        return error_set(error, DRAY_NOTFOUND, 0, "%s: no such module or folder", path);
    code = add_path(dray, real, error);
    free(real);
    return code;
}

/* ---- configuration ---- */

static int add_command(
    struct dray *dray, const struct config_handler *row, struct dray_error *error)
{
    struct handler handler = {.isolate = 1};
    int code = command_new(&handler.command, dray->config, row, error);
    if (code != DRAY_OK)
        return code;
    snprintf(handler.type, sizeof(handler.type), "%s", row->type);
    lay_over(&handler, row);
    code = add_locked(dray, &handler, error);
    if (code != DRAY_OK)
        command_free(handler.command);
    return code;
}

int handlers_check_isolation(const struct config *config, struct dray_error *error)
{
    static const char why[] =
        "isolation: process is not there yet for modules; use thread, or a command";
    if (config->worker.isolate)
        return config_place(config, config->worker.isolation_line,
            error_set(error, DRAY_UNSUPPORTED, 0, "queue.worker: %s", why), error);
    for (size_t i = 0; i < config->nhandlers; i++) {
        const struct config_handler *row = &config->handlers[i];
        if (row->module && row->isolate == 1)
            return config_place(config, row->isolation_line,
                error_set(error, DRAY_UNSUPPORTED, 0, "handler %s: %s", row->type, why), error);
    }
    return DRAY_OK;
}

int handlers_configure(struct dray *dray, struct dray_error *error)
{
    const struct config *config = dray->config;
    int code = handlers_check_isolation(config, error);
    if (code == DRAY_OK && config->handlers_from) {
        code = add_path(dray, config->handlers_from, error);
        if (code != DRAY_OK)
            return config_place(config, config->handlers_from_line, code, error);
    }
    for (size_t i = 0; code == DRAY_OK && i < config->nhandlers; i++) {
        const struct config_handler *row = &config->handlers[i];
        code = row->command ? add_command(dray, row, error)
                            : add_module(dray, row->module, row->options, row, error);
        if (code != DRAY_OK)
            config_place(config, row->line, code, error);
    }
    return code;
}
