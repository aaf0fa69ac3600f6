// Clocks that are wrong on one node (F-05).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { until } from '../harness/product.mjs';
import { NOTICED_WITHIN_MS } from './clock.mjs';
import { Load } from './load.mjs';
import { Front, open, person } from './people.mjs';
import { SLUG, end, serves, servers, stand } from './stand.mjs';
import { faultCase } from './table.mjs';

/** What a node may be wrong by and still issue tokens. */
const TOLERATED_S = 61;
let [region, made, front, ada] = [];

before(async () => {
  region = await servers();
  made = await stand(region, { nodes: 3, clocks: true });
  front = await Front.before(made);
  await open(made);
  ada = await person(made, 'ada');
});

after(async () => {
  await front?.close();
  if (made) await end(made);
  await region?.stop();
});

/** Machines ask at every node; each token's times are compared with the true ones. */
function machines() {
  const wrong = [];
  const askers = made.nodes.map((node) => async () => {
    const asked = Date.now() / 1000;
    const { ok, what, token } = await node.at.machineToken(SLUG, made.machine);
    if (ok) {
      const { iat } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
      const off = Math.abs(iat - asked);
      if (off > TOLERATED_S) wrong.push({ node: node.name, off });
    }
    return { ok, what, node: node.name };
  });
  return { load: new Load(60, askers), wrong };
}

async function said(node) {
  const { status, report } = await node.at.ready();
  const { reasons } = JSON.parse(report);
  return { status, clock: reasons.find(({ check }) => check === 'clock')?.reason, reasons };
}

function outOfRotation(node) {
  return until(async () => {
    const { status, clock } = await said(node);
    return status === 503 && clock;
  }, `${node.name} leaves rotation`, 10_000);
}

/** Sets the clock of a node and waits until the process reads it. */
async function set(node, seconds) {
  node.clock.set(seconds);
  await pause(NOTICED_WITHIN_MS);
}

for (const [by, words] of [[300, '5 minutes ahead'], [-300, '5 minutes behind'], [365 * 86_400, 'a year ahead']]) {
  test(`F-05: a clock ${words}`, { timeout: 120_000 }, () =>
    faultCase('F-05', `the clock of one of three nodes set ${words} under load, then the node restarted so, then set right`, 'no token with a time of its own, none accepted; it leaves rotation with the reason, also after a restart, and comes back by itself; the others serve', async (note) => {
      const [off, ...others] = made.nodes;
      assert.ok((await ada.refresh(off)).ok);
      const { load, wrong } = machines();
      await pause(500);
      off.clock.set(by);
      const at = performance.now();
      const reason = await outOfRotation(off);
      note(`out after ${((performance.now() - at) / 1000).toFixed(1)} s: ${reason}`);
      assert.match(reason, by > 0 ? /ahead/ : /behind/);
      assert.equal((await ada.isAsked(off)).status, 503, 'it judges no token either');
      assert.equal((await ada.refresh(off)).status, 503);
      assert.equal((await off.at.ask('/healthz')).status, 200);
      await off.kill();
      await off.start({ waiting: false });
      await outOfRotation(off);
      const { reasons } = await said(off);
      note(`after a restart: ${reasons.map(({ check }) => check).join(', ')}`);
      off.clock.set(0);
      await serves(made, off);
      await until(async () => (await said(off)).reasons.length === 0, 'it has nothing to say', 60_000);
      assert.ok((await ada.refresh(off)).ok);
      await load.stop();
      const elsewhere = load.history.filter(({ node, ok }) => others.some(({ name }) => name === node) && !ok);
      assert.deepEqual(elsewhere, []);
      assert.deepEqual(wrong, [], 'times that are not true');
      const issued = load.history.filter(({ ok }) => ok).length;
      note(`${issued} tokens issued, none with a time that is off by more than ${TOLERATED_S} s`);
    }));
}

test('F-05: a clock that steps back 2 s, and one that is 30 s ahead', { timeout: 60_000 }, () =>
  faultCase('F-05', 'the clock of one node set back 2 s under load, then 30 s ahead', 'nobody notices the first: no error, no connection lost; of the second it says so and serves', async (note) => {
    const [off] = made.nodes;
    const { load, wrong } = machines();
    await pause(500);
    const ended = off.logged.split('ended').length;
    await set(off, -2);
    await pause(3_000);
    const { status, reasons } = await said(off);
    assert.deepEqual([status, reasons], [200, []]);
    assert.equal(off.logged.split('ended').length, ended, 'monotonic timers: no connection was thought silent');
    off.clock.set(30);
    const clock = await until(async () => (await said(off)).clock, 'it says so', 10_000);
    note(clock);
    assert.equal((await said(off)).status, 200, 'degraded, in rotation');
    off.clock.set(0);
    await until(async () => (await said(off)).reasons.length === 0, 'it has nothing to say', 20_000);
    await load.stop();
    assert.equal(load.longestOutage(), 0, load.tally());
    assert.deepEqual(wrong, []);
  }));
