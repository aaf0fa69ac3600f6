// The list of every page, and how a person gets to see it.
//
// `status` names the answers of 400 and above that a sight is about; any other one fails it. A console page
// that is missing here is noticed by `browser/pages.test.mjs`, which compares the list with the navigation.

import { Application } from './application.mjs';
import { beginSignIn, discover } from './relying_party.mjs';
import * as steps from './steps.mjs';

const ACME = '/t/acme/production';
/** A tenant without anything in it yet, made by the sight that shows its creation. */
const FRESH = '/t/hooli/production';
const NEWCOMER = { email: 'gavin@hooli.example', name: 'Gavin Ash', password: 'seven slow lanterns' };
const STALE = 'nothing-is-called-so';

/** Cookies of the operators who have signed in to a product, so that not every sight costs a sign-in. */
const sessions = new WeakMap();

/** A console page as one of the demo's operators. */
async function sit(person, product, role, path) {
  const known = sessions.get(product) ?? new Map();
  sessions.set(product, known);
  await person.context.addCookies(known.get(role) ?? []);
  await steps.openConsole(person, product, product.operator(role), path);
  known.set(role, await person.context.cookies());
}

/** A sight that is just an address of the console. */
function at(name, role, path, ...status) {
  return { name, path, status, go: (person, product) => sit(person, product, role, path) };
}

/** A console page of which the address is found on another one: the first link that `link` matches. */
function behind(name, role, path, link, below = '') {
  return {
    name,
    status: [],
    async go(person, product) {
      await sit(person, product, role, path);
      const href = await person.page.getByRole('main').locator(link).first().getAttribute('href');
      await person.page.goto(product.consoleUrl + href + below);
    },
  };
}

const policies = ['authentication', 'password', 'session', 'token', 'registration'].flatMap((kind) => [
  at(`policy-${kind}`, 'tenant_owner', `${ACME}/policies/${kind}`),
  at(`policy-${kind}-draft`, 'tenant_owner', `${ACME}/policies/${kind}/draft`),
]);

const platform = [
  at('tenants', 'platform_owner', '/p/tenants'),
  at('tenants-none-found', 'platform_owner', `/p/tenants?q=${STALE}`),
  at('tenant-new', 'platform_owner', '/p/tenants/new'),
  {
    name: 'tenant-new-refused',
    status: [422],
    async go(person, product) {
      await sit(person, product, 'platform_owner', '/p/tenants/new');
      await person.page.locator('#slug').fill('Not A Slug');
      await steps.sendForm(person);
      await person.page.getByRole('alert').waitFor();
    },
  },
  {
    name: 'tenant-created',
    status: [],
    async go(person, product) {
      await sit(person, product, 'platform_owner', '/p/tenants');
      await steps.createTenant(person, product, { name: 'Hooli', slug: 'hooli', admin: NEWCOMER });
    },
  },
  at('tenant', 'platform_owner', '/p/tenants/acme'),
  at('nodes', 'platform_owner', '/p/nodes'),
  at('rollouts', 'platform_owner', '/p/rollouts'),
  at('incidents-none', 'platform_owner', '/p/incidents'),
  at('incidents-contain', 'platform_owner', '/p/incidents/contain'),
  at('incidents-contain-none-found', 'platform_owner', `/p/incidents/contain?q=${STALE}`),
  at('staff', 'platform_owner', '/p/staff'),
  at('platform-audit', 'platform_owner', '/p/audit'),
  at('guest-home', 'platform_owner', `${ACME}/home`),
  at('guest-policy', 'platform_owner', `${ACME}/policies/password`),
  at('guest-responsibility', 'platform_owner', `${ACME}/responsibility`),
  at('fresh-apps', 'platform_owner', `${FRESH}/apps`),
  at('fresh-apis', 'platform_owner', `${FRESH}/apis`),
];

