// Builds what is asked for: client, page, tests. Everything but the client's package goes under build/ of the repository.
//
// Usage: node build.mjs client|page|tests ...
import { build } from 'esbuild';
import { readdirSync, rmSync } from 'node:fs';

const out = new URL('../build/', import.meta.url).pathname;
const common = { bundle: true, format: 'esm', target: 'es2022', charset: 'utf8', logLevel: 'warning', absWorkingDir: import.meta.dirname ?? process.cwd() };

const tasks = {
  client: () => build({ ...common, entryPoints: ['client/src/index.ts'], outfile: 'client/dist/index.js' }),

  async tests() {
    rmSync(`${out}web-tests`, { recursive: true, force: true });
    const files = ['client/test', 'page/test'].flatMap((dir) => readdirSync(dir).filter((f) => f.endsWith('.test.ts')).map((f) => `${dir}/${f}`));
    await build({ ...common, entryPoints: files, platform: 'node', outdir: `${out}web-tests`, outExtension: { '.js': '.mjs' }, packages: 'external' });
  },
};

for (const task of process.argv.slice(2)) await tasks[task]();
