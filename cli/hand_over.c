/* SPDX-License-Identifier: Apache-2.0 */
#include "hand_over.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char **arguments(struct cli *cli, char *program)
{
    char **args = calloc(cli->nwords + 7, sizeof(*args));
    if (!args)
        return NULL;
    static char config[] = "--config";
    static char driver[] = "--driver";
    static char json[] = "--json";
    size_t n = 0;
    args[n++] = program;
    if (cli->config_path[0]) {
        args[n++] = config;
        args[n++] = cli->config_path;
    }
    if (cli->driver) {
        args[n++] = driver;
        args[n] = strdup(cli->driver);
        if (!args[n++]) {
            free(args);
            return NULL;
        }
    }
    if (cli->json)
        args[n++] = json;
    for (size_t i = 0; i < cli->nwords; i++)
        args[n++] = cli->words[i];
    return args;
}

int hand_over(struct cli *cli, const char *program, const char *what)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/%s", dray_folder(), program);
    if (len < 0 || (size_t)len >= sizeof(path))
        return fail(cli, EXIT_INTERNAL, DRAY_LIMIT, "the path of %s is too long", program);
    /* A configuration that is not there is the program's to judge: it may be named later on. */
    if (!cli->config &&
        dray_find_config(cli->config_path, sizeof(cli->config_path), NULL) != DRAY_OK)
        cli->config_path[0] = 0;
    else if (cli->config)
        snprintf(cli->config_path, sizeof(cli->config_path), "%s", cli->config);
    char **args = arguments(cli, path);
    if (!args)
        return fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    fflush(NULL);
    execv(path, args);
    int sys = errno;
    free(args);
    if (sys == ENOENT)
        return fail(cli, EXIT_FAILED, DRAY_NOTFOUND,
            "%s is not there: this installation came without %s", path, what);
    return fail(cli, EXIT_FAILED, DRAY_IO, "%s: %s", path, strerror(sys));
}
