// Nodes that may not be nodes any more, or not this one (F-13).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { until } from '../harness/product.mjs';
import { SLUG, end, load, serves, servers, stand } from './stand.mjs';
import { faultCase } from './table.mjs';

let [region, made] = [];

before(async () => {
  region = await servers();
  made = await stand(region, { planes: 2, nodes: 3 });
});

after(async () => {
  if (made) await end(made);
  await region?.stop();
});

test('F-13: a node is revoked', { timeout: 120_000 }, () =>
  faultCase('F-13', 'one of three nodes revoked under load; killed and started again with every control plane gone', 'it serves nobody from then on and says why, also after the restart; the control planes refuse it; nobody else notices', async (note) => {
    const [, , revoked] = made.nodes;
    const others = made.nodes.slice(0, 2);
    const machines = load({ ...made, nodes: others }, 60);
    await made.platform.call('POST', `/nodes/${revoked.id}/revoke`, { reason: 'the machine was stolen' });
    const at = performance.now();
    const down = () => until(async () => {
      const { status, report } = await revoked.at.ready();
      return status === 503 && report.includes('revoked by the control plane') && report;
    }, 'it says that it is revoked', 60_000);
    await down();
    const took = (performance.now() - at) / 1000;
    note(`out of service ${took.toFixed(1)} s after it was revoked`);
    assert.ok(took < 60);
    const nothing = async () => {
      for (const path of ['/.well-known/openid-configuration', '/oauth2/jwks', '/register']) {
        const { status } = await revoked.at.ask(`/t/${SLUG}${path}`);
        assert.equal(status, 503, path);
      }
      assert.equal((await revoked.at.machineToken(SLUG, made.machine)).what, '503 temporarily_unavailable');
    };
    await nothing();
    for (const plane of made.planes) await plane.kill();
    await revoked.kill();
    await revoked.start({ waiting: false });
    await down();
    await nothing();
    for (const plane of made.planes) await plane.start();
    const { items } = await made.platform.call('GET', '/nodes');
    const { standing, connected } = items.find(({ id }) => id === revoked.id);
    assert.deepEqual([standing, connected], ['revoked', false]);
    await Promise.all(others.map((node) => serves(made, node)));
    await machines.stop();
    assert.equal(machines.longestOutage(), 0, machines.tally());
  }));

test('F-13: a node that is set up for another region', { timeout: 60_000 }, () =>
  faultCase('F-13', 'a node of eu started with the region us in its settings', 'it does not start, and names both regions', async (note) => {
    const [node] = made.nodes;
    await node.kill();
    const { settings } = node;
    node.settings = { ...settings, BAILIWICK_REGION: 'us' };
    await node.start({ waiting: false });
    const code = await node.ended;
    const line = node.logged.split('\n').findLast((text) => text.includes('enrolled in eu'));
    note(`exit ${code}`);
    assert.notEqual(code, 0);
    assert.match(line ?? '', /us/);
    node.settings = settings;
    await node.start();
    await serves(made, node);
  }));
