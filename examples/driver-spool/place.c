/* SPDX-License-Identifier: CC0-1.0 */
#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHEN_DIGITS 19 /* of INT64_MAX */

static const char *const state_names[] = {NULL, "ready", "delayed", "active", "dead"};
#define STATES (sizeof(state_names) / sizeof(state_names[0]))

void place_path(const struct place *place, char out[PLACE_PATH_SIZE])
{
    snprintf(out, PLACE_PATH_SIZE, "%s/%s/%" PRIu32 "-%0*" PRId64 "-%s", place->queue,
        state_names[place->state], place->priority, WHEN_DIGITS, place->when, place->id);
}

/* PRIORITY-WHEN-ID; what looks otherwise is not ours. */
static int parse(const char *name, struct place *place)
{
    char *end;
    if (name[0] < '0' || name[0] > '9' || name[1] != '-' || name[2] < '0' || name[2] > '9')
        return 0;
    errno = 0;
    place->when = strtoll(name + 2, &end, 10);
    if (errno || end != name + 2 + WHEN_DIGITS || *end != '-' || !end[1] ||
        strlen(end + 1) > DRAY_NAME_MAX)
        return 0;
    place->priority = (uint32_t)(name[0] - '0');
    snprintf(place->id, sizeof(place->id), "%s", end + 1);
    return 1;
}

/* NULL and *error; a folder that is not there is no error. */
static DIR *open_folder(int root, const char *path, int *error)
{
    int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    *error = folder || errno == ENOENT ? 0 : errno;
    if (!folder && fd >= 0)
        close(fd);
    return folder;
}

static int scan_queue(int root, const char *queue, uint32_t states,
    void (*each)(const struct place *, void *), void *user)
{
    struct place place = {0};
    char path[PLACE_PATH_SIZE];
    int error = 0;
    snprintf(place.queue, sizeof(place.queue), "%s", queue);
    for (place.state = 1; place.state < STATES && !error; place.state++) {
        if (!(states & PLACE_BIT(place.state)))
            continue;
        snprintf(path, sizeof(path), "%s/%s", queue, state_names[place.state]);
        DIR *folder = open_folder(root, path, &error);
        for (struct dirent *entry; folder && (errno = 0, entry = readdir(folder));) {
            if (parse(entry->d_name, &place))
                each(&place, user);
        }
        if (folder) {
            error = errno;
            closedir(folder);
        }
    }
    return error;
}

int place_scan(int root, const char *queue, uint32_t states,
    void (*each)(const struct place *place, void *user), void *user)
{
    if (queue)
        return scan_queue(root, queue, states, each, user);
    int error;
    DIR *folder = open_folder(root, ".", &error);
    for (struct dirent *entry; folder && !error && (errno = 0, entry = readdir(folder));) {
        if (entry->d_name[0] != '.' && strlen(entry->d_name) <= DRAY_NAME_MAX)
            error = scan_queue(root, entry->d_name, states, each, user);
    }
    if (folder)
        closedir(folder);
    return error;
}

struct search {
    struct dray_str id;
    struct place *out;
};

static void match_id(const struct place *place, void *user)
{
    struct search *search = user;
    if (strlen(place->id) == search->id.len &&
        memcmp(place->id, search->id.data, search->id.len) == 0)
        *search->out = *place;
}

int place_find(int root, const char *queue, uint32_t states, struct dray_str id, struct place *out)
{
    struct search search = {id, out};
    out->state = 0;
    return place_scan(root, queue, states, match_id, &search);
}

static void take_earlier(const struct place *place, void *user)
{
    struct place *first = user;
    int by_priority = place->state == DRAY_STATE_READY && place->priority != first->priority;
    if (!first->state ||
        (by_priority ? place->priority < first->priority : place->when < first->when))
        *first = *place;
}

int place_first(int root, const char *queue, uint32_t state, struct place *out)
{
    out->state = 0;
    return place_scan(root, queue, PLACE_BIT(state), take_earlier, out);
}

int place_make_folders(int root, const char *queue)
{
    char path[PLACE_PATH_SIZE];
    if (mkdirat(root, queue, 0700) != 0 && errno != EEXIST)
        return errno;
    for (size_t state = 1; state < STATES; state++) {
        snprintf(path, sizeof(path), "%s/%s", queue, state_names[state]);
        if (mkdirat(root, path, 0700) != 0 && errno != EEXIST)
            return errno;
    }
    return 0;
}

int place_move(int root, const struct place *from, const struct place *to)
{
    char old[PLACE_PATH_SIZE], new[PLACE_PATH_SIZE];
    place_path(from, old);
    place_path(to, new);
    return renameat(root, old, root, new) == 0 ? 0 : errno;
}
