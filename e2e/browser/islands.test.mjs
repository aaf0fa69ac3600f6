// The interactive pieces: the command palette and the switcher's search, where a bundle was built.
//
// Every page is complete without them, so a product without a bundle is no fault: the suite says so and is
// skipped, unless `BAILIWICK_EXPECT_ISLANDS=1` states that the bundle must be there.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Person, launch } from '../harness/browser.mjs';
import { Product } from '../harness/product.mjs';
import * as steps from '../harness/steps.mjs';

const EXPECTED = process.env.BAILIWICK_EXPECT_ISLANDS === '1';
const ABSENT = 'this binary embeds no islands bundle: no WASM target was to be had when it was built';

let browser, product, staff, built;

before(async () => {
  [browser, product] = await Promise.all([launch(), Product.start()]);
  staff = await Person.sitDown(browser);
  await steps.openConsole(staff, product, product.operator('platform_owner'), '/p/tenants');
  built = (await staff.page.locator('script[src]').count()) > 0;
});
after(async () => {
  await browser?.close();
  await product?.stop();
});

/** A test that needs the bundle. */
function island(name, body) {
  test(name, async (t) => {
    if (!built) {
      assert.ok(!EXPECTED, `BAILIWICK_EXPECT_ISLANDS=1, but ${ABSENT}`);
      return t.skip(ABSENT);
    }
    await staff.page.goto(`${product.consoleUrl}/p/tenants`);
    await staff.page.locator('html[data-js]').waitFor();
    return body(staff.page);
  });
}

island('Ctrl+K opens the palette, and Escape leads back to where one was', async (page) => {
  await page.keyboard.press('Control+K');
  await page.locator('dialog.palette[open]').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog.palette[open]').waitFor({ state: 'detached' });
});

island('the palette finds a page, and Enter goes there', async (page) => {
  await page.keyboard.press('Control+K');
  await page.keyboard.type('nodes');
  await page.locator('dialog.palette .result', { hasText: 'Nodes' }).first().waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL(`${product.consoleUrl}/p/nodes`);
});

island('the palette says that nothing matches', async (page) => {
  await page.keyboard.press('Control+K');
  await page.keyboard.type('qqqq');
  await page.locator('dialog.palette [role=status]', { hasText: 'Nothing matches' }).waitFor();
});

island('the palette finds a tenant', async (page) => {
  await page.keyboard.press('Control+K');
  await page.keyboard.type('acme');
  await page.locator('dialog.palette .result', { hasText: 'Acme' }).first().waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/t\/acme\/production\/home$/);
});

island('the switcher finds a tenant while one types', async (page) => {
  await page.locator('button.switch').click();
  await page.locator('#switcher input[type=search]').fill('acm');
  await page.locator('#switcher .result', { hasText: 'Acme' }).first().click();
  await page.waitForURL(/\/t\/acme\/production\/home$/);
});

test('nothing was logged as an error, and no policy was broken', async () => {
  await staff.finish();
});
