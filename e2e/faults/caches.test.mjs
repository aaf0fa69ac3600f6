// What a region does without its Redis: killed, empty, slow (F-01).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { until } from '../harness/product.mjs';
import { Front, open, person, redeemable } from './people.mjs';
import { SLUG, end, load, servers, stand } from './stand.mjs';
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

/** Asks the same thing of every node at once, and answers how it went. */
function everywhere(ask) {
  return Promise.all(made.nodes.map((node) => ask(node).catch((error) => ({ status: 0, what: error.cause?.code ?? error.message }))));
}

function jwks(node) {
  return node.at.ask(`/t/${SLUG}/oauth2/jwks`);
}

/** Waits until somebody who has never been here signs in. */
async function signsIn(name) {
  const from = performance.now();
  await person(made, `${name}${Date.now()}`);
  return ((performance.now() - from) / 1000).toFixed(1);
}

/** Codes that were made before the fault, presented to every node at once and again: never two successes. */
async function neverTwice(codes, note) {
  let successes = 0;
  for (const code of codes) {
    const answers = [...await everywhere((node) => code.redeem(node)), ...await everywhere((node) => code.redeem(node))];
    const good = answers.filter(({ status }) => status === 200).length;
    assert.ok(good <= 1, `a code was good ${good} times`);
    for (const { status } of answers) assert.ok([200, 400, 503].includes(status), String(status));
    successes += good;
  }
  note(`${codes.length} codes presented ${codes.length * 6} times, ${successes} times good`);
}

/** Everything that needs no Redis goes on: machines, keys, and people who refresh. */
async function goesOn(note) {
  for (const one of people) {
    for (const node of made.nodes) {
      const { what } = await one.refresh(node);
      assert.equal(what, '200', `${one.user.email} refreshes at ${node.name}`);
    }
  }
  const keys = await everywhere(jwks);
  assert.ok(keys.every(({ status }) => status === 200));
  note('refresh and JWKS work at every node');
}

test('F-01: Redis is killed', { timeout: 120_000 }, () =>
  faultCase('F-01', 'Redis killed for 5 s under load, then started again with nothing in it', 'machines, refresh and JWKS go on; what needs it is refused with 503 and Retry-After, never allowed twice; nobody has to do anything afterwards', async (note) => {
    const machines = load(made, 60);
    const codes = [await redeemable(made, people[0]), await redeemable(made, people[1])];
    await region.redis.kill();
    const at = performance.now();
    await goesOn(note);
    await neverTwice(codes, note);
    const asked = await everywhere((node) => node.at.ask(`/t/${SLUG}/register`));
    note(`a page that needs it: ${[...new Set(asked.map(({ status }) => status))].join(', ')}`);
    for (const { status, headers } of asked) {
      if (status === 503) assert.ok(headers['retry-after'], 'says when to come again');
      else assert.equal(status, 200);
    }
    await pause(Math.max(0, 5_000 - (performance.now() - at)));
    await region.redis.again();
    const back = performance.now();
    await neverTwice(codes, note);
    note(`a person signs in ${await signsIn('back')} s after it is back`);
    assert.ok(performance.now() - back < 20_000);
    await until(async () => {
      for (const node of made.nodes) {
        const { ok, report } = await node.at.ready();
        if (!ok) throw new Error(report);
      }
      return true;
    }, 'every node is ready', 20_000);
    await goesOn(note);
    await machines.stop();
    note(`machines: ${machines.tally()}`);
    assert.equal(machines.longestOutage(), 0, machines.tally());
  }));

test('F-01: Redis is wiped', { timeout: 60_000 }, () =>
  faultCase('F-01', 'everything in Redis deleted under load', 'codes and sessions are worth nothing, never two successes; refresh and machines go on; people sign in again', async (note) => {
    const machines = load(made, 60);
    const codes = [await redeemable(made, people[0]), await redeemable(made, people[1])];
    assert.match(await region.redis.say('FLUSHALL'), /OK/);
    await goesOn(note);
    await neverTwice(codes, note);
    note(`a person signs in within ${await signsIn('fresh')} s`);
    await machines.stop();
    assert.equal(machines.longestOutage(), 0, machines.tally());
  }));

test('F-01: Redis answers after 2 s', { timeout: 120_000 }, () =>
  faultCase('F-01', 'each answer of Redis held back for 2 s at every node, for 8 s under load', 'machines, refresh and JWKS as before; what needs it hears 503 within 3 s; no code twice; all is well once it is fast again', async (note) => {
    const machines = load(made, 60);
    const codes = [await redeemable(made, people[0])];
    for (const node of made.nodes) node.links.redis.delay(2_000, 'down');
    const begun = performance.now();
    await goesOn(note);
    const asked = performance.now();
    await neverTwice(codes, note);
    const took = (performance.now() - asked) / 2;
    note(`a redemption is answered within ${(took / 1000).toFixed(1)} s`);
    assert.ok(took < 3_000 * codes.length);
    await pause(Math.max(0, 8_000 - (performance.now() - begun)));
    for (const node of made.nodes) node.links.redis.heal();
    await neverTwice(codes, note);
    note(`a person signs in within ${await signsIn('fast')} s of its being fast again`);
    await machines.stop();
    assert.equal(machines.longestOutage(), 0, machines.tally());
  }));
