/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "job_template.h"
#include "json_out.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_LEN 64
#define PATH_SIZE 128
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Narrower than a type: it becomes the name of a file and a target of make. */
static int check_name(const struct cli *cli, const char *name)
{
    size_t len = strlen(name);
    if (len > 0 && len <= NAME_MAX_LEN && strspn(name, LETTERS "0123456789_-") == len &&
        name[0] != '-' && name[0] != '_')
        return EXIT_DONE;
    return misuse(cli,
        "'%.80s' is no name for a job: 1-%d of a-z A-Z 0-9 _ -, a letter or digit "
        "first",
        name, NAME_MAX_LEN);
}

/* send-welcome -> handle_send_welcome: the prefix keeps clear of keywords and of the C library. */
static void name_function(char *out, size_t size, const char *name)
{
    snprintf(out, size, "handle_%s", name);
    for (char *p = out; *p; p++) {
        if (*p == '-')
            *p = '_';
    }
}

/* A new file, never one that is there: NULL and errno. */
static FILE *create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return NULL;
    FILE *file = fdopen(fd, "w");
    if (!file)
        close(fd);
    return file;
}

static int finish(const struct cli *cli, FILE *file, const char *path)
{
    int failed = ferror(file);
    if (fclose(file) == 0 && !failed)
        return EXIT_DONE;
    int sys = errno;
    unlink(path);
    return fail(cli, EXIT_IO, DRAY_IO, "%s: %s", path, strerror(sys));
}

static int cannot_create(const struct cli *cli, const char *path, int sys)
{
    if (sys == EEXIST)
        return fail(
            cli, EXIT_CONFLICT, DRAY_EXISTS, "%s is there already and was left as it is", path);
    if (sys == EACCES || sys == EPERM || sys == EROFS)
        return fail(cli, EXIT_DENIED, DRAY_DENIED, "%s: %s", path, strerror(sys));
    return fail(cli, EXIT_IO, DRAY_IO, "%s: %s", path, strerror(sys));
}

static int write_source(const struct cli *cli, const char *name, const char *path)
{
    char function[PATH_SIZE];
    name_function(function, sizeof(function), name);
    FILE *file = create(path);
    if (!file)
        return cannot_create(cli, path, errno);
    job_template_source(file, name, function);
    return finish(cli, file, path);
}

/* One Makefile serves all jobs of the folder; one that is there is somebody's. */
static int write_makefile(const struct cli *cli, const char *path, int *wrote)
{
    FILE *file = create(path);
    *wrote = file != NULL;
    if (!file && errno == EEXIST)
        return EXIT_DONE;
    if (!file)
        return cannot_create(cli, path, errno);
    job_template_makefile(file);
    return finish(cli, file, path);
}

static int print_json(const struct cli *cli, const char *name, const char *source, int wrote)
{
    char *yaml = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&yaml, &size);
    if (memory)
        job_template_yaml(memory, name);
    if (!memory || fclose(memory) != 0 || !yaml) {
        free(yaml);
        return fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    }
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_array(&out, "files");
    json_text(&out, NULL, source);
    if (wrote)
        json_text(&out, NULL, "jobs/Makefile");
    json_end_array(&out);
    json_text(&out, "yaml", yaml);
    json_end_object(&out);
    json_finish(&out);
    free(yaml);
    return EXIT_DONE;
}

static int run(struct cli *cli)
{
    const char *name = cli->words[0];
    char path[PATH_SIZE];
    int wrote = 0;
    int status = check_name(cli, name);
    if (status != EXIT_DONE)
        return status;
    if (mkdir("jobs", 0755) != 0 && errno != EEXIST)
        return cannot_create(cli, "jobs", errno);
    snprintf(path, sizeof(path), "jobs/%s.c", name);
    status = write_source(cli, name, path);
    if (status == EXIT_DONE)
        status = write_makefile(cli, "jobs/Makefile", &wrote);
    if (status != EXIT_DONE)
        return status;
    if (cli->json)
        return print_json(cli, name, path, wrote);
    note(cli, "wrote %s%s; build it with: make -C jobs", path, wrote ? " and jobs/Makefile" : "");
    note(cli, "add to the configuration:");
    job_template_yaml(stdout, name);
    return EXIT_DONE;
}

const struct verb verb_make_job = {
    .name = "make job",
    .summary = "write a job module to begin with: jobs/NAME.c and jobs/Makefile",
    .words = "NAME",
    .min_words = 1,
    .max_words = 1,
    .notes = "Prints the lines for the configuration. Never overwrites a file.",
    .examples = {"dray make job send-welcome", "make -C jobs",
        "dray push send-welcome '{\"to\": \"Ada\"}' && dray work --once"},
    .run = run,
};