const tenant = [
  at('home', 'tenant_owner', `${ACME}/home`),
  at('releases', 'tenant_owner', `${ACME}/releases`),
  at('apps', 'tenant_owner', `${ACME}/apps`),
  at('apps-none-found', 'tenant_owner', `${ACME}/apps?q=${STALE}`),
  at('app-new', 'tenant_owner', `${ACME}/apps/new`),
  ...['web', 'spa', 'native', 'machine'].map((kind) =>
    at(`app-new-${kind}`, 'tenant_owner', `${ACME}/apps/new?kind=${kind}`)),
  {
    name: 'app-created',
    status: [],
    async go(person, product) {
      await sit(person, product, 'tenant_owner', `${ACME}/apps`);
      await steps.createApplication(person, { name: 'Loyalty club', redirectUri: 'https://club.example/callback' });
    },
  },
  behind('app', 'tenant_owner', `${ACME}/apps`, '.row-link'),
  behind('app-redirects', 'tenant_owner', `${ACME}/apps`, '.row-link', '/redirects'),
  behind('app-credentials', 'tenant_owner', `${ACME}/apps`, '.row-link', '/credentials'),
  behind('app-access', 'tenant_owner', `${ACME}/apps`, '.row-link', '/access'),
  behind('app-danger', 'tenant_owner', `${ACME}/apps`, '.row-link', '/danger'),
  at('apis', 'tenant_owner', `${ACME}/apis`),
  at('api-new', 'tenant_owner', `${ACME}/apis/new`),
  behind('api', 'tenant_owner', `${ACME}/apis`, '.row-link'),
  at('policies', 'tenant_owner', `${ACME}/policies`),
  ...policies,
  at('policy-review-none', 'tenant_owner', `${ACME}/policies/token/review`),
  {
    name: 'policy-review',
    status: [],
    async go(person, product) {
      await sit(person, product, 'tenant_owner', `${ACME}/policies`);
      await steps.draftPasswordLength(person, 20);
      await person.page.locator('.changes').waitFor();
    },
  },
  at('roles', 'tenant_owner', `${ACME}/roles`),
  at('roles-table', 'tenant_owner', `${ACME}/roles/table`),
  behind('role-remove', 'tenant_owner', `${ACME}/roles`, 'a[href$="/remove"]'),
  at('responsibility', 'tenant_owner', `${ACME}/responsibility`),
  at('responsibility-duty', 'tenant_owner', `${ACME}/responsibility/policy.sign_in`),
  at('audit', 'tenant_owner', `${ACME}/audit`),
  at('audit-none-found', 'tenant_owner', `${ACME}/audit?object=${STALE}`),
];

const common = [
  at('search', 'platform_owner', '/search?q=acme'),
  at('search-none-found', 'platform_owner', `/search?q=${STALE}`),
  at('me', 'tenant_owner', '/me'),
  at('fault-not-found', 'tenant_owner', `${ACME}/no-such-page`, 404),
  at('fault-foreign-tenant', 'tenant_owner', '/t/platform/production/home', 404),
  at('fault-forbidden', 'tenant_owner', '/p/nodes', 403),
  at('fault-duty', 'platform_owner', `${ACME}/policies/password/draft`, 403),
  {
    name: 'fault-session-ended',
    status: [401],
    async go(person, product) {
      await sit(person, product, 'tenant_owner', `${ACME}/policies/token/draft`);
      await steps.forgetSession(person, product);
      await steps.sendForm(person);
    },
  },
  {
    name: 'signed-out',
    status: [],
    async go(person, product) {
      await sit(person, product, 'tenant_owner', '/me');
      await person.page.locator('form[action="/logout"] button').first().evaluate((button) => button.click());
      await person.page.waitForURL((url) => url.pathname !== '/me');
    },
  },
  { name: 'mailbox', status: [], go: ({ page }, product) => page.goto(`${product.consoleUrl}/mailbox`) },
];

/** Somebody whom nobody knows: nodes refuse whatever they are told to. */
const SOMEBODY = 'usr_01h00000000000000000000000';

/** Contains by the form that is open, as a person would. */
async function containNow({ page }, reason) {
  await page.locator('#reason').fill(reason);
  await page.getByRole('button', { name: 'Contain now' }).click();
}

/** Reloads until the page says so, as whoever has no scripts does. */
async function untilShown({ page }, words) {
  await page.getByText(/ on \d of 1 node/).first().waitFor();
  for (let tries = 0; tries < 20 && !(await page.getByText(words).count()); tries += 1) await page.reload();
  await page.getByText(words).waitFor();
}

