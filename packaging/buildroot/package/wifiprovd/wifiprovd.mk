################################################################################
#
# wifiprovd
#
################################################################################

WIFIPROVD_VERSION = 0.5.0
WIFIPROVD_SITE = $(call github,wifiprovd,wifiprovd,v$(WIFIPROVD_VERSION))
WIFIPROVD_LICENSE = Apache-2.0
WIFIPROVD_LICENSE_FILES = LICENSE
WIFIPROVD_GOMOD = github.com/wifiprovd/wifiprovd
WIFIPROVD_BUILD_TARGETS = cmd/wifiprovd cmd/wifiprovctl
WIFIPROVD_LDFLAGS = -X main.version=$(WIFIPROVD_VERSION)
WIFIPROVD_GO_ENV = CGO_ENABLED=0

define WIFIPROVD_INSTALL_TARGET_CMDS
	$(MAKE) -C $(@D) install-only out=bin DESTDIR=$(TARGET_DIR)
endef

# The unit is installed with the rest.
define WIFIPROVD_INSTALL_INIT_SYSTEMD
endef

$(eval $(golang-package))
