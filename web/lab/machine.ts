/** The lab's machine, from the host: test/lab/remote. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

function port(name: string): number {
  const value = Number(process.env[name]);
  if (!value) throw new Error(`${name} is not set; test/lab/web.sh does that`);
  return value;
}

export const busAddress = (): string => `tcp:host=127.0.0.1,port=${port('LAB_BUS')}`;

interface Answer { output: string; status: number }

function ask(request: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port('LAB_SCRIPTS'), '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (data: string) => { text += data; }).on('error', reject).on('close', () => {
      try {
        resolve(JSON.parse(text) as Answer);
      } catch {
        reject(new Error(`the machine answers ${JSON.stringify(text)}`));
      }
    });
    socket.write(`${JSON.stringify(request)}\n`);
  });
}

/** Runs a script for bash in the machine, which must succeed, and returns what it printed. */
export async function run(script: string): Promise<string> {
  const { output, status } = await ask({ script });
  if (status !== 0) throw new Error(`in the machine, status ${status}: ${script}\n${output}`);
  return output;
}

/** Waits until the machine takes scripts. */
export async function booted(): Promise<void> {
  const machine = Number(process.env['LAB_MACHINE']);
  for (const end = Date.now() + 600_000; Date.now() < end;) {
    await sleep(500);
    process.kill(machine, 0); // throws where run.sh has ended
    try {
      await ask({ script: 'true' });
      return;
    } catch { /* not yet */ }
  }
  throw new Error('the machine does not boot');
}

/** Ends the machine. */
export async function end(): Promise<void> {
  await ask({ script: 'exit', status: 0 }).catch(() => undefined);
}

/** Waits until a script succeeds in the machine. */
export async function until(script: string, seconds = 60): Promise<void> {
  let last = '';
  for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
    const { output, status } = await ask({ script });
    if (status === 0) return;
    last = output;
    await sleep(300);
  }
  throw new Error(`not within ${seconds} s: ${script}\n${last}`);
}
