/* The operator table: every row of policy.md's classes, in every spelling. */
#include "policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef struct SpellingCase {
    const char *name;
    OperatorClass class;
    const char *canonical;
} SpellingCase;

static const SpellingCase SPELLINGS[] = {
    {"torch.Tensor.add", OPERATOR_ARITHMETIC, "add"},
    {"torch.Tensor.add_", OPERATOR_ARITHMETIC, "add"},
    {"torch.add", OPERATOR_ARITHMETIC, "add"},
    {"__radd__", OPERATOR_ARITHMETIC, "add"},
    {"torch.Tensor.__iadd__", OPERATOR_ARITHMETIC, "add"},
    {"multiply", OPERATOR_ARITHMETIC, "mul"},
    {"torch.true_divide", OPERATOR_ARITHMETIC, "div"},
    {"subtract_", OPERATOR_ARITHMETIC, "sub"},
    {"negative", OPERATOR_ARITHMETIC, "neg"},
    {"torch.Tensor.square_", OPERATOR_ARITHMETIC, "square"},
    {"__pow__", OPERATOR_POWER, "pow"},
    {"__rpow__", OPERATOR_COMPUTE, "__rpow__"},
    {"torch.swapaxes", OPERATOR_VIEW, "transpose"},
    {"moveaxis", OPERATOR_VIEW, "movedim"},
    {"torch.Tensor.T.__get__", OPERATOR_VIEW, "transpose"},
    {"torch.Tensor.T", OPERATOR_VIEW, "transpose"},
    {"ravel", OPERATOR_VIEW, "flatten"},
    {"torch.functional.split", OPERATOR_VIEW, "split"},
    {"hsplit", OPERATOR_VIEW, "tensor_split"},
    {"torch.Tensor.unfold", OPERATOR_VIEW, "unfold"},
    {"torch.nn.functional.unfold", OPERATOR_COMPUTE, "im2col"},
    {"torch.Tensor.__getitem__", OPERATOR_VIEW, "__getitem__"},
    {"torch.concatenate", OPERATOR_ASSEMBLY, "cat"},
    {"row_stack", OPERATOR_ASSEMBLY, "vstack"},
    {"torch.nn.functional.pad", OPERATOR_ASSEMBLY, "pad"},
    {"index_put_", OPERATOR_ASSEMBLY, "__setitem__"},
    {"torch.Tensor.index_add_", OPERATOR_ASSEMBLY, "index_add"},
    {"torch.Tensor.to", OPERATOR_CAST, "to"},
    {"torch.Tensor.bfloat16", OPERATOR_CAST, "bfloat16"},
    {"torch.Tensor.masked_fill_", OPERATOR_MASK, "masked_fill"},
    {"__invert__", OPERATOR_MASK, "bitwise_not"},
    {"torch.Tensor.__lt__", OPERATOR_COMPARISON, "lt"},
    {"greater_equal", OPERATOR_COMPARISON, "ge"},
    {"torch.arange", OPERATOR_CREATION, "arange"},
    {"torch.as_tensor", OPERATOR_CREATION, "tensor"},
    {"torch.Tensor.cumsum", OPERATOR_COUNTING, "cumsum"},
    {"torch.where", OPERATOR_SELECTING, "where"},
    {"torch.Tensor.clip_", OPERATOR_SELECTING, "clamp"},
    {"torch.nn.functional.one_hot", OPERATOR_SELECTING, "one_hot"},
    {"torch.Tensor.__matmul__", OPERATOR_FORBIDDEN, "matmul"},
    {"__rmatmul__", OPERATOR_FORBIDDEN, "matmul"},
    {"torch.functional.einsum", OPERATOR_FORBIDDEN, "einsum"},
    {"torch.nn.functional.linear", OPERATOR_FORBIDDEN, "linear"},
    {"torch.nn.functional.mse_loss", OPERATOR_FORBIDDEN, "mse_loss"},
    {"torch.nn.functional.relu", OPERATOR_FORBIDDEN, "relu"},
    {"torch.nn.functional.no_such_function", OPERATOR_FORBIDDEN, "no_such_function"},
    {"torch.relu_", OPERATOR_COMPUTE, "relu"},
    {"torch.Tensor.softmax", OPERATOR_COMPUTE, "softmax"},
    {"torch.special.expit", OPERATOR_COMPUTE, "sigmoid"},
    {"torch.fft.rfft", OPERATOR_COMPUTE, "fft.rfft"},
    {"torch.Tensor.set_", OPERATOR_COMPUTE, "set"},
    {"torch.Tensor.resize_", OPERATOR_COMPUTE, "resize"},
    {"torch.Tensor.no_such_method", OPERATOR_COMPUTE, "no_such_method"},
    {"torch.Tensor.shape", OPERATOR_METADATA, "shape"},
    {"torch.Tensor.ndimension", OPERATOR_METADATA, "dim"},
    {"torch.Tensor.__len__", OPERATOR_METADATA, "__len__"},
    {"torch.Tensor.stride", OPERATOR_READ, "stride"},
    {"torch.Tensor._version", OPERATOR_READ, "_version"},
    {"torch.Tensor.requires_grad", OPERATOR_READ, "requires_grad"},
    {"torch.Tensor.item", OPERATOR_READ, "item"},
    {"torch.Tensor.__bool__", OPERATOR_TEST, "__bool__"},
    {"torch.equal", OPERATOR_TEST, "equal"},
    {"torch.randn", OPERATOR_RANDOM, "randn"},
    {"torch.Tensor.normal_", OPERATOR_RANDOM, "normal"},
    {"torch.nn.functional.dropout", OPERATOR_RANDOM, "dropout"},
    {"torch._C._set_grad_enabled", OPERATOR_IGNORED, "_set_grad_enabled"},
    {"torch.Tensor.is_nested", OPERATOR_IGNORED, "is_nested"},
    {"", OPERATOR_COMPUTE, ""},
    {"_", OPERATOR_COMPUTE, "_"},
};

static void test_spellings_have_class_and_operator(void **state) {
    (void)state;
    Arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(SPELLINGS); i++) {
        const SpellingCase *expected = &SPELLINGS[i];
        if (operator_class(expected->name) != expected->class)
            fail_msg("%s is %s", expected->name, operator_class_name(operator_class(expected->name)));
        assert_string_equal(operator_canonical(arena, expected->name), expected->canonical);
    }
    arena_free(arena);
}

static void test_a_name_of_any_length_is_compute(void **state) {
    (void)state;
    char name[4000];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = 'x';
    name[sizeof name - 1] = '\0';
    Arena *arena = arena_new();
    assert_int_equal(operator_class(name), OPERATOR_COMPUTE);
    assert_non_null(operator_canonical(arena, name));
    arena_free(arena);
}

static void test_every_class_has_a_name(void **state) {
    (void)state;
    for (int class = 0; class <= OPERATOR_IGNORED; class ++)
        assert_string_not_equal(operator_class_name((OperatorClass) class), "?");
    assert_string_equal(operator_class_name((OperatorClass)1000), "?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings_have_class_and_operator),
        cmocka_unit_test(test_a_name_of_any_length_is_compute),
        cmocka_unit_test(test_every_class_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
