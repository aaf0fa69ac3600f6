// What goes wrong around a form: each case gets a clear page, and nothing that was typed or stored is lost.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Person, launch } from '../harness/browser.mjs';
import { Product } from '../harness/product.mjs';
import * as steps from '../harness/steps.mjs';

const ACME = '/t/acme/production';

let browser, product;

before(async () => {
  [browser, product] = await Promise.all([launch(), Product.start()]);
});
after(async () => {
  await browser?.close();
  await product?.stop();
});

/** Someone with this role at this console page; what they notice fails the test. */
async function seated(t, role, path, ...expected) {
  const person = (await Person.sitDown(browser)).expect(...expected);
  t.after(() => person.finish());
  await steps.openConsole(person, product, product.operator(role), path);
  return person;
}

test('a session that ended leads to the sign-in and back to the same page', async (t) => {
  const person = await seated(t, 'tenant_owner', `${ACME}/home`);
  await steps.forgetSession(person, product);
  await person.page.goto(`${product.consoleUrl}${ACME}/apps?q=shop`);
  await person.page.waitForURL(`${product.consoleUrl}${ACME}/apps?q=shop`);
});

test('a form sent after the session ended says so and changes nothing', async (t) => {
  const person = await seated(t, 'tenant_owner', `${ACME}/policies/password/draft`, 401);
  await person.page.locator('#min_length').fill('30');
  await steps.forgetSession(person, product);
  await steps.sendForm(person);
  await person.page.getByRole('heading', { name: 'Your session ended' }).waitFor();
});

test('a return path that leads elsewhere is ignored', async (t) => {
  for (const evil of ['https://evil.example/', '//evil.example/', '/\\evil.example']) {
    const person = await Person.sitDown(browser);
    await steps.openConsole(
      person, product, product.operator('tenant_owner'), `/login?return=${encodeURIComponent(evil)}`,
    );
    assert.equal(new URL(person.page.url()).origin, product.consoleUrl);
    await person.finish();
  }
});

test('an unknown tenant is a page that is not there', async (t) => {
  const person = await seated(t, 'platform_owner', '/p/tenants', 404);
  await person.page.goto(`${product.consoleUrl}/t/nobody/production/home`);
  await person.page.getByRole('heading', { name: 'Nothing is here' }).waitFor();
  await person.page.goto(`${product.authUrl}/t/nobody/`);
  await person.page.getByRole('heading', { level: 1 }).waitFor();
});

test('a tenant that one has nothing to do with does not seem to exist', async (t) => {
  const person = await seated(t, 'tenant_owner', `${ACME}/home`, 404);
  await person.page.goto(`${product.consoleUrl}/t/platform/production/home`);
  await person.page.getByRole('heading', { name: 'Nothing is here' }).waitFor();
});

test('two tabs, one policy: the slower one is told who was faster, and keeps what was typed', async (t) => {
  const person = await seated(t, 'tenant_owner', `${ACME}/policies/password/draft`, 409);
  const slower = person.page;
  await slower.locator('#min_length').fill('33');
  const faster = { page: await person.newTab() };
  await faster.page.goto(slower.url());
  await faster.page.locator('#min_length').fill('22');
  await steps.sendForm(faster);
  await steps.publishDraft(faster);

  await steps.sendForm(person);
  await slower.getByText('Two people changed this policy').waitFor();
  await slower.getByText('33 characters').first().waitFor();
  await slower.getByRole('button', { name: 'Keep my values as a draft on top' }).click();
  await slower.locator('.changes ins', { hasText: '33' }).waitFor();
});

test('a form without its token is refused', async (t) => {
  const person = await seated(t, 'tenant_owner', `${ACME}/policies/password/draft`, 403);
  await person.page.locator('main input[name=form_token]').first().evaluate((field) => field.remove());
  await steps.sendForm(person);
  await person.page.getByRole('heading', { name: "This form can't be accepted" }).waitFor();
});

test('a taken and an illegal short name are told beside the field, and the rest stays', async (t) => {
  const person = await seated(t, 'platform_owner', '/p/tenants/new', 422, 409, 400);
  for (const slug of ['acme', 'Not A Slug']) {
    await person.page.locator('#name').fill('Second Acme');
    await person.page.locator('#slug').fill(slug);
    await person.page.locator('#admin_name').fill('Eve Stone');
    await person.page.locator('#admin_email').fill('eve@second.example');
    await steps.sendForm(person);
    await person.page.locator('#slug-error').waitFor();
    assert.equal(await person.page.locator('#slug').inputValue(), slug);
    assert.equal(await person.page.locator('#name').inputValue(), 'Second Acme');
  }
});
