/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "json_out.h"
#include "table.h"
#include "verbs.h"

#include <dray/driver.h>

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    uint64_t bit;
    const char *name;
} traits[] = {
    {DRAY_CAN_PRIORITY, "priority"},
    {DRAY_CAN_UNIQUE, "unique"},
    {DRAY_CAN_KEEP, "keep"},
    {DRAY_CAN_REPLAY, "replay"},
    {DRAY_IS_SHARED, "shared"},
    {DRAY_IS_INLINE, "inline"},
    {DRAY_IS_QUICK, "quick"},
    {DRAY_IS_AUTOSTART, "autostart"},
};

/* Operations behind the end of an older driver's table are absent. */
#define OPERATION(d, member)                                                                       \
    (offsetof(struct dray_driver, member) + sizeof((d)->member) <= (d)->size && (d)->member != NULL)

#define OPERATIONS_MAX 16

static size_t list_operations(const struct dray_driver *d, const char *names[OPERATIONS_MAX])
{
    const struct {
        const char *name;
        int there;
    } all[] = {
        {"push", OPERATION(d, push)},
        {"reserve", OPERATION(d, reserve)},
        {"ack", OPERATION(d, ack)},
        {"retry", OPERATION(d, retry)},
        {"extend", OPERATION(d, extend)},
        {"turn", OPERATION(d, turn)},
        {"watch", OPERATION(d, watch)},
        {"change", OPERATION(d, change)},
        {"list", OPERATION(d, list)},
        {"stats", OPERATION(d, stats)},
        {"tend", OPERATION(d, tend)},
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].there)
            names[n++] = all[i].name;
    }
    return n;
}

/* Options are read by the size that the driver was compiled with. */
static const struct dray_option *option_at(const struct dray_driver *d, uint32_t index)
{
    return (const void *)((const char *)d->options + (size_t)index * d->option_size);
}

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {"", "string", "integer", "duration", "size", "boolean",
        "choice", "list", "map", "path", "connection", "secret"};
    return type < sizeof(names) / sizeof(names[0]) ? names[type] : "?";
}

static void print_json(const struct dray_found_driver *found)
{
    const struct dray_driver *d = found->driver;
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_text(&out, "name", found->name);
    json_text(&out, "version", d ? d->version : NULL);
    json_text(&out, "summary", d ? d->summary : NULL);
    json_text(&out, "path", found->path);
    if (d)
        json_uint(&out, "abi", d->abi);
    else
        json_null(&out, "abi");
    json_array(&out, "traits");
    for (size_t i = 0; d && i < sizeof(traits) / sizeof(traits[0]); i++) {
        if (d->can & traits[i].bit)
            json_text(&out, NULL, traits[i].name);
    }
    json_end_array(&out);
    json_array(&out, "operations");
    const char *operations[OPERATIONS_MAX];
    size_t n = d ? list_operations(d, operations) : 0;
    for (size_t i = 0; i < n; i++)
        json_text(&out, NULL, operations[i]);
    json_end_array(&out);
    json_array(&out, "options");
    for (uint32_t i = 0; d && i < d->noptions; i++) {
        const struct dray_option *o = option_at(d, i);
        json_object(&out, NULL);
        json_text(&out, "name", o->name);
        json_text(&out, "type", type_name(o->type));
        json_text(&out, "default", o->fallback);
        json_text(&out, "help", o->help);
        json_end_object(&out);
    }
    json_end_array(&out);
    if (!d)
        json_text(&out, "problem", found->problem);
    json_end_object(&out);
    json_finish(&out);
}

static void print_words(const char *key, const char *const *words, size_t n)
{
    printf("%s\t", key);
    for (size_t i = 0; i < n; i++)
        printf("%s%s", i > 0 ? " " : "", words[i]);
    putchar('\n');
}

static void print_options(const struct cli *cli, const struct dray_driver *d)
{
    static const char *const headings[] = {"OPTION", "TYPE", "DEFAULT", "HELP"};
    if (d->noptions == 0)
        return;
    struct table table;
    table_start(&table, headings, 4, cli->out_is_terminal);
    if (cli->out_is_terminal)
        putchar('\n');
    for (uint32_t i = 0; i < d->noptions; i++) {
        const struct dray_option *o = option_at(d, i);
        const char *type =
            o->type == DRAY_OPTION_CHOICE && o->choices ? o->choices : type_name(o->type);
        const char *fallback = o->flags & DRAY_OPTION_REQUIRED ? "(required)" : o->fallback;
        const char *cells[] = {o->name, type, fallback, o->help};
        table_row(&table, cells);
    }
    table_finish(&table);
}

static void print_one(const struct cli *cli, const struct dray_found_driver *found)
{
    const struct dray_driver *d = found->driver;
    printf("name\t%s\nversion\t%s\nsummary\t%s\npath\t%s\nabi\t%" PRIu32 "\n", found->name,
        d->version, d->summary, found->path ? found->path : "-", d->abi);
    const char *names[OPERATIONS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < sizeof(traits) / sizeof(traits[0]); i++) {
        if (d->can & traits[i].bit)
            names[n++] = traits[i].name;
    }
    print_words("traits", names, n);
    n = list_operations(d, names);
    print_words("operations", names, n);
    print_options(cli, d);
}

struct driver_listing {
    struct cli *cli;
    struct table table;
    int one;
    int refused;
};

static int print_found(const struct dray_found_driver *found, void *user)
{
    struct driver_listing *listing = user;
    listing->refused |= !found->driver;
    if (listing->cli->json) {
        print_json(found);
    } else if (listing->one && found->driver) {
        print_one(listing->cli, found);
    } else {
        const char *cells[] = {found->name, found->driver ? found->driver->version : "-",
            found->path ? found->path : "-",
            found->driver ? found->driver->summary : found->problem};
        table_row(&listing->table, cells);
    }
    return 0;
}

static int run(struct cli *cli)
{
    static const char *const headings[] = {"NAME", "VERSION", "FILE", "SUMMARY"};
    struct driver_listing listing = {.cli = cli, .one = cli->nwords == 1};
    struct dray_error error = DRAY_ERROR_INIT;
    table_start(&listing.table, headings, 4, cli->out_is_terminal);
    int code = dray_each_driver(listing.one ? cli->words[0] : NULL, print_found, &listing, &error);
    if (table_finish(&listing.table))
        return fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    if (code != DRAY_OK)
        return report(cli, &error);
    return listing.one && listing.refused ? EXIT_FAILED : EXIT_DONE;
}

const struct verb verb_drivers = {
    .name = "drivers",
    .summary = "the drivers found, or one driver's options, traits and operations",
    .words = "[NAME]",
    .max_words = 1,
    .examples = {"dray drivers", "dray drivers redis", "dray drivers ./mydriver.so --json"},
    .run = run,
};
