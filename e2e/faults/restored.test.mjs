// A control plane whose database was restored from a backup, under a fleet that went on (F-10).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { until } from '../harness/product.mjs';
import { SLUG, end, load, publish, serves, servers, stand } from './stand.mjs';
import { faultCase } from './table.mjs';

let [region, made] = [];

before(async () => {
  region = await servers();
  made = await stand(region, { nodes: 3 });
});

after(async () => {
  if (made) await end(made);
  await region?.stop();
});

/** Replaces one database by a copy of another; nobody may be connected to either. */
function copy(from, to) {
  const { postgres } = region;
  postgres.query('postgres', `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('${from}', '${to}')`, 'postgres');
  postgres.query('postgres', `DROP DATABASE IF EXISTS ${to}`);
  postgres.query('postgres', `CREATE DATABASE ${to} TEMPLATE ${from}`);
}

function effect() {
  return made.owner.call('GET', `/tenants/${SLUG}/effectiveness`);
}

/** How long a token of the machine lives at each node, in seconds: what the release says that it serves. */
function lifetimes() {
  return Promise.all(made.nodes.map(async (node) => {
    const { ok, what, token } = await node.at.machineToken(SLUG, made.machine);
    assert.ok(ok, `${node.name}: ${what}`);
    const { iat, exp } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
    return exp - iat;
  }));
}

function everywhere(seconds) {
  return until(async () => {
    const found = await lifetimes();
    if (found.some((one) => one !== seconds)) throw new Error(found.join(' '));
    return true;
  }, `tokens of ${seconds} s everywhere`, 30_000);
}

async function refused(machine) {
  for (const node of made.nodes) {
    const { ok } = await node.at.machineToken(SLUG, machine);
    assert.ok(!ok, `${node.name} refuses what was contained after the backup`);
  }
}

test('F-10: the control plane is restored from a backup', { timeout: 180_000 }, () =>
  faultCase('F-10', 'database copied; then two releases and a containment; then the copy put back, and a change made on it', 'nodes go on with what they hold and refuse what is older; API and nodes say so; what was contained stays so; one audited call goes on above, on every node', async (note) => {
    const { installation, planes: [plane], owner, platform } = made;
    const { controlDatabase: control } = installation;
    const other = await owner.createApplication(SLUG, { name: 'Shut out', kind: 'machine' });
    const grant = { application: other.client_id, api: made.api, scopes: ['orders:read'] };
    await owner.call('POST', `/tenants/${SLUG}/client-grants`, grant);
    await publish(made, 200);
    await everywhere(200);
    await plane.kill();
    copy(control, 'backup');
    await plane.start();
    await publish(made, 300);
    await publish(made, 400);
    await everywhere(400);
    const { version: held } = await effect();
    const machines = load(made, 60);
    const body = { subject: { kind: 'application', application: other.client_id }, reason: 'A theft', minutes: 60, ends_existing: false };
    const contained = await until(async () => {
      const state = await owner.call('POST', `/tenants/${SLUG}/containments?wait=reachable`, body);
      return state.figures.confirmed === 3 && state;
    }, 'every node confirms', 30_000);
    await refused(other);

    await plane.kill();
    copy('backup', control);
    await plane.start();
    const noticed = await until(async () => (await effect()).ahead !== null && effect(), 'the API says that the fleet is ahead', 30_000);
    note(`knows ${noticed.version}, fleet holds ${noticed.ahead}`);
    assert.equal(noticed.ahead, held);
    const { items } = await platform.call('GET', '/nodes');
    const leads = items.flatMap(({ ahead }) => ahead.map((lead) => lead.held));
    assert.ok(leads.length > 0 && leads.every((one) => one === held), JSON.stringify(leads));
    const older = await publish(made, 500);
    assert.ok(older <= held);
    await until(async () => {
      const { nodes } = await effect();
      return nodes.filter(({ rejected }) => rejected).length === 3;
    }, 'every node refuses it and says why', 20_000);
    assert.deepEqual(await lifetimes(), [400, 400, 400], 'they serve what they held');
    await refused(other);

    const recovered = await platform.call('POST', `/tenants/${SLUG}/recover`);
    note(`recovered: ${JSON.stringify(recovered)}`);
    assert.equal(recovered.version, held + 1);
    await everywhere(500);
    const after = await until(async () => {
      const now = await effect();
      return now.ahead === null && now.applied === 3 && now;
    }, 'the fleet is where the control plane is', 20_000);
    assert.equal(after.version, held + 1);
    await refused(other);
    const { items: events } = await owner.call('GET', `/tenants/${SLUG}/audit-events?limit=20`);
    assert.equal(events.filter(({ action }) => action === 'releases.recover').length, 1);
    note(`containment ${contained.id.slice(0, 8)}… made after the backup still refuses`);
    await machines.stop();
    assert.equal(machines.longestOutage(), 0, machines.tally());
    await Promise.all(made.nodes.map((node) => serves(made, node)));
  }));
