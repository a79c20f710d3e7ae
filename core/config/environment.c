/* SPDX-License-Identifier: Apache-2.0 */
#include "config/environment.h"

#include "config/file.h"
#include "host/error.h"
#include "text/name.h"

#include <stdlib.h>
#include <string.h>

struct variable {
    struct variable *next;
    const char *name;
    const char *value;
    unsigned line;
};

/* A .env line under work. */
struct line {
    struct arena *arena;
    const char *file;
    unsigned number;
    const char *p, *end;
    struct dray_error *error;
};

static int refuse(const struct line *line, const char *what)
{
    return error_set_at(line->error, DRAY_CONFIG, line->file, line->number, "%s", what);
}

static int is_name_char(char c, int first)
{
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (!first && c >= '0' && c <= '9');
}

static size_t name_length(const char *p, const char *end)
{
    size_t n = 0;
    while (p + n < end && is_name_char(p[n], n == 0))
        n++;
    return n;
}

static void skip_blanks(struct line *line)
{
    while (line->p < line->end && (*line->p == ' ' || *line->p == '\t' || *line->p == '\r'))
        line->p++;
}

/* A value in quotes; in double quotes a backslash keeps the quote, the dollar and itself, and
   writes line breaks and tabs. */
static int read_quoted(struct line *line, const char **value)
{
    char quote = *line->p++;
    char *out = arena_alloc(line->arena, (size_t)(line->end - line->p) + 1, 1);
    if (!out)
        return error_set(line->error, DRAY_NOMEM, 0, "out of memory");
    *value = out;
    for (; line->p < line->end && *line->p != quote; line->p++) {
        char c = *line->p;
        if (quote == '"' && c == '\\') {
            if (++line->p == line->end)
                break;
            c = *line->p;
            if (!strchr("\"\\$nt", c))
                return refuse(line, "in double quotes only \\\" \\\\ \\$ \\n and \\t are known");
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        *out++ = c;
    }
    if (line->p >= line->end)
        return refuse(line, "a quote is not closed on its line");
    line->p++;
    skip_blanks(line);
    if (line->p < line->end && *line->p != '#')
        return refuse(line, "there is more behind the closing quote");
    return DRAY_OK;
}

/* A bare value ends at the line's end or at a # behind a blank. */
static int read_bare(struct line *line, const char **value)
{
    const char *start = line->p;
    const char *stop = start;
    for (const char *p = start; p < line->end; p++) {
        if (*p == '#' && (p == start || p[-1] == ' ' || p[-1] == '\t'))
            break;
        if (*p != ' ' && *p != '\t' && *p != '\r')
            stop = p + 1;
    }
    *value = arena_copy(line->arena, start, (size_t)(stop - start));
    return *value ? DRAY_OK : error_set(line->error, DRAY_NOMEM, 0, "out of memory");
}

static int add_variable(struct environment *environment, const struct line *line, const char *name,
    size_t len, const char *value)
{
    for (const struct variable *v = environment->variables; v; v = v->next) {
        if (strncmp(v->name, name, len) == 0 && v->name[len] == 0)
            return error_set_at(line->error, DRAY_CONFIG, line->file, line->number,
                "%s is here twice, first on line %u; remove one", v->name, v->line);
    }
    struct variable *variable = arena_alloc(line->arena, 1, sizeof(*variable));
    if (!variable || !(variable->name = arena_copy(line->arena, name, len)))
        return error_set(line->error, DRAY_NOMEM, 0, "out of memory");
    variable->value = value;
    variable->line = line->number;
    variable->next = environment->variables;
    environment->variables = variable;
    return DRAY_OK;
}

static int read_line(struct environment *environment, struct line *line)
{
    skip_blanks(line);
    if (line->p == line->end || *line->p == '#')
        return DRAY_OK;
    if (line->end - line->p > 7 && strncmp(line->p, "export", 6) == 0 &&
        (line->p[6] == ' ' || line->p[6] == '\t')) {
        line->p += 6;
        skip_blanks(line);
    }
    const char *name = line->p;
    size_t len = name_length(name, line->end);
    line->p += len;
    if (len == 0 || line->p == line->end || *line->p != '=')
        return refuse(line, "expected NAME=value (no spaces around =), or a # comment");
    line->p++;
    const char *value = NULL;
    int quoted = line->p < line->end && (*line->p == '"' || *line->p == '\'');
    int code = quoted ? read_quoted(line, &value) : read_bare(line, &value);
    return code ? code : add_variable(environment, line, name, len, value);
}

int environment_load(struct environment *environment, const char *path, struct dray_error *error)
{
    if (environment->ignored)
        return DRAY_OK;
    struct dray_error problem = DRAY_ERROR_INIT;
    const char *text;
    size_t len = 0;
    int code = file_read(environment->arena, path, TREE_BYTES_MAX, &text, &len, &problem);
    if (code == DRAY_NOTFOUND)
        return DRAY_OK;
    if (code != DRAY_OK)
        return error_copy(error, &problem);
    if (!utf8_valid(text, len) || memchr(text, 0, len))
        return error_set_at(error, DRAY_CONFIG, path, 0, "this is not UTF-8 text");
    struct line line = {.arena = environment->arena, .file = path, .error = error};
    const char *end = text + len;
    while (text < end && code == DRAY_OK) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        line.number++;
        line.p = text;
        line.end = stop ? stop : end;
        text = stop ? stop + 1 : end;
        code = read_line(environment, &line);
    }
    return code;
}

