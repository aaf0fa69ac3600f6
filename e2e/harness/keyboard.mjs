// Hands that never touch a mouse: Tab, Shift+Tab, Enter, Space and typing, nothing else.
//
// Every stop on the way must be visible as such (WCAG 2.4.7); a focus that cannot be seen is a finding.

import assert from 'node:assert/strict';

const MOST_STOPS = 120;

/** Presses Tab until `wanted` has the focus. */
export async function tabTo(page, wanted, key = 'Tab') {
  await wanted.waitFor();
  for (let stop = 0; stop < MOST_STOPS; stop += 1) {
    if (await wanted.evaluate((element) => element === document.activeElement)) return assertVisible(page);
    await page.keyboard.press(key);
  }
  throw new Error(`${wanted} cannot be reached with ${key}`);
}

/** Tabs to a control and activates it. */
export async function press(page, wanted, key = 'Enter') {
  await tabTo(page, wanted);
  await page.keyboard.press(key);
}

/** Tabs to a field and types over what is in it. */
export async function type(page, wanted, text) {
  await tabTo(page, wanted);
  await page.keyboard.press('Control+A');
  await page.keyboard.type(text);
}

async function assertVisible(page) {
  const seen = await page.evaluate(() => {
    const isDrawn = (style) => style.outlineStyle !== 'none' || style.boxShadow !== 'none';
    const focused = document.activeElement;
    // A link may light up its whole row, a field the box it stands in.
    const around = [focused, focused.parentElement].filter(Boolean).map((element) => getComputedStyle(element));
    return [...around, getComputedStyle(focused, '::after')].some(isDrawn);
  });
  const where = await page.evaluate(() => document.activeElement.outerHTML.slice(0, 120));
  assert.ok(seen, `the focus cannot be seen on ${where}`);
}
