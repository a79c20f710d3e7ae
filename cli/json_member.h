/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JSON_MEMBER_H
#define CLI_JSON_MEMBER_H

#include <stddef.h>

/* Where the value of the member `key` of a valid JSON object stands in it. 0, or -1 if there is no
   such member. */
int json_member(
    const char *text, size_t len, const char *key, const char **value, size_t *value_len);

#endif
