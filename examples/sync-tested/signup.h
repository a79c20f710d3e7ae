/* SPDX-License-Identifier: CC0-1.0 */
/* The application: people sign up, and a welcome follows by a job. */
#ifndef SIGNUP_H
#define SIGNUP_H

#include <dray/dray.h>

/* Registers the application's handlers. `outbox` is the file that welcomes are appended to. */
int signup_handlers(struct dray *dray, const char *outbox, struct dray_error *error);

/* Signs somebody up. Does not wait for the welcome. `name` is a plain word. */
int signup(const char *name, struct dray_error *error);

#endif
