/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bell: every process that made work writes a byte to the lock file after its commit; who waits
 * watches that file with inotify(7). The clearing comes before the look, so no ring gets lost.
 */
#ifndef DRIVERS_COMMON_BELL_H
#define DRIVERS_COMMON_BELL_H

struct bell {
    int armed;
    int fd; /* inotify descriptor, if armed */
};

/* The descriptor to poll, made on the first call; -1 and errno on failure. */
int bell_watch(struct bell *bell, const char *lock_path);

/* Takes note of all rings so far. */
void bell_clear(struct bell *bell, const char *lock_path);

void bell_close(struct bell *bell);

#endif
