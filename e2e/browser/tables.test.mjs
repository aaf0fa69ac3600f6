// Tables on a phone: what does not fit must show that it is there, and must be reachable by hand and by keyboard.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { NARROW, Person, WIDE, launch } from '../harness/browser.mjs';
import { Product } from '../harness/product.mjs';
import * as steps from '../harness/steps.mjs';

const ACME = '/t/acme/production';
const PLATFORM = ['/p/tenants', '/p/tenants/acme', '/p/nodes', '/p/nodes/authorities', '/p/staff', '/p/audit'];
const TENANT = ['releases', 'apps', 'apis', 'policies', 'policies/password', 'roles', 'roles/table', 'responsibility', 'audit'];

let browser, product;

before(async () => {
  [browser, product] = await Promise.all([launch(), Product.start()]);
});
after(async () => {
  await browser?.close();
  await product?.stop();
});

walk('platform_owner', PLATFORM);
walk('tenant_owner', TENANT.map((page) => `${ACME}/${page}`));

for (const [width, viewport] of [['desk', WIDE], ['phone', NARROW]]) {
  for (const colorScheme of ['light', 'dark']) {
    test(`the details of an event can be read on a ${colorScheme} ${width}`, async (t) => {
      const person = await Person.sitDown(browser, { viewport, colorScheme });
      t.after(() => person.finish());
      await steps.openConsole(person, product, product.operator('tenant_owner'), `${ACME}/audit`);
      await person.page.getByText('Details', { exact: true }).first().click();
      const facts = person.page.locator('details[open] dd');
      const boxes = await facts.evaluateAll((all) => all.map((fact) => fact.getBoundingClientRect().toJSON()));
      assert.ok(boxes.length >= 5, 'there are facts');
      for (const box of boxes) {
        assert.ok(box.width > 200, `a fact is ${box.width} px wide`);
        assert.ok(box.right <= viewport.width, 'a fact is in view without scrolling sideways');
      }
      const what = await person.page.locator('td.what').first().boundingBox();
      assert.ok(what.width > 180, `the sentence has ${what.width} px`);
    });
  }
}

function walk(role, paths) {
  test(`every column is within reach of a ${role} with a phone`, async (t) => {
    const person = await Person.sitDown(browser, { viewport: NARROW });
    t.after(() => person.finish());
    await steps.openConsole(person, product, product.operator(role), paths[0]);
    for (const path of paths) {
      await person.page.goto(product.consoleUrl + path);
      const boxes = await person.page.locator('.table-box').all();
      assert.ok(boxes.length > 0, `${path} has a table`);
      for (const box of boxes) await reachable(box, path);
    }
  });
}

async function reachable(box, path) {
  const seen = await box.evaluate((element) => ({
    hidden: element.scrollWidth - element.clientWidth,
    name: element.getAttribute('aria-label'),
    role: element.getAttribute('role'),
    edges: getComputedStyle(element).backgroundImage.split('linear-gradient').length - 1,
  }));
  assert.ok(seen.name && seen.role === 'region', `${path}: the box of a table has a name`);
  if (seen.hidden <= 0) return;
  assert.equal(seen.edges, 4, `${path}: a shadow shows that more columns wait`);

  await box.focus();
  await box.press('ArrowRight');
  await box.evaluate((element) => new Promise((done) => {
    const look = () => (element.scrollLeft > 0 ? done() : requestAnimationFrame(look));
    look();
  }));

  const beyond = await box.evaluate((element) => {
    const frame = element.getBoundingClientRect();
    const cells = element.querySelectorAll('thead th, tbody tr:first-child > *');
    return [...cells].filter((cell) => {
      cell.scrollIntoView({ behavior: 'instant', block: 'nearest', inline: 'end' });
      return cell.getBoundingClientRect().right > frame.right + 1;
    }).map((cell) => cell.textContent.trim());
  });
  assert.deepEqual(beyond, [], `${path}: columns that cannot be scrolled to`);
}
