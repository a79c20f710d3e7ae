/* SPDX-License-Identifier: Apache-2.0 */
#include "handler/module.h"

#include "host/error.h"
#include "store/loader.h"
#include "text/name.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDLERS_MAX 4096u

/* What ABI 1 had from its first release on. */
#define SIZE_MIN (offsetof(struct dray_module, fini) + sizeof(((struct dray_module *)0)->fini))
#define ROW_SIZE_MIN                                                                               \
    (offsetof(struct dray_module_handler, options) +                                               \
        sizeof(((struct dray_module_handler *)0)->options))

struct module {
    struct dray_module table; /* our copy, zeroed beyond the module's own size */
    void *state;
};

static int check_head(const struct dray_module *theirs, struct dray_error *error)
{
    if (!theirs)
        return error_set(error, DRAY_CONFIG, 0, "its entry function returns nothing");
    if (theirs->magic != DRAY_MODULE_MAGIC)
        return error_set(error, DRAY_CONFIG, 0,
            "not a handler module (magic number %08x, not %08x); use DRAY_MODULE", theirs->magic,
            DRAY_MODULE_MAGIC);
    if (theirs->abi != DRAY_MODULE_ABI)
        return error_set(error, DRAY_UNSUPPORTED, 0,
            "built for module ABI %u, this library speaks %u; rebuild it against this library's "
            "headers",
            theirs->abi, DRAY_MODULE_ABI);
    if (theirs->size < SIZE_MIN || theirs->handler_size < ROW_SIZE_MIN ||
        theirs->handler_size % _Alignof(struct dray_module_handler) != 0)
        return error_set(error, DRAY_CONFIG, 0,
            "its table has %u bytes and rows of %u, at least %zu and %zu are required; use "
            "DRAY_MODULE",
            theirs->size, theirs->handler_size, SIZE_MIN, ROW_SIZE_MIN);
    return DRAY_OK;
}

static int check_rows(const struct module *module, struct dray_error *error)
{
    const struct dray_module *table = &module->table;
    if (!table->handlers || table->nhandlers == 0 || table->nhandlers > HANDLERS_MAX)
        return error_set(error, DRAY_CONFIG, 0, "it has %u handlers, 1 to %u can be",
            table->handlers ? table->nhandlers : 0, HANDLERS_MAX);
    for (uint32_t i = 0; i < table->nhandlers; i++) {
        const struct dray_module_handler *row = module_handler(module, i);
        const char *problem = row->type ? name_check(row->type, strlen(row->type)) : "is missing";
        if (problem)
            return error_set(error, DRAY_CONFIG, 0, "the type '%.80s' of its handler %u %s",
                row->type ? row->type : "", i + 1, problem);
        if (!row->fn)
            return error_set(error, DRAY_CONFIG, 0, "its handler %s has no function", row->type);
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(module_handler(module, j)->type, row->type) == 0)
                return error_set(error, DRAY_CONFIG, 0, "its handler %s is there twice", row->type);
        }
    }
    return DRAY_OK;
}

static int read_table(
    struct module *module, const struct dray_module *theirs, struct dray_error *error)
{
    int code = check_head(theirs, error);
    if (code != DRAY_OK)
        return code;
    size_t ours = sizeof(module->table);
    memcpy(&module->table, theirs, theirs->size < ours ? theirs->size : ours);
    return check_rows(module, error);
}

static int call_init(struct module *module, const char *options, struct dray_error *error)
{
    if (!module->table.init)
        return DRAY_OK;
    struct dray_error reason = DRAY_ERROR_INIT;
    int code = module->table.init(options, &module->state, &reason);
    if (code == DRAY_OK)
        return DRAY_OK;
    return error_set(error, DRAY_IS_NOT_DONE(code) ? code : DRAY_CONFIG, reason.sys,
        "its init failed: %s", reason.text[0] ? reason.text : dray_code_name(code));
}

int module_open(
    struct module **out, const char *path, const char *options, struct dray_error *error)
{
    void (*entry)(void) = NULL;
    int code = loader_load(path, "dray_module_entry", &entry, error);
    if (code != DRAY_OK)
        return error_prefix(error, code, "module ");
    const struct dray_module *(*describe)(void);
    memcpy(&describe, &entry, sizeof(describe));
    struct module *module = calloc(1, sizeof(*module));
    if (!module)
        return error_set(error, DRAY_NOMEM, 0, "module %s: out of memory", path);
    code = read_table(module, describe(), error);
    if (code == DRAY_OK)
        code = call_init(module, options, error);
    if (code != DRAY_OK) {
        free(module);
        return error_prefix(error, code, "module %s: ", path);
    }
    *out = module;
    return DRAY_OK;
}

void module_close(struct module *module)
{
    if (!module)
        return;
    if (module->table.fini)
        module->table.fini(module->state);
    free(module);
}

const struct dray_module *module_table(const struct module *module)
{
    return &module->table;
}

const struct dray_module_handler *module_handler(const struct module *module, uint32_t index)
{
    const char *rows = (const char *)module->table.handlers;
    size_t at = (size_t)module->table.handler_size * index;
    return (const struct dray_module_handler *)(const void *)(rows + at);
}

void *module_state(const struct module *module)
{
    return module->state;
}

static int ends_in_so(const char *path)
{
    size_t len = strlen(path);
    return len > 3 && strcmp(path + len - 3, ".so") == 0;
}

/* Not hidden ones: editors and installers leave half-written files under such names. */
static int is_object(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && ends_in_so(entry->d_name);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int each_of_folder(const char *folder, int (*each)(const char *path, void *user), void *user,
    struct dray_error *error)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_object, by_name);
    if (n < 0) {
        int sys = errno;
        int code = sys == ENOENT   ? DRAY_NOTFOUND
                   : sys == EACCES ? DRAY_DENIED
                   : sys == ENOMEM ? DRAY_NOMEM
                                   : DRAY_IO;
        return error_set(
            error, code, sys, "the folder of handler modules %s: %s", folder, strerror(sys));
    }
    int code = DRAY_OK;
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        int len = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        if (code == DRAY_OK && (len < 0 || (size_t)len >= sizeof(path)))
            code = error_set(error, DRAY_CONFIG, ENAMETOOLONG, "%.200s: its path is too long",
                entries[i]->d_name);
        if (code == DRAY_OK)
            code = each(path, user);
        free(entries[i]);
    }
    free(entries);
    return code;
}

int module_each(const char *path, int (*each)(const char *path, void *user), void *user,
    struct dray_error *error)
{
    return ends_in_so(path) ? each(path, user) : each_of_folder(path, each, user, error);
}
