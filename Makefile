# A thin front to Meson. `make demo` and `make check` install what is missing first.
PREFIX ?= /usr/local
BUILD  ?= build

.PHONY: all build demo check bench install clean setup format lint-c

all: build

setup:
	@scripts/setup tools

build: setup
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) --prefix=$(PREFIX)
	@ninja -C $(BUILD)

demo: build
	@scripts/setup torch
	@scripts/demo $(BUILD)/plumbline

check: build
	@scripts/setup torch check
	@scripts/check

bench: build
	@scripts/setup torch
	@scripts/bench $(BUILD)

install: build
	@meson configure $(BUILD) --prefix=$(PREFIX)
	@meson install -C $(BUILD)

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build build-*
