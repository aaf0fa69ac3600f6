// The stand that most cases begin with: two control planes, three nodes, a tenant with a machine and a person.

import { canary, until } from '../harness/product.mjs';
import { Installation, REGION } from './installation.mjs';
import { Load } from './load.mjs';
import { Proxy } from './proxy.mjs';
import { Postgres, Redis } from './servers.mjs';

export const SLUG = 'globex';
const AUDIENCE = 'https://orders.example';
const PASSWORD = 'seven horses under glass';

/** The servers that all cases of one file share; PostgreSQL goes by `clock`. Redis cannot: its allocator asks for the time. */
export async function servers(clock) {
  const [postgres, redis] = await Promise.all([Postgres.start(clock), Redis.start()]);
  canary(PASSWORD);
  return { postgres, redis, stop: () => Promise.all([postgres.stop(), redis.stop()]) };
}

/**
 * Starts `planes` control planes and `nodes` nodes, one after the other on the planes in turn. Between each node and
 * its control plane, the region's database and the region's Redis stands a proxy of its own. All processes may go by
 * one `clock`, or have `clocks` of their own; `state` names another place for short-lived state than Redis.
 */
export async function stand({ postgres, redis }, { planes = 1, nodes = 3, clock, clocks = false, state } = {}) {
  const installation = new Installation({ postgres, redis, clock, clocks });
  const made = { installation, planes: [], nodes: installation.nodes };
  try {
    for (let count = 0; count < planes; count += 1) made.planes.push(await installation.startControlPlane());
    made.platform = await installation.api(made.planes[0]);
    for (let count = 0; count < nodes; count += 1) {
      const links = {
        push: await Proxy.to(made.planes[count % planes].push),
        postgres: await Proxy.to(postgres.port),
        redis: await Proxy.to(redis.port),
      };
      const at = (url, proxy) => url.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${proxy.port}`);
      const node = await installation.startNode(made.platform, {
        push: links.push.port,
        identity: at(installation.identity, links.postgres),
        state: state ?? at(installation.state, links.redis),
      });
      node.links = links;
    }
    await people(made);
    return made;
  } catch (error) {
    await end(made);
    throw error;
  }
}

/** A tenant with an API, a machine that may call it, and an application that people sign in to. */
async function people(made) {
  const { installation, planes, platform, nodes } = made;
  await platform.call('POST', '/tenants', { slug: SLUG, name: 'Globex', environment: 'sandbox', region: REGION });
  made.owner = await installation.api(planes[0], '--tenant', SLUG, '--role', 'tenant_owner');
  const scopes = [{ scope: 'orders:read', description: 'Read orders' }];
  const api = await made.owner.call('POST', `/tenants/${SLUG}/apis`, { name: 'Orders', audience: AUDIENCE, scopes });
  const application = await made.owner.call('POST', `/tenants/${SLUG}/applications`, { name: 'Batch', kind: 'machine' });
  made.api = api.id;
  made.machine = { client_id: application.application.client_id, client_secret: application.client_secret };
  canary(made.machine.client_secret);
  await made.owner.call('POST', `/tenants/${SLUG}/client-grants`, {
    application: made.machine.client_id, api: api.id, scopes: ['orders:read'],
  });
  await Promise.all(nodes.map((node) => serves(made, node)));
}

/** Waits until a node gives the machine a token. */
export function serves(made, node) {
  return until(async () => {
    const { ok, what } = await node.at.machineToken(SLUG, made.machine);
    if (!ok) throw new Error(what);
    return true;
  }, `${node.name} serves ${SLUG}`, 30_000);
}

/** Machines ask for tokens in turn at every node. */
export function load(made, perSecond = 60) {
  const askers = made.nodes.map((node) => async () => {
    const { ok, what } = await node.at.machineToken(SLUG, made.machine);
    return { ok, what, node: node.name };
  });
  return new Load(perSecond, askers);
}

/** Ends everything that the stand began. */
export async function end(made) {
  await Load.stopAll();
  await made.installation.stop();
  const links = made.nodes.flatMap((node) => Object.values(node.links ?? {}));
  await Promise.all(links.map((link) => link.close()));
}

/** Changes what nodes have to learn, how long tokens live; answers the version that says so. */
export async function publish(made, seconds) {
  const path = `/tenants/${SLUG}/policies/token`;
  const { published } = await made.owner.call('GET', path);
  const document = { ...published.document, access_token_seconds: seconds };
  const { version, base_version } = await made.owner.call('PUT', `${path}/draft`, document, { 'if-none-match': '*' });
  await made.owner.call('POST', `${path}/draft/publish`, { draft_version: version, base_version });
  const { version: current } = await made.owner.call('GET', `/tenants/${SLUG}/effectiveness`);
  return current;
}
