#!/usr/bin/env python3
"""Prints wifiprovd's status, and each change of it, as a program that drives a lamp would.

Needs python3-dbus and python3-gi, which Raspberry Pi OS has. Any user may run it. The daemon
may end and start again meanwhile. See docs/dbus.md.
"""

import sys

import dbus
import dbus.mainloop.glib
from gi.repository import GLib

NAME = "io.github.wifiprovd1"
PATH = "/io/github/wifiprovd1"


def show(values):
    """Shows the properties that a signal or GetAll has brought."""
    if "Status" in values or "Message" in values:
        known.update(values)
        print(f"{known['Status']}: {known['Message']}; next: {known['Next']}", flush=True)


def changed(_interface, values, _invalidated):
    """A signal has only what has changed."""
    show(values)


def owned(owner):
    """The daemon has started (owner is its unique name) or ended (owner is empty)."""
    if not owner:
        print("wifiprovd is not running", flush=True)
        return
    properties = dbus.Interface(bus.get_object(NAME, PATH, introspect=False), dbus.PROPERTIES_IFACE)
    properties.GetAll(NAME, reply_handler=show, error_handler=lambda err: print(err, file=sys.stderr))


known = {"Status": "", "Message": "", "Next": ""}
dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SystemBus()
# Signals first: a change meanwhile is not missed.
bus.add_signal_receiver(changed, "PropertiesChanged", dbus.PROPERTIES_IFACE, NAME, PATH)
bus.watch_name_owner(NAME, owned)
GLib.MainLoop().run()
