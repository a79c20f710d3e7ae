/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's events into a tree. libyaml looks ahead at most 1024 bytes for a key, so refusing the
 * depth as its events come also bounds the time that its flow collections cost (quadratic in the
 * nesting otherwise).
 */
#include "config/tree.h"
#include "host/error.h"
#include "text/utf8.h"

#include <stdio.h>
#include <string.h>

#include <yaml.h>

struct builder {
    yaml_parser_t parser;
    struct arena *arena;
    const char *file;
    int lines;
    const char *text;
    size_t len;
    struct dray_error *error;
    struct node *root;
    struct node *open[TREE_DEPTH_MAX];
    const char *key; /* of the innermost map, once it has been read */
    unsigned key_line;
    unsigned depth;
    unsigned documents;
    int done;
};

static int refuse(struct builder *builder, unsigned line, const char *what)
{
    return error_set_at(
        builder->error, DRAY_CONFIG, builder->file, builder->lines ? line : 0, "%s", what);
}

static int no_memory(struct builder *builder)
{
    return error_set(builder->error, DRAY_NOMEM, 0, "out of memory");
}

static unsigned line_at(const struct builder *builder, size_t offset)
{
    unsigned line = 1;
    for (size_t i = 0; i < offset && i < builder->len; i++)
        line += builder->text[i] == '\n';
    return line;
}

/* Is there a ${ on that line? */
static int has_variable(const struct builder *builder, unsigned line)
{
    const char *p = builder->text;
    const char *end = p + builder->len;
    while (--line > 0 && p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        p = stop ? stop + 1 : end;
    }
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    return memmem(p, (size_t)((stop ? stop : end) - p), "${", 2) != NULL;
}

/* What libyaml did not understand, in its words and, for the commonest mistake, in ours. */
static int report(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return no_memory(builder);
    const char *problem = parser->problem ? parser->problem : "this is not YAML";
    if (parser->error == YAML_READER_ERROR)
        return refuse(builder, line_at(builder, parser->problem_offset), problem);
    unsigned line = (unsigned)parser->problem_mark.line + 1;
    /* The mark counts characters; a wrong guess only costs the hint. */
    size_t at = parser->problem_mark.index;
    if (at < builder->len && builder->text[at] == '\t')
        return refuse(builder, line, "a tab cannot indent YAML; use spaces");
    const char *hint = "check the indentation, quotes and colons here";
    if (has_variable(builder, line))
        hint = "a ${NAME} between { } or [ ] needs quotes: \"${NAME}\"";
    char what[300];
    snprintf(what, sizeof(what), "%s%s%s; %s", problem, parser->context ? " " : "",
        parser->context ? parser->context : "", hint);
    return refuse(builder, line, what);
}

/* Bytes that can be no configuration, before libyaml guesses an encoding. */
static int check_bytes(struct builder *builder)
{
    if (builder->len > TREE_BYTES_MAX)
        return refuse(builder, 0, "is larger than 64 KiB, which no configuration should be");
    const unsigned char *p = (const unsigned char *)builder->text;
    const unsigned char *end = p + builder->len;
    unsigned line = 1;
    while (p < end) {
        size_t n = utf8_length(p, end);
        if (n == 0 || *p == 0)
            return refuse(builder, line, "this is not UTF-8 text; is it a configuration?");
        line += *p == '\n';
        p += n;
    }
    return DRAY_OK;
}

static struct node *new_node(struct builder *builder, enum node_type type, unsigned line)
{
    struct node *node = arena_alloc(builder->arena, 1, sizeof(*node));
    if (node) {
        node->type = type;
        node->file = builder->file;
        node->line = builder->lines ? line : 0;
    }
    return node;
}

/* Puts a finished or opened node where the parser stands. */
static int place_node(struct builder *builder, struct node *node)
{
    if (builder->depth == 0) {
        builder->root = node;
        return DRAY_OK;
    }
    struct node *parent = builder->open[builder->depth - 1];
    if (parent->type == NODE_MAP) {
        node->key = builder->key;
        node->line = builder->lines ? builder->key_line : 0;
        builder->key = NULL;
    }
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
    return DRAY_OK;
}

/* Does the innermost map wait for a key? */
static int wants_key(const struct builder *builder)
{
    return builder->depth > 0 && builder->open[builder->depth - 1]->type == NODE_MAP &&
           !builder->key;
}

