// A day without a control plane, and more (F-03); certificates that end meanwhile (F-13).
//
// Everything goes by one clock, and that clock is moved. Redis cannot (its allocator asks for the time), so each node
// keeps its short-lived state to itself here, and people are sent to one node.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { canary, until } from '../harness/product.mjs';
import { FakeClock, NOTICED_WITHIN_MS } from './clock.mjs';
import { Front, open, person } from './people.mjs';
import { SLUG, end, load, publish, serves, servers, stand } from './stand.mjs';
import { faultCase } from './table.mjs';

const HOUR = 3_600;
const DAY = 24 * HOUR;
let [region, made, front, home, clock] = [];

before(async () => {
  home = mkdtempSync(join(tmpdir(), 'bailiwick-clock-'));
  // Servers that run as another account read it too.
  chmodSync(home, 0o755);
  clock = new FakeClock(join(home, 'clock'));
  region = await servers(clock);
  made = await stand(region, { nodes: 3, clock, state: 'memory:' });
  front = await Front.before(made, { sticky: true });
  await open(made);
});

after(async () => {
  await front?.close();
  if (made) await end(made);
  await region?.stop();
  if (home) rmSync(home, { recursive: true, force: true });
});

/** Lets time go by, which no process can do at the same moment: until they agree again nobody is asked anything. */
async function forward(to) {
  clock.set(to);
  // `/readyz` says a second later what requests meet at once.
  await pause(NOTICED_WITHIN_MS + 1_500);
  for (const node of made.nodes) {
    await until(async () => {
      const { words } = await reasons(node);
      if (words.includes('clock:')) throw new Error(words);
      return true;
    }, `the clock of ${node.name} is right again`, 20_000);
  }
}

/** Machines ask at every node for a while; nobody is refused. */
async function served(note) {
  const machines = load(made, 60);
  await pause(1_000);
  await machines.stop();
  assert.equal(machines.longestOutage(), 0, machines.tally());
  note(machines.tally());
}

async function reasons(node) {
  const { status, report } = await node.at.ready();
  return { status, words: JSON.parse(report).reasons.map(({ check, reason }) => `${check}: ${reason}`).join('; ') };
}

/** The administration as of now: a token from before the outage has ended. */
async function signedInAgain() {
  const { installation, planes: [plane] } = made;
  made.platform = await installation.api(plane);
  made.owner = await installation.api(plane, '--tenant', SLUG, '--role', 'tenant_owner');
}

/** What an operator does for nodes whose certificates ended: a join token for each. */
async function rejoin() {
  for (const node of made.nodes) {
    const { token } = await made.platform.call('POST', `/nodes/${node.id}/join-tokens`);
    canary(token);
    writeFileSync(node.tokenFile, token, { mode: 0o600 });
  }
}

function connected(withinMs) {
  return until(async () => {
    for (const node of made.nodes) {
      const { words } = await reasons(node);
      if (words) throw new Error(`${node.name}: ${words}`);
    }
    return true;
  }, 'every node is connected and has nothing to say', withinMs);
}

test('F-03: a day without a control plane', { timeout: 240_000 }, () =>
  faultCase('F-03', 'control plane stopped; the clock goes through 1 h, 7 h, 13 h (renewal due) and 26 h (every certificate ended)', 'machines, sign-in, refresh, JWKS as before all along; nodes say since when and that certificates ended; on return the old certificates are refused, with join tokens all converge within 60 s', async (note) => {
    const ada = await person(made, 'ada');
    await made.planes[0].kill();
    for (const hours of [1, 7, 13, 26]) {
      await forward(hours * HOUR);
      await served(note);
      for (const node of made.nodes) {
        assert.equal((await ada.refresh(node)).what, '200', `${node.name} after ${hours} h`);
        assert.equal((await node.at.ask(`/t/${SLUG}/oauth2/jwks`)).status, 200);
        // It says so when it next tries to connect.
        const { words } = await until(async () => {
          const said = await reasons(node);
          assert.equal(said.status, 200, said.words);
          assert.match(said.words, hours > 24 ? /certificate ended/ : /not connected since/);
          return said;
        }, `${node.name} says how it stands after ${hours} h`, 30_000);
        assert.match(words, /not connected since/);
      }
    }
    note((await reasons(made.nodes[0])).words.slice(0, 160));
    const machines = load(made, 60);
    await made.planes[0].start();
    await signedInAgain();
    await pause(3_000);
    const { items } = await made.platform.call('GET', '/nodes');
    assert.ok(items.every((node) => !node.connected), 'F-13: what has ended proves nothing');
    for (const node of made.nodes) assert.equal((await reasons(node)).status, 200, 'F-13: served inside the grace');
    await rejoin();
    const at = performance.now();
    await connected(60_000);
    note(`all connected ${((performance.now() - at) / 1000).toFixed(1)} s after the join tokens were there`);
    const version = await publish(made, 300);
    await until(async () => {
      const { applied } = await made.owner.call('GET', `/tenants/${SLUG}/effectiveness`);
      return applied === 3;
    }, `version ${version} everywhere`, 20_000);
    assert.ok(performance.now() - at < 60_000);
    const chain = await made.owner.call('GET', `/tenants/${SLUG}/audit-chain`);
    assert.ok(chain.events > 0);
    await machines.stop();
    note(`machines: ${machines.tally()}`);
    assert.equal(machines.longestOutage(), 0, machines.tally());
  }));

test('F-13: the grace after the end of a certificate is over', { timeout: 120_000 }, () =>
  faultCase('F-13', 'control plane gone; certificates end, and six, then eight days go by', 'served inside the grace of seven days; then every node drains itself and says why; with a new certificate it serves again', async (note) => {
    const begun = clock.seconds;
    await made.planes[0].kill();
    await forward(begun + 7 * DAY - HOUR);
    for (const node of made.nodes) await serves(made, node);
    await forward(begun + 9 * DAY);
    for (const node of made.nodes) {
      await until(async () => {
        const { status, words } = await reasons(node);
        return status === 503 && words.includes('standing: its certificate ended');
      }, `${node.name} drains itself`, 90_000);
      assert.equal((await node.at.machineToken(SLUG, made.machine)).what, '503 temporarily_unavailable');
    }
    const { words } = await reasons(made.nodes[0]);
    note(words.slice(words.indexOf('standing')));
    await made.planes[0].start();
    await signedInAgain();
    await rejoin();
    await connected(60_000);
    await Promise.all(made.nodes.map((node) => serves(made, node)));
  }));
