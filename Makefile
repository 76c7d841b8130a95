# wifiprovd: Wi-Fi provisioning over Bluetooth LE for headless Linux gateways. `make help` lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Where things go. A file of the configuration that is there stays as it is.
prefix ?= /usr
bindir ?= $(prefix)/bin
sbindir ?= $(prefix)/sbin
sysconfdir ?= /etc
mandir ?= $(prefix)/share/man
completiondir ?= $(prefix)/share/bash-completion/completions
unitdir ?= $(prefix)/lib/systemd/system
udevdir ?= $(prefix)/lib/udev/rules.d
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d
catalogdir ?= $(prefix)/lib/systemd/catalog
dbusconfdir ?= $(prefix)/share/dbus-1/system.d
dbusinterfacedir ?= $(prefix)/share/dbus-1/interfaces
datadir ?= $(prefix)/share/wifiprovd
docdir ?= $(prefix)/share/doc/wifiprovd
webdir ?= $(prefix)/share/wifiprovd-web
bluetoothd ?= /usr/libexec/bluetooth/bluetoothd
DESTDIR ?=

# sudo leaves /usr/local/go/bin out of PATH.
GO ?= $(or $(shell command -v go),/usr/local/go/bin/go)

# What is built, and what the lab boots.
GOARCH ?= $(shell $(GO) env GOARCH)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# The version of the packages: the release that is next, or that was made from this tree.
RELEASE ?= 0.5.0
ARCHS ?= amd64 arm64 armhf
SUITE ?= trixie
ARCH ?= amd64
RUN ?=
# What make test boots.
suites := $(if $(filter file,$(origin SUITE)),bookworm trixie,$(SUITE))
FUZZTIME ?= 10m
N ?= 50

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

out := build/$(GOARCH)
programs := $(out)/wifiprovd $(out)/wifiprovctl
sources := go.mod go.sum $(wildcard .git/logs/HEAD) $(shell find cmd internal -name '*.go' ! -name '*_test.go' -o -path 'internal/*.xml')
need := . test/lab/lib.sh; need
need_web := $(need) node=nodejs npm=npm && web/setup.sh

.PHONY: help build install install-only uninstall packages repo test test-unit test-web test-web-lab web install-web test-packages test-lab-packages fuzz lint test-lab faults conformance attack powercut shuffle soak demo bench clean checks

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 14

build: $(programs) ## both programs, static and stripped, in build/GOARCH (GOARCH=arm64, or GOARCH=arm GOARM=6)

$(out)/%: $(sources)
	CGO_ENABLED=0 GOARCH=$(GOARCH) $(GO) build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o $@ ./cmd/$*

install: build install-only ## build, then install under DESTDIR; as root

