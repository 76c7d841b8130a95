SUMMARY = "Wi-Fi provisioning over Bluetooth LE"
HOMEPAGE = "https://github.com/wifiprovd/wifiprovd"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://src/${GO_IMPORT}/LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57"

# The modules that go.mod names are fetched by the compile step. It needs Go 1.26: where the release of OpenEmbedded has an
# older one, a layer with a newer one, or a GOTOOLCHAIN.
GO_IMPORT = "github.com/wifiprovd/wifiprovd"
GO_INSTALL = "${GO_IMPORT}/cmd/wifiprovd ${GO_IMPORT}/cmd/wifiprovctl"
GO_EXTRA_LDFLAGS = "-X main.version=${PV}"
SRC_URI = "git://${GO_IMPORT};protocol=https;branch=main;tag=v${PV};destsuffix=${GO_SRCURI_DESTSUFFIX}"
CGO_ENABLED = "0"
do_compile[network] = "1"

inherit go-mod systemd bash-completion

SYSTEMD_SERVICE:${PN} = "wifiprovd.service"

# Who keeps the network: wpa-supplicant, which needs systemd-networkd or another DHCP client beside it, or networkmanager.
WIFIPROVD_NETWORK ?= "networkmanager"
RDEPENDS:${PN} = "bluez5 dbus ${WIFIPROVD_NETWORK}"
RRECOMMENDS:${PN} = "wireless-regdb-static"

do_install() {
    oe_runmake -C ${S}/src/${GO_IMPORT} install-only out=${B}/${GO_BUILD_BINDIR} DESTDIR=${D} \
        prefix=${prefix} sysconfdir=${sysconfdir} unitdir=${systemd_system_unitdir}
}

# Every file, one a line: a test of wifiprovd's compares the lists with what it installs.
FILES:${PN} = " \
    ${bindir}/wifiprovctl \
    ${sbindir}/wifiprovd \
    ${sysconfdir}/wifiprovd/wifiprovd.yaml \
    ${sysconfdir}/wifiprovd/wifiprovd.yaml.d \
    ${datadir}/dbus-1/interfaces/io.github.wifiprovd1.xml \
    ${datadir}/dbus-1/system.d/io.github.wifiprovd1.conf \
    ${datadir}/wifiprovd/empty.yaml \
    ${datadir}/wifiprovd/wifiprovd.yaml \
    ${nonarch_libdir}/systemd/catalog/wifiprovd.catalog \
    ${nonarch_libdir}/tmpfiles.d/wifiprovd.conf \
    ${nonarch_libdir}/udev/rules.d/90-wifiprovd-radio.rules \
    ${systemd_system_unitdir}/bluetooth.service.d/50-wifiprovd.conf \
    ${systemd_system_unitdir}/bluetooth.service.d/51-wifiprovd.conf \
    ${systemd_system_unitdir}/wifiprovd-connected.target \
    ${systemd_system_unitdir}/wifiprovd-erased.target \
    ${systemd_system_unitdir}/wifiprovd-failed.target \
    ${systemd_system_unitdir}/wifiprovd-identify.target \
    ${systemd_system_unitdir}/wifiprovd-open.service \
    ${systemd_system_unitdir}/wifiprovd-key.service \
    ${systemd_system_unitdir}/wifiprovd-open.target \
    ${systemd_system_unitdir}/wifiprovd-radio.service \
    ${systemd_system_unitdir}/wifiprovd.service \
    ${systemd_system_unitdir}/wpa_supplicant.service.d/50-wifiprovd.conf \
"
FILES:${PN}-bash-completion = " \
    ${datadir}/bash-completion/completions/wifiprovctl \
"
FILES:${PN}-doc = " \
    ${docdir}/wifiprovd/examples/80-wifiprovd-wlan0.network \
    ${docdir}/wifiprovd/examples/claim-token/claim-token.py \
    ${docdir}/wifiprovd/examples/claim-token/claim-token.service \
    ${docdir}/wifiprovd/examples/claim-token/main.go \
    ${docdir}/wifiprovd/examples/follow-status.py \
    ${docdir}/wifiprovd/examples/units/display.service \
    ${docdir}/wifiprovd/examples/units/lamp.service \
    ${docdir}/wifiprovd/examples/units/mqtt.service \
    ${docdir}/wifiprovd/examples/units/wifiprovd-seal.service \
    ${docdir}/wifiprovd/examples/wait-online.sh \
    ${docdir}/wifiprovd/examples/wifiprovd.conf \
    ${mandir}/man1/wifiprovctl.1 \
    ${mandir}/man5/wifiprovd.yaml.5 \
    ${mandir}/man8/wifiprovd.8 \
"

CONFFILES:${PN} = "${sysconfdir}/wifiprovd/wifiprovd.yaml"
