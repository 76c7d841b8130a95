/** The service worker: keeps the page's files, for where there is no network. */

export {};

declare const FILES: readonly string[]; // build.mjs fills these in
declare const DIGEST: string;

interface Extendable extends Event { waitUntil(promise: Promise<unknown>): void }
interface Fetching extends Event { readonly request: Request; respondWith(answer: Promise<Response>): void }
interface Worker extends EventTarget { skipWaiting(): Promise<void>; readonly clients: { claim(): Promise<void> } }

const worker = self as unknown as Worker;
const prefix = 'wifiprovd-';
const cacheName = prefix + DIGEST; // a new version of the page has a cache of its own

async function keep(): Promise<void> {
  const cache = await caches.open(cacheName);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: 'reload' })));
  await worker.skipWaiting();
}

async function dropOthers(): Promise<void> {
  const all = await caches.keys();
  await Promise.all(all.filter((other) => other.startsWith(prefix) && other !== cacheName).map((other) => caches.delete(other)));
  await worker.clients.claim();
}

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(cacheName);
  return await cache.match(request, { ignoreSearch: true }) ?? fetch(request);
}

worker.addEventListener('install', (event) => { (event as Extendable).waitUntil(keep()); });
worker.addEventListener('activate', (event) => { (event as Extendable).waitUntil(dropOthers()); });
worker.addEventListener('fetch', (event) => {
  const { request } = event as Fetching;
  if (request.method === 'GET' && new URL(request.url).origin === location.origin) (event as Fetching).respondWith(answer(request));
});
