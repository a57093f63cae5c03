/* Format strings: "{0.weight}".format(x) reads an attribute, so fields are plain names and numbers. */
#include "language.h"

#include <string.h>

/* Does any replacement field, nested ones too, have a dot or bracket in its name? */
static bool reads_attributes(const char *text, size_t length) {
    size_t depth = 0;
    bool in_name = false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '{' && depth == 0 && i + 1 < length && text[i + 1] == '{') {
            i++;
        } else if (text[i] == '{') {
            depth++;
            in_name = true;
        } else if (text[i] == '}') {
            depth -= depth > 0;
            in_name = false;
        } else if (depth > 0 && (text[i] == ':' || text[i] == '!')) {
            in_name = false;
        } else if (depth > 0 && in_name && (text[i] == '.' || text[i] == '[')) {
            return true;
        }
    }
    return false;
}

void check_format(const Language *language, const Node *at, const Things *base) {
    bool texts_only = base->count > 0 && !base->overflow, own = base->count > 0;
    for (size_t i = 0; i < base->count; i++) {
        Thing thing = base->items[i];
        own &= thing.kind == THING_INSTANCE || thing.kind == THING_MODULE || thing.kind == THING_COMPONENT;
        if (thing.kind == THING_TEXT && reads_attributes(thing.node->text, thing.node->text_length))
            language_find(language, &RULE_PY_FORMAT, at,
                          "a field of the format string has a dot or a bracket");
        texts_only &= thing.kind == THING_TEXT || thing.kind == THING_STATE;
    }
    if (!texts_only && !own)
        language_find(language, &RULE_PY_FORMAT, at, "the format string is not a constant");
}
