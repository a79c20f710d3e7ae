/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls by which a driver reaches the operating system's files, so that a test can make each of
 * them fail, stop short or be remembered. They mean what the system calls of their names
 * mean, errno included. Time for budgets is no file's business and is asked for directly.
 */
#ifndef DRIVERS_COMMON_OS_H
#define DRIVERS_COMMON_OS_H

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>

struct os {
    int (*open)(const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *to, size_t len, off_t at);
    ssize_t (*pwrite)(int fd, const void *from, size_t len, off_t at);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*ftruncate)(int fd, off_t size);
    int (*fallocate)(int fd, int mode, off_t at, off_t len);
    int (*fstat)(int fd, struct stat *st);
    int (*lstat)(const char *path, struct stat *st);
    int (*rename)(const char *from, const char *to);
    int (*link)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
    int (*flock)(int fd, int how);
    int (*lock_range)(
        int fd, int command, struct flock *range); /* fcntl: F_OFD_SETLK, F_OFD_GETLK */
    int (*statfs)(const char *path, struct statfs *fs);
};

/* The table in force; the system's own unless a test has put another in its place. */
extern const struct os *os;

/* The system's own. */
extern const struct os os_system;

#endif
