/* SPDX-License-Identifier: Apache-2.0 */
/* Files that the command carries inside, put there by core/cmake/EmbedText.cmake. */
#ifndef CLI_EMBEDDED_TEXT_H
#define CLI_EMBEDDED_TEXT_H

struct embedded_text {
    const char *name; /* of the file; NULL ends a list */
    const char *text;
};

/* What `make driver` writes, with the word "skeleton" where the driver's name goes. */
extern const struct embedded_text driver_skeleton[];

#endif