static int take_key(struct builder *builder, const char *text, int quoted, unsigned line)
{
    if (!quoted && strcmp(text, "<<") == 0)
        return refuse(builder, line, "merge keys (<<) are not allowed; write the values out");
    const struct node *twin = node_get(builder->open[builder->depth - 1], text);
    if (twin) {
        char what[200];
        snprintf(what, sizeof(what), "\"%.100s\" is here twice, first on line %u; remove one", text,
            twin->line);
        return refuse(builder, line, what);
    }
    builder->key = text;
    builder->key_line = line;
    return DRAY_OK;
}

static int take_scalar(struct builder *builder, const yaml_event_t *event, unsigned line)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    int quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (memchr(value, 0, len))
        return refuse(builder, line, "a text may not have a zero byte (\\0)");
    char *text = arena_copy(builder->arena, value, len);
    if (!text)
        return no_memory(builder);
    if (wants_key(builder))
        return take_key(builder, text, quoted, line);
    struct node *node = new_node(builder, NODE_SCALAR, line);
    if (!node)
        return no_memory(builder);
    node->text = text;
    node->quoted = quoted;
    return place_node(builder, node);
}

static int open_node(struct builder *builder, enum node_type type, unsigned line)
{
    if (wants_key(builder))
        return refuse(builder, line, "a key must be a text, not a list or a map");
    if (builder->depth == TREE_DEPTH_MAX)
        return refuse(builder, line, "this is nested more than 16 deep");
    struct node *node = new_node(builder, type, line);
    if (!node)
        return no_memory(builder);
    place_node(builder, node);
    builder->open[builder->depth++] = node;
    return DRAY_OK;
}

static int check_plain(
    struct builder *builder, const yaml_char_t *anchor, const yaml_char_t *tag, unsigned line)
{
    if (anchor)
        return refuse(builder, line, "anchors (&) are not allowed; write the value out");
    if (tag)
        return refuse(builder, line, "tags (!) are not allowed; quote a text that begins with !");
    return DRAY_OK;
}

static int start_document(struct builder *builder, const yaml_event_t *event, unsigned line)
{
    if (++builder->documents > 1)
        return refuse(builder, line, "a second document begins here; one is all that is read");
    const yaml_tag_directive_t *first = event->data.document_start.tag_directives.start;
    if (first != event->data.document_start.tag_directives.end)
        return refuse(builder, line, "tags (%TAG) are not allowed");
    return DRAY_OK;
}

static int take_event(struct builder *builder, const yaml_event_t *event)
{
    unsigned line = (unsigned)event->start_mark.line + 1;
    int code = DRAY_OK;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        code = check_plain(builder, event->data.scalar.anchor, event->data.scalar.tag, line);
        return code ? code : take_scalar(builder, event, line);
    case YAML_SEQUENCE_START_EVENT:
        code = check_plain(
            builder, event->data.sequence_start.anchor, event->data.sequence_start.tag, line);
        return code ? code : open_node(builder, NODE_LIST, line);
    case YAML_MAPPING_START_EVENT:
        code = check_plain(
            builder, event->data.mapping_start.anchor, event->data.mapping_start.tag, line);
        return code ? code : open_node(builder, NODE_MAP, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        builder->depth--;
        return DRAY_OK;
    case YAML_ALIAS_EVENT:
        return refuse(builder, line, "aliases (*) are not allowed; write the value out");
    case YAML_DOCUMENT_START_EVENT:
        return start_document(builder, event, line);
    case YAML_STREAM_END_EVENT:
        builder->done = 1;
        return DRAY_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return DRAY_OK;
    }
    return DRAY_OK;
}

static int take_events(struct builder *builder)
{
    int code = DRAY_OK;
    for (unsigned n = 0; !builder->done && code == DRAY_OK; n++) {
        yaml_event_t event;
        if (!yaml_parser_parse(&builder->parser, &event))
            return report(builder);
        if (n == TREE_EVENTS_MAX)
            code = refuse(builder, (unsigned)event.start_mark.line + 1,
                "there are more values than a configuration may have (some 4,000)");
        else
            code = take_event(builder, &event);
        yaml_event_delete(&event);
    }
    return code;
}

int tree_parse(struct arena *arena, const char *file, int lines, const char *text, size_t len,
    struct node **root, struct dray_error *error)
{
    struct builder builder = {
        .arena = arena, .file = file, .lines = lines, .text = text, .len = len, .error = error};
    int code = check_bytes(&builder);
    if (code)
        return code;
    if (!yaml_parser_initialize(&builder.parser))
        return no_memory(&builder);
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text, len);
    code = take_events(&builder);
    yaml_parser_delete(&builder.parser);
    if (code == DRAY_OK)
        *root = builder.root;
    return code;
}
