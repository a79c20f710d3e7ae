/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handler modules: handlers in a shared object that a worker loads by path.
 *
 *     static int resize(struct dray_attempt *attempt, void *user) { ... }
 *
 *     static const struct dray_module_handler handlers[] = {
 *         {.type = "resize", .fn = resize, .options = {.max_attempts = 3}},
 *     };
 *     DRAY_MODULE(handlers, NULL, NULL)
 *
 * The configuration names it (`handlers: {resize: {module: ./resize.so}}`, or a whole folder with
 * `handlers_from`). A module is loaded once a process and stays loaded.
 */
#ifndef DRAY_MODULE_H
#define DRAY_MODULE_H

#include "dray/dray.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DRAY_MODULE_MAGIC 0x4d594152u
#define DRAY_MODULE_ABI 1u

struct dray_module_handler {
    const char *type;
    dray_handler_fn fn; /* its `user` is the module's state */
    struct dray_handler_options options;
};

/* What the entry function returns. Static. The first four members are frozen. */
struct dray_module {
    uint32_t magic;        /* DRAY_MODULE_MAGIC */
    uint32_t abi;          /* DRAY_MODULE_ABI */
    uint32_t size;         /* sizeof(struct dray_module) */
    uint32_t handler_size; /* sizeof(struct dray_module_handler) */
    const struct dray_module_handler *handlers;
    uint32_t nhandlers;
    /* Called once an instance before the first handler, and after the last. `options` is the
       `options` map of the handler in the configuration as JSON ("{}" if none). Sets *state, which
       handlers receive as `user`. Not DRAY_OK: the module is refused, with error->text. */
    int (*init)(const char *options, void **state, struct dray_error *error);
    void (*fini)(void *state);
};

/* The one symbol that a module exports. */
DRAY_API const struct dray_module *dray_module_entry(void);

/* Defines the entry function for a table of handlers. `init` and `fini` may be NULL. */
#define DRAY_MODULE(table, init_fn, fini_fn)                                                       \
    const struct dray_module *dray_module_entry(void)                                              \
    {                                                                                              \
        static const struct dray_module module = {DRAY_MODULE_MAGIC, DRAY_MODULE_ABI,              \
            sizeof(struct dray_module), sizeof(struct dray_module_handler), table,                 \
            sizeof(table) / sizeof((table)[0]), init_fn, fini_fn};                                 \
        return &module;                                                                            \
    }

#ifdef __cplusplus
}
#endif

#endif
