# Wormhole. A thin front end to meson and ninja; `make help` lists the targets.
#
# Variables:  PREFIX=/usr/local DESTDIR=   for install          V=1           shows the compiler's command lines
#             SYSCONFDIR=$(PREFIX)/etc     for install: where the configuration goes
#             PORT=8080 RAFT_PORT=1112     for run: node 1's    SEED= N=      for sim, mutants: first seed, how many
#             TESTS="unit_http wire"       runs only these      JOBS=2        test programs at a time

PREFIX ?= /usr/local
SYSCONFDIR ?= $(PREFIX)/etc
PORT ?= 8080
RAFT_PORT ?= 1112
JOBS ?= 2
TESTS ?=

SERVER = src/server/wormhole-server
CLI = src/cli/wormhole-cli
BENCHMARK = src/benchmark/wormhole-benchmark
# What a user gets, as ninja names it.
PRODUCT = $(SERVER) $(addprefix src/server/,wormhole-server.8 wormhole.conf.5) \
  $(CLI) $(addprefix src/cli/,wormhole-cli.1 wormhole-cli.bash _wormhole-cli) \
  $(BENCHMARK) src/benchmark/wormhole-benchmark.1
# Compiling six files of a folder as one takes half the time, as the same headers and templates are compiled once. But then
# two files of a folder cannot use one name for two things, and a missing include is not found: `make lint` compiles each
# file by itself.
OPTIONS_build = -Dunity=on -Dunity_size=6
OPTIONS_build-debug = -Dbuildtype=debug
OPTIONS_build-asan = -Dunity=on -Dunity_size=6 -Doptimization=0 -Db_sanitize=address,undefined -Db_lundef=false
OPTIONS_build-tsan = -Dunity=on -Dunity_size=6 -Db_sanitize=thread -Db_lundef=false
OPTIONS_build-coverage = -Dbuildtype=debug -Doptimization=0 -Db_coverage=true
COVERED = $(addprefix tests/,raft/raft_test scenarios/scenarios_test issues/issues sim/sim_plain sim/sim_history \
  $(foreach name,node machine wire,unit/$(name)/unit_$(name)))

# $(call compile,DIRECTORY[,TARGETS]): sets the directory up if needed, then builds. ninja itself notices changes to a
# meson.build. On a terminal ninja shows each step; in a log a line appears every half minute. Errors are always shown.
define compile
@test -f $(1)/build.ninja || { rm -rf $(1) && echo "Setting up $(1)" && \
  { out=$$(meson setup $(1) $(OPTIONS_$(1)) 2>&1) || { echo "$$out"; rm -f $(1)/build.ninja; exit 1; }; }; }
@if test -n "$(V)"; then ninja -C $(1) -v $(2); elif test -t 1; then ninja -C $(1) $(2); \
  else echo "Building in $(1)" && utils/ninja-for-logs -C $(1) $(2); fi
endef

# $(call targets_of_tests,DIRECTORY): the targets that the tests in $(TESTS) need; all targets if TESTS is empty.
targets_of_tests = $(if $(TESTS),$(SERVER) $$(tests/run --targets $(1) $(TESTS)))

# $(call install_unit,FILE,WHERE[,EDITS]): installs a file that contains paths of installed files, and adapts them to PREFIX
# and SYSCONFDIR; EDITS are more commands of sed.
define install_unit
@install -D -m 644 /dev/null '$(DESTDIR)$(PREFIX)/$(2)'
@sed -e 's#/usr/local/etc/#$(SYSCONFDIR)/#g; s#/usr/local/#$(PREFIX)/#g' $(3) $(1) >'$(DESTDIR)$(PREFIX)/$(2)'
endef

# A further node on the same machine, wormhole@NAME, differs from the first in its config and its folder.
INSTANCE = -e 's\#wormhole/wormhole.conf\#wormhole/%i.conf\#; s\#/var/lib/wormhole\#/var/lib/wormhole-nodes/%i\#' \
  -e 's\#^StateDirectory=.*\#StateDirectory=wormhole-nodes/%i\#; s\#^Description=.*\#&, node %i\#'

# $(call remove_empty,FOLDERS): removes these folders of $(DESTDIR)$(PREFIX) if they are empty. Folders of a bare system
# stay: all are removed only from a private prefix or a DESTDIR.
define remove_empty
@for folder in $(1); do rmdir '$(DESTDIR)$(PREFIX)'/"$$folder" 2>/dev/null || true; done
endef

# ./wormhole-server, ./wormhole-cli and utils/wormhole-benchmark are those that were built last.
define link
@ln -sfn $(1)/$(SERVER) wormhole-server
@if test -e $(1)/$(CLI); then ln -sfn $(1)/$(CLI) wormhole-cli; fi
@if test -e $(1)/$(BENCHMARK); then ln -sfn ../$(1)/$(BENCHMARK) utils/wormhole-benchmark; fi
endef

