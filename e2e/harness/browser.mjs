// A real Chromium, and people in front of it who notice when a page misbehaves.
//
// Each person has a browser context of their own: cookies, theme, width, and whether scripts run. Whatever a
// page says on its console, every violated content security policy and every failed request is a finding, and
// `finish` fails on findings. Expected refusals must be announced with `expect`, so that no status of 400 or
// more passes unseen.

import assert from 'node:assert/strict';

import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** The widths every page is looked at in: a desk and a phone. */
export const WIDE = { width: 1280, height: 900 };
export const NARROW = { width: 360, height: 740 };
const PATIENCE_MS = 15_000;

export async function launch() {
  const executablePath = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: FLAGS });
}

/** Someone at a browser. `page` is Playwright's; the rest is what only this product's tests need. */
export class Person {
  #expected = new Set();
  findings = [];

  static async sitDown(browser, { javaScript = true, viewport = WIDE, colorScheme = 'light' } = {}) {
    const context = await browser.newContext({
      javaScriptEnabled: javaScript,
      viewport,
      colorScheme,
      reducedMotion: 'reduce',
      locale: 'en-GB',
      timezoneId: 'UTC',
    });
    context.setDefaultTimeout(PATIENCE_MS);
    return new Person(context, await context.newPage(), javaScript);
  }

  constructor(context, page, javaScript) {
    Object.assign(this, { context, page, javaScript });
    context.on('page', (opened) => this.#watch(opened));
    this.#watch(page);
  }

  /** The next answers with this status are wanted: a refusal is what the test is about. */
  expect(...statuses) {
    for (const status of statuses) this.#expected.add(status);
    return this;
  }

  /** Another tab of the same person. */
  async newTab() {
    return this.context.newPage();
  }

  /** Fails with everything that was noticed, and closes the browser window. */
  async finish() {
    await this.context.close();
    assert.deepEqual(this.findings, [], 'pages must not log errors, break their policy or answer with a fault');
  }

  #watch(page) {
    const note = (text) => this.findings.push(text);
    page.on('pageerror', (error) => note(`script error on ${page.url()}: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      // Chromium repeats the status of an answer here; `response` below judges it.
      if (/^Failed to load resource: the server responded with/.test(message.text())) return;
      note(`console ${message.type()} on ${page.url()}: ${message.text()}`);
    });
    page.on('response', (response) => {
      if (response.status() < 400 || this.#expected.has(response.status())) return;
      note(`${response.status()} for ${response.request().method()} ${response.url()}`);
    });
    page.on('requestfailed', (request) => {
      const reason = request.failure()?.errorText ?? '';
      // A navigation that a newer one replaces is no fault of the page, and a browser without scripts says
      // of every script that a policy kept it away.
      const left = reason === 'net::ERR_ABORTED' || (!this.javaScript && request.resourceType() === 'script');
      if (!left) note(`${reason} for ${request.url()}`);
    });
  }
}