const char *environment_get(const struct environment *environment, const char *name)
{
    if (environment->ignored)
        return NULL;
    const char *value = secure_getenv(name);
    if (value)
        return value;
    for (const struct variable *v = environment->variables; v; v = v->next) {
        if (strcmp(v->name, name) == 0)
            return v->value;
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------- */

/* One scalar as it grows. */
struct expansion {
    const struct environment *environment;
    struct dray_error *error;
    const struct node *node;
    char *out;
    size_t len, size;
};

static int append(struct expansion *expansion, const char *text, size_t len)
{
    if (len > TREE_BYTES_MAX || expansion->len + len > TREE_BYTES_MAX)
        return node_error(expansion->error, expansion->node,
            "this grows beyond 64 KiB with its variables put in; shorten them");
    if (expansion->len + len + 1 > expansion->size) {
        size_t size = 2 * (expansion->len + len + 1);
        char *out = arena_alloc(expansion->environment->arena, size, 1);
        if (!out)
            return error_set(expansion->error, DRAY_NOMEM, 0, "out of memory");
        if (expansion->len > 0)
            memcpy(out, expansion->out, expansion->len);
        expansion->out = out;
        expansion->size = size;
    }
    if (len > 0)
        memcpy(expansion->out + expansion->len, text, len);
    expansion->len += len;
    expansion->out[expansion->len] = 0;
    return DRAY_OK;
}

/* The variable whose ${ *text stands at; moves *text behind its }. */
static int append_variable(struct expansion *expansion, const char **text)
{
    const char *start = *text + 2;
    const char *close = strchr(start, '}');
    size_t len = name_length(start, start + strlen(start));
    const char *rest = start + len;
    if (!close)
        return node_error(expansion->error, expansion->node,
            "${ is not closed; write ${NAME} or ${NAME:-default}, or $${ for a plain ${");
    int fallback = rest[0] == ':' && rest[1] == '-';
    if (len == 0 || (rest != close && !fallback))
        return node_error(expansion->error, expansion->node,
            "\"%.*s\" is not a variable; write ${NAME} or ${NAME:-default}, or $${ for a plain ${",
            (int)(close - *text < 60 ? close - *text + 1 : 60), *text);
    char *name = arena_copy(expansion->environment->arena, start, len);
    if (!name)
        return error_set(expansion->error, DRAY_NOMEM, 0, "out of memory");
    const char *value = environment_get(expansion->environment, name);
    *text = close + 1;
    if (fallback && (!value || !value[0]))
        return append(expansion, rest + 2, (size_t)(close - rest - 2));
    if (!value)
        return node_error(expansion->error, expansion->node,
            "%.100s is not set; set it in the environment or in .env, or write ${%.100s:-default}",
            name, name);
    if (!utf8_valid(value, strlen(value)))
        return node_error(
            expansion->error, expansion->node, "the value of %.100s is not valid UTF-8", name);
    return append(expansion, value, strlen(value));
}

static int expand_scalar(
    const struct environment *environment, struct node *node, struct dray_error *error)
{
    const char *text = node->text;
    if (!strstr(text, "${"))
        return DRAY_OK;
    struct expansion expansion = {.environment = environment, .error = error, .node = node};
    int code = DRAY_OK;
    while (*text && code == DRAY_OK) {
        size_t plain = strcspn(text, "$");
        if (strncmp(text, "$${", 3) == 0) {
            code = append(&expansion, "${", 2);
            text += 3;
        } else if (strncmp(text, "${", 2) == 0) {
            code = append_variable(&expansion, &text);
        } else {
            plain += plain == 0;
            code = append(&expansion, text, plain);
            text += plain;
        }
    }
    if (code == DRAY_OK) {
        node->text = expansion.out ? expansion.out : "";
        node->expanded = 1;
    }
    return code;
}

int environment_expand(
    const struct environment *environment, struct node *root, struct dray_error *error)
{
    if (!root)
        return DRAY_OK;
    if (root->type == NODE_SCALAR)
        return expand_scalar(environment, root, error);
    int code = DRAY_OK;
    for (struct node *child = root->first; child && code == DRAY_OK; child = child->next)
        code = environment_expand(environment, child, error);
    return code;
}
