// Package lab holds the tests that run in the lab's machine: the daemon as it
// is installed, on the real BlueZ, wpa_supplicant, hostapd and systemd, over
// virtual radios. They have the build tag lab; run.sh builds them and boots the
// machine they run in.
//
// The machine is Debian bookworm or trixie, which make test boots, or sid: what
// the next release will bring (make test SUITE=sid).
//
// Most phones here are BlueZ as well, on a controller of its own. One is not:
// noble, a host stack in JavaScript (noble_test.go, noble/phone.js). run.sh gets
// it from npm.
//
// A browser's tests run on the host, and drive a machine: web.sh, remote, and
// web/lab.
package lab
