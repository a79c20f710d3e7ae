/* SPDX-License-Identifier: CC0-1.0 */
#include "signup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The handler: the payload is a name in quotes. */
static int welcome(struct dray_attempt *attempt, void *user)
{
    const char *outbox = user;
    size_t len;
    const char *name = dray_attempt_payload(attempt, &len);
    if (len < 3)
        return dray_attempt_give_up(attempt, "nobody to welcome");
    FILE *file = fopen(outbox, "ae");
    if (!file)
        return dray_attempt_fail(attempt, "%s: %s", outbox, strerror(errno));
    fprintf(file, "Welcome, %.*s!\n", (int)len - 2, name + 1);
    return fclose(file) == 0 ? DRAY_OK : dray_attempt_fail(attempt, "%s: cannot write", outbox);
}

int signup_handlers(struct dray *dray, const char *outbox, struct dray_error *error)
{
    /* The handler only reads it, as a string. */
    static char path[4096];
    snprintf(path, sizeof(path), "%s", outbox);
    return dray_on(dray, "welcome", welcome, path, NULL, error);
}

int signup(const char *name, struct dray_error *error)
{
    char payload[64];
    snprintf(payload, sizeof(payload), "\"%.50s\"", name);
    /* ... store the account here ... */
    struct dray *dray = dray_default(error); /* no instance to pass around */
    return dray ? dray_dispatch(dray, "welcome", payload, NULL, NULL, error) : DRAY_NOTFOUND;
}
