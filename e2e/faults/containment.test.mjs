// Containment while links fail: nobody is served after it was confirmed, and a node that was cut off learns of it when
// it is back (F-18, F-10, performance C2); and the receipt that says so (R-REV-04).

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { BINARY, ownEnvironment, until } from '../harness/product.mjs';
import { Front, open, person } from './people.mjs';
import { SLUG, end, load, serves, servers, stand } from './stand.mjs';
import { faultCase } from './table.mjs';

let [region, made, front] = [];

before(async () => {
  region = await servers();
  made = await stand(region, { planes: 2, nodes: 3 });
  front = await Front.before(made);
  await open(made);
  await until(async () => {
    const contained = await contain({ kind: 'session', session: `ses_${'0'.repeat(26)}` });
    await lift(contained);
    return contained.figures.confirmed === 3;
  }, 'every node listens on its lane', 20_000);
});

after(async () => {
  await front?.close();
  if (made) await end(made);
  await region?.stop();
});

function contain(subject, more = {}) {
  const body = { subject, reason: 'A drill', minutes: 60, ends_existing: false, ...more };
  return made.owner.call('POST', `/tenants/${SLUG}/containments?wait=reachable`, body);
}

function lift({ id }) {
  return made.owner.call('POST', `/tenants/${SLUG}/containments/${id}/lift?wait=reachable`, { reason: 'The drill is over' });
}

function machine() {
  return { kind: 'application', application: made.machine.client_id };
}

function text(path) {
  return fetch(made.owner.base + path, { headers: { authorization: `Bearer ${made.owner.token}` } })
    .then((response) => response.text());
}

function verify(receipt, trust) {
  return execFileSync(BINARY, ['verify', receipt, '--trust', trust], { env: ownEnvironment(), stdio: 'pipe' }).toString();
}

test('C2: after the call returned nothing is issued any more', { timeout: 120_000 }, () =>
  faultCase('C2', 'a machine under load contained with wait=reachable, and lifted, 20 times', 'not one token after the answer, until it is lifted; then it works again everywhere', async (note) => {
    const machines = load(made, 100);
    let issued = 0;
    const slowest = [];
    for (let round = 0; round < 20; round += 1) {
      const contained = await contain(machine());
      const from = performance.now();
      assert.equal(contained.figures.confirmed, 3, JSON.stringify(contained.nodes));
      slowest.push(contained.figures.slowest_us / 1000);
      const answers = await Promise.all(made.nodes.flatMap((node) =>
        Array.from({ length: 5 }, () => node.at.machineToken(SLUG, made.machine))));
      issued += answers.filter(({ ok }) => ok).length;
      const until = performance.now();
      await lift(contained);
      issued += machines.history.filter(({ at, ok }) => ok && at > from && at < until).length;
      await Promise.all(made.nodes.map((node) => serves(made, node)));
    }
    await machines.stop();
    slowest.sort((a, b) => a - b);
    note(`tokens after confirmation: ${issued} of ${20 * 15} asked for; slowest node p50 ${slowest[9].toFixed(1)} ms, max ${slowest.at(-1).toFixed(1)} ms`);
    assert.equal(issued, 0);
  }));

test('R-REV-04: the receipt verifies offline, and not after one byte was changed', { timeout: 60_000 }, () =>
  faultCase('R-REV-04', 'one byte of a receipt changed', '`bailiwick verify` accepts the receipt and refuses the changed one', async (note) => {
    const contained = await contain(machine());
    const receipt = await text(`/tenants/${SLUG}/containments/${contained.id}/receipt`);
    await lift(contained);
    const at = (name) => join(made.installation.home, name);
    writeFileSync(at('trust.json'), await text('/trust-root'));
    writeFileSync(at('receipt.jws'), receipt);
    const told = verify(at('receipt.jws'), at('trust.json'));
    note(told.split('\n').find((line) => line.includes('effective')).trim());
    assert.match(told, /^VALID/);
    assert.match(told, /on 3 of 3 nodes/);
    assert.match(told, /its door refused a canary/);
    const middle = Math.floor(receipt.length / 2);
    const other = receipt[middle] === 'A' ? 'B' : 'A';
    writeFileSync(at('receipt.jws'), receipt.slice(0, middle) + other + receipt.slice(middle + 1));
    assert.throws(() => verify(at('receipt.jws'), at('trust.json')), /NOT VALID/);
    assert.ok(readFileSync(at('receipt.jws')).length > 0);
  }));

