/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <dray/driver.h>

#include <stdio.h>
#include <string.h>

int find_config(struct cli *cli)
{
    struct dray_error error = DRAY_ERROR_INIT;
    if (cli->config) {
        if (strlen(cli->config) >= sizeof(cli->config_path))
            return fail(cli, EXIT_CONFIG, DRAY_CONFIG, "the path after -c is too long");
        snprintf(cli->config_path, sizeof(cli->config_path), "%s", cli->config);
        return EXIT_DONE;
    }
    int code = dray_find_config(cli->config_path, sizeof(cli->config_path), &error);
    if (code == DRAY_OK)
        return EXIT_DONE;
    cli->config_path[0] = 0;
    if (code == DRAY_NOTFOUND && cli->driver)
        return EXIT_DONE;
    return report_open(cli, &error);
}

void open_options(struct cli *cli, uint32_t flags, struct dray_options *options)
{
    *options = (struct dray_options){
        .config = cli->config_path[0] ? cli->config_path : NULL,
        .driver = cli->driver,
        .settings = cli->settings,
        .nsettings = cli->nsettings,
        .log = cli->log ? cli->log : log_to_stderr,
        .log_user = cli->log ? cli->log_user : cli,
        .flags = flags,
    };
}

int open_dray(struct cli *cli, uint32_t flags)
{
    int status = find_config(cli);
    if (status != EXIT_DONE)
        return status;
    struct dray_options options;
    open_options(cli, flags, &options);
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_open(&cli->dray, &options, &error) != DRAY_OK) {
        cli->dray = NULL;
        return report_open(cli, &error);
    }
    return EXIT_DONE;
}

struct traits {
    uint64_t can;
    size_t max_push;
};

static int take_traits(const struct dray_found_driver *found, void *user)
{
    struct traits *traits = user;
    if (found->driver)
        *traits = (struct traits){found->driver->can, found->driver->max_push};
    return 0;
}

static struct traits find_traits(const struct cli *cli)
{
    const struct dray_info *info = dray_get_info(cli->dray);
    struct traits traits = {0, 1};
    const char *which = info->driver_path ? info->driver_path : info->driver;
    if (dray_each_driver(which, take_traits, &traits, NULL) != DRAY_OK)
        return (struct traits){0, 1};
    return traits;
}

uint64_t driver_traits(const struct cli *cli)
{
    return find_traits(cli).can;
}

size_t driver_max_push(const struct cli *cli)
{
    return find_traits(cli).max_push;
}

int require_lasting(const struct cli *cli)
{
    const struct dray_info *info = dray_get_info(cli->dray);
    if (info->shared || strcmp(info->durability, "volatile") != 0)
        return EXIT_DONE;
    return fail(cli, EXIT_CONFIG, DRAY_CONFIG,
        "the driver is %s: what is stored would be gone with this process; use one that keeps it, "
        "such as sqlite or file",
        info->driver);
}

void note_if_private(const struct cli *cli)
{
    const struct dray_info *info = dray_get_info(cli->dray);
    if (!info->shared)
        note(cli,
            "the driver %s keeps jobs inside one process: this answers for the command's own "
            "process alone",
            info->driver);
}
