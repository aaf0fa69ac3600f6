// People who sign in, and the chain of refresh tokens that each of them holds from then on.

import { createHash, randomBytes } from 'node:crypto';
import { connect, createServer } from 'node:net';

import { Agent } from '../harness/agent.mjs';
import { canary, until } from '../harness/product.mjs';
import { LOOPBACK_REDIRECT, beginSignIn, discover, signIn } from '../harness/relying_party.mjs';
import { SLUG } from './stand.mjs';

const PASSWORD = 'seven horses under glass';

/** The region's one address: passes each connection on to the next node that takes it. */
export class Front {
  static async before(made, { sticky = false } = {}) {
    const front = new Front();
    const { port } = new URL(made.installation.base);
    let turn = 0;
    const open = new Set();
    front.server = createServer((near) => {
      const alive = made.nodes.filter((node) => node.alive);
      const node = alive[sticky ? 0 : (turn += 1) % alive.length];
      const far = connect(node?.port ?? 1, '127.0.0.1');
      open.add(near);
      for (const [from, to] of [[near, far], [far, near]]) {
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
        from.pipe(to);
      }
      near.on('close', () => open.delete(near));
    });
    await new Promise((listening) => front.server.listen(Number(port), '127.0.0.1', listening));
    front.close = () => {
      for (const socket of open) socket.destroy();
      return new Promise((closed) => front.server.close(closed));
    };
    return front;
  }
}

/** Lets anybody register at once, and gives the application that they sign in to. */
export async function open(made) {
  const path = `/tenants/${SLUG}/policies/registration/draft`;
  const document = { kind: 'registration', mode: 'open', ask_name: false, verify_email: false, email_domains: [] };
  const draft = await made.owner.call('PUT', path, document, { 'if-none-match': '*' });
  const { version, base_version } = draft;
  await made.owner.call('POST', `${path}/publish`, { draft_version: version, base_version });
  made.shop = await made.owner.createApplication(SLUG, {
    name: 'Shop', kind: 'web', redirect_uris: [LOOPBACK_REDIRECT], grant_types: ['authorization_code', 'refresh_token'],
  });
  canary(PASSWORD);
}

/** Registers a person and signs them in through the region's address. */
export async function person(made, name) {
  const issuer = `${made.installation.base}/t/${SLUG}`;
  const user = { email: `${name}@customer.example`, password: PASSWORD };
  await until(async () => {
    const agent = new Agent();
    const form = await agent.open(`${issuer}/register`);
    if (!form.has('identifier')) throw new Error(`${form.status}: ${form.text().slice(0, 100)}`);
    const done = await agent.submit(form, { identifier: user.email, password: user.password }, 'submit');
    if (done.status >= 400) throw new Error(`${done.status}: ${done.text().slice(0, 200)}`);
    return true;
  }, `${name} registers`);
  const config = await until(() => discover(issuer, made.shop), 'the shop reads the metadata');
  const tokens = await until(
    () => signIn(config, user, { scope: 'openid email offline_access', prompt: 'consent' }), `${name} signs in`);
  return new Person(made, user, tokens);
}

/** Somebody's chain of refresh tokens; each answer that was acknowledged is remembered. */
export class Person {
  chain = [];

  constructor(made, user, tokens) {
    Object.assign(this, { made, user, current: tokens.refresh_token, access: tokens.access_token });
    if (!this.current) throw new Error('no refresh token was issued');
  }

  /** Refreshes at one node. A lost answer leaves the token as it was, to be tried again. */
  async refresh(node, token = this.current) {
    const { client_id: id, client_secret: secret } = this.made.shop;
    const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
    const fields = { grant_type: 'refresh_token', refresh_token: token };
    const options = { method: 'POST', fields, headers: { authorization }, timeoutMs: 30_000 };
    const { status, headers, body } = await node.at.ask(`/t/${SLUG}/oauth2/token`, options);
    const answer = body.startsWith('{') ? JSON.parse(body) : {};
    canary(answer.access_token, answer.refresh_token, answer.id_token);
    if (status === 200) {
      this.chain.push({ used: token, got: answer.refresh_token });
      Object.assign(this, { current: answer.refresh_token, access: answer.access_token });
    }
    const retry = headers['retry-after'];
    return { ok: status === 200, status, retry, what: `${status} ${answer.error ?? ''}`.trim(), got: answer.refresh_token };
  }

  /** Asks who they are: a read of the region's database. */
  async isAsked(node) {
    const headers = { authorization: `Bearer ${this.access}` };
    try {
      const { status } = await node.at.ask(`/t/${SLUG}/oauth2/userinfo`, { headers, timeoutMs: 30_000 });
      return { status, what: String(status) };
    } catch (error) {
      return { what: error.cause?.code ?? error.message };
    }
  }

}

/**
 * Signs a person in at the region's address as far as a code that was not redeemed; `redeem(node)` presents it there. The
 * library keeps its verifier to itself, so this one is our own.
 */
export async function redeemable(made, { user }) {
  const issuer = `${made.installation.base}/t/${SLUG}`;
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const request = { scope: 'openid email offline_access', prompt: 'consent', code_challenge: challenge };
  const { address } = await beginSignIn(await discover(issuer, made.shop), request);
  const arrived = await new Agent().authorize(address.href, user, LOOPBACK_REDIRECT);
  const code = arrived.searchParams.get('code');
  canary(code, verifier);
  const { client_id: id, client_secret: secret } = made.shop;
  const headers = { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` };
  const fields = { grant_type: 'authorization_code', code, redirect_uri: LOOPBACK_REDIRECT, code_verifier: verifier };
  const redeem = async (node) => {
    const answer = await node.at.ask(`/t/${SLUG}/oauth2/token`, { method: 'POST', fields, headers });
    const said = answer.body.startsWith('{') ? JSON.parse(answer.body) : {};
    canary(said.access_token, said.refresh_token, said.id_token);
    return { ...answer, error: said.error };
  };
  return { redeem };
}

/** A value that occurs nowhere else. */
export function unique() {
  return randomBytes(6).toString('hex');
}