/** What is contained and let go again: a story, so the list is walked in order. */
const containment = [
  at('containments-none', 'tenant_owner', `${ACME}/containments`),
  at('containment-new', 'tenant_owner', `${ACME}/containments/new`),
  at('containment-new-user', 'tenant_owner', `${ACME}/containments/new?kind=user&id=${SOMEBODY}`),
  at('containment-new-application', 'tenant_owner', `${ACME}/containments/new?kind=application`),
  at('containment-new-key', 'tenant_owner', `${ACME}/containments/new?kind=signing_key`),
  at('containment-new-refused', 'tenant_owner', `${ACME}/containments/review?kind=user&id=${STALE}`, 422),
  at('containment-review', 'tenant_owner', `${ACME}/containments/review?kind=user&id=${SOMEBODY}`),
  at('containment-review-tenant', 'tenant_owner', `${ACME}/containments/review?kind=tenant`),
  {
    name: 'containment-review-refused',
    status: [422],
    async go(person, product) {
      await sit(person, product, 'tenant_owner', `${ACME}/containments/review?kind=tenant`);
      await containNow(person, '');
      await person.page.getByRole('alert').filter({ hasText: '2 things' }).waitFor();
    },
  },
  {
    name: 'containment-begun',
    status: [],
    async go(person, product) {
      await sit(person, product, 'tenant_owner', `${ACME}/containments/review?kind=user&id=${SOMEBODY}`);
      await containNow(person, 'The account was taken over this morning; the person called');
      await untilShown(person, /Effective on 1 of 1 node, /);
    },
  },
  at('containments', 'tenant_owner', `${ACME}/containments`),
  at('home-contained', 'tenant_owner', `${ACME}/home`),
  at('guest-contained', 'platform_owner', `${ACME}/home`),
  at('incidents', 'platform_owner', '/p/incidents'),
  behind('containment-lift', 'tenant_owner', `${ACME}/containments`, '.row-link', '/lift'),
  {
    name: 'containment-lifted',
    status: [],
    async go(person, product) {
      await sit(person, product, 'tenant_owner', `${ACME}/containments`);
      await person.page.locator('main .row-link').first().click();
      await person.page.getByRole('link', { name: 'Lift…' }).click();
      await person.page.locator('#reason').fill('The password was reset');
      await person.page.getByRole('button', { name: 'Lift now' }).click();
      await untilShown(person, /Lifted on 1 of 1 node, /);
    },
  },
  at('containments-over', 'tenant_owner', `${ACME}/containments`),
];

export const consolePages = [...platform, ...tenant, ...containment, ...common];

/** Addresses that the navigation offers to this role and that no sight shows. */
export async function unseen(person, product, role, path) {
  await sit(person, product, role, path);
  const links = await person.page.locator('nav.nav a').evaluateAll((all) => all.map((link) => link.pathname));
  const seen = new Set(consolePages.map((sight) => sight.path));
  return links.filter((link) => !seen.has(link));
}

const NEW_PASSWORD = 'four calm otters crossed';

/** Goes to the demo application's sign-in page. */
async function toSignIn({ page }, product, request) {
  const config = await discover(product.demo.issuer, product.demo.application);
  const { address } = await beginSignIn(config, request);
  await page.goto(address.href);
}

async function toRegister(person, product) {
  await toSignIn(person, product);
  await person.page.getByRole('link', { name: 'Create one' }).click();
}

/** A page of the demo tenant as somebody who is signed in there. */
async function asMember({ page }, product, path) {
  await page.goto(`${product.demo.issuer}/login`);
  await steps.signInHere({ page }, product.demo.user);
  await page.goto(`${product.demo.issuer}${path}`);
}

