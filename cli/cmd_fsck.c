/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a whole store: the configured one, or a file that is one. */
#include "cli.h"
#include "escape.h"
#include "json_out.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first bytes of every SQLite database, without the zero behind them: section 1.3.1 of its file
   format. */
#define SQLITE_MAGIC "SQLite format 3"

struct fsck_values {
    int repair;
};

static const struct option options[] = {
    OPT_FLAG(struct fsck_values, repair, "repair", "set damage aside and keep the rest"),
    OPT_END,
};

/* ---- a store by its file ---- */

static int not_readable(const struct cli *cli, const char *path, int sys)
{
    int denied = sys == EACCES || sys == EPERM;
    int missing = sys == ENOENT || sys == ENOTDIR;
    return fail(cli,
        denied    ? EXIT_DENIED
        : missing ? EXIT_CONFIG
                  : EXIT_IO,
        denied    ? DRAY_DENIED
        : missing ? DRAY_NOTFOUND
                  : DRAY_IO,
        "%s: cannot be read: %s", path, strerror(sys));
}

/* The driver whose store the file is. Opening one that is not there would make it. */
static int find_kind(const struct cli *cli, const char *path, const char **driver)
{
    char head[sizeof(SQLITE_MAGIC) - 1];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return not_readable(cli, path, errno);
    int failed = fstat(fd, &st) != 0;
    ssize_t n = failed || !S_ISREG(st.st_mode) ? 0 : read(fd, head, sizeof(head));
    int sys = errno;
    close(fd);
    if (failed || n < 0)
        return not_readable(cli, path, sys);
    if (!S_ISREG(st.st_mode))
        return fail(cli, EXIT_CONFIG, DRAY_CONFIG, "%s: not a file; name a store", path);
    if (n == 0)
        return fail(cli, EXIT_CONFIG, DRAY_CONFIG, "%s: the file is empty, not a store", path);
    *driver = n == (ssize_t)sizeof(head) && memcmp(head, SQLITE_MAGIC, sizeof(head)) == 0 ? "sqlite"
                                                                                          : "file";
    return EXIT_DONE;
}

/* The path as a value in YAML, within single quotes, where only those are special; to Dray ${ is
   special, and $${ stands for it. */
static int quote(char *out, size_t size, const char *path)
{
    size_t len = 0;
    out[len++] = '\'';
    for (const char *p = path; *p; p++) {
        if ((unsigned char)*p < ' ' || len + 4 > size)
            return -1;
        if (*p == '\'' || (p[0] == '$' && p[1] == '{'))
            out[len++] = *p;
        out[len++] = *p;
    }
    out[len++] = '\'';
    out[len] = 0;
    return 0;
}

static int open_store(struct cli *cli, const char *path)
{
    char key[128];
    char value[2 * PATH_MAX];
    const char *driver = NULL;
    int status = find_kind(cli, path, &driver);
    if (status != EXIT_DONE)
        return status;
    if (cli->driver)
        driver = cli->driver;
    if (quote(value, sizeof(value), path) != 0)
        return misuse(cli, "the name of the file is too long or has control characters");
    snprintf(key, sizeof(key), "queue.%.100s.path", driver);
    struct dray_setting setting = {key, value};
    struct dray_options how = {
        .driver = driver,
        .settings = &setting,
        .nsettings = 1,
        .log = log_to_stderr,
        .log_user = cli,
        .flags = DRAY_OPEN_NO_ENVIRONMENT | DRAY_OPEN_NO_HANDLERS,
    };
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_open(&cli->dray, &how, &error) == DRAY_OK)
        return EXIT_DONE;
    cli->dray = NULL;
    return report_open(cli, &error);
}

/* ---- findings ---- */

/* As JSON they wait until all is known: an error must not leave half an object behind. */
struct findings {
    const struct cli *cli;
    char **lines;
    size_t n;
    int no_memory;
};

static void take_finding(const char *line, void *user)
{
    struct findings *found = user;
    if (!found->cli->json) {
        print_escaped(stdout, line, strlen(line));
        putchar('\n');
        return;
    }
    char **more = realloc(found->lines, (found->n + 1) * sizeof(*more));
    char *copy = strdup(line);
    if (more)
        found->lines = more;
    if (more && copy) {
        more[found->n++] = copy;
    } else {
        found->no_memory = 1;
        free(copy);
    }
}

static void free_findings(struct findings *found)
{
    for (size_t i = 0; i < found->n; i++)
        free(found->lines[i]);
    free(found->lines);
}

static void print(const struct findings *found, const struct dray_tend_report *did)
{
    if (!found->cli->json) {
        printf("%" PRIu64 " record%s, %" PRIu64 " damaged, %" PRIu64 " repaired\n", did->records,
            did->records == 1 ? "" : "s", did->damaged, did->repaired);
        return;
    }
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_text(&out, "driver", dray_get_info(found->cli->dray)->driver);
    json_uint(&out, "records", did->records);
    json_uint(&out, "damaged", did->damaged);
    json_uint(&out, "repaired", did->repaired);
    json_array(&out, "findings");
    for (size_t i = 0; i < found->n; i++)
        json_text(&out, NULL, found->lines[i]);
    json_end_array(&out);
    json_end_object(&out);
    json_finish(&out);
}

static int tend(struct cli *cli, struct findings *found)
{
    const struct fsck_values *values = cli->values;
    uint32_t what = values->repair ? DRAY_TEND_REPAIR : DRAY_TEND_CHECK;
    struct dray_tend_report did;
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_tend_store(cli->dray, what, &did, take_finding, found, &error) != DRAY_OK)
        return report(cli, &error);
    if (found->no_memory)
        return fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    print(found, &did);
    if (did.damaged <= did.repaired)
        return EXIT_DONE;
    if (!values->repair)
        note(cli, "the store is damaged; fsck --repair sets the damage aside");
    return EXIT_FAILED;
}

static int run(struct cli *cli)
{
    int status =
        cli->nwords > 0 ? open_store(cli, cli->words[0]) : open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status != EXIT_DONE)
        return status;
    struct findings found = {.cli = cli};
    status = tend(cli, &found);
    free_findings(&found);
    return status;
}

const struct verb verb_fsck = {
    .name = "fsck",
    .summary = "check a store for damage, and repair it",
    .words = "[FILE]",
    .max_words = 1,
    .options = options,
    .values_size = sizeof(struct fsck_values),
    .notes = "Without FILE the configured store; FILE is one of the driver sqlite or file. "
             "Workers wait meanwhile. Exit status 1: damage remains, or the driver cannot be "
             "checked.",
    .examples = {"dray fsck", "dray fsck --repair", "dray fsck var/queue.db --json"},
    .run = run,
};
