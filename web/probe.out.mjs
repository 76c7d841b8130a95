// lab/probe.tmp.mjs
import puppeteer from "puppeteer-core";
import http from "node:http";

// lab/machine.ts
import { connect } from "node:net";
function port(name) {
  const value = Number(process.env[name]);
  if (!value) throw new Error(`${name} is not set; test/lab/web.sh does that`);
  return value;
}
var busAddress = () => `tcp:host=127.0.0.1,port=${port("LAB_BUS")}`;
function ask(request) {
  return new Promise((resolve, reject) => {
    const socket = connect(port("LAB_SCRIPTS"), "127.0.0.1");
    let text = "";
    socket.setEncoding("utf8").on("data", (data) => {
      text += data;
    }).on("error", reject).on("close", () => {
      try {
        resolve(JSON.parse(text));
      } catch {
        reject(new Error(`the machine answers ${JSON.stringify(text)}`));
      }
    });
    socket.write(`${JSON.stringify(request)}
`);
  });
}
async function run(script) {
  const { output, status } = await ask({ script });
  if (status !== 0) throw new Error(`in the machine, status ${status}: ${script}
${output}`);
  return output;
}

// lab/probe.tmp.mjs
var t0 = Date.now();
var say = (...a) => console.log(((Date.now() - t0) / 1e3).toFixed(2), ...a);
await run('mount -o remount,exec /lab/out; cp /lab/out/rescan /usr/lib/lab/rescan2; printf "[Service]\\nExecStart=\\nExecStart=/usr/lib/lab/rescan2 -always hci0\\n" >/etc/systemd/system/lab-rescan.service.d/web.conf; systemctl daemon-reload; systemctl restart lab-rescan');
var server = http.createServer((q, r) => {
  r.setHeader("content-type", "text/html");
  r.end("<meta charset=utf-8><title>x</title><button id=b>b</button>");
}).listen(0, "127.0.0.1");
await new Promise((r) => server.once("listening", r));
var browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--enable-features=WebBluetooth", "--disable-dev-shm-usage"], env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: busAddress() } });
var forget = `systemctl stop wifiprovd; rm -f /var/lib/wifiprovd/*
  for device in $(busctl --list tree org.bluez | grep -E '/dev_[0-9A-F_]+$'); do
    busctl call org.bluez "\${device%/dev_*}" org.bluez.Adapter1 RemoveDevice o "$device" || true
  done`;
for (const sec of ["none", "encrypt", "none", "encrypt", "none"]) {
  say("==", sec);
  say(await run(`${forget}; sed -i 's/security: .*/security: ${sec}/' /etc/wifiprovd/wifiprovd.yaml; systemctl start wifiprovd`));
  const page = await browser.newPage();
  page.on("console", (m) => say("page:", m.text()));
  await page.goto(`http://localhost:${server.address().port}/`);
  await page.evaluate(() => {
    document.getElementById("b").onclick = () => {
      window.d = navigator.bluetooth.requestDevice({ filters: [{ services: ["8b840001-f6fa-4e33-9a0c-e14d9f35f201"] }], optionalServices: ["8b840100-f6fa-4e33-9a0c-e14d9f35f201"] });
      window.d.catch(() => {
      });
    };
  });
  const [prompt] = await Promise.all([page.waitForDevicePrompt({ timeout: 6e4 }), page.click("#b")]);
  const d = await prompt.waitForDevice((d2) => d2.name === "Kitchen gateway", { timeout: 6e4 });
  await prompt.select(d);
  say("selected");
  await page.evaluate(async () => {
    const d2 = await window.d;
    const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
    d2.addEventListener("gattserverdisconnected", () => console.log("DISCONNECTED"));
    let n = 0;
    for (let i = 0; i < 25; i++) {
      try {
        if (!d2.gatt.connected) {
          await d2.gatt.connect();
          console.log("connected");
        }
        const s = await d2.gatt.getPrimaryService("8b840001-f6fa-4e33-9a0c-e14d9f35f201");
        const c = await s.getCharacteristic("8b840006-f6fa-4e33-9a0c-e14d9f35f201");
        const v = await c.readValue();
        console.log("read", v.getUint8(0));
        await c.startNotifications();
        console.log("notifying");
        break;
      } catch (e) {
        console.log(e.name, e.message);
        await sleep(500);
      }
    }
  });
  await page.close();
}
await browser.close();
server.close();
