/* The table of dtypes. */
#include "tensor.h"

#include <assert.h>

static const DtypeInfo DTYPES[DTYPE_COUNT] = {
#define DTYPE(name, torch_name, code, size, kind, rtol, atol)                                                \
    [DTYPE_##name] = {torch_name, code, size, kind, {rtol, atol}},
#include "dtypes.def"
#undef DTYPE
};

const DtypeInfo *dtype_info(Dtype dtype) {
    assert(dtype < DTYPE_COUNT);
    return &DTYPES[dtype];
}

bool dtype_find(const char *torch_name, Dtype *dtype) {
    for (size_t i = 0; i < DTYPE_COUNT; i++) {
        if (text_equal(DTYPES[i].torch_name, torch_name)) {
            *dtype = (Dtype)i;
            return true;
        }
    }
    return false;
}

bool dtype_is_floating(Dtype dtype) {
    return dtype_info(dtype)->kind == KIND_FLOAT || dtype_info(dtype)->kind == KIND_COMPLEX;
}
