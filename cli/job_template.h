/* SPDX-License-Identifier: Apache-2.0 */
/* What `make job` writes. */
#ifndef CLI_JOB_TEMPLATE_H
#define CLI_JOB_TEMPLATE_H

#include <stdio.h>

/* The source of a job module. `type` is the job's type, `function` a C identifier made of it. */
void job_template_source(FILE *file, const char *type, const char *function);

/* A Makefile that builds every job of its folder. */
void job_template_makefile(FILE *file);

/* The lines for the configuration. */
void job_template_yaml(FILE *file, const char *type);

#endif
