/* SPDX-License-Identifier: CC0-1.0 */
/*
 * Shows: testing an application's jobs without a worker, a store or waiting. Run it with
 * QUEUE_DRIVER=sync: the handler then runs inside dray_dispatch, which answers what became of it.
 */
#include "signup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static const char outbox[] = "test-outbox.txt";

static void outbox_is(const char *expected)
{
    char text[256] = "";
    FILE *file = fopen(outbox, "re");
    if (file) {
        text[fread(text, 1, sizeof(text) - 1, file)] = 0;
        fclose(file);
    }
    CHECK(strcmp(text, expected) == 0);
}

int main(void)
{
    struct dray_error error = DRAY_ERROR_INIT;
    remove(outbox);
    struct dray *dray = dray_default(&error);
    if (!dray)
        return fprintf(stderr, "test_signup: %s\n", error.text), 1;
    CHECK(dray_get_info(dray)->runs_inline); /* forgot QUEUE_DRIVER=sync? */
    CHECK(signup_handlers(dray, outbox, &error) == DRAY_OK);

    CHECK(signup("Ada", &error) == DRAY_OK);
    outbox_is("Welcome, Ada!\n");
    CHECK(signup("Grace", &error) == DRAY_OK);
    outbox_is("Welcome, Ada!\nWelcome, Grace!\n");

    /* What fails for good is the dispatcher's answer, with the handler's own words. */
    CHECK(signup("", &error) == DRAY_FAILED);
    CHECK(strstr(error.text, "nobody to welcome"));
    outbox_is("Welcome, Ada!\nWelcome, Grace!\n");

    dray_default_close();
    remove(outbox);
    puts("ok");
    return 0;
}
