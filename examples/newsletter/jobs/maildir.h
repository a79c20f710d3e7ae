/* SPDX-License-Identifier: CC0-1.0 */
/* Delivery into a Maildir, the way Daniel Bernstein described it (cr.yp.to/proto/maildir.html): a
   message is written and synced in tmp/ under a name that nobody else uses, and only then appears
   in new/, whole. */
#ifndef NEWSLETTER_MAILDIR_H
#define NEWSLETTER_MAILDIR_H

#include <stddef.h>

/* Makes the folder and its tmp, new and cur, where they are missing. 0, or -1 with errno set. */
int maildir_make(const char *folder);

/* Delivers a message. On success `name` is its file name in new/. 0, or -1 with errno set:
   nothing was delivered, or the message is there but the disk may not have it yet. Any thread, any
   process. */
int maildir_deliver(
    const char *folder, const char *message, size_t len, char *name, size_t name_size);

#endif
