// What `up --demo` seeds (deploy/bailiwick/src/demo/plan.rs), made the way customers make it: through the admin API,
// and by people who follow the link in their mail and choose a password on hosted pages.

import { randomBytes } from 'node:crypto';

import { Agent } from '../harness/agent.mjs';
import { canary, until } from '../harness/product.mjs';

const PLATFORM = 'platform';
const OPERATORS = [
  { role: 'platform_owner', email: 'mara@vendor.example', name: 'Mara Lind', tenant: PLATFORM },
  { role: 'platform_operator', email: 'jonas@vendor.example', name: 'Jonas Weber', tenant: PLATFORM },
  { role: 'tenant_owner', email: 'ada@acme.example', name: 'Ada Okafor', tenant: 'acme' },
  { role: 'application_developer', email: 'ravi@acme.example', name: 'Ravi Menon', tenant: 'acme' },
  { role: 'tenant_auditor', email: 'lucia@acme.example', name: 'Lucia Conti', tenant: 'acme' },
];
const REDIRECT_URIS = ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://127.0.0.1/cb', 'http://127.0.0.1/'];
const SCOPES = [
  { scope: 'orders:read', description: 'See orders' },
  { scope: 'orders:write', description: 'Place and change orders' },
];
const BOTH = ['client_secret_basic', 'client_secret_post'];
/** A tenant of the other region, for which its nodes answer. */
export const ELSEWHERE = 'umbra';

/** Makes a tenant in each region: a node that was never told of any is not ready. */
export async function makeTenants(platform, [here, there]) {
  await platform.call('POST', '/tenants', { slug: 'acme', name: 'Acme', environment: 'production', region: here.name });
  await platform.call('POST', '/tenants', { slug: ELSEWHERE, name: 'Umbra', environment: 'production', region: there.name });
}

/** Seeds through `api(args)`, an admin API opened with these arguments of `bailiwick token`; answers `demo.json`. */
export async function seed({ api, mail, consoleUrl, regions }) {
  const [here, there] = regions;
  const platform = await api();
  const acme = await api('--tenant', 'acme', '--role', 'tenant_owner');
  const issuer = `${here.url}/t/acme`;

  const operators = [];
  for (const { role, email, name, tenant } of OPERATORS) {
    const [asker, path] = tenant === PLATFORM ? [platform, '/operators'] : [acme, '/tenants/acme/operators'];
    const { invitation, reason } = await asker.call('POST', path, { name, email, role });
    if (invitation !== 'sent') throw new Error(`${email} is not invited: ${invitation} ${reason ?? ''}`);
    const password = newPassword();
    await accept(await mail.link(email, '/invite'), password);
    operators.push({ role, email, password, tenant });
  }

  const shop = await acme.createApplication('acme', {
    name: 'Acme Shop', kind: 'web', redirect_uris: REDIRECT_URIS, auth_methods: BOTH,
    post_logout_redirect_uris: ['http://127.0.0.1/', 'http://127.0.0.1/signed-out'],
  });
  const machine = await warehouse(acme, 'acme', 'https://orders.acme.example');
  const other = await api('--tenant', ELSEWHERE, '--role', 'tenant_owner');
  const elsewhere = { issuer: `${there.url}/t/${ELSEWHERE}`, machine: await warehouse(other, ELSEWHERE, 'https://orders.umbra.example') };

  const user = { email: 'sam@customer.example', password: newPassword() };
  await register(issuer, mail, user);
  const application = { ...shop, redirect_uris: REDIRECT_URIS };
  return { demo: { console_url: consoleUrl, issuer, application, machine, user, operators }, elsewhere };
}

/** A machine that may call an API of the tenant. */
async function warehouse(owner, slug, audience) {
  const machine = await owner.createApplication(slug, { name: 'Warehouse', kind: 'machine', auth_methods: BOTH });
  const api = await owner.call('POST', `/tenants/${slug}/apis`, { name: 'Orders', audience, scopes: SCOPES });
  const scopes = SCOPES.map(({ scope }) => scope);
  await owner.call('POST', `/tenants/${slug}/client-grants`, { application: machine.client_id, api: api.id, scopes });
  return { ...machine, scope: scopes.join(' ') };
}

function newPassword() {
  const password = `calm herons ${randomBytes(9).toString('hex')}`;
  canary(password);
  return password;
}

async function accept(link, password) {
  canary(new URL(link).searchParams.get('token'));
  const agent = new Agent();
  const page = await agent.open(link);
  await send(agent, page, { password });
}

async function register(issuer, mail, { email, password }) {
  const agent = new Agent();
  // The nodes may hear of the tenant a moment later than its maker.
  const form = await until(async () => {
    const page = await agent.open(`${issuer}/register`);
    return page.has('identifier') && page;
  }, 'the tenant can be registered at', 20_000);
  await send(agent, form, { identifier: email, password });
  const link = await mail.link(email, '/verify');
  canary(new URL(link).searchParams.get('token'));
  await send(agent, await agent.open(link), { password });
}

async function send(agent, page, values) {
  const after = await agent.submit(page, values, 'submit');
  if (after.status >= 400) throw new Error(`${page.url.pathname}: ${after.status} ${after.text().slice(0, 300)}`);
}