test('F-18: the lane of one node is cut', { timeout: 180_000 }, () =>
  faultCase('F-18', 'one of three nodes cut off; a machine contained meanwhile; then the link is back', 'the receipt names the node that was not heard; the others refuse; on return it refuses within 5 s and confirms', async (note) => {
    const [, , cut] = made.nodes;
    cut.links.push.refuse();
    await pause(2_500);
    const contained = await contain(machine());
    const silent = contained.nodes.filter(({ outcome }) => outcome === 'silent').map(({ name }) => name);
    assert.deepEqual(silent, [cut.name]);
    note(`not heard: ${silent}`);
    for (const node of made.nodes.slice(0, 2)) {
      assert.ok(!(await node.at.machineToken(SLUG, made.machine)).ok, node.name);
    }
    assert.ok((await cut.at.machineToken(SLUG, made.machine)).ok, 'fail-static is the default');
    const { version } = await made.owner.call('GET', `/tenants/${SLUG}/containments/${contained.id}`);
    assert.equal(version, 1);
    cut.links.push.heal();
    const back = performance.now();
    await until(async () => !(await cut.at.machineToken(SLUG, made.machine)).ok, 'it refuses', 10_000);
    note(`refused ${((performance.now() - back) / 1000).toFixed(2)} s after the link was back`);
    await until(async () => {
      const state = await made.owner.call('GET', `/tenants/${SLUG}/containments/${contained.id}`);
      return state.figures.confirmed === 3;
    }, 'it confirms', 10_000);
    await lift(contained);
    await Promise.all(made.nodes.map((node) => serves(made, node)));
  }));

test('F-18: the control plane and the node are killed while something is contained', { timeout: 180_000 }, () =>
  faultCase('F-18', 'something contained; every control plane and one node killed; the node starts alone', 'the node refuses from its first answer on', async (note) => {
    const contained = await contain(machine());
    const [node] = made.nodes;
    for (const plane of made.planes) await plane.kill();
    await node.kill();
    await node.start();
    const { ok, what } = await node.at.machineToken(SLUG, made.machine);
    note(`first answer ${what}`);
    assert.ok(!ok);
    for (const plane of made.planes) await plane.start();
    await until(() => lift(contained), 'it is lifted', 20_000);
    await Promise.all(made.nodes.map((one) => serves(made, one)));
  }));

test('R-REV-01: a person who is contained', { timeout: 120_000 }, () =>
  faultCase('R-REV-01', 'a person with a session, a grant and an access token contained; what existed ends with it', 'refresh and userinfo refused at every node; after lifting, the old grant stays dead and signing in works', async (note) => {
    const name = `mallory${Date.now()}`;
    const one = await person(made, name);
    const claims = JSON.parse(Buffer.from(one.access.split('.')[1], 'base64url').toString());
    const contained = await contain({ kind: 'user', user: claims.sub }, { ends_existing: true });
    for (const node of made.nodes) {
      assert.equal((await one.refresh(node)).what, '400 invalid_grant', node.name);
      assert.equal((await one.isAsked(node)).status, 401, node.name);
    }
    const asOf = { authorization: `Bearer ${one.access}`, 'bailiwick-as-of': 'eu.999999' };
    const ahead = await made.nodes[0].at.ask(`/t/${SLUG}/oauth2/userinfo`, { headers: asOf });
    assert.equal(ahead.status, 503, 'never answered from an older state (R-REV-03)');
    await lift(contained);
    for (const node of made.nodes) assert.equal((await one.refresh(node)).what, '400 invalid_grant', 'it stays dead');
    note(`figures ${JSON.stringify(contained.figures)}`);
  }));
