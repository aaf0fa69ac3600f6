// Accessibility of one page as axe-core sees it: no serious and no critical finding (WCAG 2.2 AA).
//
// An allow-list would live here, each entry with a reason and a date; there is none, and adding one should hurt.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const SOURCE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const GRAVE = new Set(['serious', 'critical']);

/** Findings in words, one per element; empty when the page is fine. */
export async function graveFindings(page) {
  // Evaluated through the debugger, so the page's own script policy stays in force.
  if (!(await page.evaluate('"axe" in window'))) await page.evaluate(SOURCE);
  const { violations } = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags }), TAGS);
  return violations
    .filter(({ impact }) => GRAVE.has(impact))
    .flatMap(({ id, impact, help, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${impact} ${id} (${help}) at ${target}: ${failureSummary}`));
}

/** How far the page can be scrolled sideways, in pixels; tables scroll in a box of their own. */
export function sidewaysScroll(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}
