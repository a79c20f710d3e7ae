/* SPDX-License-Identifier: Apache-2.0 */
/* Checking a configuration without opening its store. */
#include "handler/command.h"
#include "handler/module.h"
#include "host/error.h"
#include "queue/instance.h"

#include <string.h>

static int has_type(const struct module *module, const char *type)
{
    for (uint32_t i = 0; i < module_table(module)->nhandlers; i++) {
        if (strcmp(module_handler(module, i)->type, type) == 0)
            return 1;
    }
    return 0;
}

static int check_module(
    const struct config *config, const struct config_handler *row, struct dray_error *error)
{
    struct module *module = NULL;
    int code = module_open(&module, row->module, row->options, error);
    if (code == DRAY_OK && !has_type(module, row->type))
        code = error_set_at(error, DRAY_CONFIG, config->path ? config->path : "handlers", row->line,
            "the module %s has no handler of type %s", row->module, row->type);
    module_close(module);
    return code;
}

static int check_module_of_folder(const char *path, void *user)
{
    struct module *module = NULL;
    int code = module_open(&module, path, "{}", user);
    module_close(module);
    return code;
}

static int check_handlers(const struct config *config, struct dray_error *error)
{
    struct dray_error own = DRAY_ERROR_INIT;
    int code;
    if (!error)
        error = &own;
    if ((code = handlers_check_isolation(config, error)) != DRAY_OK)
        return code;
    if (config->handlers_from) {
        code = module_each(config->handlers_from, check_module_of_folder, error, error);
        if (code != DRAY_OK)
            return config_place(config, config->handlers_from_line, code, error);
    }
    for (size_t i = 0; code == DRAY_OK && i < config->nhandlers; i++) {
        const struct config_handler *row = &config->handlers[i];
        struct command *command = NULL;
        if (row->module) {
            code = check_module(config, row, error);
        } else {
            code = command_new(&command, config, row, error);
            if (code == DRAY_OK)
                command_free(command);
        }
        if (code != DRAY_OK)
            config_place(config, row->line, code, error);
    }
    return code;
}

int dray_check_config(
    const struct dray_options *options, dray_config_fn each, void *user, struct dray_error *error)
{
    static const struct dray_options none;
    struct config *config = NULL;
    if (!options)
        options = &none;
    int code = config_read(&config, options, error);
    if (code != DRAY_OK)
        return code;
    code = store_check(config, each, user, error);
    if (code == DRAY_OK && !(options->flags & DRAY_OPEN_NO_HANDLERS))
        code = check_handlers(config, error);
    config_free(config);
    return code;
}
