# A thin front to Meson. `make demo` and `make check` install what is missing first.
PREFIX ?= /usr/local
BUILD  ?= build

.PHONY: all build demo check install clean setup format lint-c

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

install: build
	@meson configure $(BUILD) --prefix=$(PREFIX)
	@meson install -C $(BUILD)

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build build-*
