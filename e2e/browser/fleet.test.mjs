// A machine becomes a node, and is one no more, by the pages of the console alone (R-NODE-01, R-NODE-10).
//
// The first node of an installation serves the sign-in of the console itself, so it is made with the admin API;
// this story is about every node after it. Each page on the way is looked at (`e2e/artifacts/fleet/`).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Person, launch } from '../harness/browser.mjs';
import { canary, until } from '../harness/product.mjs';
import * as steps from '../harness/steps.mjs';
import { Fleet } from './fleet.mjs';
import { gallery, look } from './look.mjs';

const OWNER = { email: 'mara@vendor.example', name: 'Mara Lind', password: 'nine grey stones rested' };
const NODES = '/p/nodes';
const CONNECTED_WITHIN_MS = 20_000;

let browser, fleet, folder;

before(async () => {
  folder = gallery('fleet');
  [browser, fleet] = await Promise.all([launch(), Fleet.start(['eu', 'us'])]);
  await firstNode();
});
after(async () => {
  await browser?.close();
  await fleet?.stop();
});

async function firstNode() {
  const api = await fleet.api();
  await api.call('POST', '/tenants', { slug: 'globex', name: 'Globex', environment: 'sandbox', region: 'us' });
  const node = await api.call('POST', '/nodes', { name: 'eu-1', region: 'eu' });
  const { token } = await api.call('POST', `/nodes/${node.id}/join-tokens`);
  const machine = fleet.join('eu-1', 'eu', token);
  const connected = async () => machine.said('') && (await api.call('GET', `/nodes/${node.id}`)).connected;
  await until(connected, 'the first node connects', CONNECTED_WITHIN_MS);
}

test('a machine becomes a node with what the console shows, and is refused once it is revoked', async (t) => {
  const person = (await Person.sitDown(browser)).expect(422);
  const { page } = person;
  const main = page.getByRole('main');
  const findings = [];
  const seen = async (name) => {
    const found = await look(page, folder, name);
    findings.push(...found.map((finding) => `${name}: ${finding}`));
  };

  await steps.becomeFirstOperator(person, fleet, OWNER);
  await steps.openConsole(person, fleet, OWNER, NODES);
  await page.getByRole('link', { name: 'New node' }).click();
  await page.locator('#name').fill('us-1');
  await page.locator('#region').selectOption('us');
  await steps.sendForm(person);
  await seen('join');

  await page.getByRole('button', { name: 'Make join token' }).click();
  const token = await page.locator('#secret-value').innerText();
  canary(token);
  await seen('join-token');
  const machine = fleet.join('us-1', 'us', token.trim());
  await page.getByRole('link', { name: 'See whether it is connected' }).click();
  await until(async () => {
    assert.ok(!machine.said('what no node prints'), 'it runs');
    await page.reload();
    return (await main.getByRole('heading', { name: 'Up to date' }).count()) > 0;
  }, 'the new node connects and holds its region', CONNECTED_WITHIN_MS);
  await seen('node-connected');
  assert.match(await main.innerText(), /in 23 h/);
  assert.ok(!(await page.content()).includes(token), 'the token was shown once');

  await t.test('the list shows both nodes', async () => {
    await page.goto(fleet.consoleUrl + NODES);
    assert.equal(await main.getByText('Connected', { exact: true }).count(), 3, 'two nodes and a tile');
    await seen('nodes');
  });

  await t.test('a node that has joined can be joined again', async () => {
    await main.getByRole('link', { name: 'us-1' }).click();
    await page.getByRole('link', { name: 'Join again' }).click();
    await page.getByText('us-1 is connected now').waitFor();
    await seen('join-again');
    await page.goBack();
  });

  await t.test('revoking asks for a reason and for the name', async () => {
    await page.getByRole('button', { name: 'Revoke node' }).click();
    await page.locator('#reason-error').waitFor();
    await seen('revoke-refused');
    await page.locator('#reason').fill('The machine was sold.');
    await page.locator('#confirm').fill('us-1');
    await page.getByRole('button', { name: 'Revoke node' }).click();
    await page.getByRole('status').filter({ hasText: 'Revoked us-1' }).waitFor();
    await seen('node-revoked');
    assert.match(await main.innerText(), /Reason: The machine was sold\./);
  });

  await t.test('the list shows which one is refused', async () => {
    await page.goto(fleet.consoleUrl + NODES);
    await main.getByText('refused for good').waitFor();
    await seen('nodes-revoked');
    assert.equal(machine.child.exitCode, null, 'revoking does not stop the process');
  });

  await person.finish();
  assert.deepEqual(findings, []);
});
