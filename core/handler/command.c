/* SPDX-License-Identifier: Apache-2.0 */
#include "handler/command.h"

#include "handler/command_run.h"
#include "host/error.h"
#include "store/folders.h"
#include "store/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a command may know of our environment; anything else is set in its own vector, with
   env(1). */
static const char *const inherited[COMMAND_INHERITED] = {"PATH", "HOME", "USER", "LOGNAME", "SHELL",
    "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MESSAGES",
    "TZ", "TMPDIR"};

static int fail_at(const struct config *config, const struct config_handler *handler, int code,
    struct dray_error *error, const char *text)
{
    if (config->path)
        return error_set_at(
            error, code, config->path, handler->line, "handler %s: %s", handler->type, text);
    return error_set(error, code, 0, "handler %s: %s", handler->type, text);
}

/* 0, or the errno that says why `path` cannot be run. */
static int runnable(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/* As a shell would, but for folders of PATH that are not absolute. */
static int search_path(const char *name, char *out, size_t size)
{
    const char *list = getenv("PATH");
    int sys = ENOENT;
    if (!list)
        list = "/usr/local/bin:/usr/bin:/bin";
    while (*list) {
        size_t len = strcspn(list, ":");
        int n = *list == '/' ? snprintf(out, size, "%.*s/%s", (int)len, list, name) : -1;
        if (n > 0 && (size_t)n < size) {
            int why = runnable(out);
            if (why == 0)
                return 0;
            if (why == EACCES)
                sys = why;
        }
        list += len + (list[len] == ':');
    }
    return sys;
}

static int resolve(const struct config *config, const struct config_handler *handler, char *out,
    size_t size, struct dray_error *error)
{
    const char *name = handler->command[0];
    int sys;
    if (strchr(name, '/')) {
        int n = name[0] == '/' ? snprintf(out, size, "%s", name)
                               : snprintf(out, size, "%s/%s", config->folder, name);
        sys = n > 0 && (size_t)n < size ? runnable(out) : ENAMETOOLONG;
    } else {
        sys = search_path(name, out, size);
    }
    if (sys == 0)
        return DRAY_OK;
    char text[400];
    if (sys == ENOENT || sys == ENOTDIR)
        snprintf(text, sizeof(text), "the program '%.200s' is not there%s", name,
            strchr(name, '/') ? "" : "; install it or name it by its path");
    else if (sys == EACCES)
        snprintf(text, sizeof(text), "the program '%.200s' is not executable; chmod +x it", name);
    else
        snprintf(text, sizeof(text), "the program '%.200s': %s", name, strerror(sys));
    return fail_at(config, handler,
        sys == ENOENT || sys == ENOTDIR ? DRAY_NOTFOUND
        : sys == EACCES                 ? DRAY_DENIED
                                        : DRAY_IO,
        error, text);
}

static int find_runner(const struct config *config, const struct config_handler *handler,
    struct trusted_file *runner, struct dray_error *error)
{
    char path[PATH_MAX];
    char text[400];
    if (!folders_find("dray-runner", path, sizeof(path))) {
        char folders[250];
        snprintf(text, sizeof(text),
            "commands are started by dray-runner, which is not in %s; install it there",
            folders_list(folders, sizeof(folders)));
        return fail_at(config, handler, DRAY_NOTFOUND, error, text);
    }
    struct dray_error reason = DRAY_ERROR_INIT;
    int code = trust_check(path, runner, &reason);
    return code == DRAY_OK ? code : fail_at(config, handler, code, error, reason.text);
}

/* The vector for dray-runner: its own words, then the program and the handler's vector. */
static int make_vector(struct command *command, const struct config *config,
    const struct config_handler *handler, const char *program, const char *runner)
{
    size_t n = 0;
    while (handler->command[n])
        n++;
    command->argv = calloc(COMMAND_WORDS + n + 1, sizeof(char *));
    if (!command->argv)
        return 0;
    char memory[24];
    char parent[24];
    snprintf(parent, sizeof(parent), "%jd", (intmax_t)getpid());
    snprintf(memory, sizeof(memory), "%" PRIu64, handler->max_memory);
    const char *const words[COMMAND_WORDS] = {
        runner, "--exec", parent, memory, config->folder, program};
    for (size_t i = 0; i < COMMAND_WORDS + n; i++) {
        command->argv[i] =
            strdup(i < COMMAND_WORDS ? words[i] : handler->command[i - COMMAND_WORDS]);
        if (!command->argv[i])
            return 0;
    }
    return 1;
}

/* Copied once at start: reading the environment while another thread changes it is not safe. */
static int copy_environment(struct command *command)
{
    size_t n = 0;
    for (size_t i = 0; i < COMMAND_INHERITED; i++) {
        const char *value = inherited[i] ? getenv(inherited[i]) : NULL;
        if (!value)
            continue;
        size_t size = strlen(inherited[i]) + strlen(value) + 2;
        command->env[n] = malloc(size);
        if (!command->env[n])
            return 0;
        snprintf(command->env[n++], size, "%s=%s", inherited[i], value);
    }
    return 1;
}

int command_new(struct command **out, const struct config *config,
    const struct config_handler *handler, struct dray_error *error)
{
    char program[PATH_MAX];
    struct trusted_file runner;
    if (getauxval(AT_SECURE))
        return fail_at(
            config, handler, DRAY_DENIED, error, "a set-uid program runs no commands of others");
    int code = resolve(config, handler, program, sizeof(program), error);
    if (code == DRAY_OK)
        code = find_runner(config, handler, &runner, error);
    if (code != DRAY_OK)
        return code;
    struct command *command = calloc(1, sizeof(*command));
    if (!command || !make_vector(command, config, handler, program, runner.path) ||
        !copy_environment(command)) {
        command_free(command);
        return fail_at(config, handler, DRAY_NOMEM, error, "out of memory");
    }
    *out = command;
    return DRAY_OK;
}

void command_free(struct command *command)
{
    if (!command)
        return;
    for (size_t i = 0; command->argv && command->argv[i]; i++)
        free(command->argv[i]);
    free(command->argv);
    for (size_t i = 0; i < COMMAND_INHERITED; i++)
        free(command->env[i]);
    free(command);
}
