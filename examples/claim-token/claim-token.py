#!/usr/bin/env python3
"""Takes a claim token that a phone sends, keeps it, and answers.

A maker's app sends the token by which the gateway proves to a cloud whose it is, to the name
"claim-token" (docs/protocol.md, "Custom"). Needs python3-dbus and python3-gi, and root: see
claim-token.service. The daemon may end and start again meanwhile. See docs/dbus.md.
"""

import os
import sys

import dbus
import dbus.mainloop.glib
from gi.repository import GLib

NAME = "io.github.wifiprovd1"
PATH = "/io/github/wifiprovd1"
CLAIMED = "claim-token"
FOLDER = os.environ.get("STATE_DIRECTORY", ".")


def keep(token):
    """Writes the token durably: after a power cut there is the old one or the new one."""
    path = os.path.join(FOLDER, "token")
    with open(os.open(path + ".new", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(token)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)
    folder = os.open(FOLDER, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def answer(token):
    """Returns what the phone reads. The token is in nothing that this program prints."""
    if not 1 <= len(token) <= 1024:
        return b"no token has that length"
    try:
        keep(token)
    except OSError as err:
        print(f"the token cannot be kept: {err.strerror}", file=sys.stderr)
        return b"the token cannot be kept"
    print("a token was kept", flush=True)
    return b"kept"


def received(name, data):
    """Data is answered each time, within 10 s: the next comes after that."""
    if name == CLAIMED:
        wifiprovd().Reply(name, dbus.ByteArray(answer(bytes(data))), reply_handler=lambda: None, error_handler=told)


def told(err):
    """The error's name says enough."""
    print(f"wifiprovd: {err.get_dbus_name()}", file=sys.stderr)


def wifiprovd():
    return dbus.Interface(bus.get_object(NAME, PATH, introspect=False), NAME)


def owned(owner):
    """The daemon has started (owner is its unique name): it knows nothing of a claim before."""
    if owner:
        wifiprovd().Claim(CLAIMED, signature="s", reply_handler=lambda: print("claimed", flush=True), error_handler=told)


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SystemBus()
bus.add_signal_receiver(received, "Data", NAME, NAME, PATH, byte_arrays=True)
bus.watch_name_owner(NAME, owned)
GLib.MainLoop().run()
