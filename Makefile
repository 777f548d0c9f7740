# SPDX-License-Identifier: GPL-2.0
#
# `make help` lists the targets. The module is built by tools/kernel/build,
# through the kernel's own build system (Kbuild).

# Scripts read these from the environment.
.DELETE_ON_ERROR:
export JOBS KERNEL SUITE KERNEL_IMAGE MODULES SCRIPT

PREFIX ?= /usr/local
O := $(CURDIR)/build

ifneq ($(KERNEL),)
target := --kernel $(KERNEL)
else ifneq ($(KDIR),)
target := --kdir $(KDIR)
endif
build := tools/kernel/build $(target)

# W=1, C=2 and V=1 go on to Kbuild.
kbuild-args := $(foreach v,W C V,$(if $($(v)),$(v)=$($(v))))

# Guests run this kernel unless another is named.
VM_KERNEL := $(or $(KERNEL),6.1)
with-vm = KERNEL=$(VM_KERNEL)

all: module tools ## the module and the tools (default)

module: ## build/KERNEL/egpu.ko, for the running kernel, KDIR=… or KERNEL=…
	@tools/setup --check module
	+@$(build) $(kbuild-args)

sim: ## the simulated fabric alone: build/KERNEL/egpu_sim.ko, egpu_sim_drm.ko
	@tools/setup --check module
	+@$(build) --sim $(kbuild-args)

test-modules: ## the selftests' own modules, build/KERNEL/*.ko
	@tools/setup --check module
	+@$(build) --tests $(kbuild-args)

test-programs: ## the selftests' own programs, build/selftests
	+@set -e; for dir in $(dir $(wildcard selftests/*/Makefile)); do \
		$(MAKE) --no-print-directory -C "$$dir" O=$(O); \
	done

tools: ## build/bin/egpuctl, build/samples
	@tools/setup --check tools
	+@$(MAKE) --no-print-directory -C tools/lib O=$(O)
	+@$(MAKE) --no-print-directory -C tools/egpuctl O=$(O)
	+@$(MAKE) --no-print-directory -C tools/samples O=$(O)

install: install-module install-tools ## install both (PREFIX=, DESTDIR=)

install-module: module
	+@$(build) INSTALL_MOD_PATH=$(DESTDIR) DEPMOD=true modules_install
	@set -e; set -- $$($(build) --show); \
	if [ -z "$(DESTDIR)" ]; then depmod -a "$$1"; fi

install-tools: tools
	+@$(MAKE) --no-print-directory -C tools/egpuctl O=$(O) install

uninstall: ## take away what install put there
	+@$(MAKE) --no-print-directory -C tools/egpuctl uninstall
	set -e; set -- $$($(build) --show); \
	find $(DESTDIR)/lib/modules/$$1/ -name 'egpu.ko*' -delete; \
	if [ -z "$(DESTDIR)" ]; then depmod -a "$$1"; fi

load: module ## load what the module depends on, then the module (PARAMS=…)
	@set -e; set -- $$($(build) --show); \
	for dep in $$(modinfo -F depends "$$2/egpu.ko" | tr , ' '); do \
		modprobe "$$dep"; \
	done; \
	insmod "$$2/egpu.ko" $(PARAMS)

unload: ## unload the module
	rmmod egpu

vm: ## a shell in a guest with egpu, or KERNEL_IMAGE= MODULES= SCRIPT=
	@tools/setup vm
ifeq ($(KERNEL_IMAGE),)
	+@$(MAKE) --no-print-directory $(with-vm) module tools
	+@$(with-vm) tools/vm/vm
else
	+@tools/vm/vm
endif

demo: ## a GPU's life in a guest, told line by line
	@tools/setup vm
	+@$(MAKE) --no-print-directory $(with-vm) module tools
	+@$(with-vm) tools/demo/demo

check: ## the tests: SUITE=hotplug, KERNEL=6.1|6.12|7.2|debug
	@tools/setup check
	+@selftests/run

check-long: ## the tests that take long
	@tools/setup check
	+@LONG=1 selftests/run

mutate: ## do the tests notice deliberate breakages?
	@tools/setup check
	+@selftests/mutate

bench: ## measure what the documentation promises
	@tools/setup check
	+@selftests/bench/bench

docs: ## the generated documentation: table of states, ioctl reference
	@tools/docs

clean: ## what was built
	rm -rf build

distclean: clean ## and the kernels in the user's cache
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/egpu"

help: ## this text
	@echo 'Targets:'
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' Makefile | \
		expand -t 16
	@echo
	@echo 'Kernels (KERNEL=):  6.1, 6.12, 7.2: Debian'"'"'s, fetched when needed'
	@echo '                    debug: 6.12 with KASAN, lockdep, kmemleak, built when needed'
	@echo 'Kbuild:             W=1 (warnings), C=2 (sparse), V=1 (commands)'

.PHONY: all module sim test-modules test-programs tools install install-module \
	install-tools uninstall load unload vm demo check check-long mutate bench docs clean \
	distclean help
