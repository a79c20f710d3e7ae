/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between a driver and its server: a process that passes bytes on, and on demand keeps or cuts off
 * what comes. The driver is told the relay's address in place of the server's.
 */
#ifndef CONFORMANCE_RELAY_H
#define CONFORMANCE_RELAY_H

#include <stdint.h>
#include <sys/types.h>

enum { RELAY_PATH_SIZE = 108 }; /* of sun_path */

enum relay_side { RELAY_REQUESTS = 0, RELAY_ANSWERS = 1 };

/* Where the server is: `path` names its socket, or a folder with its sockets in it; or host and
   port. */
struct relay_server {
    const char *path;
    const char *host;
    int64_t port;
};

struct relay {
    pid_t pid; /* -1: none */
    int to;    /* commands, and their answers */
    /* What the driver is told: path, or host and port. */
    char path[RELAY_PATH_SIZE];
    char host[16];
    int64_t port;
};

/* Can there be one? */
int relay_fits(const struct relay_server *server);

/* Starts it, with sockets of its own in `folder`. 0 if it cannot. */
int relay_start(struct relay *relay, const struct relay_server *server, const char *folder);
void relay_end(struct relay *relay);

/* From now on answers are kept; until they are given, late, to whoever still listens. */
void relay_keep(struct relay *relay);
void relay_give(struct relay *relay);

/* The connection that the next byte on that side belongs to ends after `bytes` more. */
void relay_cut(struct relay *relay, enum relay_side side, uint64_t bytes);

/* Nonzero if that has happened; it does not happen later. */
int relay_has_cut(struct relay *relay);

#endif
