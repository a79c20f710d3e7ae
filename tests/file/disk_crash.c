/* SPDX-License-Identifier: Apache-2.0 */
/* What a crash leaves of the changes in a log. */
#include "disk_impl.h"

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int is_of_folder(enum disk_what what)
{
    return what == DISK_CREATE || what == DISK_RENAME || what == DISK_LINK || what == DISK_UNLINK;
}

/* Does a sync among the first n cover the change `i`? */
static int is_synced(const struct disk_log *log, size_t i, size_t n)
{
    const struct disk_change *change = &log->at[i];
    for (size_t k = i + 1; k < n; k++) {
        if (is_of_folder(change->what)
                ? log->at[k].what == DISK_SYNC_FOLDER
                : log->at[k].what == DISK_SYNC && log->at[k].file == change->file)
            return 1;
    }
    return 0;
}

/* Sectors of 512 bytes reach the disk whole or not at all. */
static void write_sectors(struct file *file, const struct disk_change *change, uint64_t *seed)
{
    size_t done = 0;
    while (done < change->len) {
        int64_t at = change->at + (int64_t)done;
        size_t part = (size_t)(512 - at % 512);
        part = part < change->len - done ? part : change->len - done;
        if (draw(seed) % 2)
            disk_write_file(file, change->bytes + done, part, at);
        done += part;
    }
}

static void apply(const struct disk_change *change)
{
    struct name *name;
    while (change->file >= disk_now.nfiles)
        disk_new_file();
    switch (change->what) {
    case DISK_CREATE:
    case DISK_LINK:
        disk_set_name(change->name, change->file);
        break;
    case DISK_WRITE:
        disk_write_file(&disk_now.files[change->file], change->bytes, change->len, change->at);
        break;
    case DISK_TRUNCATE:
        disk_resize_file(&disk_now.files[change->file], (size_t)change->at);
        break;
    case DISK_RENAME:
        disk_set_name(change->renamed, change->file);
        name = disk_find(change->name);
        if (name)
            disk_drop_name(name);
        break;
    case DISK_UNLINK:
        name = disk_find(change->name);
        if (name)
            disk_drop_name(name);
        break;
    default:
        break;
    }
}

/* The last change of the first n that is a write nobody has synced. */
static size_t torn_write(const struct disk_log *log, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        if (log->at[i].what == DISK_WRITE)
            return is_synced(log, i, n) ? SIZE_MAX : i;
    }
    return SIZE_MAX;
}

void disk_load(
    const struct disk_image *before, const struct disk_log *log, const struct disk_crash *crash)
{
    uint64_t seed = crash ? crash->seed : 0;
    size_t n = crash ? crash->n : log ? log->n : 0;
    size_t torn = crash && crash->torn >= 0 ? torn_write(log, n) : SIZE_MAX;
    int folder_lost = 0; /* changes of names reach the disk in their order */

    disk_free();
    if (before)
        disk_copy_image(&disk_now, before);
    for (size_t i = 0; i < n; i++) {
        const struct disk_change *change = &log->at[i];
        int through = !seed || is_synced(log, i, n);
        if (!through && seed > 1)
            through = (int)(draw(&seed) % 2);
        if (is_of_folder(change->what)) {
            folder_lost |= !through;
            through = !folder_lost;
        }
        if (i == torn) {
            struct disk_change part = *change;
            part.len = (size_t)crash->torn < part.len ? (size_t)crash->torn : part.len;
            apply(&part);
        } else if (through) {
            apply(change);
        } else if (change->what == DISK_WRITE && seed > 1) {
            while (change->file >= disk_now.nfiles)
                disk_new_file();
            write_sectors(&disk_now.files[change->file], change, &seed);
        }
    }
    os = NULL;
    disk_plan(NULL);
}
