/* SPDX-License-Identifier: Apache-2.0 */
/* What the page on deployment tells operators to type: tests go by those very lines. */
#ifndef TESTS_REDIS_PAGE_H
#define TESTS_REDIS_PAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first line of docs/deployment.md that begins with `start`; fails the test if there is none.
 */
static void page_line(const char *start, char *line, int size)
{
    char path[400];
    const char *source = getenv("DRAY_SOURCE");
    snprintf(path, sizeof(path), "%s/docs/deployment.md", source ? source : ".");
    FILE *page = fopen(path, "r");
    assert_non_null(page);
    do {
        assert_non_null(fgets(line, size, page));
    } while (strncmp(line, start, strlen(start)) != 0);
    fclose(page);
}

#endif
