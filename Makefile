# Wormhole. A thin front to meson and ninja; `make help` lists the targets.
#
# Variables:  PREFIX=/usr/local DESTDIR=   for install          V=1           shows the compiler's command lines
#             PORT=8080 RAFT_PORT=1112     for run: node 1's    SEED= N=      for sim, mutants: first seed, how many
#             TESTS="unit_http wire"       runs only these      JOBS=2        test programs at a time

PREFIX ?= /usr/local
PORT ?= 8080
RAFT_PORT ?= 1112
JOBS ?= 2
TESTS ?=

SERVER = src/server/wormhole-server
OPTIONS_build =
OPTIONS_build-debug = -Dbuildtype=debug
# Six files of a folder compiled as one take less time: much of it goes into the same headers and templates, file by file.
# Two files of a folder then cannot give one name to two things. build/ compiles those of src/ each by itself, and sees a
# missing include.
OPTIONS_build-asan = -Dunity=on -Dunity_size=6 -Doptimization=0 -Db_sanitize=address,undefined -Db_lundef=false
OPTIONS_build-tsan = -Db_sanitize=thread -Db_lundef=false
OPTIONS_build-coverage = -Dbuildtype=debug -Doptimization=0 -Db_coverage=true
COVERED = $(addprefix tests/,raft/raft_test scenarios/scenarios_test issues/issues sim/sim_plain sim/sim_history \
  $(foreach name,node machine wire,unit/$(name)/unit_$(name)))

# $(call compile,DIRECTORY[,TARGETS]): sets the directory up when it is not, then builds. ninja itself notices when a
# meson.build changed. On a terminal ninja shows each step, in a log there is a line every half minute; errors are always
# shown.
define compile
@test -f $(1)/build.ninja || { rm -rf $(1) && echo "Setting up $(1)" && \
  { out=$$(meson setup $(1) $(OPTIONS_$(1)) 2>&1) || { echo "$$out"; rm -f $(1)/build.ninja; exit 1; }; }; }
@if test -n "$(V)"; then ninja -C $(1) -v $(2); elif test -t 1; then ninja -C $(1) $(2); \
  else echo "Building in $(1)" && utils/ninja-for-logs -C $(1) $(2); fi
endef

# $(call targets_of_tests,DIRECTORY): what the tests of $(TESTS) need; all when there is no such choice.
targets_of_tests = $(if $(TESTS),$(SERVER) $$(tests/run --targets $(1) $(TESTS)))

# $(call install_unit,FILE,WHERE): installs a file that names installed files.
define install_unit
@install -D -m 644 /dev/null '$(DESTDIR)$(PREFIX)/$(2)'
@sed 's#/usr/local/#$(PREFIX)/#g' $(1) >'$(DESTDIR)$(PREFIX)/$(2)'
endef

# $(call remove_empty,FOLDERS): of $(DESTDIR)$(PREFIX), where they are and hold nothing. What a bare system has is left to it:
# all of them go only from a prefix of its own or a DESTDIR.
define remove_empty
@for folder in $(1); do rmdir '$(DESTDIR)$(PREFIX)'/"$$folder" 2>/dev/null || true; done
endef

# ./wormhole-server is what was built last.
define link
@ln -sfn $(1)/$(SERVER) wormhole-server
endef

.PHONY: all
all: needs-build ## an optimised build in build/, and ./wormhole-server
	$(call compile,build,$(SERVER))
	$(call link,build)

.PHONY: run
run: all needs-run ## three nodes on loopback, data in run/, until Ctrl-C
	@exec setpriv --pdeathsig TERM utils/create-cluster run $(PORT) $(RAFT_PORT)

.PHONY: test
test: needs-build needs-test ## builds and runs every test
	$(call compile,build,$(call targets_of_tests,build))
	$(call link,build)
	@exec tests/run -j $(JOBS) build $(TESTS)

.PHONY: test-soak
test-soak: needs-build needs-test ## the heavy tests at full length: hours
	$(call compile,build,$(SERVER) $$(tests/run --soak --targets build $(TESTS)))
	$(call link,build)
	@exec tests/run --soak -j 1 build $(TESTS)

.PHONY: debug
debug: needs-build ## an unoptimised build in build-debug/
	$(call compile,build-debug,$(SERVER))
	$(call link,build-debug)

.PHONY: asan
asan: needs-build ## server and tests with AddressSanitizer and UBSan in build-asan/
	$(call compile,build-asan)
	$(call link,build-asan)

.PHONY: test-asan
test-asan: needs-build needs-test ## runs every test with them
	$(call compile,build-asan,$(call targets_of_tests,build-asan))
	$(call link,build-asan)
	@exec tests/run -j $(JOBS) build-asan $(TESTS)

.PHONY: tsan
tsan: needs-build ## server and tests with ThreadSanitizer in build-tsan/
	$(call compile,build-tsan)
	$(call link,build-tsan)

.PHONY: test-tsan
test-tsan: tsan needs-test ## runs every test with it
	@exec tests/run -j $(JOBS) build-tsan $(TESTS)

.PHONY: fuzz
fuzz: needs-build ## libFuzzer over the wire and a node, under sanitizers; N=15 seconds for each of four targets
	@utils/install-deps fuzz || true
	@exec tests/fuzz/run $(or $(N),15)

