// What a node does while the stores of its region are killed, slow or cut off (F-01, F-02, F-15).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { until } from '../harness/product.mjs';
import { Front, open, person } from './people.mjs';
import { end, load, servers, stand } from './stand.mjs';
import { faultCase } from './table.mjs';

let [region, made, front, people] = [];

before(async () => {
  region = await servers();
  made = await stand(region, { nodes: 3 });
  front = await Front.before(made);
  await open(made);
  people = [await person(made, 'ada'), await person(made, 'grace')];
});

after(async () => {
  await front?.close();
  if (made) await end(made);
  await region?.stop();
});

/** People refresh in turn at every node until stopped; answers what they were told meanwhile. */
function refreshing() {
  const told = [];
  let running = true;
  const loops = people.map(async (one, index) => {
    for (let turn = index; running; turn += 1) {
      const node = made.nodes[turn % made.nodes.length];
      const answer = await one.refresh(node).catch((error) => ({ ok: false, what: error.cause?.code ?? error.message }));
      told.push({ ...answer, at: performance.now() });
      await pause(answer.ok ? 20 : 200);
    }
  });
  return { told, stop: async () => ((running = false), await Promise.all(loops), told) };
}

/** Each person's last acknowledged token still works somewhere, and the chain has no branch. */
async function nothingAcknowledgedIsLost() {
  for (const one of people) {
    const { what } = await until(async () => {
      const answer = await one.refresh(made.nodes[0]);
      if (answer.status >= 500) throw new Error(answer.what);
      return answer;
    }, `${one.user.email} refreshes again`, 30_000);
    assert.equal(what, '200', `${one.user.email} kept what was acknowledged`);
    const successors = new Map();
    for (const { used, got } of one.chain) {
      assert.equal(successors.get(used) ?? got, got, 'no token was answered twice with different successors');
      successors.set(used, got);
    }
  }
}

test('F-02: the region loses its database in the middle of commits', { timeout: 120_000 }, () =>
  faultCase('F-02', 'PostgreSQL killed with all its processes for 4 s while people refresh', 'machines are served throughout; people hear 503 with Retry-After; nothing acknowledged is lost', async (note) => {
    const machines = load(made, 60);
    const refreshes = refreshing();
    await pause(1_000);
    const killed = performance.now();
    await region.postgres.kill();
    await pause(4_000);
    await region.postgres.again();
    const back = performance.now();
    await until(async () => (await people[0].refresh(made.nodes[1])).ok, 'a person refreshes again', 30_000);
    note(`refresh works ${((performance.now() - back) / 1000).toFixed(1)} s after the database is back`);
    await machines.stop();
    const told = (await refreshes.stop()).filter((answer) => answer.at > killed && !answer.ok);
    note(`machines: ${machines.tally(killed)}`);
    note(`people meanwhile: ${[...new Set(told.map((answer) => answer.what))].join(', ')}`);
    assert.equal(machines.longestOutage(killed), 0, machines.tally(killed));
    assert.ok(told.length > 0, 'the fault was felt');
    for (const answer of told) {
      assert.equal(answer.status, 503, answer.what);
      assert.ok(answer.retry, 'says when to come again');
    }
    await nothingAcknowledgedIsLost();
  }));

test('F-15: 30 % loss and 200 ms jitter, then one-way silence, between node and database', { timeout: 180_000 }, () =>
  faultCase('F-15', 'node–database: 30 % loss and 200 ms jitter for 8 s, then answers lost for 15 s; node–control plane: silence', 'machines are served throughout; callers are answered within 12 s; the pool recovers by itself', async (note) => {
    const [node] = made.nodes;
    const machines = load(made, 60);
    const begun = performance.now();
    node.links.postgres.disturb({ loss: 0.3, jitterMs: 200 });
    for (const one of people) await one.refresh(node);
    await pause(4_000);
    node.links.postgres.heal();
    node.links.postgres.freeze('down');
    node.links.push.freeze();
    const asked = await Promise.all(Array.from({ length: 20 }, async (_, index) => {
      const at = performance.now();
      const answer = await people[index % 2].isAsked(node);
      return { ...answer, took: performance.now() - at };
    }));
    const slowest = Math.max(...asked.map(({ took }) => took));
    note(`slowest answer ${(slowest / 1000).toFixed(1)} s, ${[...new Set(asked.map(({ what }) => what))].join(', ')}`);
    const { report, status } = await node.at.ready();
    note(`readyz ${status}`);
    assert.match(report, /identity_database/);
    assert.equal((await node.at.ask('/healthz')).status, 200, 'it is alive all the same');
    node.links.postgres.heal();
    node.links.push.heal();
    await until(async () => (await people[0].refresh(node)).ok, 'it recovers', 30_000);
    await machines.stop();
    note(`machines: ${machines.tally(begun)}`);
    assert.equal(machines.longestOutage(begun), 0, machines.tally(begun));
    assert.ok(slowest < 12_000, `${slowest} ms`);
    await nothingAcknowledgedIsLost();
  }));