.PHONY: all
all: needs-build ## an optimised build in build/, ./wormhole-server, ./wormhole-cli, utils/wormhole-benchmark
	$(call compile,build,$(PRODUCT))
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
	$(call compile,build-debug,$(SERVER) $(CLI))
	$(call link,build-debug)

.PHONY: asan
asan: needs-build ## server and tests with AddressSanitizer and UBSan in build-asan/
	$(call compile,build-asan)
	$(call link,build-asan)

.PHONY: test-asan
test-asan: needs-build needs-test ## runs every test with AddressSanitizer and UBSan
	$(call compile,build-asan,$(call targets_of_tests,build-asan))
	$(call link,build-asan)
	@exec tests/run -j $(JOBS) build-asan $(TESTS)

.PHONY: tsan
tsan: needs-build ## server and tests with ThreadSanitizer in build-tsan/
	$(call compile,build-tsan)
	$(call link,build-tsan)

.PHONY: test-tsan
test-tsan: tsan needs-test ## runs every test with ThreadSanitizer
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
test-debian13: ## builds and tests on Debian 13, in its own root file system; needs root
	@utils/install-deps debian13 || true
	@JOBS=$(JOBS) exec tests/debian13 $(TESTS)

.PHONY: test-deb
test-deb: ## builds the package on Debian 13 and 12, installs, upgrades and purges it there; needs root; RELEASES="13 12"
	@utils/install-deps debian13 || true
	@JOBS=$(JOBS) exec tests/debian_package $(RELEASES)

.PHONY: test-upgrade
test-upgrade: needs-test ## two releases in one cluster: builds the previous release from the repository's history
	$(call compile,build,$(SERVER) tests/integration/integration_upgrade)
	@WORMHOLE_OLD_SERVER=$$(tests/old_release build) tests/run -j 1 build integration_upgrade

.PHONY: test-clients
test-clients: all needs-test ## client libraries at their defaults against a node, CloudEvents' and Redis's; needs Node.js
	@exec tests/clients/run build/$(SERVER)

.PHONY: test-ui
test-ui: all needs-run ## the page in a real browser against clusters whose leader is killed; SCREENSHOTS=DIR: pictures of every view
	@utils/install-deps ui || true
	@SCREENSHOTS='$(SCREENSHOTS)' ONLY='$(ONLY)' exec tests/ui/run build/$(SERVER)

.PHONY: bench-ui
bench-ui: all needs-run ## what open pages cost a node: requests and bytes a second, and writes beside ten of them
	@utils/install-deps ui || true
	@COST=1 exec tests/ui/run build/$(SERVER)

.PHONY: bench-footprint
bench-footprint: all needs-run ## measures memory at rest, the binary's size and the time of a start
	@exec tests/bench/footprint build/$(SERVER)

