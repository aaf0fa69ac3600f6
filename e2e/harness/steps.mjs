// What people do at the console and at hosted pages, as they would tell it: one function per errand.
//
// Pages are used the way a person uses them, by labels and names of buttons; ids are used only where they are
// promised (`identifier`, `password`, `submit`, `allow`, `deny`) and by form member where the console's kit
// makes id and member the same. Nothing here needs a script in the page, so each errand also runs without.

import assert from 'node:assert/strict';

import { canary } from './product.mjs';

/** Opens a console page, signing in on the way if that is asked. */
export async function openConsole(person, product, operator, path = '/') {
  const { page } = person;
  await page.goto(product.consoleUrl + path);
  if (await page.locator('#identifier').count()) await signInHere(person, operator);
  await page.waitForURL((url) => url.origin === product.consoleUrl && !url.pathname.startsWith('/login'));
}

/** Fills the hosted sign-in page that is open. */
export async function signInHere({ page }, { email, password }) {
  await page.locator('#identifier').fill(email);
  await page.locator('#password').fill(password);
  await page.locator('#submit').click();
}

/** The newest mail to this address, from the mailbox page; follows the link in it. */
export async function openLinkInMail({ page }, product, email) {
  await page.goto(`${product.consoleUrl}/mailbox`);
  const letter = page.locator('article').filter({ hasText: email }).first();
  const link = letter.locator('.pad a').first();
  canary(new URL(await link.getAttribute('href')).searchParams.get('token'));
  await link.click();
}

/** Accepts the invitation in the mailbox with a password of one's own. */
export async function acceptInvitation(person, product, { email, password }) {
  canary(password);
  await openLinkInMail(person, product, email);
  assert.equal(await person.page.locator('#identifier').inputValue(), email);
  await person.page.locator('#password').fill(password);
  await person.page.locator('#submit').click();
  await person.page.waitForURL((url) => !url.pathname.endsWith('/invite') || !url.search);
}

/**
 * Creates the account whose form is open: chooses a password, and proves the address by the link in the mailbox
 * and that password, as a person does who reads the mail in the same browser. That signs in.
 */
export async function createAccount(person, product, { email, password }) {
  const { page } = person;
  canary(password);
  await signInHere(person, { email, password });
  await page.getByRole('heading', { name: 'Check your mail' }).waitFor();
  await openLinkInMail(person, product, email);
  assert.equal(await page.locator('#identifier').inputValue(), email);
  await page.locator('#password').fill(password);
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.waitForURL((url) => !url.pathname.endsWith('/verify'));
}

/** Takes the one-time setup link of an empty installation, and sets a password. */
export async function becomeFirstOperator({ page }, product, { name, email, password }) {
  canary(password);
  await page.goto(product.setupLink());
  await page.locator('#name').fill(name);
  await page.locator('#email').fill(email);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.locator('#password').fill(password);
  await page.locator('#submit').click();
  await page.waitForURL((url) => !url.search);
}

/** The console does not know the session cookie any more, as after a night or a restart. */
export async function forgetSession({ context }, product) {
  const cookies = await context.cookies(product.consoleUrl);
  const session = cookies.find(({ name }) => name === 'bw_console');
  assert.ok(session?.httpOnly, 'there is a session, out of reach of scripts');
  await context.addCookies([{ ...session, value: 'A'.repeat(session.value.length) }]);
}

/** Creates a tenant and invites its first administrator, in one form. */
export async function createTenant({ page }, product, { name, slug, admin }) {
  await page.goto(`${product.consoleUrl}/p/tenants`);
  await page.getByRole('link', { name: 'New tenant' }).first().click();
  await page.locator('#name').fill(name);
  await page.locator('#slug').fill(slug);
  await page.locator('#admin_email').fill(admin.email);
  await page.locator('#admin_name').fill(admin.name);
  await page.getByRole('button', { name: 'Create tenant' }).click();
  await page.getByRole('status').filter({ hasText: name }).waitFor();
}

/** Registers a web application and answers its credentials, which are shown this once. */
export async function createApplication({ page }, { name, redirectUri }) {
  await nav(page, 'Applications').click();
  await page.getByRole('link', { name: 'New application' }).click();
  await page.getByRole('radio', { name: 'Web' }).check();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.locator('#name').fill(name);
  await page.locator('#redirect_uris').fill(redirectUri);
  await page.getByRole('button', { name: 'Create application' }).click();
  const secret = await page.locator('.secret-value code').innerText();
  canary(secret);
  return { client_id: await idOnPage(page, 'app'), client_secret: secret };
}

/** From anywhere in the tenant to the review of a draft with this minimum password length. */
export async function draftPasswordLength({ page }, length) {
  await nav(page, 'Policies').click();
  await page.getByRole('link', { name: 'Passwords' }).click();
  await page.getByRole('link', { name: /Change this policy|Continue the draft/ }).click();
  await page.locator('#min_length').fill(String(length));
  await page.getByRole('button', { name: 'Save and review' }).click();
}

/** Vendor staff try the change of the tenant's administrators: by its page, and by sending its form anyway. */
export async function tryPolicyAsStaff(person, product, slug) {
  const { page } = person.expect(403);
  await page.goto(`${product.consoleUrl}/t/${slug}/production/policies/password`);
  const refused = page.getByRole('main').filter({ hasText: 'Sign-in policy' }).filter({ hasText: /customer/i });
  await refused.waitFor();
  assert.equal(await page.getByRole('link', { name: 'Change this policy' }).count(), 0, 'what is refused is not offered');
  await page.goto(`${product.consoleUrl}/t/${slug}/production/policies/password/draft`);
  await refused.waitFor();
  await page.getByText('policy.sign_in').waitFor();

  const token = await page.locator('input[name=form_token]').first().inputValue();
  const answer = await person.context.request.post(
    `${product.consoleUrl}/cmd/t/${slug}/production/policies/password/save`,
    { form: { form_token: token, min_length: '16', version: '0', base: '2' }, maxRedirects: 0 },
  );
  assert.equal(answer.status(), 403);
  assert.match(await answer.text(), /policy\.sign_in/);
}

/** Publishes the draft under review; returns when the answer to it has begun to arrive. */
export async function publishDraft({ page }) {
  const answered = page.waitForResponse((response) => response.request().method() === 'POST');
  await page.getByRole('button', { name: /^Publish as version/ }).click();
  await answered;
}

/** Sends the form that the page is about. */
export async function sendForm({ page }) {
  await page.locator('main form[method=post] button.primary').click();
}

/** A link of the navigation. */
function nav(page, name) {
  return page.getByRole('navigation').getByRole('link', { name });
}

/** The whole typed id that the page shows, shortened or not. */
async function idOnPage(page, kind) {
  const [id] = (await page.locator('main').innerHTML()).match(new RegExp(`${kind}_[0-9a-z]{26}`)) ?? [];
  assert.ok(id, `the page shows no ${kind} id`);
  return id;
}
