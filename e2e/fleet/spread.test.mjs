// Run last against a fleet: what the suites did was really spread over all its processes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';

import * as client from 'openid-client';

import { discover, noted } from '../harness/relying_party.mjs';

/** A process that answered fewer served by accident. */
const ENOUGH = 5;
let fleet;

before(() => {
  const file = process.env.BAILIWICK_E2E_FLEET;
  assert.ok(file, 'BAILIWICK_E2E_FLEET names the file that fleet/fleet.mjs wrote');
  fleet = JSON.parse(readFileSync(file, 'utf8'));
});

async function assertSpread(t, url, names) {
  const spread = await (await fetch(`${url}/__spread`)).json();
  t.diagnostic(JSON.stringify(spread));
  assert.deepEqual(Object.keys(spread), names);
  for (const [name, served] of Object.entries(spread)) assert.ok(served >= ENOUGH, `${name} answered ${served} requests`);
}

test('the nodes of the other region give its machine tokens, and know nobody of the first region', async () => {
  const { issuer, machine } = fleet.elsewhere;
  for (let count = 0; count < ENOUGH * 3; count += 1) {
    const config = await discover(issuer, machine);
    const { scope } = noted(await client.clientCredentialsGrant(config, { scope: machine.scope }));
    assert.equal(scope, machine.scope);
  }
  const [, elsewhere] = Object.values(fleet.regions);
  for (let left = elsewhere.nodes.length; left > 0; left -= 1) {
    const { status } = await fetch(`${elsewhere.url}/t/acme/.well-known/openid-configuration`);
    assert.equal(status, 404);
  }
});

test('every node of both regions answered', async (t) => {
  for (const { url, nodes } of Object.values(fleet.regions)) await assertSpread(t, url, nodes);
});

test('both control planes answered', async (t) => {
  await assertSpread(t, fleet.consoleUrl, fleet.planes);
});
