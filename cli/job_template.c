/* SPDX-License-Identifier: Apache-2.0 */
#include "job_template.h"

static const char source_head[] = "/*\n"
                                  " * The job %s.\n"
                                  " *\n"
                                  " *     make -C jobs\n"
                                  " *     dray push %s '{\"to\": \"Ada\"}'\n"
                                  " *     dray work --once\n"
                                  " */\n"
                                  "#include <dray/module.h>\n"
                                  "\n"
                                  "#include <jansson.h>\n"
                                  "#include <stdio.h>\n"
                                  "\n"
                                  "/* One attempt. DRAY_OK is success; all else is tried again "
                                  "until the attempts are used up. */\n"
                                  "static int %s(struct dray_attempt *attempt, void *user)\n"
                                  "{\n"
                                  "    (void)user;\n";

static const char source_body[] =
    "    const json_t *to = json_object_get(dray_attempt_json(attempt), \"to\");\n"
    "\n"
    "    /* A payload that is wrong stays wrong: no use in trying again. */\n"
    "    if (to && !json_is_string(to))\n"
    "        return dray_attempt_give_up(attempt, \"\\\"to\\\" is not a string\");\n"
    "\n"
    "    /* Work that takes long asks now and then whether it should go on. */\n"
    "    if (dray_attempt_cancelled(attempt))\n"
    "        return dray_attempt_fail(attempt, \"stopped half-way\");\n"
    "\n"
    "    fprintf(stderr, \"%s: hello, %s (attempt %u)\\n\", dray_attempt_type(attempt),\n"
    "        to ? json_string_value(to) : \"world\", dray_attempt_number(attempt));\n"
    "    return dray_attempt_result(attempt, \"{\\\"greeted\\\": true}\");\n"
    "}\n";

static const char source_tail[] =
    "\n"
    "static const struct dray_module_handler handlers[] = {\n"
    "    {.type = \"%s\", .fn = %s, .options = {.max_attempts = 5}},\n"
    "};\n"
    "\n"
    "DRAY_MODULE(handlers, NULL, NULL)\n";

static const char makefile[] =
    "# Builds every job of this folder: one shared object a source file.\n"
    "#\n"
    "# pkg-config tells where Dray is. Where it does not know, say so:\n"
    "#     make DRAY_CFLAGS=-I/opt/dray/include DRAY_LIBS='-L/opt/dray/lib -ldray'\n"
    "PKG_CONFIG ?= pkg-config\n"
    "DRAY_CFLAGS ?= $(shell $(PKG_CONFIG) --cflags dray)\n"
    "DRAY_LIBS ?= $(shell $(PKG_CONFIG) --libs dray)\n"
    "JANSSON_CFLAGS ?= $(shell $(PKG_CONFIG) --cflags jansson)\n"
    "JANSSON_LIBS ?= $(shell $(PKG_CONFIG) --libs jansson)\n"
    "CFLAGS ?= -O2 -g -Wall -Wextra\n"
    "\n"
    "JOBS := $(patsubst %.c,%.so,$(wildcard *.c))\n"
    "\n"
    "all: $(JOBS)\n"
    "\n"
    "%.so: %.c\n"
    "\t$(CC) -std=c11 $(CPPFLAGS) $(CFLAGS) $(DRAY_CFLAGS) $(JANSSON_CFLAGS) -fPIC \\\n"
    "\t\t-fvisibility=hidden -shared -o $@ $< $(LDFLAGS) $(DRAY_LIBS) $(JANSSON_LIBS)\n"
    "\n"
    "clean:\n"
    "\trm -f $(JOBS)\n"
    "\n"
    ".PHONY: all clean\n";

static const char yaml[] = "handlers_from: jobs\n"
                           "# or this job alone, with values of its own:\n"
                           "# handlers:\n"
                           "#   %s: {module: jobs/%s.so, max_attempts: 5}\n";

void job_template_source(FILE *file, const char *type, const char *function)
{
    fprintf(file, source_head, type, type, function);
    fputs(source_body, file);
    fprintf(file, source_tail, type, function);
}

void job_template_makefile(FILE *file)
{
    fputs(makefile, file);
}

void job_template_yaml(FILE *file, const char *type)
{
    fprintf(file, yaml, type, type);
}
