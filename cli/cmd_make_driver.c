/* SPDX-License-Identifier: Apache-2.0 */
/* dray make driver NAME: the files of cli/skeleton/ under another name, in a folder of their own.
 */
#include "cli.h"
#include "embedded_text.h"
#include "json_out.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_LEN 32
#define PATH_SIZE 128
#define PLACEHOLDER "skeleton"
#define LICENCE_LINE "SPDX-License-Identifier:" /* ours, not the new driver's */

/* A driver's name: what the configuration takes. */
static int check_name(const struct cli *cli, const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    size_t len = strlen(name);
    if (len > 0 && len <= NAME_MAX_LEN && strspn(name, letters) == len && name[0] >= 'a' &&
        name[0] <= 'z')
        return EXIT_DONE;
    return misuse(cli, "'%.80s' is no name for a driver: 1-%d of a-z 0-9 _, a letter first", name,
        NAME_MAX_LEN);
}

static int cannot(const struct cli *cli, const char *path, int sys)
{
    if (sys == EEXIST)
        return fail(
            cli, EXIT_CONFLICT, DRAY_EXISTS, "%s is there already and was left as it is", path);
    if (sys == EACCES || sys == EPERM || sys == EROFS)
        return fail(cli, EXIT_DENIED, DRAY_DENIED, "%s: %s", path, strerror(sys));
    return fail(cli, EXIT_IO, DRAY_IO, "%s: %s", path, strerror(sys));
}

/* `len` bytes with the name in the place of the placeholder. */
static void put(FILE *file, const char *text, size_t len, const char *name)
{
    const size_t word = sizeof(PLACEHOLDER) - 1;
    while (len) {
        if (len >= word && memcmp(text, PLACEHOLDER, word) == 0) {
            fputs(name, file);
            text += word;
            len -= word;
        } else {
            fputc(*text++, file);
            len--;
        }
    }
}

static void put_lines(FILE *file, const char *text, const char *name)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        const char *licence = strstr(text, LICENCE_LINE);
        len += text[len] == '\n';
        if (!licence || licence >= text + len)
            put(file, text, len, name);
        text += len;
    }
}

/* Where a file of the skeleton goes: NAME/test_NAME.c. */
static int make_path(char path[PATH_SIZE], const char *file, const char *name)
{
    FILE *memory = fmemopen(path, PATH_SIZE, "w");
    if (!memory)
        return 0;
    fprintf(memory, "%s/", name);
    put(memory, file, strlen(file), name);
    return fclose(memory) == 0;
}

static int write_file(const struct cli *cli, const char *path, const char *text, const char *name)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        int sys = errno;
        if (fd >= 0)
            close(fd);
        return cannot(cli, path, sys);
    }
    put_lines(file, text, name);
    int failed = ferror(file);
    return fclose(file) == 0 && !failed ? EXIT_DONE : cannot(cli, path, errno);
}

static int run(struct cli *cli)
{
    const char *name = cli->words[0];
    char path[PATH_SIZE];
    struct json_out out;
    int status = check_name(cli, name);
    if (status != EXIT_DONE)
        return status;
    if (mkdir(name, 0755) != 0)
        return cannot(cli, name, errno);
    for (const struct embedded_text *file = driver_skeleton; file->name; file++) {
        if (!make_path(path, file->name, name))
            return fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
        status = write_file(cli, path, file->text, name);
        if (status != EXIT_DONE)
            return status;
    }
    if (!cli->json) {
        note(cli, "wrote the driver %s; build and try it with: make -C %s check", name, name);
        printf("%s\n", name);
        return EXIT_DONE;
    }
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_text(&out, "folder", name);
    json_array(&out, "files");
    for (const struct embedded_text *file = driver_skeleton; file->name; file++) {
        if (make_path(path, file->name, name))
            json_text(&out, NULL, path);
    }
    json_end_array(&out);
    json_end_object(&out);
    json_finish(&out);
    return EXIT_DONE;
}

const struct verb verb_make_driver = {
    .name = "make driver",
    .summary = "write a driver to begin with: the folder NAME",
    .words = "NAME",
    .min_words = 1,
    .max_words = 1,
    .notes = "It keeps jobs in memory, and passes the conformance checks: put your store in the "
             "place of its list. Never overwrites: the folder must not be there.",
    .examples = {"dray make driver shelf", "make -C shelf check",
        "dray -c shelf/queue.yaml driver test"},
    .run = run,
};
