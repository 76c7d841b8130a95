"""A phone that does by hand what the README tells a user of nRF Connect: one subscription and three writes, nothing of ours.

Usage: writes.py <TASK; TASK is JSON, as for phone.py. The exit status is 0 once Status is CONNECTED.
"""

import asyncio
import contextlib
import json
import sys

from bleak import BleakClient, BleakScanner
from bleak.exc import BleakCharacteristicNotFoundError

PATIENCE = 60  # seconds, for anything that does happen; the machine is emulated
CONNECTED, FAILED = 3, 4


def uuid(short):
    return f"8b84{short}-f6fa-4e33-9a0c-e14d9f35f201"


async def provision(phone, network):
    """Returns whether the gateway has joined the network."""
    ended = asyncio.get_running_loop().create_future()

    def notified(_, data):
        print("status", data[0], flush=True)
        if data[0] in (CONNECTED, FAILED) and not ended.done():
            ended.set_result(data[0])

    await phone.start_notify(uuid("0006"), notified)
    await phone.write_gatt_char(uuid("0002"), network["ssid"].encode(), response=True)
    await phone.write_gatt_char(uuid("0003"), network["password"].encode(), response=True)
    await phone.write_gatt_char(uuid("0005"), b"\x01", response=True)
    return await ended == CONNECTED


async def main(task):
    device = await BleakScanner.find_device_by_address(task["address"], PATIENCE, adapter=task["adapter"])
    for again in range(3):
        phone = BleakClient(device, adapter=task["adapter"])
        await phone.connect()
        try:
            return 0 if await provision(phone, task["networks"][0]) else 1
        except BleakCharacteristicNotFoundError:  # seen now and then, less with bleak's log on
            print("incomplete", again, flush=True)
        finally:
            with contextlib.suppress(EOFError):  # bleak may wait for its bus connection after it has closed it
                await phone.disconnect()
            await asyncio.sleep(3)  # bluetoothd takes 2 s for it
    return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(asyncio.wait_for(main(json.load(sys.stdin)), 2 * PATIENCE)))
