// Every page there is, looked at in both themes and at the widths of a desk and of a phone.
//
// What a look is says `look.mjs`; its screenshots are `e2e/artifacts/<page>-<theme>-<width>.png`. A page that logs
// an error, breaks its policy or answers with a fault fails as well.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Person, launch } from '../harness/browser.mjs';
import { Product } from '../harness/product.mjs';
import { consolePages, hostedPages, invitationPages, setupPages, unseen } from '../harness/sights.mjs';
import { gallery, look } from './look.mjs';
import { nodePages } from './node_sights.mjs';

let browser, product, empty, folder;

before(async () => {
  folder = gallery();
  [browser, product, empty] = await Promise.all([launch(), Product.start(), Product.start({ demo: false })]);
});
after(async () => {
  await browser?.close();
  await Promise.all([product?.stop(), empty?.stop()]);
});

// Three people look at the same time; each walks through a list in its order, since one sight may need another.
describe('every page', { concurrency: 3 }, () => {
  walk('hosted pages', hostedPages, () => product);
  walk('console pages', [...consolePages, ...invitationPages], () => product);
  walk('pages about nodes', nodePages, () => product);
  walk('pages of an installation that is still empty', setupPages, () => empty);
});

test('no page of the navigation is left out', async () => {
  const person = await Person.sitDown(browser);
  assert.deepEqual(await unseen(person, product, 'tenant_owner', '/t/acme/production/home'), []);
  await person.context.clearCookies();
  assert.deepEqual(await unseen(person, product, 'platform_owner', '/p/tenants'), []);
  await person.finish();
});

/** One test for each sight: a person goes there and looks. */
function walk(title, sights, where) {
  describe(title, { concurrency: 1 }, () => {
    for (const { name, go, status = [] } of sights) {
      test(name, async () => {
        const person = (await Person.sitDown(browser)).expect(...status);
        await go(person, where());
        const findings = await look(person.page, folder, name);
        await person.finish();
        assert.deepEqual(findings, []);
      });
    }
  });
}
