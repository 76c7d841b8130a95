"""A phone whose Improv side is Home Assistant's own client library, as Debian has it. homeassistant_test.go runs it.

Usage: phone.py <TASK; TASK is JSON:
{"adapter": "hci1", "address": "00:AA:01:00:00:24", "scan": true, "networks": [{"ssid": "...", "password": "..."}, ...]}

It does what Home Assistant's integration does: it waits for an advertisement that the library takes for one of a gateway to
be provisioned, asks whether the gateway can identify itself, and has it do so, asks whether it needs authorization, and
provisions it with one network after the other until one is joined. It prints what happens, one JSON object a line. The exit
status is 0 if a network was joined, 1 if not, 2 for anything unexpected.
"""

import asyncio
import json
import sys

from bleak import BleakScanner
from improv_ble_client import SERVICE_DATA_UUID, ImprovBLEClient, device_filter, errors, protocol

PATIENCE = 60  # seconds, for anything that does happen; the machine is emulated


def say(event, **details):
    print(json.dumps({"event": event, **details}), flush=True)


class ScanCommand(protocol.Command):
    """The command that this version of the library does not know by name; its result it reads as of an unknown one."""

    cmd_id = 0x04


async def find(adapter, address):
    """Returns the gateway's device and advertisement once the library takes it for one to be provisioned."""
    found = asyncio.get_running_loop().create_future()

    def heard(device, advertisement):
        if device.address == address and device_filter(advertisement) and not found.done():
            found.set_result((device, advertisement))

    async with BleakScanner(heard, adapter=adapter):
        device, advertisement = await asyncio.wait_for(found, PATIENCE)
    say("found", name=advertisement.local_name, data=advertisement.service_data[SERVICE_DATA_UUID].hex(),
        uuids=advertisement.service_uuids)
    return device, advertisement


async def scan(client):
    answer = client.receive_response(ScanCommand)
    await client.send_cmd(ScanCommand([]))
    result = await answer
    say("scanned", strings=[s.decode() for s in result._strings])


async def provision(client, network):
    """Returns whether the gateway has joined the network."""
    try:
        url = await client.provision(network["ssid"], network["password"], lambda state: say("state", state=state.name))
    except errors.ProvisioningFailed as failure:
        say("failed", error=failure.error.name)
        return False
    say("provisioned", url=url)
    return True


async def main(task):
    client = ImprovBLEClient(*await find(task["adapter"], task["address"]))
    if await client.can_identify():
        await client.identify()
        say("identified")
    say("authorization", needed=await client.need_authorization())
    if task.get("scan"):
        await scan(client)
    joined = False
    for network in task["networks"]:
        # A failure makes the library disconnect.
        joined = joined or await provision(client, network)
    if joined:
        await client.subscribe_state_updates(lambda state: say("left", state=state.name))
    client._disconnect(errors.DisconnectReason.TIMEOUT)
    await asyncio.gather(*client._background_tasks, return_exceptions=True)
    return 0 if joined else 1


def run(task):
    """bleak sometimes waits for an answer on a bus connection that has ended (seen in Chromium's lab, on a busy machine). The
    user presses the button again."""
    for _ in range(2):
        try:
            return asyncio.run(asyncio.wait_for(main(task), 4 * PATIENCE))
        except EOFError as problem:
            print(f"bleak: {problem!r}", file=sys.stderr)
    return asyncio.run(asyncio.wait_for(main(task), 4 * PATIENCE))


if __name__ == "__main__":
    try:
        sys.exit(run(json.load(sys.stdin)))
    except Exception as problem:  # pylint: disable=broad-except
        say("unexpected", problem=f"{type(problem).__name__}: {problem}")
        sys.exit(2)