export const hostedPages = [
  { name: 'hosted-sign-in', go: toSignIn },
  {
    name: 'hosted-sign-in-refused',
    status: [400],
    async go(person, product) {
      await toSignIn(person, product);
      await steps.signInHere(person, { email: product.demo.user.email, password: 'not the right one at all' });
      await person.page.getByRole('alert').waitFor();
    },
  },
  { name: 'hosted-register', go: toRegister },
  {
    name: 'hosted-register-refused',
    status: [400],
    async go(person, product) {
      await toRegister(person, product);
      await steps.signInHere(person, { email: 'zoe@customer.example', password: 'short' });
      await person.page.locator('#password-error').waitFor();
    },
  },
  {
    name: 'hosted-register-sent',
    async go(person, product) {
      await toRegister(person, product);
      await steps.signInHere(person, { email: 'kim@customer.example', password: NEW_PASSWORD });
      await person.page.getByRole('heading', { name: 'Check your mail' }).waitFor();
    },
  },
  {
    name: 'hosted-verify',
    async go(person, product) {
      await steps.openLinkInMail(person, product, 'kim@customer.example');
      await person.page.getByRole('button', { name: 'Confirm' }).waitFor();
    },
  },
  {
    name: 'hosted-verify-refused',
    status: [400],
    async go(person, product) {
      await steps.openLinkInMail(person, product, 'kim@customer.example');
      await person.page.locator('#password').fill('not the one that was chosen');
      await person.page.getByRole('button', { name: 'Confirm' }).click();
      await person.page.locator('#problem').waitFor();
    },
  },
  {
    name: 'hosted-consent',
    async go(person, product) {
      await toRegister(person, product);
      await steps.createAccount(person, product, { email: 'eve@customer.example', password: NEW_PASSWORD });
      await person.page.locator('#allow').waitFor();
    },
  },
  {
    name: 'hosted-consents',
    async go(person, product) {
      const shop = await Application.listen();
      await shop.connect(product.demo.issuer, product.demo.application);
      await person.page.goto(shop.url);
      await steps.signInHere(person, product.demo.user);
      await person.page.locator('#allow').click();
      await person.page.getByRole('heading', { name: 'Signed in as' }).waitFor();
      await shop.close();
      await person.page.goto(`${product.demo.issuer}/consents`);
      await person.page.getByRole('button', { name: 'Withdraw' }).waitFor();
    },
  },
  {
    name: 'hosted-consents-withdrawn',
    async go(person, product) {
      await asMember(person, product, '/');
      await person.page.getByRole('link', { name: 'What you allowed' }).click();
      await person.page.getByRole('button', { name: 'Withdraw' }).click();
      await person.page.getByRole('status').filter({ hasText: 'Withdrawn' }).waitFor();
    },
  },
  { name: 'hosted-account', go: (person, product) => asMember(person, product, '/') },
  { name: 'hosted-account-nobody', go: ({ page }, product) => page.goto(`${product.demo.issuer}/`) },
  {
    name: 'hosted-sign-out',
    go: (person, product) => asMember(person, product, '/oauth2/logout'),
  },
  {
    name: 'hosted-signed-out',
    async go(person, product) {
      await asMember(person, product, '/oauth2/logout');
      await person.page.locator('#submit').click();
    },
  },
  {
    name: 'hosted-fault-client',
    status: [400],
    async go({ page }, product) {
      await page.goto(`${product.demo.issuer}/oauth2/authorize?client_id=unknown&response_type=code`);
    },
  },
  {
    name: 'hosted-fault-link',
    status: [400],
    go: ({ page }, product) => page.goto(`${product.authUrl}/t/platform/invite?token=${STALE}`),
  },
  { name: 'hosted-fault-tenant', status: [404], go: ({ page }, product) => page.goto(`${product.authUrl}/t/nobody/`) },
  {
    name: 'hosted-fault-closed',
    status: [403],
    go: ({ page }, product) => page.goto(`${product.authUrl}/t/platform/register`),
  },
];

/** Comes after the tenant that its mail is about was made. */
export const invitationPages = [
  { name: 'hosted-invite', go: (person, product) => steps.openLinkInMail(person, product, NEWCOMER.email) },
  {
    name: 'hosted-invite-refused',
    status: [400],
    async go(person, product) {
      await steps.openLinkInMail(person, product, NEWCOMER.email);
      await person.page.locator('#password').fill('short');
      await person.page.locator('#submit').click();
      await person.page.locator('#password-error').waitFor();
    },
  },
  {
    name: 'fresh-home',
    async go(person, product) {
      await steps.acceptInvitation(person, product, NEWCOMER);
      await steps.openConsole(person, product, NEWCOMER, `${FRESH}/home`);
    },
  },
];

export const setupPages = [
  { name: 'setup', go: ({ page }, product) => page.goto(product.setupLink()) },
  {
    name: 'setup-refused',
    status: [422],
    async go(person, product) {
      await person.page.goto(product.setupLink());
      await person.page.locator('#email').fill('not an address');
      await steps.sendForm(person);
      await person.page.getByRole('alert').waitFor();
    },
  },
  {
    name: 'setup-link-unknown',
    status: [404],
    go: ({ page }, product) => page.goto(`${product.consoleUrl}/setup?token=${STALE}`),
  },
  { name: 'mailbox-empty', go: ({ page }, product) => page.goto(`${product.consoleUrl}/mailbox`) },
  {
    name: 'tenants-none',
    async go(person, product) {
      const first = { email: 'mara@vendor.example', name: 'Mara Lind', password: 'nine grey stones rested' };
      await steps.becomeFirstOperator(person, product, first);
      await steps.openConsole(person, product, first, '/p/tenants');
    },
  },
];