install-only: ## install what is in build/GOARCH, without building
	install -D -m 0755 $(out)/wifiprovd '$(DESTDIR)$(sbindir)/wifiprovd'
	install -D -m 0755 $(out)/wifiprovctl '$(DESTDIR)$(bindir)/wifiprovctl'
	for unit in wifiprovd wifiprovd-radio; do install -D -m 0644 packaging/systemd/$$unit.service "$(DESTDIR)$(unitdir)/$$unit.service"; \
		sed -i 's#^ExecStart=/usr/sbin/#ExecStart=$(sbindir)/#' "$(DESTDIR)$(unitdir)/$$unit.service"; done
	for unit in wifiprovd-open.service wifiprovd-key.service wifiprovd-{connected,failed,open,erased,identify}.target; do \
		install -D -m 0644 packaging/systemd/$$unit "$(DESTDIR)$(unitdir)/$$unit"; done
	sed -i 's#^ExecStart=/usr/bin/#ExecStart=$(bindir)/#' '$(DESTDIR)$(unitdir)/wifiprovd-open.service'
	for unit in bluetooth wpa_supplicant; do install -D -m 0644 packaging/systemd/neighbour.conf \
		"$(DESTDIR)$(unitdir)/$$unit.service.d/50-wifiprovd.conf"; done
	install -D -m 0644 packaging/systemd/bluetoothd.conf '$(DESTDIR)$(unitdir)/bluetooth.service.d/51-wifiprovd.conf'
	sed -i 's#^ExecStart=/usr/libexec/bluetooth/bluetoothd#ExecStart=$(bluetoothd)#' '$(DESTDIR)$(unitdir)/bluetooth.service.d/51-wifiprovd.conf'
	install -D -m 0644 packaging/systemd/wifiprovd.catalog '$(DESTDIR)$(catalogdir)/wifiprovd.catalog'
	install -D -m 0644 packaging/systemd/wifiprovd-radio.rules '$(DESTDIR)$(udevdir)/90-wifiprovd-radio.rules'
	install -D -m 0644 packaging/systemd/wifiprovd.tmpfiles '$(DESTDIR)$(tmpfilesdir)/wifiprovd.conf'
	install -D -m 0644 packaging/dbus/io.github.wifiprovd1.conf '$(DESTDIR)$(dbusconfdir)/io.github.wifiprovd1.conf'
	install -D -m 0644 internal/control/io.github.wifiprovd1.xml '$(DESTDIR)$(dbusinterfacedir)/io.github.wifiprovd1.xml'
	install -D -m 0644 packaging/completion/wifiprovctl.bash '$(DESTDIR)$(completiondir)/wifiprovctl'
	for page in packaging/man/*.[158]; do install -D -m 0644 $$page "$(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}"; done
	install -D -m 0644 -t '$(DESTDIR)$(docdir)/examples' packaging/systemd/80-wifiprovd-wlan0.network packaging/networkmanager/wifiprovd.conf
	install -D -m 0755 -t '$(DESTDIR)$(docdir)/examples' examples/*.py examples/*.sh
	install -D -m 0644 -t '$(DESTDIR)$(docdir)/examples/units' examples/units/*
	install -D -m 0644 -t '$(DESTDIR)$(docdir)/examples/claim-token' examples/claim-token/*
	chmod 0755 '$(DESTDIR)$(docdir)/examples/claim-token/claim-token.py'
	install -D -m 0644 -t '$(DESTDIR)$(datadir)' configs/wifiprovd.yaml packaging/empty.yaml
	install -d -m 0755 '$(DESTDIR)$(sysconfdir)/wifiprovd/wifiprovd.yaml.d'
	[ -e '$(DESTDIR)$(sysconfdir)/wifiprovd/wifiprovd.yaml' ] || \
		install -m 0644 packaging/empty.yaml '$(DESTDIR)$(sysconfdir)/wifiprovd/wifiprovd.yaml'
	[ -n '$(DESTDIR)' ] || { systemd-tmpfiles --create wifiprovd.conf; systemctl daemon-reload; systemctl reload dbus; journalctl --update-catalog; \
		echo 'Installed. To start now and at every boot: systemctl restart bluetooth && systemctl enable --now wifiprovd'; }

uninstall: ## remove what install put there, but neither the configuration nor the stored credentials
	[ -n '$(DESTDIR)' ] || systemctl disable --now wifiprovd wifiprovd-open || true
	for unit in wifiprovd-open.service wifiprovd-key.service wifiprovd-{connected,failed,open,erased,identify}.target; do rm -f "$(DESTDIR)$(unitdir)/$$unit"; done
	rm -f '$(DESTDIR)$(sbindir)/wifiprovd' '$(DESTDIR)$(bindir)/wifiprovctl' \
		'$(DESTDIR)$(unitdir)/wifiprovd.service' '$(DESTDIR)$(unitdir)/wifiprovd-radio.service' '$(DESTDIR)$(udevdir)/90-wifiprovd-radio.rules' '$(DESTDIR)$(catalogdir)/wifiprovd.catalog' \
		'$(DESTDIR)$(dbusconfdir)/io.github.wifiprovd1.conf' '$(DESTDIR)$(dbusinterfacedir)/io.github.wifiprovd1.xml' \
		'$(DESTDIR)$(unitdir)/bluetooth.service.d/50-wifiprovd.conf' \
		'$(DESTDIR)$(unitdir)/bluetooth.service.d/51-wifiprovd.conf' \
		'$(DESTDIR)$(unitdir)/wpa_supplicant.service.d/50-wifiprovd.conf' \
		'$(DESTDIR)$(completiondir)/wifiprovctl' '$(DESTDIR)$(tmpfilesdir)/wifiprovd.conf'
	rm -rf '$(DESTDIR)$(datadir)' '$(DESTDIR)$(docdir)'
	for page in packaging/man/*.[158]; do rm -f "$(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}"; done
	[ -n '$(DESTDIR)' ] || { systemctl daemon-reload; journalctl --update-catalog; }
	@echo 'Left in place: $(sysconfdir)/wifiprovd and /var/lib/wifiprovd'

packages: ## .deb, .rpm, tarball, SBOM and SHA256SUMS of RELEASE in build/packages (ARCHS="amd64 arm64 armhf")
	GO='$(GO)' packaging/packages.sh build/packages '$(RELEASE)' $(ARCHS)

repo: ## the files of an apt repository from build/packages in DIR, signed with the GnuPG key KEY
	packaging/repo.sh '$(DIR)' '$(KEY)' build/packages

test: build ## everything: lint, unit tests, and the lab on bookworm and on trixie (SUITE=bookworm|trixie|sid: on that one)
	$(MAKE) -j3 checks $(suites:%=image-%)
	LAB_ONCE=$(if $(RUN)$(filter-out file,$(origin SUITE)),,yes) $(MAKE) -k -j2 $(suites:%=lab-%) $(if $(RUN),,web-lab $(suites:%=packages-%)) || \
		{ test/lab/failed.sh $(suites:%=%-$(ARCH)) $(suites:%=packages-%-$(ARCH)); exit 1; }

checks:
	$(MAKE) -j1 lint test-unit test-web test-packages

image-%:
	nice test/lab/image.sh $* $(ARCH) >/dev/null

packages-%:
	+LAB_ONCE=$${LAB_ONCE:+$*} GO='$(GO)' test/lab/packages.sh $* $(ARCH) 2>&1 | sed -u 's/^/packages, $*: /'

lab-%:
	+LAB_ONCE=$${LAB_ONCE:+$*} RUN='$(RUN)' test/lab/run.sh $* $(ARCH) 2>&1 | sed -u 's/^/$*: /'

web-lab: test-web-lab

test-unit: ## unit tests with the race detector, fuzz corpora, tests on a private message bus
	@$(need) gcc=gcc /usr/include/stdlib.h=libc6-dev dbus-daemon=dbus-daemon busctl=systemd /usr/lib/python3/dist-packages/dbus=python3-dbus /usr/lib/python3/dist-packages/gi=python3-gi
	CGO_ENABLED=1 $(GO) test -race ./...

test-packages: ## two builds of the packages are the same, lintian is content, the programs start (arm and arm64 by qemu)
	GO='$(GO)' packaging/check.sh

web: ## the page that phones open, in build/web, and the same as build/wifiprovd-web-VERSION.tar.gz; the library's package in web/client
	@$(need_web)
	cd web && npm run -s build
	tar -C build -c --sort=name --owner=0 --group=0 --numeric-owner --mode=go+rX,go-w --mtime="@$$(git log -1 --format=%ct 2>/dev/null || echo 0)" \
		--transform 's#^web#wifiprovd-web-$(VERSION)#' web | gzip -9n >'build/wifiprovd-web-$(VERSION).tar.gz'

install-web: web ## install the page under DESTDIR, in /usr/share/wifiprovd-web, for a web server to serve
	install -d '$(DESTDIR)$(webdir)'
	install -m 0644 build/web/* '$(DESTDIR)$(webdir)'

test-web: ## unit tests of the page and its library
	@$(need_web)
	cd web && npm test --silent

test-web-lab: ## the page in headless Chromium, against BlueZ in a machine (ARCH NODE_TEST=--test-name-pattern=regexp)
	+NODE_TEST='$(NODE_TEST)' test/lab/web.sh $(lastword $(suites)) $(ARCH) 2>&1 | sed -u 's/^/web: /'

fuzz: ## every fuzz target for FUZZTIME (10m) on one core; what is found goes to testdata/fuzz, to be checked in
	@grep -rl '^func Fuzz' --include='*_test.go' internal cmd | xargs -n 1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z]+' "$$dir"/*_test.go | cut -d' ' -f2); do \
			echo "$$dir $$target"; $(GO) test -run '^$$' -fuzz="^$$target$$" -fuzztime='$(FUZZTIME)' -fuzzminimizetime=1s -parallel=1 "./$$dir" </dev/null || exit 1; \
		done; \
	done

lint: ## gofmt, go vet, staticcheck, govulncheck, shellcheck, tsc, eslint
	@$(need) git=git shellcheck=shellcheck
	@unformatted=$$($(dir $(GO))gofmt -l cmd internal packaging test); [ -z "$$unformatted" ] || { echo "run gofmt -w on: $$unformatted"; exit 1; }
	$(GO) vet -tags lab ./... # the tag adds files and replaces none
	$(GO) run $(STATICCHECK) -tags lab ./...
	git grep -lE '^#!/bin/(ba)?sh|^# shellcheck shell=' -- ':!Makefile' ':!*.md' | xargs shellcheck
	@$(need_web)
	cd web && npm run -s lint
	@mkdir -p build; status=0; \
	{ GOBIN='$(CURDIR)/build/bin' $(GO) install $(GOVULNCHECK) && timeout 300 build/bin/govulncheck ./...; } \
		>build/govulncheck.txt 2>&1 || status=$$?; case $$status in \
		0) echo 'govulncheck: no known vulnerability is reached' ;; \
		3) cat build/govulncheck.txt; exit 1 ;; \
		*) echo "govulncheck: not checked, it cannot be had: $$(tail -n 1 build/govulncheck.txt)" ;; esac

test-lab: ## tests on real BlueZ and wpa_supplicant in a machine (SUITE=bookworm|trixie|sid ARCH=amd64|arm64 RUN=regexp)
	RUN='$(RUN)' test/lab/run.sh $(SUITE) $(ARCH)

test-lab-packages: ## installs the packages in a machine, upgrades, downgrades, purges them (SUITE ARCH; arm64 only installs, provisions and purges)
	GO='$(GO)' RUN='$(RUN)' test/lab/packages.sh $(SUITE) $(ARCH)

faults: ## every fault from every state, many times, in the lab; prints the table of docs/reliability.md (about an hour)
	test/lab/faults.sh $(SUITE) $(ARCH)

conformance: ## the lab's tests with NetworkManager keeping the network (SUITE ARCH RUN=regexp)
	LAB_BACKEND=networkmanager RUN='$(RUN)' test/lab/run.sh $(SUITE) $(ARCH)

attack: ## the lab's attackers and kills, long: 100,000 PDUs, floods of a minute, 200 kills, all changes of the seal; hours (SUITE ARCH RUN LAB_SEED=number)
	LAB_LONG=1 LAB_DEADLINE=$${LAB_DEADLINE:-14400} RUN='$(or $(RUN),^(TestAttack|TestCentral|TestPasskeyLockout|TestKilled|TestSealMatrix))' \
		test/lab/run.sh $(SUITE) $(ARCH)

powercut: ## cuts the power N times (50) of a machine that saves credentials, and of one that makes codes and seals (WHAT=saves|seals)
	test/lab/powercut.sh $(SUITE) $(or $(N),50) $(WHAT)

shuffle: ## the lab's quick tests ten times in random order in one boot (TIMES=10 SEED=number RUN=regexp)
	RUN='$(RUN)' test/lab/shuffle.sh $(SUITE) $(ARCH)

demo: ## a gateway is provisioned from a phone's side and reconnects after a reboot, in the lab
	test/lab/demo.sh $(SUITE) $(ARCH)

bench: ## measures from one lab run, for docs/performance.md
	test/lab/bench.sh $(SUITE) $(ARCH)

soak: ## provisions, mistypes and erases 500 times in one boot (CYCLES=500 SEED=number)
	test/lab/soak.sh $(SUITE) $(ARCH)

clean: ## remove what was built; the lab's images stay
	rm -rf build
