// Nodes that are killed, cut off and started again while others serve (F-04, F-06, F-14).

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { beginSignIn, discover } from '../harness/relying_party.mjs';
import { until } from '../harness/product.mjs';
import { Front, open } from './people.mjs';
import { SLUG, end, load, publish, serves, servers, stand } from './stand.mjs';
import { faultCase } from './table.mjs';

let [region, made, front] = [];

before(async () => {
  region = await servers();
  made = await stand(region, { nodes: 3 });
  front = await Front.before(made);
  await open(made);
});

after(async () => {
  await front?.close();
  if (made) await end(made);
  await region?.stop();
});

/** The version each node confirmed, in their order. */
async function confirmed() {
  const { nodes } = await made.owner.call('GET', `/tenants/${SLUG}/effectiveness`);
  return made.nodes.map(({ id }) => nodes.find((node) => node.node === id)?.applied);
}

function everywhere(version) {
  return until(async () => {
    const versions = await confirmed();
    if (versions.some((one) => one !== version)) throw new Error(versions.join(' '));
    return true;
  }, `version ${version} on every node`, 20_000);
}

test('F-06: a release reaches one node of three, then the links die', { timeout: 120_000 }, () =>
  faultCase('F-06', 'two of three nodes cut off from the control plane; then a release', 'mixed versions are visible; a sign-in begun on one node ends on another; all converge once the links are back', async (note) => {
    const { version: before } = await made.owner.call('GET', `/tenants/${SLUG}/effectiveness`);
    await everywhere(before);
    const machines = load(made, 60);
    const [first, second, third] = made.nodes;
    for (const node of [second, third]) node.links.push.refuse();
    const version = await publish(made, 300);
    await until(async () => (await confirmed())[0] === version, 'the first node confirms', 10_000);
    const mixed = await confirmed();
    note(`versions meanwhile ${mixed.join(', ')}`);
    assert.ok(mixed[1] < version && mixed[2] < version);
    const issuer = `${made.installation.base}/t/${SLUG}`;
    const config = await discover(issuer, made.shop);
    const { address } = await beginSignIn(config);
    const { pathname, search } = new URL(address);
    const begun = await first.at.ask(pathname + search);
    const onward = new URL(begun.headers.location, issuer);
    const continued = await third.at.ask(onward.pathname + onward.search, { headers: { cookie: cookies(begun) } });
    assert.equal(continued.status, 200, 'the sign-in page, on a node with another version');
    assert.match(continued.body, /id="?identifier/);
    for (const node of [second, third]) node.links.push.heal();
    const healed = performance.now();
    await everywhere(version);
    note(`converged ${((performance.now() - healed) / 1000).toFixed(1)} s after the links were back`);
    await machines.stop();
    assert.equal(machines.longestOutage(), 0, machines.tally());
    note(`machines: ${machines.tally()}`);
  }));

test('F-04: a node is killed and started again while the control plane is gone', { timeout: 120_000 }, () =>
  faultCase('F-04', 'control plane stopped, node killed with SIGKILL and started: on its disk, then on a blank one', 'on its disk ready within 10 s at the last version; blank: never ready, with the reason, serving nothing', async (note) => {
    const [node] = made.nodes;
    const [plane] = made.planes;
    await plane.kill();
    await node.kill();
    const started = performance.now();
    await node.start();
    note(`ready after ${((performance.now() - started) / 1000).toFixed(2)} s`);
    assert.ok(performance.now() - started < 10_000);
    const { ok, what } = await node.at.machineToken(SLUG, made.machine);
    assert.ok(ok, what);

    await node.kill();
    const kept = join(node.dataDir, 'node');
    rmSync(kept, { recursive: true });
    await node.start({ waiting: false });
    const { status, report } = await until(() => node.at.ready(), 'it answers');
    note(`blank: ${status}`);
    assert.equal(status, 503);
    assert.match(report, /no release is held|not enrolled/);
    const refused = await node.at.ask(`/t/${SLUG}/.well-known/openid-configuration`);
    assert.equal(refused.status, 404, 'nothing is served by default');
    await node.kill();
    await plane.start();
  }));

test('F-14: every node restarts at once under load', { timeout: 120_000 }, () =>
  faultCase('F-14', 'all enrolled nodes killed and started at the same moment, while machines go on asking', 'each serves again and is current within 60 s; no full resend is needed', async (note) => {
    const nodes = made.nodes.slice(1);
    await Promise.all(nodes.map((node) => node.kill()));
    const begun = performance.now();
    const machines = load({ ...made, nodes }, 100);
    await Promise.all(nodes.map((node) => node.start()));
    await Promise.all(nodes.map((node) => serves(made, node)));
    const serving = performance.now() - begun;
    await until(async () => {
      const states = await Promise.all(nodes.map((node) => node.at.ready()));
      const unready = states.find(({ report }) => report.includes('control_plane'));
      if (unready) throw new Error(unready.report);
      return true;
    }, 'all are connected again', 60_000);
    const connected = performance.now() - begun;
    await pause(1_000);
    await machines.stop();
    note(`serving after ${(serving / 1000).toFixed(1)} s, connected after ${(connected / 1000).toFixed(1)} s`);
    note(`machines: ${machines.tally(begun)}`);
    const settled = machines.since(begun + serving);
    assert.ok(settled.every(({ ok }) => ok), 'nobody is refused any more');
    assert.ok(connected < 60_000);
  }));

function cookies({ headers }) {
  return (headers['set-cookie'] ?? []).map((line) => line.split(';')[0]).join('; ');
}