.PHONY: test-container
test-container: ## builds the container's image and runs three nodes of it; needs root
	@utils/install-deps container || true
	@exec tests/container

.PHONY: test-debian13
test-debian13: ## builds and tests on Debian 13, in a base of its own; needs root
	@utils/install-deps debian13 || true
	@JOBS=$(JOBS) exec tests/debian13 $(TESTS)

.PHONY: test-upgrade
test-upgrade: needs-test ## two releases in one cluster: builds the one before from the repository's history
	$(call compile,build,$(SERVER) tests/integration/integration_upgrade)
	@WORMHOLE_OLD_SERVER=$$(tests/old_release build) tests/run -j 1 build integration_upgrade

.PHONY: bench-footprint
bench-footprint: all needs-run ## memory at rest, the binary's size, how long a start takes
	@exec tests/bench/footprint build/$(SERVER)

.PHONY: sim
sim: needs-build ## the simulator: N seeds from SEED on; without N that seed alone
	$(call compile,build,tests/sim/sim)
	@exec build/tests/sim/sim $(if $(SEED)$(N),$(if $(N),--seeds $(or $(SEED),1) $(N),--seed $(SEED)),--seeds 1 1000)

.PHONY: sim-swarm
sim-swarm: needs-build ## N seeds (10,000) from SEED on, on JOBS cores; every situation must come up
	$(call compile,build,tests/sim/sim)
	@exec build/tests/sim/sim --seeds $(or $(SEED),1) $(or $(N),10000) --jobs $(JOBS) --progress --all-situations

.PHONY: mutants
mutants: needs-build ## plants each known defect: how many seeds of the simulator, or which test, catches it; N= seeds at most
	$(call compile,build,tests/sim/mutants $(addprefix tests/sim/planted_,scenarios raft machine node issues storage))
	@exec build/tests/sim/mutants --jobs $(JOBS) --seeds $(or $(N),20000)

.PHONY: coverage
coverage: needs-build needs-coverage ## which lines of raft, machine, node and wire no test reaches; N seeds of the simulator
	$(call compile,build-coverage,$(COVERED))
	@exec tests/coverage build-coverage $(N)

.PHONY: format
format: needs-dev ## clang-format over all sources
	@find src tests -name '*.h' -o -name '*.cc' | xargs clang-format -i

.PHONY: lint
lint: needs-build needs-dev ## the layering, the format, clang-tidy over src/
	@tests/check_layers
	@find src tests -name '*.h' -o -name '*.cc' | xargs clang-format --dry-run --Werror
	$(call compile,build,$(SERVER))
	@exec run-clang-tidy -quiet -p build -j $(JOBS) \
	  -extra-arg=-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang '^.*/src/[a-z/]+/[a-z_]+\.cc$$'

# What links lead to among documents, laid out as here, so that they lead there once installed, too.
DOCUMENTS = $(wildcard README.md LICENSE* COPYING* conf/wormhole.conf docs/*.md src/README.md deps/README.md \
  tests/README.md tests/HAZARDS.md tests/scenarios/README.md)
BINARY = build/$(SERVER)

.PHONY: install
install: all ## into $(DESTDIR)$(PREFIX); an existing configuration stays
	@install -D -m 755 $(BINARY) '$(DESTDIR)$(PREFIX)/bin/wormhole-server'
	@test -e '$(DESTDIR)$(PREFIX)/etc/wormhole/wormhole.conf' || \
	  install -D -m 644 conf/wormhole.conf '$(DESTDIR)$(PREFIX)/etc/wormhole/wormhole.conf'
	$(call install_unit,utils/wormhole.service,lib/systemd/system/wormhole.service)
	$(call install_unit,utils/wormhole.sysusers,lib/sysusers.d/wormhole.conf)
	@install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/doc/wormhole' utils/wormhole.logrotate
	@for file in $(DOCUMENTS); do install -D -m 644 "$$file" '$(DESTDIR)$(PREFIX)/share/doc/wormhole'/"$$file" || exit; done

.PHONY: uninstall
uninstall: ## removes what install put there, but for the configuration
	@rm -f '$(DESTDIR)$(PREFIX)/bin/wormhole-server' '$(DESTDIR)$(PREFIX)/lib/systemd/system/wormhole.service' \
	  '$(DESTDIR)$(PREFIX)/lib/sysusers.d/wormhole.conf'
	@rm -rf '$(DESTDIR)$(PREFIX)/share/doc/wormhole'
	$(call remove_empty,lib/systemd/system lib/systemd lib/sysusers.d share/doc etc/wormhole)
	$(if $(DESTDIR)$(filter-out /usr /usr/local,$(PREFIX)),$(call remove_empty,bin etc lib share ''))
	$(if $(DESTDIR),@cd '$(DESTDIR)' && rmdir -p --ignore-fail-on-non-empty '.$(patsubst %/,%,$(dir $(PREFIX)))' 2>/dev/null || true)

.PHONY: clean
clean: ## removes what was built; run/ stays
	@rm -rf build build-debug build-asan build-tsan build-coverage build-fuzz wormhole-server

# Installs the Debian packages that are missing; does nothing when none is.
.PHONY: needs-build needs-run needs-test needs-coverage needs-dev
needs-build needs-run needs-test needs-coverage needs-dev: needs-%:
	@utils/install-deps $*

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
