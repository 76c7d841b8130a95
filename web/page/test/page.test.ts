import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { textsFor } from '../src/app.js';
import { guessCountry, obstacle, type Browser } from '../src/browser.js';
import { countries } from '../src/countries.js';
import { barsOf } from '../src/dom.js';
import { german } from '../src/german.js';
import { parseLabel } from '../src/label.js';
import { english } from '../src/texts.js';

const top = dirname(dirname(dirname(fileURLToPath(import.meta.url)))); // of the repository: this runs in build/web-tests
const built = join(top, 'build/web');
const sources = join(top, 'web/page/src');

void describe('the built page', () => {
  const files = readdirSync(built).sort();
  const read = (name: string): string => readFileSync(join(built, name), 'utf8');

  void it('is less than 60 kB compressed', () => {
    const size = files.map((name) => gzipSync(readFileSync(join(built, name))).length).reduce((a, b) => a + b);
    assert.ok(size < 60_000, `${size} bytes`);
  });

  void it('loads nothing from elsewhere', () => {
    for (const name of files) {
      const elsewhere = (read(name).match(/https?:\/\/[^"'`\s)]+/g) ?? []).filter((url) => url !== 'http://www.w3.org/2000/svg');
      assert.deepEqual(elsewhere, [], name);
    }
  });

  void it('is kept offline, all of it', () => {
    const worker = read('sw.js');
    for (const name of files.filter((n) => n !== 'sw.js')) assert.ok(worker.includes(JSON.stringify(name)), name);
  });

  void it('works from a disk: no modules', () => {
    assert.doesNotMatch(read('index.html'), /type="?module/);
    assert.doesNotMatch(read('app.js'), /^(import|export) /m);
  });
});

void describe('what came over the air', () => {
  void it('never is HTML', () => {
    for (const name of readdirSync(sources)) {
      const text = readFileSync(join(sources, name), 'utf8');
      assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc|eval\(/, name);
    }
    const page = readFileSync(join(built, 'index.html'), 'utf8');
    assert.match(page, /default-src 'none'; script-src 'self'/);
    assert.match(page, /require-trusted-types-for 'script'/);
  });
});

void describe('texts', () => {
  /** Every text, by its path. */
  function flat(value: unknown, path = ''): [string, string][] {
    if (typeof value === 'string') return [[path, value]];
    return Object.entries(value as object).flatMap(([key, inner]) => flat(inner, `${path}/${key}`));
  }

  void it('say the same things in each language', () => {
    const en = new Map(flat(english)), de = new Map(flat(german));
    assert.deepEqual([...de.keys()].sort(), [...en.keys()].sort());
    const mayBeEqual = ['/router', '/version', '/gateway'];
    for (const [path, text] of en) {
      assert.equal(text === '', de.get(path) === '', path);
      if (text !== '' && !mayBeEqual.includes(path)) assert.notEqual(de.get(path), text, path);
    }
  });

  void it('are in the user’s language, else in English', () => {
    assert.equal(textsFor(['fr', 'de-AT', 'en']), german);
    assert.equal(textsFor(['EN-gb']), english);
    assert.equal(textsFor(['tlh']), english);
  });
});

void describe('the browser', () => {
  const browser = (userAgent: string, isSecureContext = true, maxTouchPoints = 0): Browser =>
    ({ isSecureContext, navigator: { userAgent, maxTouchPoints } });

  void it('says what it cannot', () => {
    assert.equal(obstacle(browser('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1')), 'ios');
    assert.equal(obstacle(browser('Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1', true, 5)), 'ios');
    assert.equal(obstacle(browser('Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1')), 'other');
    assert.equal(obstacle(browser('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')), 'other');
    assert.equal(obstacle(browser('Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36')), 'linux');
    assert.equal(obstacle(browser('Mozilla/5.0 (Linux; Android 10; K) Chrome/140.0.0.0 Mobile Safari/537.36', false)), 'insecure');
    const able = browser('x');
    assert.equal(obstacle({ ...able, navigator: { ...able.navigator, bluetooth: new EventTarget() as never } }), undefined);
  });

  void it('may know the country', () => {
    assert.equal(guessCountry(['de', 'de-DE', 'en-US']), 'DE');
    assert.equal(guessCountry(['zh-Hant-TW']), 'TW');
    assert.equal(guessCountry(['en', 'es-419']), '');
    assert.equal(countries('de').find(([code]) => code === 'DE')?.[1], 'Deutschland');
    assert.equal(countries('en').length, 249);
  });
});

void describe('a label in the address', () => {
  void it('has a code, and may have more', () => {
    assert.deepEqual(parseLabel('#code=K7QF2M9XWR4T&name=PROV_A1B2C3'), { code: 'K7QF2M9XWR4T', name: 'PROV_A1B2C3', user: '' });
    assert.deepEqual(parseLabel('#name=Kitchen%20%26%20hall&code=a%2Bb&user=me'), { code: 'a+b', name: 'Kitchen & hall', user: 'me' });
    for (const none of ['', '#', '#name=x', '#code=', '#view']) assert.equal(parseLabel(none), undefined);
  });
});

void describe('a signal', () => {
  void it('has one to four bars', () => {
    assert.deepEqual([-95, -75, -67, -55, -30].map(barsOf), [1, 2, 3, 4, 4]);
  });
});
