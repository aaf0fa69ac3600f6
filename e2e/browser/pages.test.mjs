// Every page there is, looked at in both themes and at the widths of a desk and of a phone.
//
// Each look takes a screenshot for a person to judge (`e2e/artifacts/<page>-<theme>-<width>.png`), asks axe
// for serious and critical findings, and measures that nothing scrolls sideways, down to 320 pixels
// (WCAG 1.4.10). A page that logs an error, breaks its policy or answers with a fault fails as well.

import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { graveFindings, sidewaysScroll } from '../harness/axe.mjs';
import { NARROW, Person, WIDE, launch } from '../harness/browser.mjs';
import { Product, ROOT } from '../harness/product.mjs';
import { consolePages, hostedPages, invitationPages, setupPages, unseen } from '../harness/sights.mjs';

const ARTIFACTS = join(ROOT, 'e2e/artifacts');
const SMALLEST = { width: 320, height: 640 };

let browser, product, empty;

before(async () => {
  rmSync(ARTIFACTS, { recursive: true, force: true });
  mkdirSync(ARTIFACTS, { recursive: true });
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
        const findings = await look(person.page, name);
        await person.finish();
        assert.deepEqual(findings, []);
      });
    }
  });
}

async function look(page, name) {
  const findings = [];
  for (const [width, viewport] of [['wide', WIDE], ['narrow', NARROW]]) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark']) {
      await show(page, colorScheme);
      await page.screenshot({ path: join(ARTIFACTS, `${name}-${colorScheme}-${width}.png`), fullPage: true });
      const found = await graveFindings(page);
      findings.push(...found.map((finding) => `${colorScheme} ${width}: ${finding}`));
    }
  }
  for (const viewport of [NARROW, SMALLEST]) {
    await page.setViewportSize(viewport);
    const pixels = await sidewaysScroll(page);
    if (pixels > 0) findings.push(`scrolls ${pixels} px sideways at ${viewport.width} px`);
  }
  return findings;
}

/** Switches the theme. Chromium leaves inherited `light-dark()` colours as they were; drawing anew sets them. */
async function show(page, colorScheme) {
  await page.emulateMedia({ colorScheme });
  await page.evaluate(async () => {
    const root = document.documentElement;
    root.hidden = true;
    root.getBoundingClientRect();
    root.hidden = false;
    await Promise.all(document.getAnimations().map((animation) => animation.finished));
  });
}
