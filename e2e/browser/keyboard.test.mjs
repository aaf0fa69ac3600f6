// Signing in and publishing a policy without a mouse (console.md 4.2), the focus visible at every stop.

import { after, before, test } from 'node:test';

import { Person, launch } from '../harness/browser.mjs';
import { press, tabTo, type } from '../harness/keyboard.mjs';
import { Product } from '../harness/product.mjs';

let browser, product;

before(async () => {
  [browser, product] = await Promise.all([launch(), Product.start()]);
});
after(async () => {
  await browser?.close();
  await product?.stop();
});

test('sign in, raise the minimum password length and publish, by keyboard alone', async () => {
  const owner = await Person.sitDown(browser);
  const { page } = owner;
  const { email, password } = product.operator('tenant_owner');
  await page.goto(`${product.consoleUrl}/t/acme/production/home`);
  await type(page, page.locator('#identifier'), email);
  await type(page, page.locator('#password'), password);
  await press(page, page.locator('#submit'));
  await page.waitForURL(/\/t\/acme\/production\/home$/);

  await tabTo(page, page.locator('a.skip'));
  await press(page, page.getByRole('navigation').getByRole('link', { name: 'Policies' }));
  await press(page, page.getByRole('main').getByRole('link', { name: 'Passwords' }));
  await press(page, page.getByRole('main').getByRole('link', { name: 'Change this policy' }));
  await type(page, page.locator('#min_length'), '18');
  await press(page, page.getByRole('main').getByRole('button', { name: 'Save and review' }));
  await press(page, page.getByRole('main').getByRole('button', { name: /^Publish as version/ }));
  await page.getByRole('status').filter({ hasText: /publish/i }).waitFor();
  await owner.finish();
});
