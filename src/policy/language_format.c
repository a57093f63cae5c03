/* Format strings: "{0.weight}".format(x) reads an attribute, so fields are plain names and numbers. */
#include "language.h"

void check_format(const Language *language, const Node *at, const Things *base) {
    bool texts_only = base->count > 0 && !base->overflow, own = base->count > 0;
    for (size_t i = 0; i < base->count; i++) {
        Thing thing = base->items[i];
        own &= thing.kind == THING_INSTANCE || thing.kind == THING_MODULE || thing.kind == THING_COMPONENT;
        if (thing.kind == THING_TEXT && thing.node != NULL)
            language_find(language, &RULE_PY_FORMAT, at,
                          "a field of the format string has a dot or a bracket");
        texts_only &= thing.kind == THING_TEXT || thing.kind == THING_STATE;
    }
    if (!texts_only && !own)
        language_find(language, &RULE_PY_FORMAT, at, "the format string is not a constant");
}