.PHONY: bench
bench: needs-build ## throughput and latency over connections, into tests/bench/RESULTS.md and a plot; SECONDS_EACH= ROUNDS= CONNECTIONS= NODES= CASES=
	$(call compile,build,$(SERVER) $(BENCHMARK))
	$(call link,build)
	@exec tests/bench/table build/$(SERVER) build/$(BENCHMARK) --results tests/bench/RESULTS.md --plot docs/images/bench.svg \
	  $(if $(SECONDS_EACH),--seconds-each $(SECONDS_EACH)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(if $(CONNECTIONS),--connections "$(CONNECTIONS)") $(if $(NODES),--nodes "$(NODES)") $(if $(CASES),--tests "$(CASES)")

.PHONY: bench-vs
bench-vs: needs-build ## the same work beside etcd, NATS, Redis and a bare server; SECONDS_EACH= ROUNDS= ONLY= CASES=
	$(call compile,build,$(SERVER) $(BENCHMARK) $(addprefix tests/bench/,store_client queue_client floor))
	$(call link,build)
	@exec tests/bench/versus build/$(SERVER) build/$(BENCHMARK) $(addprefix build/tests/bench/,store_client queue_client floor) \
	  $(if $(SECONDS_EACH),--seconds-each $(SECONDS_EACH)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(if $(ONLY),--only "$(ONLY)") $(if $(CASES),--cases "$(CASES)")

.PHONY: bench-growth
bench-growth: needs-build ## what grows with keys, depth, connections, size, members; SECONDS_EACH= ROUNDS= CURVES= KEYS= DEPTH=
	$(call compile,build,$(SERVER) $(BENCHMARK))
	$(call link,build)
	@exec tests/bench/growth build/$(SERVER) build/$(BENCHMARK) $(if $(SECONDS_EACH),--seconds-each $(SECONDS_EACH)) \
	  $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(CURVES),--curves "$(CURVES)") $(if $(KEYS),--keys "$(KEYS)") \
	  $(if $(DEPTH),--depth "$(DEPTH)")

.PHONY: bench-faults
bench-faults: needs-build ## gaps of a killed and a halted leader, starts with many keys, memory; RUNS= PARTS= MANY=
	$(call compile,build,$(SERVER) $(BENCHMARK))
	$(call link,build)
	@exec tests/bench/faults build/$(SERVER) build/$(BENCHMARK) $(if $(RUNS),--runs $(RUNS)) $(if $(PARTS),--parts "$(PARTS)") \
	  $(if $(MANY),--many $(MANY))

.PHONY: bench-calm
bench-calm: needs-build ## what snapshots, catching up, compaction, crowds cost writes at half load; ROUNDS= SECONDS_EACH= CASES= KEYS=
	$(call compile,build,$(SERVER) $(BENCHMARK))
	$(call link,build)
	@exec tests/bench/calm build/$(SERVER) build/$(BENCHMARK) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(if $(SECONDS_EACH),--seconds-each $(SECONDS_EACH)) $(if $(CASES),--cases "$(CASES)") $(if $(KEYS),--keys $(KEYS))

.PHONY: profile
profile: needs-build ## what a request costs, and where: time, calls, functions, allocations, disk; CASE= CONNECTIONS= SECONDS_EACH=
	$(call compile,build,$(SERVER) $(BENCHMARK))
	$(call link,build)
	@exec tests/bench/profile build/$(SERVER) build/$(BENCHMARK) $(if $(SECONDS_EACH),--seconds-each $(SECONDS_EACH)) \
	  $(if $(CASE),--test $(CASE)) $(if $(CONNECTIONS),--connections $(CONNECTIONS))

.PHONY: bench-queue
bench-queue: needs-build ## the queues beside RabbitMQ, NATS and beanstalkd; SECONDS_EACH= ROUNDS= WORKERS= BATCHES= ONLY= CASES= TO=leader
	$(call compile,build,$(SERVER) tests/bench/queue_client)
	$(call link,build)
	@exec tests/bench/queues build/$(SERVER) build/tests/bench/queue_client \
	  $(if $(SECONDS_EACH),--seconds-each $(SECONDS_EACH)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(TO),--to $(TO)) \
	  $(if $(WORKERS),--workers "$(WORKERS)") $(if $(BATCHES),--batches "$(BATCHES)") \
	  $(if $(ONLY),--only "$(ONLY)") $(if $(CASES),--cases "$(CASES)")

.PHONY: bench-store
bench-store: needs-build ## the store beside etcd; SECONDS_EACH= ROUNDS= NODES= STREAMS= LEASES= ONLY= CASES=
	$(call compile,build,$(SERVER) tests/bench/store_client)
	$(call link,build)
	@exec tests/bench/stores build/$(SERVER) build/tests/bench/store_client \
	  $(if $(SECONDS_EACH),--seconds-each $(SECONDS_EACH)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(NODES),--nodes $(NODES)) \
	  $(if $(STREAMS),--streams $(STREAMS)) $(if $(LEASES),--leases $(LEASES)) \
	  $(if $(ONLY),--only "$(ONLY)") $(if $(CASES),--cases "$(CASES)")

.PHONY: sim
sim: needs-build ## the simulator: N seeds from SEED on; without N, only that seed
	$(call compile,build,tests/sim/sim)
	@exec build/tests/sim/sim $(if $(SEED)$(N),$(if $(N),--seeds $(or $(SEED),1) $(N),--seed $(SEED)),--seeds 1 1000)

.PHONY: sim-swarm
sim-swarm: needs-build ## N seeds (10,000) from SEED on, on JOBS cores; every situation must come up
	$(call compile,build,tests/sim/sim)
	@exec build/tests/sim/sim --seeds $(or $(SEED),1) $(or $(N),10000) --jobs $(JOBS) --progress --all-situations

.PHONY: mutants
mutants: needs-build ## plants each known defect and says which test, or how many seeds of the simulator, catch it; N= seeds at most
	$(call compile,build,tests/sim/mutants $(addprefix tests/sim/planted_,scenarios raft machine node issues storage))
	@exec build/tests/sim/mutants --jobs $(JOBS) --seeds $(or $(N),20000)

.PHONY: coverage
coverage: needs-build needs-coverage ## the lines of raft, machine, node and wire that no test reaches; N seeds of the simulator
	$(call compile,build-coverage,$(COVERED))
	@exec tests/coverage build-coverage $(N)

.PHONY: format
format: needs-dev ## clang-format over all sources
	@find src tests -name '*.h' -o -name '*.cc' | xargs clang-format -i

.PHONY: lint
lint: needs-build needs-dev ## the layering, the format, clang-tidy over src/
	@exec utils/lint -j $(JOBS)

# The documents that link to each other, installed in the same layout, so that their links work there too. Examples that
# are run in the source can be run there.
DOCUMENTS = $(wildcard README.md CHANGELOG.md LICENSE* COPYING* conf/wormhole.conf docs/*.md docs/examples/*.* docs/images/* \
  src/README.md deps/README.md tests/README.md tests/HAZARDS.md tests/scenarios/README.md tests/bench/RESULTS.md \
  utils/grafana.json utils/alerts.yaml)
BUILT = build

.PHONY: install
install: all ## installs into $(DESTDIR)$(PREFIX); an existing configuration stays
	@install -D -m 755 -t '$(DESTDIR)$(PREFIX)/bin' $(BUILT)/$(SERVER) $(BUILT)/$(CLI) $(BUILT)/$(BENCHMARK)
	@install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/man/man1' $(BUILT)/src/cli/wormhole-cli.1 \
	  $(BUILT)/src/benchmark/wormhole-benchmark.1
	@install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/man/man8' $(BUILT)/src/server/wormhole-server.8
	@install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/man/man5' $(BUILT)/src/server/wormhole.conf.5
	@install -D -m 644 $(BUILT)/src/cli/wormhole-cli.bash \
	  '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/wormhole-cli'
	@install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/zsh/site-functions' $(BUILT)/src/cli/_wormhole-cli
	@test -e '$(DESTDIR)$(SYSCONFDIR)/wormhole/wormhole.conf' || \
	  install -D -m 644 conf/wormhole.conf '$(DESTDIR)$(SYSCONFDIR)/wormhole/wormhole.conf'
	$(call install_unit,utils/wormhole.service,lib/systemd/system/wormhole.service)
	$(call install_unit,utils/wormhole.service,lib/systemd/system/wormhole@.service,$(INSTANCE))
	$(call install_unit,utils/wormhole.sysusers,lib/sysusers.d/wormhole.conf)
	@install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/doc/wormhole' utils/wormhole.logrotate
	@for file in $(DOCUMENTS); do if test -x "$$file"; then mode=755; else mode=644; fi; \
	  install -D -m $$mode "$$file" '$(DESTDIR)$(PREFIX)/share/doc/wormhole'/"$$file" || exit; done

.PHONY: uninstall
uninstall: ## removes what install put there, except the configuration
	@cd '$(DESTDIR)$(PREFIX)' 2>/dev/null && rm -rf bin/wormhole-server bin/wormhole-cli bin/wormhole-benchmark \
	  lib/systemd/system/wormhole.service lib/systemd/system/wormhole@.service lib/sysusers.d/wormhole.conf share/doc/wormhole \
	  share/man/man1/wormhole-cli.1 share/man/man1/wormhole-benchmark.1 \
	  share/man/man5/wormhole.conf.5 share/man/man8/wormhole-server.8 share/bash-completion/completions/wormhole-cli \
	  share/zsh/site-functions/_wormhole-cli || true
	@rmdir '$(DESTDIR)$(SYSCONFDIR)/wormhole' 2>/dev/null || true
	$(call remove_empty,lib/systemd/system lib/systemd lib/sysusers.d share/doc share/bash-completion/completions \
	  share/bash-completion share/zsh/site-functions share/zsh)
	$(if $(DESTDIR)$(filter-out /usr /usr/local,$(PREFIX)),$(call remove_empty,$(addprefix share/man/,man1 man5 man8 '') \
	  bin etc lib share ''))
	$(if $(DESTDIR),@cd '$(DESTDIR)' && rmdir -p --ignore-fail-on-non-empty '.$(patsubst %/,%,$(dir $(PREFIX)))' 2>/dev/null || true)

# What a package is made of, for utils/debian/rules and tests/check_install.
.PHONY: product
product:
	@echo $(PRODUCT)

.PHONY: deb
deb: ## a Debian package, of this machine's release, in build/deb/
	@utils/install-deps deb
	@exec utils/build-deb

.PHONY: clean
clean: ## removes what was built; run/ stays
	@rm -rf build build-debug build-asan build-tsan build-coverage build-fuzz build-lint build-alone wormhole-server wormhole-cli \
	  utils/wormhole-benchmark

# Installs the missing Debian packages, if any.
.PHONY: needs-build needs-run needs-test needs-coverage needs-dev
needs-build needs-run needs-test needs-coverage needs-dev: needs-%:
	@utils/install-deps $*

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
