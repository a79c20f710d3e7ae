/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS 80
#define OPTION_COLUMN 28
#define VERB_COLUMN 24

/* Words at column `indent` and beyond, in lines of COLUMNS, from column `at` on. Texts are ASCII.
 */
static void print_wrapped(const char *text, size_t indent, size_t at)
{
    while (*text) {
        size_t len = strcspn(text, " \n");
        if (at > indent && at + 1 + len > COLUMNS) {
            printf("\n%*s", (int)indent, "");
            at = indent;
        } else if (at > indent) {
            putchar(' ');
            at++;
        }
        printf("%.*s", (int)len, text);
        at += len;
        text += len;
        text += strspn(text, " \n");
    }
    putchar('\n');
}

/* `left`, and from `column` on what it means; below it if it is too long. */
static void print_row(const char *left, size_t column, const char *text)
{
    size_t len = strlen(left) + 2;
    if (len + 1 > column)
        printf("  %s\n%*s", left, (int)column, "");
    else
        printf("  %s%*s", left, (int)(column - len), "");
    print_wrapped(text, column, column);
}

static void print_option(const struct option *o)
{
    char left[64];
    char letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    const char *joint = !o->meta ? "" : o->kind == OPTION_OPTIONAL ? "[=" : " ";
    snprintf(left, sizeof(left), "%s--%s%s%s%s", letter, o->name, joint, o->meta ? o->meta : "",
        o->meta && o->kind == OPTION_OPTIONAL ? "]" : "");
    print_row(left, OPTION_COLUMN, o->help);
}

static void print_options(const struct option *options)
{
    for (const struct option *o = options; o && o->name; o++)
        print_option(o);
}

static void print_verb(const struct verb *verb, void *user)
{
    (void)user;
    char left[64];
    snprintf(left, sizeof(left), "%s %s", verb->name, verb->words);
    print_row(left, VERB_COLUMN, verb->summary);
}

void help_all(struct cli *cli)
{
    (void)cli;
    puts("Usage: dray [options] VERB ...\n\nBackground jobs: push them, work them, look after "
         "them.\n\nVerbs:");
    verb_each(print_verb, NULL);
    puts("\nOptions of every verb:");
    print_options(global_options);
    puts("\nExamples:\n"
         "  dray push send-welcome '{\"to\": \"ada@example.org\"}'\n"
         "  dray work --queue mail --queue default --concurrency 4\n"
         "  dray list --state dead");
}

void help_verb(const struct verb *verb)
{
    printf("Usage: dray %s%s%s%s\n\n", verb->name, verb->options ? " [options]" : "",
        verb->words[0] ? " " : "", verb->words);
    printf("%c%s.\n", toupper((unsigned char)verb->summary[0]), verb->summary + 1);
    if (verb->notes)
        print_wrapped(verb->notes, 0, 0);
    if (verb->options) {
        puts("\nOptions:");
        print_options(verb->options);
    }
    puts("\nExamples:");
    for (size_t i = 0; i < sizeof(verb->examples) / sizeof(verb->examples[0]); i++)
        printf("  %s\n", verb->examples[i]);
}
