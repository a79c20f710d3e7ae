/* SPDX-License-Identifier: Apache-2.0 */
#include "store/descriptor.h"

#include "host/error.h"
#include "store/store.h"
#include "text/name.h"

#include <string.h>

#define ABI_OLDEST 1u
#define OPTIONS_MAX 256u
#define INSTANCE_MAX (64u * 1024 * 1024)

/* What ABI 1 had from its first release on: everything that is required. */
#define SIZE_MIN (offsetof(struct dray_driver, retry) + sizeof(((struct dray_driver *)0)->retry))
#define OPTION_SIZE_MIN (offsetof(struct dray_option, max) + sizeof(((struct dray_option *)0)->max))

/* The head is frozen: these members are where every version of a driver has them. */
static int check_head(const struct dray_driver *theirs, struct dray_error *error)
{
    if (!theirs)
        return error_set(error, DRAY_CONFIG, 0, "its entry function returns nothing");
    if (theirs->magic != DRAY_MAGIC)
        return error_set(error, DRAY_CONFIG, 0, "not a Dray driver (magic number %08x, not %08x)",
            theirs->magic, DRAY_MAGIC);
    if (theirs->abi < ABI_OLDEST || theirs->abi > DRAY_ABI)
        return error_set(error, DRAY_UNSUPPORTED, 0,
            "built for driver ABI %u, this library speaks %u to %u; rebuild it against this "
            "library's headers",
            theirs->abi, ABI_OLDEST, DRAY_ABI);
    if (theirs->size < SIZE_MIN)
        return error_set(error, DRAY_CONFIG, 0,
            "its descriptor has %u bytes, at least %zu are required; set .size to "
            "sizeof(struct dray_driver)",
            theirs->size, SIZE_MIN);
    if (theirs->instance_size > INSTANCE_MAX)
        return error_set(error, DRAY_CONFIG, 0,
            "it wants %u bytes for an instance, at most %u are given; allocate the rest in open",
            theirs->instance_size, INSTANCE_MAX);
    return DRAY_OK;
}

static int check_operations(const struct dray_driver *driver, struct dray_error *error)
{
    const char *missing = !driver->open      ? "open"
                          : !driver->close   ? "close"
                          : !driver->push    ? "push"
                          : !driver->reserve ? "reserve"
                          : !driver->ack     ? "ack"
                          : !driver->retry   ? "retry"
                                             : NULL;
    if (!missing)
        return DRAY_OK;
    return error_set(
        error, DRAY_CONFIG, 0, "it lacks the operation %s, which is required", missing);
}

static int check_identity(const struct dray_driver *driver, struct dray_error *error)
{
    if (!driver->name || driver_name_check(driver->name))
        return error_set(error, DRAY_CONFIG, 0, "its name '%.40s' is not one: %s",
            driver->name ? driver->name : "",
            driver->name ? driver_name_check(driver->name) : "none is given");
    if (!driver->version || !driver->summary)
        return error_set(
            error, DRAY_CONFIG, 0, "it has no %s", driver->version ? "summary" : "version");
    if (driver->max_push == 0 || driver->max_batch == 0)
        return error_set(error, DRAY_CONFIG, 0, "its %s is 0; 1 is the least",
            driver->max_push ? "max_batch" : "max_push");
    return DRAY_OK;
}

const struct dray_option *descriptor_option(const struct dray_driver *driver, uint32_t index)
{
    const char *rows = (const char *)driver->options;
    return (const struct dray_option *)(const void *)(rows + (size_t)driver->option_size * index);
}

/* Why a row of the option table cannot be used; NULL if it can. */
static const char *option_problem(const struct dray_option *option)
{
    if (option->type < DRAY_OPTION_STRING || option->type > DRAY_OPTION_SECRET)
        return "is of no known type";
    if (option->type == DRAY_OPTION_CHOICE && (!option->choices || !option->choices[0]))
        return "is a choice of nothing";
    if (option->min > option->max)
        return "has a least value above the greatest";
    if ((option->flags & DRAY_OPTION_REQUIRED) && option->fallback)
        return "is required and has a default";
    return NULL;
}

static int check_options(const struct dray_driver *driver, struct dray_error *error)
{
    if (driver->noptions == 0)
        return DRAY_OK;
    if (!driver->options || driver->noptions > OPTIONS_MAX ||
        driver->option_size < OPTION_SIZE_MIN || driver->option_size % _Alignof(struct dray_option))
        return error_set(error, DRAY_CONFIG, 0,
            "its option table is wrong (%u rows of %u bytes); set .option_size to "
            "sizeof(struct dray_option)",
            driver->noptions, driver->option_size);
    for (uint32_t i = 0; i < driver->noptions; i++) {
        const struct dray_option *option = descriptor_option(driver, i);
        if (!option->name || driver_name_check(option->name))
            return error_set(error, DRAY_CONFIG, 0, "its option %u has no proper name", i + 1);
        const char *problem = option_problem(option);
        for (uint32_t j = 0; !problem && j < i; j++) {
            if (strcmp(descriptor_option(driver, j)->name, option->name) == 0)
                problem = "is there twice";
        }
        if (problem)
            return error_set(error, DRAY_CONFIG, 0, "its option %s %s", option->name, problem);
    }
    return DRAY_OK;
}

int descriptor_check(
    const struct dray_driver *theirs, struct dray_driver *ours, struct dray_error *error)
{
    int code = check_head(theirs, error);
    if (code != DRAY_OK)
        return code;
    memset(ours, 0, sizeof(*ours));
    memcpy(ours, theirs, theirs->size < sizeof(*ours) ? theirs->size : sizeof(*ours));
    ours->size = (uint32_t)sizeof(*ours);
    code = check_operations(ours, error);
    if (code == DRAY_OK)
        code = check_identity(ours, error);
    if (code == DRAY_OK)
        code = check_options(ours, error);
    return code;
}

int store_has(const struct dray_driver *driver, const char *operation)
{
    const struct {
        const char *name;
        int there;
    } operations[] = {
        {"open", driver->open != NULL},
        {"close", driver->close != NULL},
        {"push", driver->push != NULL},
        {"reserve", driver->reserve != NULL},
        {"ack", driver->ack != NULL},
        {"retry", driver->retry != NULL},
        {"extend", driver->extend != NULL},
        {"turn", driver->turn != NULL},
        {"watch", driver->watch != NULL},
        {"change", driver->change != NULL},
        {"list", driver->list != NULL},
        {"stats", driver->stats != NULL},
        {"tend", driver->tend != NULL},
    };
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (strcmp(operations[i].name, operation) == 0)
            return operations[i].there;
    }
    return 0;
}
