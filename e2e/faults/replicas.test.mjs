// Two control planes on one database, one of which stops in the middle of what it does and goes on much later
// (F-11, F-12).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { AdminApi } from '../harness/admin_api.mjs';
import { until } from '../harness/product.mjs';
import { Proxy } from './proxy.mjs';
import { SLUG, end, servers, stand } from './stand.mjs';
import { faultCase } from './table.mjs';

const FROZEN_MS = 20_000;

let [region, made] = [];

before(async () => {
  region = await servers();
  made = await stand(region, { planes: 1, nodes: 2 });
});

after(async () => {
  if (made) await end(made);
  await region?.stop();
});

/** Makes an application; answers how that went. */
async function change(api, name) {
  try {
    await api.createApplication(SLUG, { name, kind: 'machine' });
    return { ok: true, name };
  } catch (error) {
    return { ok: false, name, what: error.message };
  }
}

async function versions(api) {
  const found = [];
  for (let token = ''; ;) {
    const page = await api.call('GET', `/tenants/${SLUG}/releases?limit=100${token && `&cursor=${token}`}`);
    found.push(...page.items.map(({ version }) => version));
    token = page.next_cursor ?? '';
    if (!token) return found.sort((a, b) => a - b);
  }
}

test('F-11: one of two control planes is frozen in the middle of a change', { timeout: 180_000 }, () =>
  faultCase('F-11', `one of two control planes stopped (SIGSTOP) inside a transaction that holds the tenant, for ${FROZEN_MS / 1000} s`, 'the other goes on within 15 s; the stale writer changes nothing afterwards; one line of versions without gaps; the audit chain holds; nodes at its end', async (note) => {
    const { installation, planes } = made;
    const [lively] = planes;
    const between = await Proxy.to(region.postgres.port);
    const frozen = await installation.startControlPlane({
      databaseUrl: installation.control.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${between.port}`),
    });
    const stale = new AdminApi(`${frozen.url}/v1`, made.owner.token);
    assert.ok((await change(stale, 'before')).ok, 'the second replica works');
    // It stops with the tenant's row locked: it is about to write, and has not committed. A statement is known by
    // its values: its text crosses a connection once.
    const stopped = new Promise((stopped) => between.watch((way, bytes) => {
      if (way === 'up' && bytes.includes('stale')) {
        between.watch(undefined);
        frozen.signal('SIGSTOP');
        stopped();
      }
    }));
    const late = change(stale, 'stale');
    await stopped;
    await pause(500);
    const stoppedAt = performance.now();
    const first = await until(async () => {
      const tried = await change(made.owner, 'lively');
      if (!tried.ok) throw new Error(tried.what);
      return tried;
    }, 'the other one goes on', 30_000);
    const waited = (performance.now() - stoppedAt) / 1000;
    note(`the other one went on after ${waited.toFixed(1)} s`);
    await pause(Math.max(0, FROZEN_MS - (performance.now() - stoppedAt)));
    frozen.signal('SIGCONT');
    const answered = await late;
    note(`the stale change: ${answered.ok ? 'done' : answered.what}`);
    const again = await until(async () => {
      const tried = await change(stale, 'after');
      if (!tried.ok) throw new Error(tried.what);
      return tried;
    }, 'the frozen one works again', 30_000);
    assert.ok(first.ok && again.ok && waited < 15);

    const line = await versions(made.owner);
    assert.deepEqual(line, line.map((_, index) => index + line[0]), 'no version is missing or there twice');
    const { items } = await made.owner.call('GET', `/tenants/${SLUG}/applications?limit=100`);
    const names = items.map(({ name }) => name);
    assert.equal(names.includes('stale'), answered.ok, 'what was answered is what happened');
    const chain = await made.owner.call('GET', `/tenants/${SLUG}/audit-chain`);
    note(`audit chain: ${JSON.stringify(chain).slice(0, 80)}`);
    await until(async () => {
      const { version, applied, nodes } = await made.owner.call('GET', `/tenants/${SLUG}/effectiveness`);
      if (version !== line.at(-1) || applied !== nodes.length) throw new Error(`${applied} of ${nodes.length} at ${version}`);
      return true;
    }, 'nodes are at the end of the line', 20_000);
    note(`versions ${line[0]} to ${line.at(-1)}`);
    await between.close();
  }));

test('F-19: a control plane dies between the commit of a change and its answer', { timeout: 120_000 }, () =>
  faultCase('F-19', 'a POST with an Idempotency-Key; the control plane killed after the commit, before the answer; sent again to the other one', 'it happened once: one thing, one audit entry; who sends it again hears what became of it and changes nothing', async (note) => {
    const { installation } = made;
    const between = await Proxy.to(region.postgres.port);
    const dying = await installation.startControlPlane({
      databaseUrl: installation.control.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${between.port}`),
    });
    const name = 'Only once';
    const body = { slug: 'onlyonce', name, environment: 'sandbox', region: 'eu' };
    const key = { 'idempotency-key': 'f-19-only-once' };
    let [seen, committing] = [false, false];
    const killed = new Promise((killed) => between.watch((way, bytes) => {
      if (way === 'up' && bytes.includes(name)) seen = true;
      if (way === 'up' && seen && bytes.includes('COMMIT')) committing = true;
      if (way !== 'down' || !committing) return false;
      between.watch(undefined);
      dying.signal('SIGKILL');
      void dying.ended.then(killed);
      return true;
    }));
    const first = new AdminApi(`${dying.url}/v1`, made.platform.token);
    const lost = await first.call('POST', '/tenants', body, key).then(() => undefined, (error) => error.cause?.code ?? error.message);
    await killed;
    assert.ok(lost, 'no answer came');
    const again = await made.platform.call('POST', '/tenants', body, key).then((made) => `made ${made.slug}`, (error) => error.message);
    note(`lost by ${lost}; again: ${again.slice(0, 120)}`);
    assert.match(again, /^made onlyonce|idempotency/);
    const { items } = await made.platform.call('GET', '/tenants?limit=100');
    assert.equal(items.filter(({ slug }) => slug === 'onlyonce').length, 1, 'one thing');
    const told = await made.platform.call('GET', '/audit-events?action=tenants.create&limit=100');
    const entries = told.items.filter(({ sentence, object }) => JSON.stringify({ sentence, object }).includes(name));
    assert.equal(entries.length, 1, JSON.stringify(told.items.slice(0, 2)));
    await between.close();
  }));
