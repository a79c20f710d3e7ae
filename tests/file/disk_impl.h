/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the disk in memory share. Nobody else includes this. */
#ifndef TESTS_FILE_DISK_IMPL_H
#define TESTS_FILE_DISK_IMPL_H

#include "disk.h"

#define FILES 512
#define NAMES 64

struct file {
    char *bytes;
    size_t len, room;
    size_t ahead; /* allocated on the disk up to here, should that be behind the end */
};

struct name {
    char *text;
    int file;
};

struct disk_image {
    struct file files[FILES];
    int nfiles;
    struct name names[NAMES];
};

/* What is on the disk as far as running programs see. */
extern struct disk_image disk_now;

void disk_resize_file(struct file *file, size_t len);
void disk_write_file(struct file *file, const char *bytes, size_t len, int64_t at);
struct name *disk_find(const char *text);
void disk_set_name(const char *text, int file);
void disk_drop_name(struct name *name);
int disk_new_file(void);
void disk_copy_image(struct disk_image *to, const struct disk_image *from);

#endif
