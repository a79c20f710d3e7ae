/* SPDX-License-Identifier: CC0-1.0 */
/* Writes one mail as RFC 5322 wants it, for readers of any language: header fields beyond ASCII as
   encoded words (RFC 2047), the body as UTF-8 in quoted-printable (RFC 2045). Lines end in LF, as
   they do in a Maildir. */
#ifndef NEWSLETTER_MESSAGE_H
#define NEWSLETTER_MESSAGE_H

#include <stdio.h>
#include <time.h>

/* All text is UTF-8. */
struct message {
    const char *from_name, *from_address;
    const char *to_name, *to_address; /* to_name may be empty */
    const char *subject;
    const char *body;
    const char *id; /* the left side of Message-ID; the right side is the sender's domain */
    const char *unsubscribe; /* a URL */
    time_t date;
};

/* What is wrong with an address, or NULL if mail can be sent there: a dot-string, an @ and a domain
   (RFC 5321, section 4.1.2), in ASCII. */
const char *address_problem(const char *address);

/* The caller checks the stream for errors. */
void message_write(FILE *out, const struct message *message);

#endif
