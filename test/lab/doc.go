// Package lab holds the tests that run in the lab's machine: the daemon as it
// is installed, on the real BlueZ, wpa_supplicant, hostapd and systemd, over
// virtual radios. They have the build tag lab; run.sh builds them and boots the
// machine they run in.
package lab
