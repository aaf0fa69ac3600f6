// A look at a page as a person, a phone and a machine see it.
//
// Each look takes a screenshot for a person to judge, in both themes and at the widths of a desk and of a phone,
// asks axe for serious and critical findings, and measures that nothing scrolls sideways, down to 320 pixels
// (WCAG 1.4.10).

import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { graveFindings, sidewaysScroll } from '../harness/axe.mjs';
import { NARROW, WIDE } from '../harness/browser.mjs';
import { ROOT } from '../harness/product.mjs';

const SMALLEST = { width: 320, height: 640 };

/** The folder for a suite's screenshots, without those of an earlier run. */
export function gallery(name = '') {
  const folder = join(ROOT, 'e2e/artifacts', name);
  mkdirSync(folder, { recursive: true });
  const earlier = readdirSync(folder).filter((file) => file.endsWith('.png'));
  for (const file of earlier) rmSync(join(folder, file));
  return folder;
}

/** What is wrong with the page that is open; leaves `<name>-<theme>-<width>.png` in the folder. */
export async function look(page, folder, name) {
  const findings = [];
  for (const [width, viewport] of [['wide', WIDE], ['narrow', NARROW]]) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark']) {
      await show(page, colorScheme);
      await page.screenshot({ path: join(folder, `${name}-${colorScheme}-${width}.png`), fullPage: true });
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
