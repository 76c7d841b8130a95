// Builds what is asked for. What is to be kept goes under build/ of the repository, but for the library's package.
//
// Usage: node build.mjs client|page|tests|lab ...
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = `${dirname(here)}/build/`;
const common = { bundle: true, format: 'esm', target: 'es2022', charset: 'utf8', logLevel: 'warning', absWorkingDir: here };
const alias = { '@wifiprovd/client': './client/src/index.ts' };

/** Where there are tests to run. */
async function forNode(outdir, files) {
  rmSync(outdir, { recursive: true, force: true });
  await build({ ...common, alias, entryPoints: files, platform: 'node', outdir, entryNames: '[name]', outExtension: { '.js': '.mjs' }, packages: 'external' });
}

function ending(folder, end) {
  return readdirSync(`${here}/${folder}`).filter((name) => name.endsWith(end)).map((name) => `${folder}/${name}`);
}

const tasks = {
  client: () => build({ ...common, entryPoints: ['client/src/index.ts'], outfile: 'client/dist/index.js' }),

  // Classic scripts: a browser loads no modules from a disk.
  async page() {
    const web = `${out}web/`;
    rmSync(web, { recursive: true, force: true });
    cpSync(`${here}/page/static`, web, { recursive: true });
    const script = { ...common, alias, format: 'iife', minify: true };
    await build({ ...script, entryPoints: ['page/src/main.ts'], outfile: `${web}app.js` });
    await build({ ...common, minify: true, entryPoints: ['page/static/app.css'], outfile: `${web}app.css`, allowOverwrite: true });
    const files = readdirSync(web).sort(), digest = createHash('sha256');
    for (const file of files) digest.update(readFileSync(web + file));
    await build({ ...script, entryPoints: ['page/src/worker.ts'], outfile: `${web}sw.js`, define: {
      FILES: JSON.stringify(['./', ...files]), DIGEST: JSON.stringify(digest.digest('hex').slice(0, 12)),
    } });
  },

  tests: () => forNode(`${out}web-tests`, [...ending('client/test', '.test.ts'), ...ending('page/test', '.test.ts')]),

  // Beside node_modules, where the packages that it leaves out are found.
  lab: () => forNode(`${here}/lab/.built`, ending('lab', '.lab.ts')),
};

for (const name of process.argv.slice(2)) {
  const task = tasks[name];
  if (!task) throw new Error(`there is no task ${name}`);
  await task();
}
