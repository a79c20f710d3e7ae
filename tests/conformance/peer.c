/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include "journal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000

_Noreturn static void be_peer(const struct subject *subject, int fd, peer_fn act)
{
    static struct subject own;
    int what;

    journal_leave();
    own = *subject;
    while (read(fd, &what, sizeof(what)) == (ssize_t)sizeof(what)) {
        int32_t code = own.ninstances ? DRAY_OK : subject_open_another(&own);
        if (code == DRAY_OK)
            code = act(&own, what);
        if (write(fd, &code, sizeof(code)) != (ssize_t)sizeof(code))
            break;
    }
    subject_leave(&own);
    _exit(0);
}

int peer_start(struct peer *peer, const struct subject *subject, peer_fn act)
{
    int ends[2];

    *peer = (struct peer){.pid = -1, .to = -1, .from = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return 0;
    peer->pid = fork();
    if (peer->pid == 0) {
        close(ends[0]);
        be_peer(subject, ends[1], act);
    }
    close(ends[1]);
    peer->to = peer->from = ends[0];
    return peer->pid > 0;
}

int32_t peer_ask(struct peer *peer, int what)
{
    struct pollfd ready = {.fd = peer->from, .events = POLLIN};
    int32_t code;

    journal_doing("another process acts");
    if (send(peer->to, &what, sizeof(what), MSG_NOSIGNAL) != (ssize_t)sizeof(what) ||
        poll(&ready, 1, PATIENCE_MS) != 1 ||
        read(peer->from, &code, sizeof(code)) != (ssize_t)sizeof(code))
        return DRAY_UNKNOWN;
    journal_add("another process acts: %d", code);
    return code;
}

void peer_end(struct peer *peer)
{
    if (peer->to >= 0)
        close(peer->to);
    if (peer->pid > 0) {
        while (waitpid(peer->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    peer->pid = -1;
    peer->to = peer->from = -1;
}
